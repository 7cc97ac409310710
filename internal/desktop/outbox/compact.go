package outbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	bolt "go.etcd.io/bbolt"
)

// When a file is written anew: it never shrinks by itself, and what was drained leaves holes.
const (
	compactAbove = 64 << 20 // bytes of the file
	compactLive  = 4        // at most one part in so many is still needed,
	compactCopy  = 16 << 20 // and at most so many bytes, since appending waits for the copy
	compactAtMax = 1 << 20  // bytes one transaction of the copy takes
)

// upkeep does what can wait until nobody waits.
func (o *Outbox) upkeep(ctx context.Context) {
	o.upkeepReserve()
	if o.bloated() {
		_ = o.change(ctx, o.compact) // what fails leaves the file as it is, and is tried again
	}
}

// bloated reports that the file is large and little of it is needed. It reads no more than what would be copied.
func (o *Outbox) bloated() bool {
	o.mu.RLock()
	defer o.mu.RUnlock()
	f := o.file
	if f == nil || o.broken != nil {
		return false
	}
	info, err := f.handle.Stat()
	if err != nil || info.Size() <= compactAbove {
		return false
	}
	bound, live := min(info.Size()/compactLive, compactCopy), int64(0)
	err = guard(func() error {
		return f.db.View(func(tx *bolt.Tx) error {
			return tx.ForEach(func(_ []byte, b *bolt.Bucket) error {
				c := b.Cursor()
				for k, v := c.First(); k != nil && live < bound; k, v = c.Next() {
					live += int64(len(k) + len(v))
				}
				return nil
			})
		})
	})
	return err == nil && live < bound
}

// compact writes what is needed into a new file, verifies that as Open does, and gives it the name. Up to that moment
// the old file is the outbox, from then on the new one is; both are complete. It runs on the committer, so nothing is
// appended meanwhile. An error of the copy is not one of the file and is not reported as such.
func (o *Outbox) compact(f *file) error {
	fresh, err := o.copied(f)
	if err != nil {
		return nil //nolint:nilerr // the outbox goes on with the file it has
	}
	tmp := fresh.db.Path()
	defer func() { _ = os.Remove(tmp) }()
	o.mu.Lock()
	defer o.mu.Unlock()
	if runtime.GOOS == "windows" { // where an open file keeps its name
		o.file = nil
		if err := errors.Join(fresh.close(), f.close(), os.Rename(tmp, o.path)); err != nil {
			return err
		}
		_, err := o.reopen()
		return err
	}
	if err := os.Rename(tmp, o.path); err != nil {
		fresh.giveUp(err)
		return nil
	}
	o.file = fresh
	f.giveUp(nil) // nothing that counts is in it
	return syncFolder(filepath.Dir(o.path))
}

// copied returns the copy, open, verified and equal in all that the outbox knows of itself.
func (o *Outbox) copied(f *file) (*file, error) {
	t, err := os.CreateTemp(filepath.Dir(o.path), filepath.Base(o.path)+".new-*") // 0600
	if err != nil {
		return nil, err
	}
	tmp := t.Name()
	fail := func(err error) (*file, error) { return nil, errors.Join(err, os.Remove(tmp)) }
	if err := t.Close(); err != nil {
		return fail(err)
	}
	db, _, err := openBolt(tmp, false)
	if err != nil {
		return fail(err)
	}
	err = guard(func() error { return bolt.Compact(db, f.db, compactAtMax) })
	if err := errors.Join(err, guard(db.Close)); err != nil {
		return fail(err)
	}
	fresh, err := openExisting(o.life, tmp, o.cfg)
	if err != nil {
		return fail(err)
	}
	if fresh.head != f.head || fresh.acked != f.acked || fresh.receipted != f.receipted || fresh.seen != f.seen || fresh.salvaged != f.salvaged || fresh.generation != f.generation {
		fresh.giveUp(nil)
		return fail(fmt.Errorf("the copy ends at %d, the file at %d", fresh.head.Seq, f.head.Seq))
	}
	return fresh, nil
}
