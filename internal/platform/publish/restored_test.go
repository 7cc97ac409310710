package publish_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stead/internal/platform/publish"
	"stead/internal/platform/store"
)

// restored is a log of 3 records after a declared restore from 20, which has grown to 5 in a copy and to 10 since.
func restored(t *testing.T, c publish.Config, told func()) (now, backup *house) {
	t.Helper()
	h := fresh(t)
	h.grow(3)
	before := h.copyOf()
	p, stop := h.publish(c)
	h.grow(17)
	h.until(p, "20", at(20))
	stop()
	told()
	now = newHouse(t, before)
	now.declare(20)
	c.People = people(t)
	p, stop = now.publish(c)
	now.until(p, "it goes on with what was kept", at(3))
	now.grow(2)
	now.until(p, "5", at(5))
	stop()
	backup = newHouse(t, now.copyOf())
	p, stop = now.publish(c)
	now.grow(5)
	now.until(p, "10", at(10))
	stop()
	return now, backup
}

// TestARestoreExcusesNoOtherLog: who writes another log cannot take a statement with it that was made about this one.
func TestARestoreExcusesNoOtherLog(t *testing.T) {
	dir := t.TempDir()
	now, _ := restored(t, publish.Config{Folders: []string{dir}}, func() {})
	var said []store.Statement
	if err := now.store.View(t.Context(), func(tx store.Tx) (err error) { said, err = tx.Statements(); return err }); err != nil {
		t.Fatal(err)
	}
	other := fresh(t)
	other.grow(12)
	if err := other.store.Update(t.Context(), func(tx store.Tx) error { return tx.PutStatement(said[0]) }); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"a place that knows the restore": dir, "one that does not": before(t, dir)} {
		p, stop := other.publish(publish.Config{Folders: []string{to}, People: people(t)})
		held := read(t, to, "checkpoint")
		other.until(p, name, contradicts)
		stop()
		if read(t, to, "checkpoint") != held {
			t.Errorf("%s: the trace was covered", name)
		}
	}
}

// before is a folder that has the same newest checkpoint and nothing else.
func before(t *testing.T, dir string) string {
	t.Helper()
	out := t.TempDir()
	if err := os.WriteFile(filepath.Join(out, "checkpoint"), []byte(read(t, dir, "checkpoint")), 0o600); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestARestoreExcusesOnce: what was published after it is not made void by it.
func TestARestoreExcusesOnce(t *testing.T) {
	dir := t.TempDir()
	_, back := restored(t, publish.Config{Folders: []string{dir}}, func() {})
	held := read(t, dir, "checkpoint")
	p, stop := back.publish(publish.Config{Folders: []string{dir}, People: people(t)})
	back.until(p, "set back once more", contradicts)
	back.grow(9)
	back.until(p, "and grown", contradicts)
	stop()
	if read(t, dir, "checkpoint") != held {
		t.Error("the trace was covered")
	}
	kept := 0
	for _, name := range names(t, dir) {
		if strings.HasPrefix(name, "restored-") {
			kept++
		}
	}
	if kept != 1 {
		t.Errorf("%d restores lie there", kept)
	}
}

// TestARestoreExcusesOnceAtTheWitness: its operator was told, it went on, and now the log is set back again.
func TestARestoreExcusesOnceAtTheWitness(t *testing.T) {
	w := newWitness(t)
	_, back := restored(t, publish.Config{Witness: w.config()}, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.size = 0
	})
	p, _ := back.publish(publish.Config{Witness: w.config(), People: people(t)})
	back.until(p, "set back once more", contradicts)
}
