package session

import (
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"stead/internal/stead"
)

// TestJournalLosesNoNeighbour: a session that ends while others begin takes out its own entry alone.
func TestJournalLosesNoNeighbour(t *testing.T) {
	j := &journal{path: filepath.Join(t.TempDir(), "journal.json")}
	var begun []entry
	var all sync.WaitGroup
	for range 12 {
		ends, lives := entry{Intent: stead.NewEventID()}, entry{Intent: stead.NewEventID(), Agent: "st-lena", Subject: "s", Session: "1"}
		if err := j.put(ends); err != nil {
			t.Fatal(err)
		}
		begun = append(begun, lives)
		all.Go(func() {
			if err := j.remove(ends.Intent); err != nil {
				t.Error(err)
			}
		})
		all.Go(func() {
			early := lives
			early.Session = "" // the platform has not answered yet
			if err := j.put(early); err != nil {
				t.Error(err)
			}
			if err := j.put(lives); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	left, err := j.unfinished()
	if err != nil || len(left) != len(begun) {
		t.Fatalf("%d of %d entries are left, %v", len(left), len(begun), err)
	}
	for _, e := range begun {
		if !slices.Contains(left, e) {
			t.Errorf("%+v is gone", e)
		}
	}
}

func TestWriteDurablyReplacesWholeFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "device.json")
	for _, text := range []string{"a long first content", "short"} {
		if err := WriteDurably(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("%q, %v", got, err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "taken"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := WriteDurably(filepath.Join(dir, "taken"), []byte("x")); err == nil {
		t.Error("a folder was replaced")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("left in the folder: %v, %v", entries, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}
