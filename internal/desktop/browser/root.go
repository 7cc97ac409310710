package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"stead/internal/stead"
)

// Root is the folder that holds one folder for each living session, <cache>/sessions. Several instances of Stead
// may share it: each session's folder holds a lock file that its owner keeps locked, and the root's own lock
// covers the moments in which a folder is there and its lock is not: as it is made and as it goes.
type Root struct {
	Choice Choice // which browsers Launch may use; set before its first call
	dir    string
}

// record is session.json: what a later start needs in order to end the browser of a Stead that was killed.
type record struct {
	PID     int       `json:"pid,omitempty"`    // the browser's main process; 0 before it was started
	Start   string    `json:"start,omitempty"`  // when that process began, as the system tells it
	Exe     string    `json:"exe,omitempty"`    // its program; "" until it is known, for it may begin as a script
	Socket  string    `json:"socket,omitempty"` // the browser's socket folder outside ours
	Created time.Time `json:"created"`
}

// claim is a session's folder that this process owns.
type claim struct {
	root    *Root
	id, dir string
	lock    *os.File
	rec     record
}

var idPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

// OpenRoot makes the folder where it is missing, readable by this user alone.
func OpenRoot(dir string) (*Root, error) {
	dir, err := filepath.Abs(dir) // Chromium hangs on a relative profile folder
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err == nil {
		err = os.Chmod(dir, 0o700)
	}
	if err != nil {
		return nil, stead.Errorf(stead.CodeDataReadOnly, "%s", dir).Because(err)
	}
	return &Root{dir: dir}, nil
}

// claim makes and locks the folder of a new session.
func (r *Root) claim(ctx context.Context, id string, now time.Time) (*claim, error) {
	if !idPattern.MatchString(id) {
		return nil, fmt.Errorf("session id %q cannot name a folder", id)
	}
	unlock, err := r.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	c := &claim{root: r, id: id, dir: filepath.Join(r.dir, id), rec: record{Created: now.UTC()}}
	if err := os.Mkdir(c.dir, 0o700); err != nil {
		return nil, err
	}
	taken, err := c.take()
	if err == nil && !taken {
		err = errors.New("a new folder is locked already")
	}
	if err == nil {
		err = c.write()
	}
	if err != nil {
		c.release() // the root's lock is still held
		return nil, errors.Join(err, os.RemoveAll(c.dir))
	}
	return c, nil
}

// lock takes the root's lock, which is held for moments only.
func (r *Root) lock(ctx context.Context) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(r.dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		taken, err := lockFile(f)
		if err == nil && taken {
			return func() { f.Close() }, nil
		}
		if err == nil {
			err = pause(ctx, 20*time.Millisecond)
		}
		if err != nil {
			f.Close()
			return nil, err
		}
	}
}

// take locks the folder's lock file and reports false when somebody else holds it.
func (c *claim) take() (bool, error) {
	f, err := os.OpenFile(filepath.Join(c.dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return false, err
	}
	taken, err := lockFile(f)
	if err != nil || !taken {
		f.Close()
		return false, err
	}
	c.lock = f
	return true, nil
}

func (c *claim) release() {
	if c.lock != nil {
		c.lock.Close()
		c.lock = nil
	}
}

// write replaces session.json as a whole, so that it is never found half-written.
func (c *claim) write() error {
	data, err := json.MarshalIndent(c.rec, "", "  ")
	if err != nil {
		return err
	}
	next := filepath.Join(c.dir, recordName+".next")
	if err := os.WriteFile(next, append(data, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(next, filepath.Join(c.dir, recordName))
}

// recordProcess notes the process that was just started from path. Its program is known at once if it is that very
// file; a script of the distribution runs as the shell until it starts the browser.
func (c *claim) recordProcess(pid int, path string) {
	start, exe, _ := identify(pid)
	c.rec.PID, c.rec.Start = pid, start
	target, err := filepath.EvalSymlinks(path)
	if err == nil && (strings.EqualFold(exe, target) || exe == path) {
		c.rec.Exe = exe
	}
}

// read fills rec from session.json. A missing or damaged one only means that no process can be told apart.
func (c *claim) read() error {
	data, err := os.ReadFile(filepath.Join(c.dir, recordName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(data, &c.rec)
}

// pause sleeps for d, or until ctx is over, which is the error.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
