package outbox

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"stead/internal/audit"
	"stead/internal/stead"
)

func quarantineOf(t *testing.T, o *Outbox) []Quarantined {
	t.Helper()
	var out []Quarantined
	if err := o.Quarantine(t.Context(), func(q Quarantined) error { out = append(out, q); return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestPoisonIsQuarantined wherever in a batch it lies, whether the platform says which it is or not: the others get
// through in the same drain, and the record is kept for ever.
func TestPoisonIsQuarantined(t *testing.T) {
	for name, bad := range map[string][]uint64{"first": {1}, "middle": {5}, "last": {10}, "two": {4, 9}, "two beside each other": {4, 5},
		"in two batches": {7, 207}, "all": {1, 2, 3}} {
		for _, mute := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				path := newPath(t)
				o, l := open(t, path), newLedger()
				for _, seq := range bad {
					l.poison[seq] = true
				}
				l.mute = mute
				n := int(max(10, slices.Max(bad)))
				if name == "all" {
					n = 3
				}
				placed := appendN(t, o, n)
				if err := o.Drain(t.Context(), l); err != nil {
					t.Fatal(err)
				}
				if int(l.head.Seq) != n || len(l.marked) != len(bad) {
					t.Errorf("the platform holds %d, marked %v", l.head.Seq, l.marked)
				}
				if _, err := o.prove(t.Context(), l.log); err != nil || int(o.State().Receipted) != n || held(t, o) != 0 {
					t.Errorf("%v, %+v", err, o.State())
				}
				if err := o.Close(); err != nil {
					t.Fatal(err)
				}
				o = open(t, path)
				got := quarantineOf(t, o)
				if len(got) != len(bad) || int(o.State().Quarantined) != len(bad) {
					t.Fatalf("%d in quarantine, %+v", len(got), o.State())
				}
				for i, q := range got {
					if q.Seq != bad[i] || audit.Leaf(q.Envelope) != placed[q.Seq-1].Leaf || len(q.Texts) != 2 || q.Why == "" || q.At.IsZero() || q.Why != l.marked[q.Seq] {
						t.Errorf("%+v", q)
					}
				}
				settled(t, o, l, 1)
			})
		}
	}
}

// TestMarkedRecordThatIsRefusedAgain is an error, no loop and no loss.
func TestMarkedRecordThatIsRefusedAgain(t *testing.T) {
	for _, mute := range []bool{false, true} {
		path := newPath(t)
		o, l := open(t, path), newLedger()
		l.poison[3], l.stubborn, l.mute = true, true, mute
		appendN(t, o, 5)
		for range 3 {
			if err := o.Drain(t.Context(), l); stead.CodeOf(err) != stead.CodeRecordInvalid {
				t.Errorf("got %v", err)
			}
			if err := o.Close(); err != nil {
				t.Fatal(err)
			}
			o = open(t, path)
		}
		if l.batches > 40 || len(quarantineOf(t, o)) != 1 || held(t, o) != 5 {
			t.Errorf("%d batches, %d in quarantine, %d held", l.batches, len(quarantineOf(t, o)), held(t, o))
		}
		l.stubborn = false
		settled(t, o, l, 1)
		if s := o.State(); s.Receipted != 6 || s.Quarantined != 1 {
			t.Errorf("%+v", s)
		}
	}
}

// TestRecordThatIsTakenAfterAll keeps its place in the log like any other.
func TestRecordThatIsTakenAfterAll(t *testing.T) {
	o, l := open(t, newPath(t)), newLedger()
	l.poison[2], l.stubborn = true, true
	appendN(t, o, 3)
	if err := o.Drain(t.Context(), l); stead.CodeOf(err) != stead.CodeRecordInvalid {
		t.Fatalf("got %v", err)
	}
	delete(l.poison, 2) // a newer platform
	settled(t, o, l, 1)
	if got := receiptsOf(t, o); len(got) != 1 || slices.Contains(got[0].Positions, -1) || o.State().Quarantined != 1 {
		t.Errorf("%+v, %+v", got, o.State())
	}
}

func TestReasonOfAQuarantineFits(t *testing.T) {
	long := reason(stead.Errorf(stead.CodeRecordInvalid, "%s", strings.Repeat("ü", 300)))
	if len(long) != maxWhy || !strings.HasPrefix(long, "üü") || strings.Contains(long, "�") {
		t.Errorf("%d bytes: %q", len(long), long)
	}
	if got := reason(badRecord(1)); got != "kind" {
		t.Errorf("%q", got)
	}
	if got := reason(stead.E(stead.CodeRecordInvalid, nil)); got != "record_invalid" {
		t.Errorf("%q", got)
	}
}

func TestQuarantineIsSealed(t *testing.T) {
	o, l := open(t, newPath(t)), newLedger()
	l.poison[1] = true
	appendN(t, o, 1)
	if err := o.Drain(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	sum := fileBytes(t, o.path)
	for _, plain := range []string{"invoice", "Müller", "troubleshooting", "log.stead.test"} {
		if bytes.Contains(sum, []byte(plain)) {
			t.Errorf("%q lies open in the file", plain)
		}
	}
}
