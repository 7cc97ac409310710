package outbox

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/google/uuid"

	"stead/internal/audit"
	"stead/internal/stead"
)

// MaxTexts is how many bytes the texts of one record may have together. With audit.MaxEnvelope it bounds a record
// before it is stored, so that none can be too large to send.
const MaxTexts = 64 << 10

// How much one commit takes.
const (
	groupRecords = 256
	groupBytes   = 1 << 20
)

// Entry is a record to be: what happened. The outbox adds where it stands in the chain and when that was.
type Entry struct {
	Kind    audit.Kind // one that devices write
	EventID uuid.UUID  // drawn when zero
	Session *stead.SessionID
	Actor   stead.Pseudonym
	Subject *stead.Pseudonym
	Ref     *uuid.UUID
	Texts   []audit.Text // committed to in the record, sealed beside it
	Body    audit.Body
}

// Placed says where an entry stands in the chain.
type Placed struct {
	EventID uuid.UUID
	Epoch   audit.Epoch
	Seq     uint64
	Leaf    [32]byte
}

// request is an entry on its way to the committer.
type request struct {
	entry    Entry
	size     int
	answered chan answer // buffered, so that the committer never waits for who gave up
}

type answer struct {
	placed Placed
	err    error
}

// Append writes the entry and returns when it is on disk (fsync), chained, and vouched for by a signed head.
//
// A session intent is refused, and nothing written, while the platform's log contradicts itself (CodeLogForked), while
// this machine's chain was rolled back or forked (CodeChainFork), and when there is too little room for what has to
// follow it (CodeOutboxFull). CodeRecordInvalid means that the entry can never be a record. CodeOutboxWrite means that the caller must not go on;
// the record may exist nevertheless, when the flush failed after the write or ctx ended before the answer.
// CodeOutboxDamaged means that nothing can be appended until somebody looked at the file. CodeOutboxRecovered refuses a
// session.intent, see Recover.
func (o *Outbox) Append(ctx context.Context, e Entry) (Placed, error) {
	if e.EventID == uuid.Nil {
		e.EventID = stead.NewEventID()
	}
	size, err := measure(e, o.cfg)
	if err != nil {
		return Placed{}, stead.E(stead.CodeRecordInvalid, err)
	}
	if e.Kind == audit.SessionIntent {
		if err := o.MayStart(); err != nil {
			return Placed{}, err
		}
	}
	r := &request{entry: e, size: size, answered: make(chan answer, 1)}
	select {
	case o.appends <- r:
	case <-o.life.Done():
		return Placed{}, stead.E(stead.CodeOutboxWrite, errClosed)
	case <-ctx.Done():
		return Placed{}, stead.E(stead.CodeOutboxWrite, ctx.Err())
	}
	select {
	case a := <-r.answered:
		return a.placed, a.err
	case <-ctx.Done():
		return Placed{}, stead.E(stead.CodeOutboxWrite, ctx.Err())
	}
}

// measure tries the entry as the first record of an epoch, so that whatever is wrong with it is found before it can
// spoil a commit it shares with others.
func measure(e Entry, cfg Config) (int, error) {
	if !e.Kind.FromDevice() {
		return 0, fmt.Errorf("%q is not a device's to write", e.Kind)
	}
	texts := 0
	for _, t := range e.Texts {
		if err := t.Valid(); err != nil {
			return 0, err
		}
		texts += len(t.Value)
	}
	if texts > MaxTexts {
		return 0, fmt.Errorf("texts of %d bytes: at most %d", texts, MaxTexts)
	}
	// The largest numbers have the longest encoding, so the record at its real place is never larger.
	r := record(e, audit.Head{Device: cfg.Device, Seq: 1<<64 - 2, Leaf: [32]byte{1}})
	r.KeyID, r.WallMS, r.MonoMS = cfg.KeyID, 1<<63-1, 1<<63-1
	r.ServerOffsetMS = &r.WallMS
	env, err := r.Encode()
	return len(env) + texts, err
}

// record is the entry at its place after the head, without times.
func record(e Entry, head audit.Head) audit.Record {
	r := audit.Record{Device: head.Device, Epoch: head.Epoch, Seq: head.Seq + 1, Prev: head.Leaf, Kind: e.Kind,
		EventID: e.EventID, Session: e.Session, Actor: e.Actor, Subject: e.Subject, Ref: e.Ref, Body: e.Body}
	r.Commit(e.Texts)
	return r
}

// gather takes what else is waiting, without a timer: yielding three times lets callers that were just answered come
// back, and costs a lone caller nothing it could measure.
func (o *Outbox) gather(first *request) []*request {
	for range 3 {
		runtime.Gosched()
	}
	group, size := []*request{first}, first.size
	for len(group) < groupRecords && size < groupBytes {
		select {
		case r := <-o.appends:
			group, size = append(group, r), size+r.size
		default:
			return group
		}
	}
	return group
}

// place makes the records of a group: chained after the head, sealed, with the head after them signed.
func (o *Outbox) place(f *file, group []*request) (written, error) {
	o.mu.RLock()
	offset := o.offset
	o.mu.RUnlock()
	w := written{head: f.head, wall: o.cfg.Now().UnixMilli()}
	mono := time.Since(o.began).Milliseconds()
	for _, r := range group {
		rec := record(r.entry, w.head)
		rec.WallMS, rec.MonoMS, rec.BootID = w.wall, mono, o.cfg.BootID
		rec.ServerOffsetMS, rec.KeyID = offset, o.cfg.KeyID
		env, err := rec.Encode()
		if err != nil {
			return w, err
		}
		w.head.Seq, w.head.Leaf = rec.Seq, audit.Leaf(env)
		value, err := f.seal(rec.Seq, stored{Envelope: env, Texts: r.entry.Texts})
		if err != nil {
			return w, err
		}
		w.values = append(w.values, value)
		w.placed = append(w.placed, Placed{EventID: rec.EventID, Epoch: rec.Epoch, Seq: rec.Seq, Leaf: w.head.Leaf})
	}
	var err error
	w.sig, err = audit.SignHead(o.cfg.Signer, w.head)
	return w, err
}
