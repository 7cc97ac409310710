package outbox

import (
	"runtime"

	bolt "go.etcd.io/bbolt"
)

// How much of the file behind its last page is written with zeros at once, and how little of that may be left. A flush of
// blocks that the file system has to find first takes twice the time of one of blocks that the file has.
const (
	roomAhead = 1 << 20
	roomLeast = 64 << 10
)

// makeRoom lets the file have the blocks that the next pages take, really and durably. It belongs at the beginning of a
// transaction, when nothing lies behind the pages that the transaction sees. That the disk has no room for it is not an
// error: there may be enough for what the transaction writes.
func (f *file) makeRoom(tx *bolt.Tx) error {
	used := tx.Size()
	if used+roomLeast <= f.room || runtime.GOOS == "windows" { // where bbolt cuts the file to what is mapped
		return nil
	}
	from := max(used, f.room)
	f.room = from + roomAhead
	if err := writeZeros(f.handle, from, f.room); err != nil {
		return nil //nolint:nilerr // it is tried again further on
	}
	return f.handle.Sync() // as bbolt does when it lets the file grow
}
