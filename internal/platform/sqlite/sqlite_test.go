package sqlite

import (
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

func open(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}
