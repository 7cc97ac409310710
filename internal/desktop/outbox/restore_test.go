package outbox

import (
	"testing"

	"stead/internal/audit"
	"stead/internal/stead"
)

// setBack puts platform and log back to when the platform held seq, as a backup does, and lets the log grow by others'
// records. It returns what was kept and how large the log had been.
func setBack(l *ledger, seq uint64, grow int) (kept audit.Checkpoint, lost int64) {
	lost = l.log.state().Size
	size := int64(1)
	if seq > 0 {
		size = l.log.positions[seq] + 1
	}
	l.log.rewrite(l.log.now()[:size])
	l.log.set(func() {
		for s := range l.log.positions {
			if s > seq {
				delete(l.log.positions, s)
			}
		}
	})
	for s := range l.leaves {
		if s > seq {
			delete(l.leaves, s)
		}
	}
	kept = l.log.state()
	l.head.Seq, l.head.Leaf = seq, l.leaves[seq]
	l.log.set(func() {
		for n := range grow {
			l.log.grow([32]byte{9, byte(n)})
		}
	})
	return kept, lost
}

// TestDeclaredRestoreIsAccepted: the platform was set back to before what it had acknowledged and proven. What is held is
// sent again, and the platform passes over what is gone.
func TestDeclaredRestoreIsAccepted(t *testing.T) {
	path := newPath(t)
	o, l := open(t, path), newLedger()
	settled(t, o, l, 10)
	l.log.withhold = true
	placed := appendN(t, o, 4)
	if err := o.Drain(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	appendN(t, o, 2) // never sent
	l.log.withhold = false
	kept, lost := setBack(l, 7, 30)
	if _, err := o.prove(t.Context(), l.log); stead.CodeOf(err) != stead.CodeLogForked {
		t.Fatalf("undeclared: %v", err)
	}
	refusesStarts(t, o, stead.CodeLogForked)
	l.bridges = true
	l.log.tell(restored(kept, lost, "alice", "carol"))
	if waiting, err := o.prove(t.Context(), l.log); err != nil || waiting {
		t.Fatalf("declared: %v, %v", waiting, err)
	}
	if s := o.State(); s.Blocked != "" || s.Acknowledged != 10 || s.Receipted != 10 || s.Pending != 7 || s.Oldest.IsZero() {
		t.Errorf("state %+v", s)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	o = open(t, path)
	settled(t, o, l, 1)
	for _, p := range placed {
		if at := l.log.positions[p.Seq]; l.log.leaves[at] != p.Leaf {
			t.Errorf("record %d was acknowledged and is lost", p.Seq)
		}
	}
	if s := o.State(); s.Receipted != 18 || held(t, o) != 0 || o.file.proof.Excused {
		t.Errorf("state %+v", s)
	}
}

// TestOldDeclarationExcusesNothing: set back a second time to the same place, before the log had grown beyond what was
// declared lost the first time. Another signature makes it no other declaration.
func TestOldDeclarationExcusesNothing(t *testing.T) {
	o, l := open(t, newPath(t)), newLedger()
	settled(t, o, l, 20)
	kept, lost := setBack(l, 7, 0)
	l.bridges = true
	declared := restored(kept, lost, "alice", "carol")
	l.log.tell(declared)
	if _, err := o.prove(t.Context(), l.log); err != nil {
		t.Fatal(err)
	}
	settled(t, o, l, 2)
	if seen := o.file.seen.Size; seen <= kept.Size || seen >= lost {
		t.Fatalf("kept %d, lost %d, seen %d", kept.Size, lost, seen)
	}
	l.log.rewrite(append(l.log.now()[:kept.Size:kept.Size], [32]byte{7}))
	l.log.tell(signedBy(string(declared), "bob"))
	if _, err := o.prove(t.Context(), l.log); stead.CodeOf(err) != stead.CodeLogForked {
		t.Errorf("got %v", err)
	}
	refusesStarts(t, o, stead.CodeLogForked)
}

// TestUnneededDeclarationExcusesNothing: a machine that had seen nothing of what was lost does not keep the declaration
// for a forgery later on.
func TestUnneededDeclarationExcusesNothing(t *testing.T) {
	o, l := open(t, newPath(t)), newLedger()
	settled(t, o, l, 5)
	kept := l.log.state()
	l.log.tell(restored(kept, kept.Size+20, "alice", "carol"))
	if _, err := o.prove(t.Context(), l.log); err != nil {
		t.Fatal(err)
	}
	settled(t, o, l, 2)
	l.log.rewrite(append(l.log.now()[:kept.Size:kept.Size], [32]byte{7}))
	if _, err := o.prove(t.Context(), l.log); stead.CodeOf(err) != stead.CodeLogForked {
		t.Errorf("got %v", err)
	}
	refusesStarts(t, o, stead.CodeLogForked)
}

// TestRestoreIsNotAccepted where it is not two people's word about this log and this loss.
func TestRestoreIsNotAccepted(t *testing.T) {
	for name, c := range map[string]func(kept audit.Checkpoint, lost int64) []byte{
		"by one":          func(k audit.Checkpoint, n int64) []byte { return restored(k, n, "alice") },
		"by one twice":    func(k audit.Checkpoint, n int64) []byte { return restored(k, n, "alice", "alice") },
		"by strangers":    func(k audit.Checkpoint, n int64) []byte { return restored(k, n, "mallory", "eve") },
		"by one of ours":  func(k audit.Checkpoint, n int64) []byte { return restored(k, n, "alice", "eve") },
		"too little lost": func(k audit.Checkpoint, n int64) []byte { return restored(k, n-1, "alice", "bob") },
		"of another log": func(k audit.Checkpoint, n int64) []byte {
			k.Origin = "another.test"
			return restored(k, n, "alice", "bob")
		},
		"keeping others":   func(k audit.Checkpoint, n int64) []byte { k.Root[0] ^= 1; return restored(k, n, "alice", "bob") },
		"by the log's key": func(audit.Checkpoint, int64) []byte { return handover("log", "log2") },
		"rubbish":          func(audit.Checkpoint, int64) []byte { return []byte("stead log restored v1\n") },
	} {
		t.Run(name, func(t *testing.T) {
			o, l := open(t, newPath(t)), newLedger()
			settled(t, o, l, 10)
			kept, lost := setBack(l, 7, 0)
			l.log.tell(c(kept, lost))
			for range 2 {
				if _, err := o.prove(t.Context(), l.log); stead.CodeOf(err) != stead.CodeLogForked {
					t.Errorf("got %v", err)
				}
			}
			refusesStarts(t, o, stead.CodeLogForked)
			l.log.tell(restored(kept, lost, "alice", "bob"))
			if _, err := o.prove(t.Context(), l.log); err != nil || o.State().Blocked != "" {
				t.Errorf("a good one beside it: %v, %+v", err, o.State())
			}
		})
	}
}

// TestPlatformThatLostWhatItAcknowledged is found by its answer to a head, before the log shows anything.
func TestPlatformThatLostWhatItAcknowledged(t *testing.T) {
	path := newPath(t)
	o, l := open(t, path), newLedger()
	settled(t, o, l, 5)
	l.log.withhold = true
	appendN(t, o, 4)
	if err := o.Drain(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	o = open(t, path) // greets anew
	l.log.withhold = false
	seen := o.file.seen.Size
	kept, lost := setBack(l, 6, 0) // beyond the last checkpoint that was seen here
	if kept.Size < seen {
		t.Fatalf("kept %d, seen %d", kept.Size, seen)
	}
	for range 2 {
		if err := o.Drain(t.Context(), l); stead.CodeOf(err) != stead.CodeLogForked || l.batches != 2 {
			t.Errorf("%v, %d batches", err, l.batches)
		}
		if _, err := o.prove(t.Context(), l.log); err != nil { // the log agrees as far as it was seen
			t.Error(err)
		}
		refusesStarts(t, o, stead.CodeLogForked)
	}
	l.log.tell(restored(kept, lost, "bob", "carol"))
	if _, err := o.prove(t.Context(), l.log); err != nil || o.State().Blocked != "" || o.State().Acknowledged != 6 {
		t.Errorf("declared: %v, %+v", err, o.State())
	}
	settled(t, o, l, 1)
	if s := o.State(); s.Receipted != 12 || l.head.Seq != 12 {
		t.Errorf("%+v, the platform holds %d", s, l.head.Seq)
	}
}

// TestPlatformFindsWhatItLost without a restore: a node that was behind caught up.
func TestPlatformFindsWhatItLost(t *testing.T) {
	o, l := open(t, newPath(t)), newLedger()
	settled(t, o, l, 5)
	head := l.head
	l.head.Seq, l.head.Leaf = 3, l.leaves[3]
	o.contact = contact{}
	if err := o.Drain(t.Context(), l); stead.CodeOf(err) != stead.CodeLogForked {
		t.Errorf("got %v", err)
	}
	l.head = head
	if err := o.Drain(t.Context(), l); err != nil || o.State().Blocked != "" {
		t.Errorf("%v, %+v", err, o.State())
	}
	settled(t, o, l, 1)
}

// TestGapAfterARestoreStays an error as long as the platform does not pass over it, and nothing is lost.
func TestGapAfterARestoreStays(t *testing.T) {
	o, l := open(t, newPath(t)), newLedger()
	settled(t, o, l, 10)
	kept, lost := setBack(l, 7, 0)
	l.log.tell(restored(kept, lost, "alice", "bob"))
	if _, err := o.prove(t.Context(), l.log); err != nil {
		t.Fatal(err)
	}
	appendN(t, o, 2) // starts are admitted again
	for range 3 {
		if err := o.Drain(t.Context(), l); stead.CodeOf(err) != stead.CodeChainGap {
			t.Errorf("got %v", err)
		}
	}
	if s := o.State(); s.Pending != 2 || s.LastError != stead.CodeChainGap {
		t.Errorf("%+v", s)
	}
	l.bridges = true
	settled(t, o, l, 1)
	if s := o.State(); s.Receipted != 13 || s.LastError != "" {
		t.Errorf("%+v", s)
	}
}

func TestRolledBackFileStopsStarts(t *testing.T) {
	path := newPath(t)
	o, l := open(t, path), newLedger()
	settled(t, o, l, 3)
	good := l.head
	l.head = audit.Head{Device: testDevice, Epoch: good.Epoch, Seq: 9, Leaf: [32]byte{9}} // what this file forgot
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	o = open(t, path)
	for range 2 {
		if err := o.Drain(t.Context(), l); stead.CodeOf(err) != stead.CodeChainFork || o.State().LastError != stead.CodeChainFork {
			t.Errorf("got %v", err)
		}
		refusesStarts(t, o, stead.CodeChainFork)
		if _, err := o.prove(t.Context(), l.log); err != nil { // the log is not to blame
			t.Error(err)
		}
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
		o = open(t, path)
		refusesStarts(t, o, stead.CodeChainFork)
	}
	l.head = good
	settled(t, o, l, 0)
	settled(t, o, l, 1)
}
