package browser

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"stead/internal/stead"
)

// sweepLimit is how long a start tries to remove what resists; its owner is long gone.
const sweepLimit = 5 * time.Second

// Swept is one folder that a Stead which did not end properly had left, or one from the trash.
type Swept struct {
	ID      string
	Created time.Time // zero when its record was unreadable or is gone
	Killed  bool      // a browser of that session was still alive
	Wipe    Wipe
}

// Sweep ends and wipes what killed instances left, and empties the trash. It is called at start. Folders whose lock is
// held belong to a living Stead and are not touched. A process is killed only if its pid, start time and program are the recorded
// ones. A browser_left error means that at least one folder could not be removed: the list says which.
func (r *Root) Sweep(ctx context.Context) ([]Swept, error) {
	swept, left := r.emptyTrash(ctx, sweepLimit)
	orphans, err := r.orphans(ctx)
	if err != nil {
		return swept, stead.Errorf(stead.CodeDataReadOnly, "%s", r.dir).Because(err)
	}
	for _, c := range orphans {
		_ = c.read() // unreadable: nothing to kill, still to be wiped
		s := Swept{ID: c.id, Created: c.rec.Created, Killed: killRecorded(c)}
		s.Wipe, err = c.wipeWithin(ctx, sweepLimit)
		left = errors.Join(left, err)
		swept = append(swept, s)
	}
	if left != nil {
		return swept, stead.Errorf(stead.CodeBrowserLeft, "%s", r.dir).Because(left)
	}
	return swept, nil
}

// orphans takes the lock of every folder that nobody holds.
func (r *Root) orphans(ctx context.Context) ([]*claim, error) {
	unlock, err := r.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		return nil, err
	}
	var found []*claim
	for _, e := range entries {
		c := &claim{root: r, id: e.Name(), dir: filepath.Join(r.dir, e.Name())}
		if !e.IsDir() || !idPattern.MatchString(c.id) {
			continue // not ours
		}
		taken, err := c.take()
		if err != nil {
			for _, f := range found {
				f.release()
			}
			return nil, err
		}
		if taken {
			found = append(found, c)
		}
	}
	return found, nil
}

// killRecorded ends the browser of an orphan if it lives and is provably the one recorded.
func killRecorded(c *claim) bool {
	if c.rec.PID <= 1 {
		return false
	}
	start, exe, ok := identify(c.rec.PID)
	if !ok || start != c.rec.Start || c.rec.Start == "" {
		return false
	}
	// Before the browser has proved itself its program may still be the distribution's start script. Then its
	// arguments must name this very folder.
	if c.rec.Exe == "" && !names(c.rec.PID, c.dir) || c.rec.Exe != "" && exe != c.rec.Exe {
		return false
	}
	return killGroup(c.rec.PID) == nil
}
