package outbox

import (
	"testing"

	"stead/internal/audit"
	"stead/internal/stead"
)

// settled appends n records and has them sent and proven.
func settled(t *testing.T, o *Outbox, l *ledger, n int) []Placed {
	t.Helper()
	placed := appendN(t, o, n)
	if err := o.Drain(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	if waiting, err := o.prove(t.Context(), l.log); err != nil || waiting {
		t.Fatalf("waiting %v, %v", waiting, err)
	}
	return placed
}

func receiptsOf(t *testing.T, o *Outbox) []Receipt {
	t.Helper()
	var out []Receipt
	if err := o.Receipts(t.Context(), func(r Receipt) error { out = append(out, r); return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

// held counts the records that lie in the file.
func held(t *testing.T, o *Outbox) uint64 {
	t.Helper()
	n := uint64(0)
	for seq := uint64(1); seq <= o.file.head.Seq; seq++ {
		if _, err := o.record(seq); err == nil {
			n++
		}
	}
	return n
}

func (o *Outbox) record(seq uint64) (stored, error) {
	tx, err := o.file.db.Begin(false)
	if err != nil {
		return stored{}, err
	}
	defer func() { _ = tx.Rollback() }()
	return o.file.unseal(seq, tx.Bucket(pendingBucket).Get(seqKey(seq)))
}

func TestOnlyAReceiptForgets(t *testing.T) {
	path := newPath(t)
	o, l := open(t, path), newLedger()
	placed := appendN(t, o, 30)
	if err := o.Drain(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	if s := o.State(); s.Pending != 0 || s.Unreceipted != 30 || s.Receipted != 0 || held(t, o) != 30 {
		t.Errorf("acknowledged: %d held, %+v", held(t, o), s)
	}
	if waiting, err := o.prove(t.Context(), l.log); err != nil || waiting {
		t.Fatal(waiting, err)
	}
	if s := o.State(); s.Unreceipted != 0 || s.Receipted != 30 || s.Acknowledged != 30 || held(t, o) != 0 {
		t.Errorf("receipted: %d held, %+v", held(t, o), s)
	}
	got := receiptsOf(t, o)
	if len(got) != 1 || got[0].First != 1 || got[0].Last != 30 || len(got[0].Positions) != 30 {
		t.Fatalf("receipts %+v", got)
	}
	keys, err := audit.ParseLogKeys(testVkey(testOrigin, "log"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := keys.Open(got[0].Checkpoint)
	if err != nil || c != l.log.state() {
		t.Errorf("checkpoint %+v, %v", c, err)
	}
	for i, p := range got[0].Positions {
		if l.log.leaves[p] != placed[i].Leaf {
			t.Errorf("record %d does not stand at %d", i+1, p)
		}
	}
	settled(t, o, l, 3)
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	o = open(t, path)
	if again := receiptsOf(t, o); len(again) != 2 || again[1].First != 31 || again[1].Last != 33 || o.State().Receipted != 33 {
		t.Errorf("after opening again: %+v, %+v", again, o.State())
	}
	settled(t, o, l, 1)
}

func TestManyRecordsAreProvenInSteps(t *testing.T) {
	o, l := open(t, newPath(t)), newLedger()
	appendMany(t, o, 2300)
	if err := o.Drain(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	if waiting, err := o.prove(t.Context(), l.log); err != nil || waiting || o.State().Receipted != 2300 {
		t.Fatalf("%v, %v, %+v", waiting, err, o.State())
	}
	if got := receiptsOf(t, o); len(got) != 3 || got[2].First != 2001 || got[2].Last != 2300 {
		t.Errorf("%d receipts", len(got))
	}
}

// appendMany is appendN from many callers, so that one flush serves many.
func appendMany(t *testing.T, o *Outbox, n int) {
	t.Helper()
	done := make(chan error)
	const callers = 64
	for c := range callers {
		go func() {
			for i := c; i < n; i += callers {
				if _, err := o.Append(t.Context(), intent()); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range callers {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

// TestWithheldReceiptsForgetNothing: the platform acknowledges and its log never holds the records, or holds some.
func TestWithheldReceiptsForgetNothing(t *testing.T) {
	o, l := open(t, newPath(t)), newLedger()
	settled(t, o, l, 2)
	l.log.withhold = true
	appendN(t, o, 5)
	if err := o.Drain(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if waiting, err := o.prove(t.Context(), l.log); err != nil || !waiting {
			t.Errorf("waiting %v, %v", waiting, err)
		}
	}
	if s := o.State(); s.Unreceipted != 5 || held(t, o) != 5 || s.Blocked != "" {
		t.Errorf("%d held, %+v", held(t, o), s)
	}
	l.log.set(func() { l.log.withhold = false; delete(l.log.positions, 5) })
	if waiting, err := o.prove(t.Context(), l.log); err != nil || !waiting || o.State().Receipted != 4 {
		t.Errorf("a part: waiting %v, %v, %+v", waiting, err, o.State())
	}
	l.log.set(func() { l.log.positions[5] = 1 << 40 }) // beyond the checkpoint
	if waiting, err := o.prove(t.Context(), l.log); err != nil || !waiting || o.State().Receipted != 4 {
		t.Errorf("beyond the end: waiting %v, %v, %+v", waiting, err, o.State())
	}
}

// TestALogThatContradictsItselfStopsStarts: each way of another history, found with a receipt or without one, before
// and after a restart; ends can be told meanwhile; it is over when the log agrees again.
func TestALogThatContradictsItselfStopsStarts(t *testing.T) {
	for name, bend := range map[string]func(l *testLog){
		"rewritten":            func(l *testLog) { l.rewrite(append(l.others(3), [32]byte{1})) },
		"forked":               func(l *testLog) { l.rewrite(l.others(3)) },
		"rolled back":          func(l *testLog) { l.rewrite(l.now()[:4]) },
		"of nobody's key":      func(l *testLog) { l.set(func() { l.key = "mallory" }) },
		"of another name":      func(l *testLog) { l.set(func() { l.origin = "another.test" }) },
		"without a record":     func(l *testLog) { l.pass(11) },
		"of another record":    func(l *testLog) { l.set(func() { l.positions[11] = 1 }) },
		"two in one place":     func(l *testLog) { l.set(func() { l.positions[12] = l.positions[11] }) },
		"out of order":         func(l *testLog) { l.swap(11, 12) },
		"rewritten at its end": func(l *testLog) { l.rewrite(l.others(len(l.now()) - 1)) },
	} {
		t.Run(name, func(t *testing.T) {
			path := newPath(t)
			o, l := open(t, path), newLedger()
			settled(t, o, l, 10)
			appendN(t, o, 3)
			if err := o.Drain(t.Context(), l); err != nil {
				t.Fatal(err)
			}
			heal := l.log.keep()
			bend(l.log)
			for range 2 {
				if _, err := o.prove(t.Context(), l.log); stead.CodeOf(err) != stead.CodeLogForked {
					t.Errorf("got %v", err)
				}
				refusesStarts(t, o, stead.CodeLogForked)
				if err := o.Close(); err != nil {
					t.Fatal(err)
				}
				o = open(t, path)
				refusesStarts(t, o, stead.CodeLogForked)
			}
			if n := held(t, o); n < 4+2 { // the four ends, and at least two that are not proven
				t.Errorf("%d held", n)
			}
			heal()
			if waiting, err := o.prove(t.Context(), l.log); err != nil || waiting || o.State().Blocked != "" {
				t.Errorf("it agrees again: waiting %v, %v, %+v", waiting, err, o.State())
			}
			settled(t, o, l, 1)
			if s := o.State(); s.Receipted != 18 || held(t, o) != 0 {
				t.Errorf("%d held, %+v", held(t, o), s)
			}
		})
	}
}

// TestWhatProvesNothingBlocksNothing: a log that cannot be read or answers nonsense is no contradiction.
func TestWhatProvesNothingBlocksNothing(t *testing.T) {
	for name, bend := range map[string]func(l *testLog){
		"unreachable":  func(l *testLog) { l.refuse = stead.E(stead.CodeUnreachable, nil) },
		"wrong tiles":  func(l *testLog) { l.spoil = true },
		"a login page": func(l *testLog) { l.page = []byte("<html>") },
	} {
		t.Run(name, func(t *testing.T) {
			o, l := open(t, newPath(t)), newLedger()
			settled(t, o, l, 300)
			appendN(t, o, 3)
			if err := o.Drain(t.Context(), l); err != nil {
				t.Fatal(err)
			}
			l.log.set(func() { bend(l.log) })
			if _, err := o.prove(t.Context(), l.log); err == nil || stead.CodeOf(err) == stead.CodeLogForked {
				t.Errorf("got %v", err)
			}
			if s := o.State(); s.Blocked != "" || s.Unreceipted != 3 || held(t, o) != 3 {
				t.Errorf("state %+v", s)
			}
			l.log.set(func() { l.log.refuse, l.log.spoil, l.log.page = nil, false, nil })
			settled(t, o, l, 1)
		})
	}
}

// TestOldReceiptsGo: their number is bounded, and the newest stay.
func TestOldReceiptsGo(t *testing.T) {
	path := newPath(t)
	o, l := open(t, path), newLedger()
	settled(t, o, l, 3)
	if err := o.change(t.Context(), func(f *file) error { f.receipts = maxReceipts - 1; return nil }); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		settled(t, o, l, 1)
	}
	if got := receiptsOf(t, o); len(got) != 2 || got[0].First != 5 || got[1].First != 6 {
		t.Errorf("%+v", got)
	}
}

// refusesStarts appends an intent, which must be refused, and an end, which must not.
func refusesStarts(t *testing.T, o *Outbox, code stead.Code) {
	t.Helper()
	head := o.State().Head
	if _, err := o.Append(t.Context(), intent()); stead.CodeOf(err) != code {
		t.Errorf("a start: %v, want %s", err, code)
	}
	if s := o.State(); s.Head != head || s.Blocked != code && code != stead.CodeOutboxFull {
		t.Errorf("state %+v", s)
	}
	if _, err := o.Append(t.Context(), end()); err != nil {
		t.Errorf("an end: %v", err)
	}
}

// end is an entry that tells how a session ended.
func end() Entry {
	e := intent()
	ref := stead.NewEventID()
	e.Kind, e.Ref, e.Texts = audit.SessionObservedEnd, &ref, nil
	return e
}
