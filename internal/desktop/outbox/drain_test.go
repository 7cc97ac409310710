package outbox

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"stead/internal/audit"
	"stead/internal/stead"
)

func TestDrainSendsEverythingOnceAndForgets(t *testing.T) {
	o, l := open(t, newPath(t)), newLedger()
	placed := appendN(t, o, 2*BatchRecords+50)
	if err := o.Drain(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	if l.batches != 3 || l.head.Seq != uint64(len(placed)) {
		t.Errorf("%d batches, head %d", l.batches, l.head.Seq)
	}
	for _, p := range placed {
		if l.leaves[p.Seq] != p.Leaf {
			t.Fatalf("record %d arrived as another", p.Seq)
		}
	}
	if s := o.State(); s.Pending != 0 || s.Acknowledged != uint64(len(placed)) || s.LastError != "" || len(allPending(t, o)) != 0 {
		t.Errorf("state %+v", s)
	}
	if err := o.Drain(t.Context(), l); err != nil || l.batches != 3 {
		t.Errorf("an empty outbox sent a batch (%v)", err)
	}
}

func TestBatchesAreBoundedByBytes(t *testing.T) {
	o := open(t, newPath(t))
	e := intent()
	e.Texts = nil
	for _, n := range []string{"a", "b", "c", "d"} {
		e.Texts = append(e.Texts, audit.NewText(n, string(make([]byte, audit.MaxTextValue))))
	}
	for range 20 {
		if _, err := o.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	b, err := o.Pending(t.Context(), 0, BatchRecords)
	if err != nil {
		t.Fatal(err)
	}
	verifyBatch(t, b)
	if n := len(b.Items); n != 17 { // the seventeenth of 65 kB passes 1 MiB
		t.Errorf("%d records", n)
	}
}

func TestLostAnswersMakeHarmlessDuplicates(t *testing.T) {
	o, l := open(t, newPath(t)), newLedger()
	appendN(t, o, 10)
	l.lose = 2
	for range 2 {
		if err := o.Drain(t.Context(), l); stead.CodeOf(err) != stead.CodeUnreachable {
			t.Fatalf("got %v", err)
		}
	}
	if s := o.State(); s.Pending != 10 || s.LastError != stead.CodeUnreachable {
		t.Errorf("state %+v", s)
	}
	appendN(t, o, 5)
	if err := o.Drain(t.Context(), l); err != nil || l.head.Seq != 15 || o.State().Pending != 0 {
		t.Errorf("head %d, state %+v, %v", l.head.Seq, o.State(), err)
	}
}

func TestPartlyTakenBatchGoesOn(t *testing.T) {
	o, l := open(t, newPath(t)), newLedger()
	appendN(t, o, 10)
	l.takeOnly = 3
	if err := o.Drain(t.Context(), l); err != nil || l.head.Seq != 10 || l.batches != 4 {
		t.Errorf("%d batches, head %d, %v", l.batches, l.head.Seq, err)
	}
}

// TestAcknowledgedAheadIsSentAgain: the platform holds more than the batch that was just sent, as after lost answers
// to many. What it did not compare with ours now is not forgotten on its word.
func TestAcknowledgedAheadIsSentAgain(t *testing.T) {
	o, l := open(t, newPath(t)), newLedger()
	appendN(t, o, BatchRecords+100)
	l.lose = 1
	_ = o.Drain(t.Context(), l) // stores a batch, answer lost
	b, err := o.Pending(t.Context(), BatchRecords, BatchRecords)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.PostRecords(t.Context(), b); err != nil { // and the rest
		t.Fatal(err)
	}
	l.batches = 0
	if err := o.Drain(t.Context(), l); err != nil || l.batches != 2 || o.State().Pending != 0 {
		t.Errorf("%d batches, state %+v, %v", l.batches, o.State(), err)
	}
}

func TestForkIsReportedAndNothingForgotten(t *testing.T) {
	o, l := open(t, newPath(t)), newLedger()
	appendN(t, o, 3)
	l.head = audit.Head{Device: testDevice, Epoch: o.file.head.Epoch, Seq: 1}
	l.leaves[1] = [32]byte{1}
	if err := o.Drain(t.Context(), l); stead.CodeOf(err) != stead.CodeChainFork {
		t.Errorf("another record 1: %v", err)
	}
	if s := o.State(); s.Pending != 3 || s.LastError != stead.CodeChainFork {
		t.Errorf("state %+v", s)
	}
	refusesStarts(t, o, stead.CodeChainFork)
	o.contact = contact{} // a head alone shows nothing of it, and does not end it
	if err := o.Drain(t.Context(), l); stead.CodeOf(err) != stead.CodeChainFork || o.State().Blocked != stead.CodeChainFork {
		t.Errorf("again: %v, %+v", err, o.State())
	}
}

// TestRolledBackFileIsAFork: the platform acknowledges more than this file ever held.
func TestRolledBackFileIsAFork(t *testing.T) {
	o := open(t, newPath(t))
	appendN(t, o, 3)
	err := o.Drain(t.Context(), answers{func(b Batch) (Ack, error) { return Ack{Epoch: b.Epoch, NextSeq: 9}, nil }})
	if stead.CodeOf(err) != stead.CodeChainFork || o.State().Pending != 3 {
		t.Errorf("got %v, state %+v", err, o.State())
	}
	err = o.Drain(t.Context(), answers{func(Batch) (Ack, error) { return Ack{Epoch: audit.NewEpoch(), NextSeq: 4}, nil }})
	if stead.CodeOf(err) != stead.CodeChainFork || o.State().Pending != 3 {
		t.Errorf("another epoch: %v, state %+v", err, o.State())
	}
}

type answers struct{ f func(Batch) (Ack, error) }

func (a answers) PostRecords(_ context.Context, b Batch) (Ack, error) { return a.f(b) }
func (a answers) PostHead(_ context.Context, h audit.Head, _ []byte) (Ack, error) {
	return Ack{Epoch: h.Epoch, NextSeq: h.Seq + 1}, nil
}

// TestAnswersThatSayNothingAccuseNobody: which record is wanted is missing.
func TestAnswersThatSayNothingAccuseNobody(t *testing.T) {
	o := open(t, newPath(t))
	appendN(t, o, 1)
	err := o.Drain(t.Context(), answers{func(b Batch) (Ack, error) { return Ack{Epoch: b.Epoch}, stead.E(stead.CodeChainGap, nil) }})
	if stead.CodeOf(err) != stead.CodeChainGap || o.State().Blocked != "" {
		t.Errorf("got %v, %+v", err, o.State())
	}
	o.contact = contact{}
	if err := o.Drain(t.Context(), silent{}); stead.CodeOf(err) != stead.CodeVersion || o.State().Blocked != "" {
		t.Errorf("got %v, %+v", err, o.State())
	}
}

type silent struct{ answers }

func (silent) PostHead(_ context.Context, h audit.Head, _ []byte) (Ack, error) {
	return Ack{Epoch: h.Epoch}, nil
}

// TestGapIsRewound: the platform took records, and lost them before they were acknowledged.
func TestGapIsRewound(t *testing.T) {
	o, l := open(t, newPath(t)), newLedger()
	appendN(t, o, 6)
	lost := false
	p := answers{func(b Batch) (Ack, error) {
		if !lost && b.First == 1 {
			b.Items = b.Items[:3] // answers for three and forgets two of them
			lost = true
			return Ack{Epoch: b.Epoch, NextSeq: 1}, stead.E(stead.CodeChainGap, nil)
		}
		return l.PostRecords(t.Context(), b)
	}}
	if err := o.Drain(t.Context(), p); stead.CodeOf(err) != stead.CodeChainGap {
		t.Errorf("a gap without a place to go back to: %v", err)
	}
	if err := o.Drain(t.Context(), p); err != nil || l.head.Seq != 6 {
		t.Errorf("head %d, %v", l.head.Seq, err)
	}
	appendN(t, o, 1)
	l.set(func() { l.head.Seq = 2 }) // a platform set back beyond what we have forgotten
	if err := o.Drain(t.Context(), l); stead.CodeOf(err) != stead.CodeLogForked || o.State().Pending != 1 || o.State().Blocked != stead.CodeLogForked {
		t.Errorf("got %v, state %+v", err, o.State())
	}
}

func TestAcknowledgeNeverGoesBackNorBeyond(t *testing.T) {
	o := open(t, newPath(t))
	epoch := appendN(t, o, 5)[0].Epoch
	for _, c := range []struct {
		epoch audit.Epoch
		seq   uint64
		want  stead.Code
		acked uint64
	}{{epoch, 3, "", 3}, {epoch, 2, "", 3}, {epoch, 3, "", 3}, {epoch, 6, stead.CodeChainFork, 3},
		{audit.NewEpoch(), 4, stead.CodeChainFork, 3}, {epoch, 5, "", 5}} {
		err := o.Acknowledge(t.Context(), c.epoch, c.seq)
		if stead.CodeOf(err) != c.want || o.State().Acknowledged != c.acked {
			t.Errorf("%d: %v, acknowledged %d", c.seq, err, o.State().Acknowledged)
		}
	}
}

func TestRunDeliversAndWaitDrainedReturns(t *testing.T) {
	o, l := open(t, newPath(t)), newLedger()
	done := make(chan struct{})
	go func() { defer close(done); _ = o.Run(t.Context(), l, l.log) }()
	for range 3 {
		p := appendN(t, o, 1)[0]
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		if err := o.WaitDrained(ctx, p.Seq); err != nil {
			t.Fatal(err)
		}
		cancel()
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-done:
	default:
		t.Error("Close did not wait for Run")
	}
	if l.head.Seq != 3 {
		t.Errorf("head %d", l.head.Seq)
	}
}

func TestRunRetriesUntilThePlatformIsBack(t *testing.T) {
	o, l := open(t, newPath(t)), newLedger()
	l.refuse, l.calls = stead.E(stead.CodeUnreachable, errors.New("down")), make(chan struct{}, 1)
	appendN(t, o, 2)
	go func() { _ = o.Run(t.Context(), l, l.log) }()
	<-l.calls
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	err := o.WaitDrained(ctx, 2)
	cancel()
	if stead.CodeOf(err) != stead.CodeUnreachable || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while it is down: %v", err)
	}
	<-l.calls
	if s := o.State(); s.Pending != 2 || s.LastError != stead.CodeUnreachable {
		t.Errorf("state %+v", s)
	}
	l.set(func() { l.refuse = nil })
	ctx, cancel = context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := o.WaitDrained(ctx, 2); err != nil {
		t.Fatal(err)
	}
	for o.State().LastError != "" && ctx.Err() == nil { // the pass that drained is still ending
		time.Sleep(time.Millisecond)
	}
	if s := o.State(); s.LastError != "" || !s.NextTry.IsZero() {
		t.Errorf("state %+v", s)
	}
}

// forgetter is a platform; while it takes a batch, the batch's last record is lost on this machine.
type forgetter struct {
	*ledger

	lose func(seq uint64) error
}

func (f forgetter) PostRecords(ctx context.Context, b Batch) (Ack, error) {
	ack, err := f.ledger.PostRecords(ctx, b)
	return ack, errors.Join(err, f.lose(b.Head.Seq))
}

// TestAnAcknowledgementThatFailsIsReported: it is written beside the next batch, and Drain waits for it.
func TestAnAcknowledgementThatFailsIsReported(t *testing.T) {
	o, l := open(t, newPath(t)), newLedger()
	appendN(t, o, 3)
	lose := func(seq uint64) error {
		return o.file.db.Update(func(tx *bolt.Tx) error { return tx.Bucket(pendingBucket).Delete(seqKey(seq)) })
	}
	// The outbox may be found damaged by the next look at it as well, before or after.
	if err := o.Drain(t.Context(), forgetter{l, lose}); err == nil || !strings.Contains(err.Error(), "outbox_write: outbox_damaged: record 3") {
		t.Errorf("got %v", err)
	}
	if s := o.State(); s.Acknowledged != 0 || l.head.Seq != 3 {
		t.Errorf("state %+v, the platform holds %d", s, l.head.Seq)
	}
}
