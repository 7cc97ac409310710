package outbox

import (
	"os"
	"syscall"
	"testing"

	bolt "go.etcd.io/bbolt"

	"stead/internal/audit"
	"stead/internal/stead"
)

// TestAfterAFailedCommitTheFileDecides: a flush reported an error and the record is there all the same, as it was
// measured for an error of the last flush. The next record must follow it, not take its place.
func TestAfterAFailedCommitTheFileDecides(t *testing.T) {
	o := open(t, newPath(t))
	appendN(t, o, 2)
	w, err := o.place(o.file, asked(t, o, intent()))
	if err != nil {
		t.Fatal(err)
	}
	if err := o.file.write(w); err != nil {
		t.Fatal(err)
	}
	o.reload(syscall.EIO, false) // what the committer does when write reports it
	if p := appendN(t, o, 1)[0]; p.Seq != 4 {
		t.Errorf("the next record took place %d", p.Seq)
	}
	items := allPending(t, o)
	if len(items) != 4 || audit.Leaf(items[2].Envelope) != w.placed[0].Leaf {
		t.Errorf("%d pending", len(items))
	}
}

func TestCommitFailsAndTheOutboxGoesOn(t *testing.T) {
	o := open(t, newPath(t))
	appendN(t, o, 2)
	if err := o.file.db.Close(); err != nil { // from here every transaction fails
		t.Fatal(err)
	}
	if _, err := o.Append(t.Context(), intent()); stead.CodeOf(err) != stead.CodeOutboxWrite {
		t.Errorf("got %v", err)
	}
	if p := appendN(t, o, 1)[0]; p.Seq != 3 {
		t.Errorf("the next record took place %d", p.Seq)
	}
}

func TestTwoFailuresOfTheDeviceBreakIt(t *testing.T) {
	o := open(t, newPath(t))
	appendN(t, o, 1)
	o.reload(syscall.EIO, false)
	if s := o.State(); s.Broken != "" || s.Head != 1 {
		t.Errorf("after one: %+v", s)
	}
	o.reload(syscall.EIO, true)
	if _, err := o.Append(t.Context(), intent()); stead.CodeOf(err) != stead.CodeOutboxDamaged {
		t.Errorf("after two: %v", err)
	}
}

func TestDamageFoundAfterAFailedCommitBreaksIt(t *testing.T) {
	path := newPath(t)
	o := open(t, path)
	appendN(t, o, 3)
	err := o.file.db.Update(func(tx *bolt.Tx) error { return tx.Bucket(pendingBucket).Delete(seqKey(2)) })
	if err != nil {
		t.Fatal(err)
	}
	o.reload(syscall.ENOSPC, false)
	for range 2 {
		if _, err := o.Append(t.Context(), intent()); stead.CodeOf(err) != stead.CodeOutboxDamaged {
			t.Errorf("Append: %v", err)
		}
	}
	if _, err := o.Pending(t.Context(), 0, 10); stead.CodeOf(err) != stead.CodeOutboxDamaged {
		t.Errorf("Pending: %v", err)
	}
}

// TestReopeningIsTriedAgain: after a failed commit the file cannot be opened for a while.
func TestReopeningIsTriedAgain(t *testing.T) {
	path := newPath(t)
	o := open(t, path)
	appendN(t, o, 2)
	o.mu.Lock()
	err := o.file.close()
	o.file = nil
	o.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	somebody := open(t, path) // holds the lock for a while
	if _, err := o.Append(t.Context(), intent()); stead.CodeOf(err) != stead.CodeOutboxWrite {
		t.Errorf("while it is locked: %v", err)
	}
	if err := somebody.Close(); err != nil {
		t.Fatal(err)
	}
	if p := appendN(t, o, 1)[0]; p.Seq != 3 {
		t.Errorf("the next record took place %d", p.Seq)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	o.reload(syscall.EIO, false)
	if _, err := o.Append(t.Context(), intent()); stead.CodeOf(err) != stead.CodeOutboxDamaged {
		t.Errorf("the file is gone: %v", err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("a new file was made in its place: %v", err)
	}
}

// TestGatherTakesWhatWaits: also for a caller who seems to be alone.
func TestGatherTakesWhatWaits(t *testing.T) {
	for _, alone := range []bool{true, false} {
		o := &Outbox{appends: make(chan *request, groupRecords)}
		for range 3 {
			o.appends <- &request{}
		}
		if n := len(o.gather(&request{}, 1, alone)); n != 4 || len(o.appends) != 0 {
			t.Errorf("alone %v: %d taken, %d left", alone, n, len(o.appends))
		}
	}
}
