package publish

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"stead/internal/platform/store"
)

const (
	latest = "checkpoint"
	// historyEvery is how often a checkpoint is kept under its size as well: about nine thousand small files a year.
	historyEvery = time.Hour
	// maxNote bounds what is read of a file that may be anything.
	maxNote = 64 << 10
)

// folder keeps the newest checkpoint as "checkpoint" and one an hour as "checkpoint-SIZE", and each declared
// restore as "restored-DIGEST". It compares what is there before it writes: a log that was set back must not cover its
// own trace.
type folder struct {
	path string
	ledger
}

func (f *folder) name() string { return f.path }

func (f *folder) bring(ctx context.Context, c checkpoint) error {
	held, err := readNote(filepath.Join(f.path, latest))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil && !bytes.Equal(held, c.signed) {
		if err := f.compare(ctx, held, c); err != nil {
			return err
		}
	}
	if due, err := f.historyDue(); err != nil {
		return err
	} else if due {
		if err := f.keep(c.Size, c.signed); err != nil {
			return err
		}
	}
	if err := f.write(latest, c.signed); err != nil {
		return err
	}
	return f.spend(ctx, c.Size)
}

// compare holds what lies there to the log. What a declared restore made void is kept under its size.
func (f *folder) compare(ctx context.Context, held []byte, c checkpoint) error {
	older, err := f.opens(ctx, held)
	if err != nil {
		return fmt.Errorf("what lies there as %s is not of this log: %w", latest, err)
	}
	excused, err := f.extends(ctx, older, c.Checkpoint, f.spent)
	if err != nil || !excused {
		return err
	}
	return f.keep(older.Size, held)
}

// restored is the name under which a declared restore lies here from when the folder first got a checkpoint after it.
func restored(r restore) string {
	sum := sha256.Sum256(r.note)
	return "restored-" + hex.EncodeToString(sum[:8])
}

// spent is whether the folder got a checkpoint since the restore.
func (f *folder) spent(_ store.Tx, r restore) (bool, error) {
	_, err := os.Lstat(filepath.Join(f.path, restored(r)))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// spend puts the declared restores here, each once. It comes after the checkpoint: a crash between the two leaves a
// restore that is spent with the next one, and never one that was spent for nothing.
func (f *folder) spend(ctx context.Context, size int64) error {
	var known []restore
	err := f.store.View(ctx, func(tx store.Tx) (err error) {
		known, err = f.restores(tx, size)
		return err
	})
	for _, r := range known {
		if there, err := f.spent(nil, r); err != nil {
			return err
		} else if there {
			continue
		}
		if err := f.write(restored(r), r.note); err != nil {
			return err
		}
	}
	return err
}

func readNote(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(file, maxNote))
	return text, errors.Join(err, file.Close())
}

// historyDue reports whether the youngest of the kept ones is an hour old.
func (f *folder) historyDue() (bool, error) {
	entries, err := os.ReadDir(f.path)
	if err != nil {
		return false, err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), latest+"-") {
			continue
		}
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) < historyEvery {
			return false, nil
		}
	}
	return true, nil
}

// keep writes a checkpoint under its size. One that is there stays: it may be the one that shows something.
func (f *folder) keep(size int64, signed []byte) error {
	name := fmt.Sprintf("%s-%d", latest, size)
	if _, err := os.Lstat(filepath.Join(f.path, name)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return f.write(name, signed)
}

// write replaces a file so that whoever looks sees the old one or the whole new one, also after a power cut.
func (f *folder) write(name string, text []byte) error {
	tmp, err := os.CreateTemp(f.path, "."+name+"-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // gone already when all went well
	_, err = tmp.Write(text)
	if err = errors.Join(err, tmp.Chmod(0o644), tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), filepath.Join(f.path, name)); err != nil {
		return err
	}
	dir, err := os.Open(f.path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
