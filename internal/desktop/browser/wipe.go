package browser

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"stead/internal/stead"
)

// Wipe says what became of a session's files.
type Wipe struct {
	Clean bool          // nothing is left
	Left  []string      // otherwise: paths that could not be removed, at most twenty
	Took  time.Duration // from the first step of the end to the last file
}

const (
	strayLimit  = 2 * time.Second  // until helpers of the browser have left the folder by themselves
	removeLimit = 10 * time.Second // until files can be removed
	maxLeft     = 20
)

// wipe removes the folder and what belongs to it elsewhere, and gives up the claim. It is not held up by ctx: a
// person who is in a hurry still wants the files gone.
func (c *claim) wipe(ctx context.Context) (Wipe, error) {
	ctx = context.WithoutCancel(ctx)
	begin := time.Now()
	defer c.release()
	awaitStrays(ctx, c)
	socket := checkedSocket(c.rec.Socket)
	err := errors.Join(removeSocket(socket), removeFolder(ctx, c.dir, removeLimit))
	w := Wipe{Left: remaining(c.dir, socket), Took: time.Since(begin)}
	w.Clean = len(w.Left) == 0
	if w.Clean {
		return w, nil
	}
	return w, stead.Errorf(stead.CodeBrowserLeft, "%s", c.dir).Because(err)
}

// awaitStrays waits for processes that still name the folder. The crash handler is one: it is in a group of its
// own and ends about 130 ms after its browser. What does not end by itself is killed if it is the browser's.
func awaitStrays(ctx context.Context, c *claim) {
	deadline := time.Now().Add(strayLimit)
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		stray := naming(c.dir)
		if len(stray) == 0 {
			return
		}
		if time.Now().After(deadline) {
			for _, pid := range stray {
				_, exe, ok := identify(pid)
				if ok && c.rec.Exe != "" && filepath.Dir(exe) == filepath.Dir(c.rec.Exe) {
					_ = killOne(pid) // it may just have ended
				}
			}
			return
		}
		_ = pause(ctx, wait) // never over: see wipe
	}
}

// removeFolder removes the lock file last, so that the folder is ours until it is gone.
func removeFolder(ctx context.Context, dir string, limit time.Duration) error {
	deadline := time.Now().Add(limit)
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		err := emptyFolder(dir)
		if err == nil {
			err = os.RemoveAll(dir)
		}
		if err == nil || time.Now().After(deadline) {
			return err
		}
		_ = pause(ctx, wait) // never over: see wipe
	}
}

func emptyFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if e.Name() != lockName {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

// socketPattern is the folder that a Chromium makes in the temporary folder for its socket, and leaves when killed.
var socketPattern = regexp.MustCompile(`^(org\.chromium\.Chromium|com\.google\.Chrome|com\.microsoft\.Edge|com\.brave\.Browser)[A-Za-z0-9._-]*\.[A-Za-z0-9]{6}$`)

// socketFolder follows the profile's SingletonSocket link; "" when there is none or it leads elsewhere.
func socketFolder(dir string) string {
	target, err := os.Readlink(filepath.Join(dir, profileDir, "SingletonSocket"))
	if err != nil {
		return ""
	}
	return checkedSocket(filepath.Dir(target))
}

// checkedSocket returns dir if it can be a browser's socket folder, else "". A link or a record is only a file's word.
func checkedSocket(dir string) string {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() || !filepath.IsAbs(dir) || !socketPattern.MatchString(filepath.Base(dir)) {
		return ""
	}
	return dir
}

func removeSocket(dir string) error {
	if dir == "" {
		return nil
	}
	return os.RemoveAll(dir)
}

func remaining(dirs ...string) []string {
	var left []string
	for _, dir := range dirs {
		if dir == "" {
			continue
		}
		_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if d == nil { // the folder itself is gone
				return nil
			}
			if len(left) == maxLeft {
				return fs.SkipAll
			}
			left = append(left, path)
			return nil
		})
	}
	return left
}
