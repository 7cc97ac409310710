package sqlite

import (
	"bytes"
	"database/sql"
	"path/filepath"
	"testing"

	"stead/internal/platform/store"
)

// With our own checks off, the database does not let what a device said be taken back.
func TestTheDatabaseKeepsWhatDevicesSaid(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stead.db")
	err := open(t, path).Update(t.Context(), func(tx store.Tx) error {
		if err := tx.PutDevice(store.Device{ID: "d", PublicKey: bytes.Repeat([]byte{1}, 32), EnrolledAt: tx.Now()}); err != nil {
			return err
		}
		return tx.PutContact(store.Contact{Device: "d", Epoch: [16]byte{1}, Turn: 1, Seq: 5, Leaf: [32]byte{5}, ClaimedAt: tx.Now(), SeenAt: tx.Now()})
	})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := sql.Open("sqlite", dsn(path, "foreign_keys(0)", "ignore_check_constraints(1)", "recursive_triggers(0)"))
	if err != nil {
		t.Fatal(err)
	}
	raw.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = raw.Close() })
	do := func(statement string) error { _, err := raw.Exec(statement); return err }
	copied := "CREATE TEMP TABLE copied AS SELECT * FROM device_contacts"
	if err := do(copied); err != nil {
		t.Fatal(err)
	}
	before := contents(t, raw, "device_contacts")
	for _, change := range []string{"seq = 4", "leaf = zeroblob(32)", "turn = 2", "epoch = zeroblob(16)", "device = 'x'"} {
		if do("UPDATE device_contacts SET "+change) == nil {
			t.Errorf("the database did it: %s", change)
		}
	}
	for _, change := range []string{"seq = 4", "leaf = zeroblob(32)", "turn = 2", "epoch = zeroblob(16)"} {
		if err := do("UPDATE copied SET " + change); err != nil {
			t.Fatal(err)
		}
		if do("REPLACE INTO device_contacts SELECT * FROM copied") == nil {
			t.Errorf("the database replaced it: %s", change)
		}
		if err := do("DELETE FROM copied; INSERT INTO copied SELECT * FROM device_contacts"); err != nil {
			t.Fatal(err)
		}
	}
	if do("DELETE FROM device_contacts") == nil || contents(t, raw, "device_contacts") != before {
		t.Error("what a device said is gone or another")
	}
	if err := do("UPDATE device_contacts SET seq = 6, leaf = zeroblob(32), seen_at = seen_at + 1"); err != nil {
		t.Errorf("further: %v", err)
	}
}
