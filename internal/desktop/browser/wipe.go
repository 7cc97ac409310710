package browser

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"stead/internal/stead"
)

// Wipe says what became of a session's files.
type Wipe struct {
	Clean bool          // nothing is left
	Left  []string      // otherwise: paths that could not be removed, at most twenty; mostly below the root's trash
	Took  time.Duration // from the first step of the end to the last file
}

const (
	strayLimit = 2 * time.Second // until helpers of the browser have left the folder by themselves
	turnLimit  = 5 * time.Second // until it is our turn to hold the root's lock
	maxLeft    = 20
)

// removeLimit is how long a file that resists is tried again. On Windows no file goes while somebody has it open,
// and scanners look at fresh files for long.
func removeLimit(system string) time.Duration {
	if system == "windows" {
		return time.Minute
	}
	return 10 * time.Second
}

// wipe is wipeWithin what this system may need.
func (c *claim) wipe(ctx context.Context) (Wipe, error) {
	return c.wipeWithin(ctx, removeLimit(runtime.GOOS))
}

// wipeWithin removes the folder and what belongs to it elsewhere, and gives up the claim. What resists for limit is
// moved to the root's trash. It is not held up by ctx: a person who is in a hurry still wants the files gone.
func (c *claim) wipeWithin(ctx context.Context, limit time.Duration) (Wipe, error) {
	ctx = context.WithoutCancel(ctx)
	begin := time.Now()
	awaitStrays(ctx, c)
	socket := checkedSocket(c.rec.Socket)
	err := retry(ctx, limit, func() error { return errors.Join(removeSocket(socket), emptyFolder(c.dir)) })
	where, gone := c.dissolve(ctx)
	w := Wipe{Left: remaining(where, socket), Took: time.Since(begin)}
	w.Clean = len(w.Left) == 0
	if w.Clean {
		return w, nil
	}
	return w, stead.Errorf(stead.CodeBrowserLeft, "%s", where).Because(errors.Join(err, gone))
}

// dissolve gives up the claim and removes its folder, or else moves it to the trash; where says where it is then. The
// root's lock keeps another Stead from taking the folder meanwhile; our own has to go first, for on Windows a file
// that is open cannot be removed.
func (c *claim) dissolve(ctx context.Context) (where string, err error) {
	defer c.release()
	turn, cancel := context.WithTimeout(ctx, turnLimit)
	defer cancel()
	unlock, err := c.root.lock(turn)
	if err != nil {
		return c.dir, err
	}
	defer unlock()
	c.release()
	if err = os.RemoveAll(c.dir); err == nil {
		return c.dir, nil
	}
	moved, trashed := c.root.discard(c)
	return moved, errors.Join(err, trashed)
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
				if _, exe, ok := identify(pid); ok && sameInstallation(runtime.GOOS, exe, c.rec.Exe) {
					_ = killOne(pid) // it may just have ended
				}
			}
			return
		}
		_ = pause(ctx, wait) // never over: see wipeWithin
	}
}

// named reports whether arguments name the folder. What lies among its downloads does not count: a person opens that with
// programs of their own, which may be of the same installation.
func named(args, dir, separator string) bool {
	for found := true; found; {
		_, args, found = strings.Cut(args, dir+separator)
		if found && !strings.HasPrefix(args, downloadDir+separator) {
			return true
		}
	}
	return false
}

// sameInstallation reports whether exe is a part of the browser whose main program is recorded: it lies beside it or,
// on Windows, in the folder of its version, or on macOS in the same application.
func sameInstallation(system, exe, recorded string) bool {
	if recorded == "" || exe == "" {
		return false
	}
	slash := "/"
	if system == "windows" {
		slash, exe, recorded = `\`, strings.ToLower(exe), strings.ToLower(recorded)
	}
	home := recorded[:strings.LastIndex(recorded, slash)+1]
	if app := strings.Index(recorded, ".app/Contents/"); system == "darwin" && app >= 0 {
		home = recorded[:app+len(".app/Contents/")]
	}
	rest, inside := strings.CutPrefix(exe, home)
	return inside && home != "" && (system != "linux" || !strings.Contains(rest, slash))
}

// retry calls remove until it succeeds or limit is over, ever more rarely.
func retry(ctx context.Context, limit time.Duration, remove func() error) error {
	deadline := time.Now().Add(limit)
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		err := remove()
		if err == nil || !time.Now().Before(deadline) {
			return err
		}
		_ = pause(ctx, wait) // never over: see wipeWithin
	}
}

// emptyFolder leaves the lock file, so that the folder stays ours until it goes as a whole.
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
// On macOS its name may begin with a dot.
var socketPattern = regexp.MustCompile(`^\.?(org\.chromium\.Chromium|com\.google\.Chrome|com\.microsoft\.(Edge|edgemac)|com\.brave\.Browser)[A-Za-z0-9._-]*\.[A-Za-z0-9]{6}$`)

// socketFolder follows the profile's SingletonSocket link; "" when there is none or it leads elsewhere. Windows has
// neither link nor socket.
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
