package outbox

import (
	"os"
	"syscall"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// TestRoomIsThereBeforeItIsNeeded: behind the last page the file has blocks that were really written, as far as the next
// commits reach, and a file that was opened again gets them again.
func TestRoomIsThereBeforeItIsNeeded(t *testing.T) {
	path := newPath(t)
	o := open(t, path)
	for range 2 {
		appendN(t, o, 300)
		var used int64
		if err := o.file.db.View(func(tx *bolt.Tx) error { used = tx.Size(); return nil }); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		has := info.Sys().(*syscall.Stat_t).Blocks * 512
		if has < used+roomLeast/2 || has > used+2*roomAhead {
			t.Errorf("%d bytes are used, %d are allocated, room was made up to %d", used, has, o.file.room)
		}
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
		o = open(t, path)
	}
	if n := len(allPending(t, o)); n != 600 {
		t.Errorf("%d pending", n)
	}
}
