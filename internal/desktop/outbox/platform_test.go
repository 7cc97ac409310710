package outbox

import (
	"context"
	"fmt"
	"sync"

	"stead/internal/audit"
	"stead/internal/stead"
)

// ledger is a platform in memory with a log behind it. It verifies as the real one does, and misbehaves as told.
type ledger struct {
	mu       sync.Mutex
	owner    string // whose key signs
	head     audit.Head
	leaves   map[uint64][32]byte
	batches  int
	heads    int
	refuse   error // answered instead of looking at the batch
	lose     int   // so many answers get lost after the batch was stored
	takeOnly int   // so many records are taken of each batch, 0 for all
	calls    chan struct{}
	poison   map[uint64]bool   // records that it cannot take in as they are
	mute     bool              // it does not say which record is invalid
	stubborn bool              // nor takes one that is marked
	marked   map[uint64]string // taken in with a mark
	bridges  bool              // a restore was declared: it passes over what a device no longer has
	log      *testLog
}

func newLedger() *ledger {
	return &ledger{owner: "device", leaves: map[uint64][32]byte{}, poison: map[uint64]bool{}, marked: map[uint64]string{}, log: newLog()}
}

func (l *ledger) set(f func()) { l.mu.Lock(); defer l.mu.Unlock(); f() }

// badRecord is CodeRecordInvalid that names the record.
type badRecord uint64

func (b badRecord) Error() string  { return fmt.Sprintf("record %d is bad", uint64(b)) }
func (b badRecord) Unwrap() error  { return stead.Errorf(stead.CodeRecordInvalid, "kind") }
func (b badRecord) BadSeq() uint64 { return uint64(b) }

func (l *ledger) ack(e audit.Epoch) Ack { return Ack{Epoch: e, NextSeq: l.head.Seq + 1} }

func (l *ledger) PostHead(_ context.Context, h audit.Head, sig []byte) (Ack, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heads++
	if l.calls != nil {
		nudge(l.calls)
	}
	if l.refuse != nil {
		return Ack{}, l.refuse
	}
	if err := audit.VerifyHead(testPublic(l.owner), h, sig); err != nil {
		return Ack{}, stead.E(stead.CodeDeviceSignature, err)
	}
	if l.head.Device != "" && (l.head.Epoch != h.Epoch || l.head.Seq > h.Seq || l.head.Seq == h.Seq && l.head.Leaf != h.Leaf) {
		return Ack{}, stead.E(stead.CodeChainFork, nil)
	}
	return l.ack(h.Epoch), nil
}

func (l *ledger) PostRecords(_ context.Context, b Batch) (Ack, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.batches++
	if l.calls != nil {
		nudge(l.calls)
	}
	if l.refuse != nil {
		return Ack{}, l.refuse
	}
	if l.head.Device == "" {
		l.head = audit.Head{Device: b.Device, Epoch: b.Epoch}
	}
	if err := audit.VerifyHead(testPublic(l.owner), b.Head, b.HeadSig); err != nil {
		return l.ack(b.Epoch), stead.E(stead.CodeDeviceSignature, err)
	}
	if l.bridges && b.First > l.head.Seq+1 {
		if first, err := audit.Decode(b.Items[0].Envelope); err == nil {
			l.head.Seq, l.head.Leaf, l.bridges = b.First-1, first.Prev, false
		}
	}
	for n, i := range b.Items {
		seq := b.First + uint64(n)
		switch {
		case l.takeOnly > 0 && n >= l.takeOnly:
			return l.ack(b.Epoch), nil
		case seq > l.head.Seq+1:
			return l.ack(b.Epoch), stead.E(stead.CodeChainGap, nil)
		case seq <= l.head.Seq && l.leaves[seq] != audit.Leaf(i.Envelope):
			return l.ack(b.Epoch), stead.E(stead.CodeChainFork, nil)
		case seq <= l.head.Seq:
			continue
		}
		if err := l.take(seq, i); err != nil {
			return l.ack(b.Epoch), err
		}
	}
	if l.lose > 0 {
		l.lose--
		return Ack{}, stead.E(stead.CodeUnreachable, context.DeadlineExceeded)
	}
	return l.ack(b.Epoch), nil
}

// take takes one record in that is next.
func (l *ledger) take(seq uint64, i Item) error {
	if l.poison[seq] && (i.Quarantined == "" || l.stubborn) {
		if l.mute {
			return stead.E(stead.CodeRecordInvalid, nil)
		}
		return badRecord(seq)
	}
	if l.poison[seq] {
		l.marked[seq] = i.Quarantined
		l.head.Seq, l.head.Leaf = seq, audit.Leaf(i.Envelope)
		l.leaves[seq] = l.head.Leaf
		l.log.pass(seq)
		return nil
	}
	next, rec, err := audit.Extend(l.head, i.Envelope)
	if err == nil {
		err = rec.Check(i.Texts)
	}
	if err != nil {
		return badRecord(seq)
	}
	l.head, l.leaves[seq] = next, next.Leaf
	l.log.add(seq, next.Leaf)
	return nil
}
