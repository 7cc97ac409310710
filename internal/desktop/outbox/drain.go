package outbox

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"
)

// Ack is the platform's answer to a batch or a head.
type Ack struct {
	Epoch   audit.Epoch
	NextSeq uint64 // the first sequence it does not hold
}

// Platform takes batches. An answer without error means that every record of the batch below NextSeq is durable
// there, now or from before. The errors that Drain understands carry these codes:
//
//	CodeChainGap       the batch begins beyond what the platform holds; the Ack says where it wants to go on
//	CodeChainFork      the platform holds another record in one of the places, or more than the head claims
//	CodeRecordInvalid  a record does not verify there; the error may have a method BadSeq() uint64 that says which
//
// Whatever else goes wrong is tried again, not before the time that a method RetryAfter() time.Duration of the error
// asks for.
type Platform interface {
	PostRecords(ctx context.Context, b Batch) (Ack, error)
	// PostHead says where this machine's chain ends, signed (audit.SignHead), so that silence is visible.
	PostHead(ctx context.Context, head audit.Head, sig []byte) (Ack, error)
}

// When the head is posted before records are.
const (
	headEvery   = 15 * time.Minute // of silence
	headCareful = 5 * time.Second  // of silence, while not everything that was acknowledged is proven
)

// contact is how the platform was last spoken to.
type contact struct {
	at     time.Time
	failed bool // since then
}

// Drain sends what is pending, in order and one batch at a time, until nothing is left or something fails. What the
// platform acknowledged is durable when it returns. Several callers take turns.
//
// CodeChainFork means that the platform knows another history of this machine, CodeLogForked that it does not hold
// what it had acknowledged. Both are kept, and no session can be started, until the platform agrees again.
func (o *Outbox) Drain(ctx context.Context, p Platform) error {
	select {
	case <-o.draining:
	case <-ctx.Done():
		return stead.E(stead.CodeUnreachable, ctx.Err())
	}
	err := o.drain(ctx, p)
	o.contact.failed = err != nil
	o.draining <- struct{}{}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last, o.nextTry = stead.CodeOf(err), time.Time{}
	return err
}

func (o *Outbox) drain(ctx context.Context, p Platform) (err error) {
	if err := o.drainSalvaged(ctx, p); err != nil {
		return err
	}
	if err := o.greet(ctx, p); err != nil {
		return err
	}
	var acks acknowledging
	defer func() { err = errors.Join(err, acks.wait()) }()
	var after uint64
	limit := BatchRecords
	for rewound := false; ; {
		b, err := o.Pending(ctx, after, limit)
		if err != nil {
			return err
		}
		if len(b.Items) == 0 {
			return errors.Join(acks.wait(), o.agreed(ctx), o.drainOwed(ctx, p))
		}
		ack, err := p.PostRecords(ctx, b)
		if failed := acks.wait(); failed != nil {
			return failed
		}
		if err == nil && ack.NextSeq <= b.First {
			err = stead.Errorf(stead.CodeChainGap, "the platform took no record and wants %d", ack.NextSeq)
		}
		switch stead.CodeOf(err) {
		case "":
			o.contact.at = time.Now()
			after, err = o.accept(ctx, b, ack, &acks)
			rewound, limit = false, BatchRecords
		case stead.CodeChainGap:
			if !rewound { // once is enough
				after, err = o.rewind(ctx, b, ack, err)
			}
			rewound = true
		case stead.CodeChainFork:
			err = errors.Join(err, o.find(ctx, rolledBackIn, err))
		case stead.CodeRecordInvalid:
			limit, err = o.blame(ctx, b, limit, err)
		}
		if err != nil {
			return err
		}
	}
}

// acknowledging is an acknowledgement that is being written while the next batch is on its way.
type acknowledging struct {
	writing sync.WaitGroup
	err     error
}

func (a *acknowledging) begin(write func() error) { a.writing.Go(func() { a.err = write() }) }

// wait returns how it went, once.
func (a *acknowledging) wait() error {
	a.writing.Wait()
	err := a.err
	a.err = nil
	return err
}

