package desktop

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/desktop/outbox"
)

func (i *installation) outbox(d *Desk) *outbox.Outbox {
	i.s.Helper()
	ob, err := d.Outbox()
	if err != nil {
		i.s.Fatal(err)
	}
	return ob
}

func TestDamagedOutboxIsRecovered(t *testing.T) {
	s := newServer(t)
	i := s.installation()
	file := filepath.Join(i.dir, "outbox-"+s.deviceID+".db")
	d := i.desk()
	i.begin(d)
	if _, ok := d.Recovery(); ok {
		t.Error("a whole outbox was recovered")
	}
	var sum [32]byte
	d = i.restart(d, func() {
		f, err := os.OpenFile(file, os.O_RDWR, 0)
		if err == nil {
			_, err = f.WriteAt(make([]byte, 64), 16) // the first meta page
		}
		if err != nil || f.Close() != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		sum = sha256.Sum256(raw)
	})
	r, ok := d.Recovery()
	kept, err := os.ReadFile(r.File)
	if !ok || err != nil || sha256.Sum256(kept) != sum || r.SHA256 != sum || r.Why != outbox.WhyDamaged || !r.Confirmed {
		t.Errorf("%v %+v, %v", ok, r, err)
	}
	got := s.received()
	if len(got) != 1 || got[0].Kind != audit.DeviceRecovery || got[0].Body["evidence_sha256"] != hex.EncodeToString(sum[:]) {
		t.Errorf("records %+v", got)
	}
	d = i.restart(d, func() {})
	if again, _ := d.Recovery(); again != r || len(s.received()) != 1 {
		t.Errorf("after a restart %+v, %d records", again, len(s.received()))
	}
}

// TestStartsWaitForTheRecoveryToBeKnown: the platform cannot be reached while the outbox is set up anew.
func TestStartsWaitForTheRecoveryToBeKnown(t *testing.T) {
	s := newServer(t)
	i := s.installation()
	d := i.desk()
	i.begin(d)
	if err := d.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(i.dir, "outbox-"+s.deviceID+".db")); err != nil {
		t.Fatal(err)
	}
	release := s.holdRecords()
	d = i.desk()
	if stage, _, err := d.Connect(t.Context()); err != nil || stage != StageReady {
		t.Fatalf("stage %s, %v", stage, err)
	}
	subject := stead.NewPseudonym()
	start := outbox.Entry{Kind: audit.SessionIntent, Actor: stead.NewPseudonym(), Subject: &subject}
	if _, err := i.outbox(d).Append(t.Context(), start); stead.CodeOf(err) != stead.CodeOutboxRecovered {
		t.Errorf("a start: %v", err)
	}
	if r, ok := d.Recovery(); !ok || r.Confirmed || r.Why != outbox.WhyMissing || r.File != "" {
		t.Errorf("%+v", r)
	}
	release()
	i.drained(d)
	if _, err := i.outbox(d).Append(t.Context(), start); err != nil {
		t.Errorf("a start once it is known: %v", err)
	}
	if r, _ := d.Recovery(); !r.Confirmed {
		t.Errorf("%+v", r)
	}
}

// TestResetKeyringMakesAnotherDevice: the old one's outbox becomes evidence, and the new chain says so.
func TestResetKeyringMakesAnotherDevice(t *testing.T) {
	s := newServer(t)
	i := s.installation()
	d := i.desk()
	i.begin(d)
	if _, err := i.outbox(d).Append(t.Context(), recovery()); err != nil {
		t.Fatal(err)
	}
	i.drained(d)
	old := s.deviceID
	if err := d.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"device-key", "outbox", "refresh-token"} {
		if err := d.vault.Forget(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	s.deviceID = "ffeeddccbbaa99887766554433221100"
	d = i.desk()
	i.begin(d)
	i.drained(d)
	r, ok := d.Recovery()
	if !ok || r.Why != outbox.WhyKeyringReset || !r.Confirmed || r.Salvaged != 0 {
		t.Errorf("%v %+v", ok, r)
	}
	if _, err := os.Stat(r.File); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(d.outboxFile(stead.DeviceID(old))); !os.IsNotExist(err) {
		t.Errorf("the old outbox is still in use: %v", err)
	}
	got := s.received()
	last := got[len(got)-1]
	if len(got) != 2 || last.Kind != audit.DeviceRecovery || string(last.Device) != s.deviceID || last.Body["prev_device"] != old || last.Body["why"] != outbox.WhyKeyringReset {
		t.Errorf("records %+v", got)
	}
	var dev device
	raw, err := os.ReadFile(d.deviceFile())
	if err != nil || json.Unmarshal(raw, &dev) != nil || dev.Former != "" || string(dev.ID) != s.deviceID {
		t.Errorf("%s, %v", raw, err)
	}
	d = i.restart(d, func() {})
	if again, _ := d.Recovery(); again != r || len(s.received()) != 2 {
		t.Errorf("after a restart %+v", again)
	}
	if err := d.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}
