package outbox

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"
)

// Ack is the platform's answer to a batch.
type Ack struct {
	Epoch   audit.Epoch
	NextSeq uint64 // the first sequence it does not hold
}

// Platform takes batches. An answer without error means that every record of the batch below NextSeq is durable
// there, now or from before. The errors that Drain understands carry these codes:
//
//	CodeChainGap       the batch begins beyond what the platform holds; the Ack says where it wants to go on
//	CodeChainFork      the platform holds another record in one of the places
//	CodeRecordInvalid  a record does not verify there
//
// Whatever else goes wrong is tried again.
type Platform interface {
	PostRecords(ctx context.Context, b Batch) (Ack, error)
}

// The back-off between passes that failed: full jitter below a ceiling that doubles.
const (
	firstCeiling = time.Second
	lastCeiling  = 5 * time.Minute
)

// Drain sends what is pending, in order and one batch at a time, until nothing is left or something fails. Several
// callers take turns.
func (o *Outbox) Drain(ctx context.Context, p Platform) error {
	select {
	case <-o.draining:
	case <-ctx.Done():
		return stead.E(stead.CodeUnreachable, ctx.Err())
	}
	defer func() { o.draining <- struct{}{} }()
	err := o.drain(ctx, p)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last, o.nextTry = stead.CodeOf(err), time.Time{}
	return err
}

func (o *Outbox) drain(ctx context.Context, p Platform) error {
	if err := o.drainSalvaged(ctx, p); err != nil {
		return err
	}
	var after uint64
	for rewound := false; ; {
		b, err := o.Pending(ctx, after, BatchRecords)
		if err == nil && len(b.Items) == 0 {
			return o.drainOwed(ctx, p)
		}
		if err != nil {
			return err
		}
		ack, err := p.PostRecords(ctx, b)
		gap := stead.CodeOf(err) == stead.CodeChainGap
		if err != nil && !gap {
			return err
		}
		if ack.NextSeq <= b.First { // the platform took nothing of this batch
			if err == nil {
				err = stead.Errorf(stead.CodeChainGap, "the platform took no record and wants %d", ack.NextSeq)
			}
			// It wants earlier ones. They can be had as long as they were not acknowledged; once is enough.
			if rewound || ack.NextSeq == b.First || ack.NextSeq <= o.State().Acknowledged {
				return err
			}
			rewound, after = true, ack.NextSeq-1
			continue
		}
		if gap {
			return err // and yet it holds the batch's first record: it contradicts itself
		}
		if after, err = o.accept(ctx, b, ack); err != nil {
			return err
		}
		rewound = false
	}
}

// accept takes over an acknowledgement and returns how far it reaches. Only what was in the batch counts: what the
// platform may hold beyond it was not compared with ours.
func (o *Outbox) accept(ctx context.Context, b Batch, ack Ack) (uint64, error) {
	held := ack.NextSeq - 1
	if head := o.State().Head; held > head {
		return 0, stead.Errorf(stead.CodeChainFork, "the platform holds record %d, this machine ends at %d", held, head)
	}
	held = min(held, b.Items[len(b.Items)-1].Seq)
	return held, o.Acknowledge(ctx, ack.Epoch, held)
}

// Run drains whenever something was appended, and after a failure again and again with growing pauses, until ctx ends
// or the outbox is closed. There is no last try and no record too old to be sent.
func (o *Outbox) Run(ctx context.Context, p Platform) {
	if !o.adopt() {
		return
	}
	defer o.owned.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(o.life, cancel)()
	ceiling := firstCeiling
	for ctx.Err() == nil {
		err := o.Drain(ctx, p)
		o.upkeep(ctx)
		var again <-chan time.Time
		if err == nil {
			ceiling = firstCeiling
		} else {
			pause := rand.N(ceiling) //nolint:gosec // G404: it spreads devices out in time and guards nothing
			again = time.After(pause)
			ceiling = min(2*ceiling, lastCeiling)
			o.mu.Lock()
			o.nextTry = time.Now().Add(pause)
			o.mu.Unlock()
		}
		select {
		case <-ctx.Done():
		case <-o.wake:
		case <-again:
		case <-o.kick:
			ceiling = firstCeiling
		}
	}
}

// adopt makes Close wait for the caller, unless it already began.
func (o *Outbox) adopt() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.closed {
		o.owned.Add(1)
	}
	return !o.closed
}

// Kick makes Run try at once and begin its pauses anew: the network came back, or a person is waiting.
func (o *Outbox) Kick() { nudge(o.kick) }

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