// greet posts the head where the platform has not heard from this machine for a while, or may have been set back
// meanwhile: at first, after a failure, after a long silence.
func (o *Outbox) greet(ctx context.Context, p Platform) error {
	s, err := o.standing()
	if err != nil {
		return err
	}
	silence := time.Since(o.contact.at)
	due := o.contact.at.IsZero() || o.contact.failed || silence >= headEvery || s.acked != s.receipted && silence >= headCareful ||
		s.proof.RolledBack != nil || s.proof.Lost != nil
	if !due {
		return nil
	}
	ack, err := p.PostHead(ctx, s.head, s.sig)
	if err == nil {
		err = s.claims(ack)
	}
	if stead.CodeOf(err) == stead.CodeChainFork {
		return errors.Join(err, o.find(ctx, rolledBackIn, err))
	}
	if err != nil {
		return err
	}
	o.contact.at = time.Now()
	return o.holds(ctx, ack)
}

func (s standing) claims(ack Ack) error {
	if ack.NextSeq == 0 {
		return stead.Errorf(stead.CodeVersion, "the platform does not say which record it wants")
	}
	f := file{head: s.head}
	return f.claims(ack.Epoch, ack.NextSeq-1)
}

// holds returns nil when the platform still holds what it acknowledged, or when a declared restore explains why it
// does not.
func (o *Outbox) holds(ctx context.Context, ack Ack) error {
	s, err := o.standing()
	switch {
	case err != nil:
		return err
	case ack.NextSeq > s.acked.Seq:
		return o.unexcuse(ctx, s)
	case s.proof.Excused:
		return nil
	}
	lost := forked(fmt.Errorf("the platform acknowledged record %d and now wants %d", s.acked.Seq, ack.NextSeq))
	err = errors.Join(lost, o.find(ctx, lostIn, lost))
	nudge(o.doubt) // a restore may have been declared
	return err
}

// rewind returns after which record to go on when the platform wants earlier ones than those of the batch. They can be
// had as long as they were not acknowledged.
func (o *Outbox) rewind(ctx context.Context, b Batch, ack Ack, gap error) (uint64, error) {
	if ack.NextSeq == 0 { // it does not say
		return 0, gap
	}
	if err := o.holds(ctx, ack); err != nil {
		return 0, err
	}
	s, err := o.standing()
	if err != nil {
		return 0, err
	}
	if ack.NextSeq >= b.First || ack.NextSeq <= s.acked.Seq {
		return 0, gap
	}
	return ack.NextSeq - 1, nil
}

// accept begins to take over an acknowledgement and returns how far it reaches. Only what was in the batch counts: what
// the platform may hold beyond it was not compared with ours.
func (o *Outbox) accept(ctx context.Context, b Batch, ack Ack, acks *acknowledging) (uint64, error) {
	s, err := o.standing()
	if err != nil {
		return 0, err
	}
	if err := s.claims(ack); err != nil {
		return 0, errors.Join(err, o.find(ctx, rolledBackIn, err))
	}
	held := min(ack.NextSeq-1, b.Items[len(b.Items)-1].Seq)
	acks.begin(func() error {
		if err := o.Acknowledge(ctx, ack.Epoch, held); err != nil {
			return err
		}
		nudge(o.doubt)
		return o.unexcuse(ctx, s)
	})
	return held, nil
}

// unexcuse ends what a restore allowed: from here on the platform holds what it acknowledges.
func (o *Outbox) unexcuse(ctx context.Context, s standing) error {
	if !s.proof.Excused {
		return nil
	}
	return o.revise(ctx, func(_ *file, p *proof) bool {
		p.Excused = false
		return true
	})
}

// agreed takes back what the platform said against this machine, once everything was sent and taken.
func (o *Outbox) agreed(ctx context.Context) error {
	s, err := o.standing()
	if err != nil || s.proof.RolledBack == nil && s.proof.Lost == nil {
		return err
	}
	return o.revise(ctx, func(_ *file, p *proof) bool {
		p.RolledBack, p.Lost = nil, nil
		return true
	})
}

// WaitDrained returns nil as soon as the platform has acknowledged seq. It kicks Run and waits until ctx ends; then
// it returns the last drain's error code, or CodeUnreachable when there is none.
func (o *Outbox) WaitDrained(ctx context.Context, seq uint64) error {
	o.Kick()
	for {
		o.mu.RLock()
		done := o.file != nil && o.file.acked.Seq >= seq
		advanced, broken := o.advanced, o.broken
		o.mu.RUnlock()
		switch {
		case done:
			return nil
		case broken != nil:
			return broken
		}
		select {
		case <-advanced:
		case <-o.life.Done():
			return stead.E(stead.CodeOutboxWrite, errClosed)
		case <-ctx.Done():
			last := o.State().LastError
			if last == "" {
				last = stead.CodeUnreachable
			}
			return stead.E(last, errors.Join(ctx.Err(), errors.New("the platform has not acknowledged the record")))
		}
	}
}
