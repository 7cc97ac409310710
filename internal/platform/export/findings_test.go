package export_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"stead/internal/audit"
	"stead/internal/audit/bundle"
	"stead/internal/stead"

	"stead/internal/platform/store"
)

// TestWhatNobodyAnsweredIsTold: a start without an end to its story and a record about a session that the log does not
// know are no breach and have to be told, by both verifiers and with the same numbers.
func TestWhatNobodyAnsweredIsTold(t *testing.T) {
	w := newWorld(t)
	w.history() // five intents that the platform answered, and of which the device said nothing
	done := uuid.UUID(w.record(audit.SessionIntent, &ana.Pseudonym, nil, audit.Body{}))
	w.about(audit.SessionOutcome, &done, nil, &ana.Pseudonym, nil, audit.Body{"result": "refused"})
	w.record(audit.SessionIntent, &ana.Pseudonym, nil, audit.Body{})
	hidden := stead.NewSessionID()
	w.about(audit.SessionObservedEnd, nil, &hidden, &ana.Pseudonym, nil, audit.Body{"cause": "agent"})
	w.about(audit.SessionObservedEnd, nil, &w.opened, &ana.Pseudonym, nil, audit.Body{"cause": "agent"})
	w.sequence()
	path, _ := w.export(w.options())
	proof, err := verify(path)
	if err != nil || proof.Intents != (audit.Intents{All: 7, Open: 1, Untold: 5}) || proof.Strange != 1 {
		t.Errorf("%+v, %d records about strange sessions, %v", proof.Intents, proof.Strange, err)
	}
	code, said := python(t)(path)
	for _, want := range []string{"about to ask for: 7; neither answer nor outcome: 1; answered without outcome: 5", "a session whose start is not in the log: 1"} {
		if code != 0 || !strings.Contains(said, want) {
			t.Errorf("exit %d, want %q: %s", code, want, said)
		}
	}
}

// TestRestoresAndKeysAreListed: what people stated about the log is told with its place, its words and who signed it.
func TestRestoresAndKeysAreListed(t *testing.T) {
	w := newWorld(t)
	w.history()
	w.handOver(signer(2))
	w.sequence()
	w.restored("the disk was lost", "alice", "carol")
	w.sequence()
	path, _ := w.export(w.options())
	kept := vkey(t, origin, w.ring.Current().Signer) + "\n" + recoveryLines(t, "alice", "bob", "carol")
	b, err := bundle.Open(t.Context(), path)
	w.must(err)
	defer func() { _ = b.Close() }()
	file, err := audit.ParseKeyFile(kept)
	w.must(err)
	notes, err := b.Statements()
	w.must(err)
	keys, err := file.Follow(notes.Notes)
	w.must(err)
	proof, err := b.Verify(bundle.Check{Keys: keys})
	if err != nil || len(proof.Stated) != 2 {
		t.Fatalf("%+v, %v", proof.Stated, err)
	}
	key, back := proof.Stated[0], proof.Stated[1]
	if key.Handover == nil || key.Handover.Key != vkey(t, origin, signer(2)) || key.Compromised || key.By != nil || key.Place >= back.Place {
		t.Errorf("the handover: %+v", key)
	}
	if back.Restored == nil || back.Restored.Why != "the disk was lost" || strings.Join(back.By, " ") != "alice carol" {
		t.Errorf("the restore: %+v", back)
	}
	at := filepath.Join(t.TempDir(), "keys")
	w.must(os.WriteFile(at, []byte(kept), 0o600))
	code, said := python(t)("--key", at, path)
	for _, want := range []string{"the log's key signed that this one follows it: " + key.Handover.Key, "Their reason: the disk was lost. Signed by alice and carol"} {
		if code != 0 || !strings.Contains(said, want) {
			t.Errorf("exit %d, want %q: %s", code, want, said)
		}
	}
	if _, said := python(t)(path); !strings.Contains(said, "Who signed it only recovery keys in --key show") {
		t.Errorf("without keys: %s", said)
	}
}

// restored declares that the log was set back to what it is now.
func (w *world) restored(why string, by ...string) {
	w.Helper()
	var known []string
	for name, n := range people {
		known = append(known, vkey(w, name, signer(n)))
	}
	recovery, err := audit.ParseRecoveryKeys(known)
	w.must(err)
	w.update(func(tx store.Tx) error {
		newest, err := tx.Checkpoint()
		if err != nil {
			return err
		}
		c, err := audit.ParseCheckpoint([]byte(newest.Note))
		if err != nil {
			return err
		}
		text, err := audit.Restored{Origin: origin, Kept: c, Lost: c.Size + 4, At: time.Now().UTC().Truncate(time.Second), Why: why}.Text()
		if err != nil {
			return err
		}
		note := []byte(text)
		for _, name := range by {
			if note, err = audit.SignStatement(note, name, signer(people[name])); err != nil {
				return err
			}
		}
		_, err = w.ledger.TakeRestored(tx, note, recovery)
		return err
	})
}
