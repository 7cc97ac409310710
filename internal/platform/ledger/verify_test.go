package ledger_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"stead/internal/audit"

	"stead/internal/platform/sqlite"
)

// TestALedgerOfManyParts: readers share a ledger out among themselves in parts of 2,048 records.
func TestALedgerOfManyParts(t *testing.T) {
	b := newBench(t)
	b.write(7000)
	first := b.batch(start(b), 300, nil)
	if _, err := b.take(first); err != nil {
		t.Fatal(err)
	}
	b.write(1000)
	b.sequence(b.sequencer(signer(1)))
	b.verified(8300)
	b.write(2)
	if err := b.store.Close(); err != nil {
		t.Fatal(err)
	}
	keys := keysOf(t, signer(1))
	if proof, err := verify(t, b.file(), audit.LedgerCheck{Keys: keys}); err != nil || proof.Pending != 2 || proof.Chains != 1 || proof.Checkpoints != 9 {
		t.Errorf("%+v, %v", proof, err)
	}
	for name, c := range map[string]struct {
		do, what string
		index    int64
	}{
		"in the third part":        {"UPDATE intake SET actor = randomblob(16) WHERE idx = 5000", "actor", 5000},
		"the first of a part":      {"UPDATE intake SET leaf = zeroblob(32) WHERE idx = 2049", "leaf", 2049},
		"the earlier of two":       {"UPDATE intake SET leaf = zeroblob(32) WHERE idx IN (8000, 4000)", "leaf", 4000},
		"dropped":                  {"DELETE FROM intake WHERE idx = 6001", "is not there", 6001},
		"dropped, and one before":  {"DELETE FROM intake WHERE idx = 6001; UPDATE intake SET session = 'x' WHERE idx = 77", "session", 77},
		"of what waits":            {"UPDATE intake SET envelope = x'' WHERE idx = 8302", "cannot be read", 8302},
		"far behind all others":    {copyRecord("8302", "4611686018427387904"), "event id", 1 << 62},
		"another type of a column": {"PRAGMA writable_schema = 1; UPDATE sqlite_schema SET sql = replace(sql, ') STRICT', ')') WHERE name = 'intake'; PRAGMA writable_schema = RESET; UPDATE intake SET actor = 'sixteen letters.' WHERE idx = 3000", "", -1},
	} {
		t.Run(name, func(t *testing.T) {
			file := copyOf(t, b.file())
			spoil(t, file, strings.Split(c.do, "; ")...)
			_, err := verify(t, file, audit.LedgerCheck{Keys: keys})
			var found *audit.LedgerBroken
			switch {
			case c.index < 0:
				if !errors.Is(err, sqlite.ErrDamaged) {
					t.Errorf("%v", err)
				}
			case !errors.As(err, &found) || found.Index != c.index || !strings.Contains(found.What, c.what):
				t.Errorf("%v", err)
			}
		})
	}
}

// TestVerifyingCanBeInterrupted: also between two records.
func TestVerifyingCanBeInterrupted(t *testing.T) {
	b := newBench(t)
	b.write(5000)
	b.sequence(b.sequencer(signer(1)))
	ctx, stop := contextOf(t)
	evidence, err := sqlite.OpenEvidence(ctx, b.file())
	if err != nil {
		t.Fatal(err)
	}
	read := int64(0)
	_, err = audit.VerifyLedger(evidence, audit.LedgerCheck{Keys: keysOf(t, signer(1)), Progress: func(n int64) { read = n; stop() }})
	if !errors.Is(err, context.Canceled) || read != 4096 {
		t.Errorf("after %d records: %v", read, err)
	}
	if err := evidence.Close(); err != nil {
		t.Error(err)
	}
}

// TestALedgerThatGrowsIsReadInOneState: all readers see what the first of them saw.
func TestALedgerThatGrowsIsReadInOneState(t *testing.T) {
	b := newBench(t)
	s := b.sequencer(signer(1))
	b.write(1)
	b.sequence(s)
	ctx, stop := contextOf(t)
	done := make(chan error)
	go func() {
		defer close(done)
		head := start(b)
		for ctx.Err() == nil {
			b.write(20)
			batch := b.batch(head, 20, nil)
			if _, err := b.take(batch); err != nil {
				done <- err
				return
			}
			head = batch.Head
			b.sequence(s)
		}
	}()
	sizes := map[int64]bool{}
	for range 12 {
		proof, err := verify(t, b.file(), audit.LedgerCheck{Keys: keysOf(t, signer(1))})
		if err != nil {
			t.Errorf("%+v, %v", proof, err)
		}
		sizes[proof.Checkpoint.Size+proof.Pending] = true
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if len(sizes) < 4 {
		t.Errorf("it hardly grew: %v", sizes)
	}
}
