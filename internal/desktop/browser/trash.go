package browser

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"stead/internal/stead"
)

// trashDir is the folder below the root for what could not be removed. No session's id begins with a dot.
const trashDir = ".trash"

// discard moves the claim's folder into the trash and returns where it is now; that is where it was if it does not
// move, as on Windows while somebody has a file in it open. The root's lock is held.
func (r *Root) discard(c *claim) (where string, err error) {
	trash := filepath.Join(r.dir, trashDir)
	if err := os.MkdirAll(trash, 0o700); err != nil {
		return c.dir, err
	}
	moved := filepath.Join(trash, c.id+"."+strconv.FormatInt(time.Now().UnixNano(), 36))
	if err := os.Rename(c.dir, moved); err != nil {
		_ = os.Remove(trash) // goes only if nothing is in it
		return c.dir, err
	}
	return moved, nil
}

// emptyTrash tries once more to remove what resisted before, for limit in all, and tells of each folder.
func (r *Root) emptyTrash(ctx context.Context, limit time.Duration) ([]Swept, error) {
	trash := filepath.Join(r.dir, trashDir)
	entries, err := os.ReadDir(trash)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, stead.Errorf(stead.CodeBrowserLeft, "%s", trash).Because(err)
	}
	begin := time.Now()
	var swept []Swept
	var left error
	for _, e := range entries {
		dir := filepath.Join(trash, e.Name())
		stuck := retry(ctx, limit-time.Since(begin), func() error { return os.RemoveAll(dir) })
		id, _, _ := strings.Cut(e.Name(), ".")
		s := Swept{ID: id, Wipe: Wipe{Left: remaining(dir), Took: time.Since(begin)}}
		s.Wipe.Clean = len(s.Wipe.Left) == 0
		swept = append(swept, s)
		left = errors.Join(left, stuck)
	}
	unlock, err := r.lock(ctx) // so that the folder does not go while somebody is about to move something into it
	if err != nil {
		return swept, errors.Join(left, err)
	}
	defer unlock()
	_ = os.Remove(trash) // goes only if nothing is in it
	return swept, left
}
