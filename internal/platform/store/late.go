package store

import "stead/internal/stead"

// LateTx keeps sealed records of a device that lost its keys until all of them are here: only the head after the last
// one is signed. These rows are passing; nothing is a record before it is in the intake.
type LateTx interface {
	// LateSeq is the highest sequence that waits of that chain, 0 when none does.
	LateSeq(device stead.DeviceID, epoch [16]byte) (uint64, error)
	// PutLate adds a sealed record; ErrConflict when the place is taken.
	PutLate(device stead.DeviceID, epoch [16]byte, seq uint64, sealed []byte) error
	// LateRecords lists what waits of that chain from a sequence on, in order.
	LateRecords(device stead.DeviceID, epoch [16]byte, from uint64) ([][]byte, error)
	// DropLate removes what waits of that chain.
	DropLate(device stead.DeviceID, epoch [16]byte) error
}
