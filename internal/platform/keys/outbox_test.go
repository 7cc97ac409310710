package keys_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/keys"
)

func TestOutboxKeyStays(t *testing.T) {
	dir := t.TempDir()
	r, st := open(t, dir)
	f := audit.OutboxFile{Device: stead.DeviceID(stead.NewPseudonym().String()), Epoch: audit.NewEpoch(), Generation: 1}
	key := bytes.Repeat([]byte{3}, 32)
	sealed, err := audit.SealOutboxKey(r.OutboxKey(), f, key)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Rotate(t.Context(), keys.Rotation{}); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	again, st := open(t, dir)
	if got, err := again.OpenOutboxKey(f, sealed); err != nil || !bytes.Equal(got, key) || !bytes.Equal(again.OutboxKey(), r.OutboxKey()) {
		t.Errorf("after a restart and a rotation: %x, %v", got, err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "platform.db"))
	if err != nil || bytes.Contains(raw, key) {
		t.Errorf("the key lies open in the store, %v", err)
	}
	if _, err := keys.Open(t.Context(), st, filepath.Join(t.TempDir(), "kek")); stead.CodeOf(err) != stead.CodeConfigInvalid {
		t.Errorf("another key file: %v", err)
	}
}
