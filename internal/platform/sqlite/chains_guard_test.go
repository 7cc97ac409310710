package sqlite

import (
	"bytes"
	"database/sql"
	"path/filepath"
	"testing"

	"stead/internal/platform/store"
	"stead/internal/stead"
)

// TestTheDatabaseKeepsEvidenceAndRevocations: what the tables of devices' chains hold is not rewritten past our code.
func TestTheDatabaseKeepsEvidenceAndRevocations(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stead.db")
	err := open(t, path).Update(t.Context(), func(tx store.Tx) error {
		for n, id := range []stead.DeviceID{"good", "gone"} {
			if err := tx.PutDevice(store.Device{ID: id, Name: "laptop", PublicKey: bytes.Repeat([]byte{byte(n)}, 32), EnrolledAt: tx.Now()}); err != nil {
				return err
			}
		}
		if err := tx.RevokeDevice("gone", tx.Now()); err != nil {
			return err
		}
		if err := tx.PutSignedHead(store.SignedHead{Device: "good", Seq: 4, Signature: make([]byte, 64)}, true); err != nil {
			return err
		}
		if err := tx.PutAlarm(store.Alarm{Device: "good", Seq: 1, Signature: []byte{1}, At: tx.Now()}); err != nil {
			return err
		}
		if _, err := tx.AppendIntake(store.IntakeEntry{EventID: stead.NewEventID(), Device: [16]byte{1}, Epoch: [16]byte{1}, Seq: 1, Envelope: []byte{1}, Kind: "k", ReceivedAt: tx.Now()}); err != nil {
			return err
		}
		return tx.PutQuarantined(store.Quarantined{Device: [16]byte{1}, Epoch: [16]byte{1}, Seq: 5, Envelope: []byte{1}, ReceivedAt: tx.Now()})
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
	tables := map[string]string{"quarantined": "", "device_alarms": "", "devices": "", "intake": "", "signed_heads": ""}
	for table := range tables {
		tables[table] = contents(t, raw, table)
	}
	for _, statement := range []string{
		"UPDATE signed_heads SET leaf = x'00'",
		"UPDATE signed_heads SET seq = 3",
		"DELETE FROM signed_heads",
		"REPLACE INTO signed_heads SELECT device, epoch, held, seq, leaf, zeroblob(64) FROM signed_heads",
		"UPDATE quarantined SET envelope = x'00'",
		"UPDATE quarantined SET seq = 9",
		"DELETE FROM quarantined",
		"REPLACE INTO quarantined SELECT device, epoch, seq, leaf, x'00', said, received_at, delivered_by FROM quarantined",
		"INSERT INTO quarantined SELECT device, epoch, 1, leaf, envelope, said, received_at, delivered_by FROM quarantined", // the place of a record
		"INSERT OR REPLACE INTO intake SELECT 9, randomblob(16), device, epoch, 5, leaf, envelope, sealed_texts, texts_of, kind, session, actor, subject, received_at, delivered_by, doubt FROM intake WHERE idx = 1",
		"UPDATE device_alarms SET why = 'nothing'",
		"DELETE FROM device_alarms",
		"REPLACE INTO device_alarms SELECT device, epoch, seq, leaf, x'00', why, at FROM device_alarms",
		"UPDATE devices SET revoked_at = NULL",
		"UPDATE devices SET revoked_at = revoked_at + 1",
		"UPDATE devices SET public_key = randomblob(32) WHERE revoked_at IS NULL",
		"UPDATE devices SET id = 'x' WHERE revoked_at IS NULL",
		"UPDATE devices SET enrolled_by = 'x'",
		"DELETE FROM devices",
		"REPLACE INTO devices SELECT id, name, public_key, enrolled_by, enrolled_at, NULL FROM devices",
		"REPLACE INTO devices SELECT 'x', name, public_key, enrolled_by, enrolled_at, NULL FROM devices",
	} {
		if _, err := raw.Exec(statement); err == nil {
			t.Errorf("the database did it: %s", statement)
		}
	}
	for table, before := range tables {
		if contents(t, raw, table) != before {
			t.Errorf("rows of %s changed", table)
		}
	}
	for _, statement := range []string{"UPDATE devices SET name = 'other'", "UPDATE devices SET revoked_at = 1 WHERE revoked_at IS NULL"} {
		if _, err := raw.Exec(statement); err != nil {
			t.Errorf("%s: %v", statement, err)
		}
	}
}
