package erasure

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"stead/internal/stead"

	"stead/internal/platform/store"
)

// Marks makes and knows the marks without which a line of the list counts for nothing: whoever can write the file could
// else erase people with it, and no record would say who asked for that.
type Marks interface {
	ErasedMark(p stead.Pseudonym) []byte
	IsErasedMark(p stead.Pseudonym, mark []byte) bool
}

// list is what the file holds: a line for each person, their pseudonym and the mark in hex.
type list struct {
	lines   map[stead.Pseudonym]string // those with a good mark
	strange []string                   // the others; they stay, for somebody to look at
}

// listed is everybody on the list.
func (o *Office) listed(ctx context.Context) (map[stead.Pseudonym]bool, error) {
	o.listing.Lock()
	defer o.listing.Unlock()
	l, err := o.read()
	if err != nil {
		return nil, err
	}
	for _, line := range l.strange {
		o.Log.ErrorContext(ctx, "ALARM: the list of who was erased has a line that this platform did not write; nobody is erased because of it", "file", o.List, "line", line)
	}
	out := map[stead.Pseudonym]bool{}
	for p := range l.lines {
		out[p] = true
	}
	return out, nil
}

// read reads the list; without a file it is empty.
func (o *Office) read() (list, error) {
	out := list{lines: map[stead.Pseudonym]string{}}
	raw, err := os.ReadFile(o.List)
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	if err != nil {
		return out, stead.Errorf(stead.CodeDataReadOnly, "%s", o.List).Because(err)
	}
	for line := range strings.Lines(string(raw)) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		who, mark, _ := strings.Cut(line, " ")
		p, err := stead.ParsePseudonym(who)
		if err != nil {
			return out, stead.Errorf(stead.CodeConfigInvalid, "%s: %q is no line of it", o.List, line).Because(err)
		}
		if m, err := hex.DecodeString(mark); err == nil && o.Marks.IsErasedMark(p, m) {
			out.lines[p] = line
		} else {
			out.strange = append(out.strange, line)
		}
	}
	return out, nil
}

// remember puts everybody whom the store has erased on the list, durably. Who is on it stays.
func (o *Office) remember(ctx context.Context) error {
	o.listing.Lock()
	defer o.listing.Unlock()
	on, err := o.read()
	if err != nil {
		return err
	}
	known := len(on.lines)
	err = o.Store.View(ctx, func(tx store.Tx) error {
		erased, err := tx.Erasures()
		for _, p := range erased {
			if on.lines[p] == "" {
				on.lines[p] = p.String() + " " + hex.EncodeToString(o.Marks.ErasedMark(p))
			}
		}
		return err
	})
	if err != nil || len(on.lines) == known {
		return err
	}
	lines := slices.Clone(on.strange)
	for _, line := range on.lines {
		lines = append(lines, line)
	}
	slices.Sort(lines)
	var b bytes.Buffer
	for _, l := range lines {
		b.WriteString(l + "\n")
	}
	if err := replace(o.List, b.Bytes()); err != nil {
		return stead.Errorf(stead.CodeDataReadOnly, "%s", o.List).Because(err)
	}
	return nil
}

// replace writes the file so that a crash leaves either the old one or the new one, and syncs the folder.
func replace(file string, content []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(file), ".erased-*") // 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	_, err = tmp.Write(content)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), file); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(file))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
