package ledger_test

import (
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/ledger"
	"stead/internal/platform/store"
)

func vkey(t *testing.T, name string, n byte) string {
	t.Helper()
	key, err := audit.LogKey(name, signer(n).Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// people are alice, bob and carol, with the keys 11 to 13.
func people(t *testing.T) audit.RecoveryKeys {
	t.Helper()
	keys, err := audit.ParseRecoveryKeys([]string{vkey(t, "alice", 11), vkey(t, "bob", 12), vkey(t, "carol", 13)})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// signed is the statement with the signatures of those keys.
func signed(t *testing.T, s interface{ Text() (string, error) }, as ...any) []byte {
	t.Helper()
	text, err := s.Text()
	if err != nil {
		t.Fatal(err)
	}
	out := []byte(text)
	for i := 0; i < len(as); i += 2 {
		if out, err = audit.SignStatement(out, as[i].(string), signer(byte(as[i+1].(int)))); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func handover(t *testing.T, to byte) audit.Handover {
	t.Helper()
	return audit.Handover{Origin: origin, Key: vkey(t, origin, to), At: time.Now().Truncate(time.Second).UTC()}
}

func (b *bench) handOver(note []byte) error {
	b.Helper()
	keys := people(b.T)
	return b.store.Update(b.Context(), func(tx store.Tx) error {
		_, err := b.ledger.TakeHandover(tx, note, keys)
		return err
	})
}

func (b *bench) last() ledger.Line {
	b.Helper()
	var line ledger.Line
	b.update(func(tx store.Tx) error {
		lines, err := b.ledger.Trail(tx, store.TrailFilter{Limit: 1})
		line = lines[0]
		return err
	})
	return line
}

func TestKeyRotation(t *testing.T) {
	b := newBench(t)
	b.write(1)
	b.sequence(b.sequencer(signer(1)))
	old := b.note()
	if err := b.handOver(signed(t, handover(t, 2), origin, 1)); err != nil {
		t.Fatal(err)
	}
	if l := b.last(); l.Kind != audit.LedgerKey || l.Facts["key"] != vkey(t, origin, 2) || l.Facts["before"] != vkey(t, origin, 1) || l.Facts["compromised"] != "false" {
		t.Errorf("%+v", l)
	}
	if err := b.sequencer(signer(1)).Append(t.Context()); err == nil {
		t.Error("the key before it still signs")
	}
	b.sequence(b.sequencer(signer(2)))
	b.verified(2)
	b.update(func(tx store.Tx) error {
		if c, err := b.keys(tx).Open(old); err != nil || c.Size != 1 {
			t.Errorf("the checkpoint of the old key: %+v, %v", c, err)
		}
		return nil
	})
	if _, err := keysOf(t, signer(1)).Open(b.note()); !errors.Is(err, audit.ErrUnknownKey) {
		t.Errorf("the new checkpoint under the old key: %v", err)
	}
}

func (b *bench) note() (note []byte) {
	b.Helper()
	b.update(func(tx store.Tx) error {
		c, err := tx.Checkpoint()
		note = []byte(c.Note)
		return err
	})
	return note
}

// TestNoKeySignsUnannounced: whoever swaps the key in the key store alone gets no signature under the log.
func TestNoKeySignsUnannounced(t *testing.T) {
	b := newBench(t)
	b.write(1)
	b.sequence(b.sequencer(signer(1)))
	b.write(1)
	if err := b.sequencer(signer(2)).Append(t.Context()); err == nil {
		t.Error("another key signed")
	}
	if b.newest().Size != 1 {
		t.Errorf("%+v", b.newest())
	}
}

func TestHandoversThatAreNoGood(t *testing.T) {
	b := newBench(t)
	b.write(1)
	b.sequence(b.sequencer(signer(1)))
	elsewhere := handover(t, 2)
	elsewhere.Origin, elsewhere.Key = "other.test", vkey(t, "other.test", 2)
	for name, note := range map[string][]byte{
		"by itself":          signed(t, handover(t, 2), origin, 2),
		"by a stranger":      signed(t, handover(t, 2), origin, 9),
		"by one person":      signed(t, handover(t, 2), "alice", 11),
		"by a person, twice": signed(t, handover(t, 2), "alice", 11, "alice", 11),
		"by nobody":          signed(t, handover(t, 2)),
		"to the same key":    signed(t, handover(t, 1), origin, 1),
		"of another log":     signed(t, elsewhere, "alice", 11, "bob", 12),
		"not a statement":    b.note(),
	} {
		t.Run(name, func(t *testing.T) {
			if err := b.handOver(note); stead.CodeOf(err) != stead.CodeStatementInvalid {
				t.Errorf("%v", err)
			}
		})
	}
	if n := b.count(); n != 1 {
		t.Errorf("%d records", n)
	}
	b.update(func(tx store.Tx) error {
		if n, err := tx.Statements(); err != nil || len(n) != 0 {
			t.Errorf("%v, %v", n, err)
		}
		return nil
	})
}

// TestCompromiseDrill: somebody has the key that signed the log. Two people put another in its place; from then on
// what the thief signs convinces nobody who knows of it.
func TestCompromiseDrill(t *testing.T) {
	b := newBench(t)
	b.write(3)
	b.sequence(b.sequencer(signer(1)))
	device := keysOf(t, signer(1)) // what a device trusted until today

	declared := signed(t, handover(t, 2), "alice", 11, "carol", 13)
	if err := b.handOver(declared); err != nil {
		t.Fatal(err)
	}
	if l := b.last(); l.Facts["compromised"] != "true" {
		t.Errorf("%+v", l)
	}
	b.sequence(b.sequencer(signer(2)))
	b.write(1)
	b.sequence(b.sequencer(signer(2)))
	h, err := people(t).OpenHandover(declared)
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := audit.ParseLogKeys(h.Key) // the new key takes the place of the old
	if err != nil {
		t.Fatal(err)
	}
	if c, err := trusted.Open(b.note()); err != nil || c.Size != 5 {
		t.Errorf("the log goes on: %+v, %v", c, err)
	}

	forged, err := audit.SignCheckpoint(signer(1), audit.Checkpoint{Origin: origin, Size: 9, Root: [32]byte{6}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trusted.Open(forged); !errors.Is(err, audit.ErrUnknownKey) {
		t.Errorf("a forged checkpoint: %v", err)
	}
	if _, err := device.Open(forged); err != nil {
		t.Errorf("the drill proves nothing, the forgery is no good: %v", err)
	}
	// The thief hands the log over to a key of his own. The log does not take it, nor does whoever knows of the theft.
	theft := signed(t, handover(t, 66), origin, 1)
	if err := b.handOver(theft); stead.CodeOf(err) != stead.CodeStatementInvalid {
		t.Errorf("the log was handed over by a key that signs no more: %v", err)
	}
	if _, err := trusted.OpenHandover(theft); !errors.Is(err, audit.ErrUnknownKey) {
		t.Errorf("a forged handover: %v", err)
	}
	// And he rewrites the log at rest: with the new key kept elsewhere it shows.
	if err := b.store.Close(); err != nil {
		t.Fatal(err)
	}
	file := copyOf(t, b.file())
	spoil(t, file, "DELETE FROM checkpoints WHERE size >= 4", "DELETE FROM log_entries WHERE position >= 3", "DELETE FROM log_hashes WHERE idx >= 4", "DELETE FROM intake WHERE idx > 3")
	if _, err := verify(t, file, audit.LedgerCheck{Keys: trusted}); err == nil || !strings.Contains(err.Error(), "no known key") {
		t.Errorf("a log put back to before the theft was known: %v", err)
	}
}

func TestRestoredIsDeclaredByTwo(t *testing.T) {
	b := newBench(t)
	b.write(5)
	b.sequence(b.sequencer(signer(1)))
	keys := people(t)
	var draft audit.Restored
	b.update(func(tx store.Tx) (err error) {
		draft, err = ledger.DraftRestored(tx, 8, "disk of node 2 failed")
		return err
	})
	take := func(note []byte) error {
		return b.store.Update(t.Context(), func(tx store.Tx) error {
			_, err := b.ledger.TakeRestored(tx, note, keys)
			return err
		})
	}
	changed := func(f func(*audit.Restored)) audit.Restored {
		r := draft
		f(&r)
		return r
	}
	for name, note := range map[string][]byte{
		"one person":       signed(t, draft, "alice", 11),
		"one person twice": signed(t, draft, "alice", 11, "alice", 11),
		"the log's key":    signed(t, draft, origin, 1, "alice", 11),
		"another log": signed(t, changed(func(r *audit.Restored) { r.Origin, r.Kept.Origin = "other.test", "other.test" }),
			"alice", 11, "bob", 12),
		"another size": signed(t, changed(func(r *audit.Restored) { r.Kept.Size-- }), "alice", 11, "bob", 12),
		"another root": signed(t, changed(func(r *audit.Restored) { r.Kept.Root[0]++ }), "alice", 11, "bob", 12),
		"a handover":   signed(t, handover(t, 2), "alice", 11, "bob", 12),
	} {
		t.Run(name, func(t *testing.T) {
			if err := take(note); stead.CodeOf(err) != stead.CodeStatementInvalid {
				t.Errorf("%v", err)
			}
		})
	}
	good := signed(t, draft, "bob", 12, "alice", 11)
	if err := take(good); err != nil {
		t.Fatal(err)
	}
	if l := b.last(); l.Kind != audit.LedgerRestored || l.Facts["kept"] != "5" || l.Facts["lost"] != "8" || l.Facts["why"] != "disk of node 2 failed" || len(l.Facts["statement"]) != 64 {
		t.Errorf("%+v", l)
	}
	if err := take(good); stead.CodeOf(err) != stead.CodeStatementInvalid {
		t.Errorf("the same once more: %v", err)
	}
	b.sequence(b.sequencer(signer(1)))
	b.verified(6)
	if err := take(signed(t, changed(func(r *audit.Restored) { r.Why = "again" }), "alice", 11, "bob", 12)); stead.CodeOf(err) != stead.CodeStatementInvalid {
		t.Errorf("a statement that came too late: %v", err)
	}
	b.update(func(tx store.Tx) error {
		for lost, want := range map[int64]stead.Code{4: stead.CodeBadRequest, 1 << 60: stead.CodeStatementInvalid} { // less than is there, more than can be
			if _, err := ledger.DraftRestored(tx, lost, "why"); stead.CodeOf(err) != want {
				t.Errorf("%d: %v", lost, err)
			}
		}
		if _, err := ledger.DraftRestored(tx, 9, "two\nlines"); stead.CodeOf(err) != stead.CodeStatementInvalid {
			t.Errorf("two lines: %v", err)
		}
		return nil
	})
}
