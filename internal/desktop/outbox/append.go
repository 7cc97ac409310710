package outbox

import (
	"context"
	"fmt"
	"runtime"
	"sync"
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

// request is an entry on its way to the committer, encoded but for its place.
type request struct {
	entry    Entry
	draft    audit.Draft
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
	r, err := newRequest(e, o.cfg)
	if err != nil {
		return Placed{}, stead.E(stead.CodeRecordInvalid, err)
	}
	if e.Kind == audit.SessionIntent {
		if err := o.MayStart(); err != nil {
			return Placed{}, err
		}
	}
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
	case <-o.ended: // the committer left it in the queue, unless it answered last of all
	}
	select {
	case a := <-r.answered:
		return a.placed, a.err
	default:
		return Placed{}, stead.E(stead.CodeOutboxWrite, errClosed)
	}
}

// newRequest encodes the entry as far as that goes without its place, so that whatever is wrong with it is found before
// it can spoil a commit it shares with others, and the committer has less to do.
func newRequest(e Entry, cfg Config) (*request, error) {
	if !e.Kind.FromDevice() {
		return nil, fmt.Errorf("%q is not a device's to write", e.Kind)
	}
	texts := 0
	for _, t := range e.Texts {
		if err := t.Valid(); err != nil {
			return nil, err
		}
		texts += len(t.Value)
	}
	if texts > MaxTexts {
		return nil, fmt.Errorf("texts of %d bytes: at most %d", texts, MaxTexts)
	}
	rec := record(e, audit.Head{Device: cfg.Device})
	rec.KeyID, rec.BootID = cfg.KeyID, cfg.BootID
	draft, err := rec.Draft()
	if err != nil {
		return nil, err
	}
	return &request{entry: e, draft: draft, size: draft.Size() + texts, answered: make(chan answer, 1)}, nil
}

// record is the entry at its place after the head, without times.
func record(e Entry, head audit.Head) audit.Record {
	r := audit.Record{Device: head.Device, Epoch: head.Epoch, Seq: head.Seq + 1, Prev: head.Leaf, Kind: e.Kind,
		EventID: e.EventID, Session: e.Session, Actor: e.Actor, Subject: e.Subject, Ref: e.Ref, Body: e.Body}
	r.Commit(e.Texts)
	return r
}

// patience is how often the committer lets others run, in vain, before it goes on without those it expects: less time than
// one flush takes, and only spent in the few commits after one that took more.
const patience = 400

// gather takes what else is waiting, without a timer: yielding lets callers that were just answered come back, at least
// three times, and more often while fewer came than are expected. A caller who is alone is not made to wait for others.
func (o *Outbox) gather(first *request, expected int, alone bool) []*request {
	group, size, least := []*request{first}, first.size, 3
	if alone {
		least = 0
	}
	for turns := 0; ; turns++ {
		for more := true; more; {
			if len(group) == groupRecords || size >= groupBytes {
				return group
			}
			select {
			case r := <-o.appends:
				group, size, turns = append(group, r), size+r.size, 0
			default:
				more = false
			}
		}
		if turns >= least && (turns >= patience || len(group) >= expected) {
			return group
		}
		runtime.Gosched()
	}
}

// sealBeside is how many records a group has at least for being sealed on another processor while its head is signed.
const sealBeside = 8

// place makes the records of a group: chained after the head, sealed, with the head after them signed.
func (o *Outbox) place(f *file, group []*request) (written, error) {
	o.mu.RLock()
	offset := o.offset
	o.mu.RUnlock()
	w := written{head: f.head, wall: o.cfg.Now().UnixMilli(), placed: make([]Placed, len(group)), values: make([][]byte, len(group))}
	mono := time.Since(o.began).Milliseconds()
	envelopes := make([][]byte, len(group))
	for i, r := range group {
		envelopes[i] = r.draft.Place(w.head, w.wall, mono, offset)
		w.head.Seq, w.head.Leaf = w.head.Seq+1, audit.Leaf(envelopes[i])
		w.placed[i] = Placed{EventID: r.entry.EventID, Epoch: w.head.Epoch, Seq: w.head.Seq, Leaf: w.head.Leaf}
	}
	seal := func() {
		closer := audit.Closer{Key: f.aead, Generation: f.generation, Epoch: f.head.Epoch}
		for i, r := range group {
			w.values[i] = closer.Seal(w.placed[i].Seq, audit.Sealed{Envelope: envelopes[i], Texts: r.entry.Texts})
		}
	}
	var sealing sync.WaitGroup
	if len(group) < sealBeside {
		seal()
	} else {
		sealing.Go(seal)
	}
	var err error
	w.sig, err = audit.SignHead(o.cfg.Signer, w.head)
	sealing.Wait()
	return w, err
}
