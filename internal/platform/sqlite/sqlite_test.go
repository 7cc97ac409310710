package sqlite

import (
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"stead/internal/platform/store"
	"stead/internal/platform/store/storetest"
)

func TestStore(t *testing.T) {
	var folders sync.Map // by test, so that a second opening finds the same data
	storetest.Run(t, func(t *testing.T) store.Store {
		folder, ok := folders.Load(t.Name())
		if !ok {
			folder = t.TempDir()
			folders.Store(t.Name(), folder)
		}
		return open(t, filepath.Join(folder.(string), "stead.db"))
	})
}

// After an error other than a conflict SQLite may have rolled back by itself. An update whose function passes over
// such an error must not commit what came after it.
func TestUpdateDoesNotCommitAfterASwallowedError(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "stead.db"))
	for _, bad := range []string{"nonsense", "ROLLBACK; nonsense"} {
		err := s.Update(t.Context(), func(port store.Tx) error {
			tx := port.(*tx)
			if err := tx.SetValue("a", "1"); err != nil {
				return err
			}
			if _, err := tx.exec(bad); err == nil {
				t.Errorf("%q was executed", bad)
			}
			if err := tx.SetValue("b", "1"); err == nil {
				t.Errorf("%q: a statement was let through afterwards", bad)
			}
			return nil
		})
		if err == nil {
			t.Errorf("%q: the update succeeded", bad)
		}
		err = s.View(t.Context(), func(tx store.Tx) error {
			for _, name := range []string{"a", "b"} {
				if _, err := tx.Value(name); !errors.Is(err, store.ErrNotFound) {
					t.Errorf("%q: %s is there: %v", bad, name, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func open(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}
