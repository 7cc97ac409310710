package outbox

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"stead/internal/audit"
	"stead/internal/stead"
)

// reserveSize is how much room is kept beside the outbox for what has to be told of sessions that run: thousands of
// records.
const reserveSize = 8 << 20

func reservePath(path string) string { return path + ".reserve" }

// reserved reports whether the reserve is there.
func reserved(path string) bool {
	info, err := os.Lstat(reservePath(path))
	return err == nil && info.Mode().IsRegular() && info.Size() == reserveSize
}

// makeReserve takes the room, really allocated and durable, unless it is taken. It leaves nothing half made.
func makeReserve(path string) error {
	if reserved(path) {
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	err = allocate(f, reserveSize)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), reservePath(path)); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// writeZeros fills a part of the file.
func writeZeros(f *os.File, from, to int64) error {
	block := make([]byte, 64<<10)
	for at := from; at < to; at += int64(len(block)) {
		if _, err := f.WriteAt(block[:min(int64(len(block)), to-at)], at); err != nil {
			return err
		}
	}
	return nil
}

// spendReserve gives the room back to the disk. It reports whether there was any.
func spendReserve(path string) bool {
	err := os.Remove(reservePath(path))
	return err == nil && syncFolder(filepath.Dir(path)) == nil
}

// noSpace reports that the disk, or this user's part of it, is full.
func noSpace(err error) bool { return errors.Is(err, syscall.ENOSPC) || overQuota(err) }

// mayFill says why no start may be recorded while the reserve is gone, or nil.
func (o *Outbox) mayFill() error {
	if reserved(o.path) {
		return nil
	}
	return stead.Errorf(stead.CodeOutboxFull, "the reserve is in use")
}

// rescue answers a group whose commit failed. On a full disk the reserve is given up, and what is no start is written
// once more; starts are refused. The error it returns is that of the file, as commit's.
func (o *Outbox) rescue(group []*request, w written, cause error) error {
	if !noSpace(cause) {
		answerAll(group, stead.E(stead.CodeOutboxWrite, cause))
		return cause
	}
	var starts, rest []*request
	for _, r := range group {
		if r.entry.Kind == audit.SessionIntent {
			starts = append(starts, r)
		} else {
			rest = append(rest, r)
		}
	}
	if len(rest) == 0 || !spendReserve(o.path) {
		answerAll(group, stead.E(stead.CodeOutboxWrite, cause))
		return cause
	}
	o.reload(cause, false)
	f, err := o.usable()
	if err != nil {
		answerAll(group, err)
		return nil
	}
	if f.head == w.head { // the failed commit was written all the same
		answerPlaced(group, w)
		return nil
	}
	answerAll(starts, stead.E(stead.CodeOutboxFull, cause))
	return o.writeGroup(f, rest)
}

func answerPlaced(group []*request, w written) {
	for i, r := range group {
		r.answered <- answer{placed: w.placed[i]}
	}
}

// upkeepReserve takes the room again when the disk has it to spare: twice as much, or the next commit would fill it.
func (o *Outbox) upkeepReserve() {
	if !reserved(o.path) && roomFor(o.path, 2*reserveSize) {
		_ = makeReserve(o.path) // it is tried again; without it no session is started
	}
}

// roomFor tries whether the disk of path takes so many bytes now.
func roomFor(path string, size int64) bool {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*")
	if err != nil {
		return false
	}
	err = allocate(f, size)
	return errors.Join(err, f.Close(), os.Remove(f.Name())) == nil
}
