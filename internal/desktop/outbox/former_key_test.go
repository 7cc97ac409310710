package outbox

import (
	"os"
	"path/filepath"
	"testing"

	"stead/internal/audit"
	"stead/internal/stead"
)

// TestAFileOfAFormerDeviceKeyGoesToThePlatform: the keyring kept what opens the file and lost what signs for it.
func TestAFileOfAFormerDeviceKeyGoesToThePlatform(t *testing.T) {
	private, public, err := audit.NewOutboxKey()
	if err != nil {
		t.Fatal(err)
	}
	former, placed := lost(t, public)
	path := filepath.Join(filepath.Dir(former), "outbox-"+string(secondDevice)+".db")
	cfg := afterReset(public)
	cfg.Sealer = testConfig().Sealer
	r, err := Succeed(t.Context(), former, path, cfg)
	if err != nil || !r.Sealed || r.Salvaged != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	o, err := Open(t.Context(), path, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.Close() })
	p := &reader{ledgers: ledgers{of: map[audit.Epoch]*ledger{}, owner: "second"}, private: private, held: 100}
	if err := o.Drain(t.Context(), p); err != nil || o.State().Recovering {
		t.Errorf("%v, %+v", err, o.State())
	}
	if len(p.got) != 450 || audit.Leaf(p.got[0].Envelope) != placed[100].Leaf {
		t.Errorf("%d records arrived", len(p.got))
	}
}

// TestAnotherKeyOfTheSameDeviceSalvagesNothing, because the platform would refuse each of those records.
func TestAnotherKeyOfTheSameDeviceSalvagesNothing(t *testing.T) {
	_, public, err := audit.NewOutboxKey()
	if err != nil {
		t.Fatal(err)
	}
	path, _ := lost(t, public)
	cfg := afterReset(public)
	cfg.Device, cfg.Sealer = testDevice, testConfig().Sealer
	if r, err := Recover(t.Context(), path, cfg); err != nil || r.Salvaged != 0 || !r.Sealed {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestNoAnswerAboutTheSalvagedHoldsUpThePresent: what can never be taken is stranded, and an answer that the present
// epoch would hear too leaves the salvaged records where they are.
func TestNoAnswerAboutTheSalvagedHoldsUpThePresent(t *testing.T) {
	for code, stays := range map[stead.Code]int{stead.CodeDeviceSignature: 0, stead.CodeTooLarge: 0, stead.CodeDeviceUnknown: 29} {
		w := newWreck(t)
		o := w.recover(t, 60)
		p := w.platform()
		p.of[w.epoch].refuse = stead.E(code, nil)
		if err := o.Drain(t.Context(), p); err != nil || o.State().Recovering {
			t.Errorf("%s: %v, %+v", code, err, o.State())
		}
		r, _ := o.Recovered()
		if o.State().Salvaged != stays || (r.Stranded == "") != (stays > 0) {
			t.Errorf("%s: %d are still here, stranded %q", code, o.State().Salvaged, r.Stranded)
		}
	}
}

// recover puts a new outbox in the place of the wreck, of which the named records are spoiled.
func (w wreck) recover(t *testing.T, spoiled ...uint64) *Outbox {
	t.Helper()
	path := newPath(t)
	if err := os.WriteFile(path, w.spoiled(spoiled...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Recover(t.Context(), path, testConfig()); err != nil {
		t.Fatal(err)
	}
	return open(t, path)
}
