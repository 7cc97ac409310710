package outbox

import (
	"strings"
	"testing"

	"stead/internal/audit"
)

// TestASalvagedRecordThatIsRefusedGoesOnMarked, wherever it lies and whether the platform says which it is or not, and
// its bytes stay in quarantine.
func TestASalvagedRecordThatIsRefusedGoesOnMarked(t *testing.T) {
	for _, bad := range []uint64{31, 45, 59} {
		for _, mute := range []bool{false, true} {
			w := newWreck(t)
			o, p := w.recover(t, 60), w.platform()
			l := p.of[w.epoch]
			l.poison[bad], l.mute = true, mute
			if err := o.Drain(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			if r, _ := o.Recovered(); r.Stranded != "" || l.head.Seq != 59 || l.marked[bad] != "kind" && !mute || len(l.marked) != 1 {
				t.Errorf("record %d: stranded %q, the platform holds %d, marked %v", bad, r.Stranded, l.head.Seq, l.marked)
			}
			if err := o.Close(); err != nil {
				t.Fatal(err)
			}
			o = open(t, o.path)
			got := quarantineOf(t, o)
			if len(got) != 1 || o.State().Quarantined != 1 || got[0].Seq != bad || audit.Leaf(got[0].Envelope) != audit.Leaf(w.items[bad-31].Envelope) || len(got[0].Texts) != 2 {
				t.Errorf("record %d: in quarantine %+v", bad, got)
			}
		}
	}
}

// TestOnlyWhatIsStillRefusedIsStranded: what lies before a record that is refused in spite of its mark is delivered.
func TestOnlyWhatIsStillRefusedIsStranded(t *testing.T) {
	for _, mute := range []bool{false, true} {
		w := newWreck(t)
		o, p := w.recover(t, 60), w.platform()
		l := p.of[w.epoch]
		l.poison[45], l.stubborn, l.mute = true, true, mute
		if err := o.Drain(t.Context(), p); err != nil || o.State().Salvaged != 0 {
			t.Fatalf("%v, %+v", err, o.State())
		}
		r, _ := o.Recovered()
		if !strings.HasPrefix(r.Stranded, w.epoch.String()+" 45-") || !strings.HasSuffix(r.Stranded, "-59") || l.head.Seq != 44 || len(quarantineOf(t, o)) != 1 {
			t.Errorf("stranded %q, the platform holds %d", r.Stranded, l.head.Seq)
		}
	}
}
