package sqlite

import (
	"context"
	"path/filepath"
	"testing"

	"stead/internal/platform/store"
	"stead/internal/stead"
)

func appendRecords(t *testing.T, s store.Store, n int) {
	t.Helper()
	err := s.Update(t.Context(), func(tx store.Tx) error {
		for range n {
			if _, err := tx.AppendIntake(store.IntakeEntry{EventID: stead.NewEventID(), Device: [16]byte{1}, Epoch: [16]byte{1}, Envelope: make([]byte, 3000), Kind: "k", ReceivedAt: tx.Now()}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func records(t *testing.T, s store.Store) (n int) {
	t.Helper()
	if err := s.View(t.Context(), func(tx store.Tx) error {
		entries, err := tx.Unlogged(1 << 20)
		n = len(entries)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestACopyIsOneState: what is written while the copy is made is not in it, and does not hold it up.
func TestACopyIsOneState(t *testing.T) {
	path, out := filepath.Join(t.TempDir(), "stead.db"), filepath.Join(t.TempDir(), "copy.db")
	s := open(t, path)
	appendRecords(t, s, 4000)
	e, err := OpenEvidence(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	steps := 0
	err = e.CopyTo(out, func(done, all int) {
		steps++
		if done > all || all < 3*copyPages-1000 {
			t.Errorf("%d of %d", done, all)
		}
		appendRecords(t, s, 10)
	})
	if err != nil || steps < 3 {
		t.Fatalf("%d steps, %v", steps, err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if n := records(t, open(t, out)); n != 4000 {
		t.Errorf("%d records in the copy", n)
	}
	if n := records(t, s); n != 4000+10*steps {
		t.Errorf("%d records in the store", n)
	}
}

func TestACopyCanBeStopped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stead.db")
	appendRecords(t, open(t, path), 4000)
	ctx, stop := context.WithCancel(t.Context())
	e, err := OpenEvidence(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	if err := e.CopyTo(filepath.Join(t.TempDir(), "copy.db"), func(int, int) { stop() }); err == nil {
		t.Error("the copy went on")
	}
}
