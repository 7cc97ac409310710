package store

import (
	"time"

	"stead/internal/stead"
)

// LateFile is a file of sealed records that waits until all of it is here. A device has one at most.
type LateFile struct {
	Device     stead.DeviceID
	Epoch      [16]byte
	Generation uint64
	Seq        uint64 // the last record that was verified
	Leaf       [32]byte
	HeadSeq    uint64 // where its device signed that it ends
	HeadLeaf   [32]byte
	Bytes      int64 // of all sealed records that came
	TouchedAt  time.Time
}

// LateTx keeps sealed records of a device that lost its keys until all of them are here: only the head after the last
// one is signed. These rows are passing; nothing is a record before it is in the intake.
type LateTx interface {
	// LateFile is what waits of the device; ErrNotFound when nothing does.
	LateFile(device stead.DeviceID) (LateFile, error)
	// PutLateFile adds the file or replaces what is known of it; the records stay. ErrNotFound for an unknown device.
	PutLateFile(f LateFile) error
	// PutLate adds a sealed record to the device's file; ErrConflict when the place is taken, ErrNotFound without a file.
	PutLate(device stead.DeviceID, seq uint64, sealed []byte) error
	// LateRecords lists at most limit of the records that wait of the device, from a sequence on, in order.
	LateRecords(device stead.DeviceID, from uint64, limit int) ([][]byte, error)
	// DropLate removes the device's waiting records up to a sequence; its file stays.
	DropLate(device stead.DeviceID, through uint64) error
	// DropLateFile removes the device's file with its records, if there is one.
	DropLateFile(device stead.DeviceID) error
	// DropLateFiles removes all files that were not touched since, with their records.
	DropLateFiles(since time.Time) error
}
