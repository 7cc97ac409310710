package store

import (
	"time"

	"stead/internal/stead"
)

// Quarantined is a record that could not be taken in as one, kept as evidence. The database refuses to change or
// delete it.
type Quarantined struct {
	Device      [16]byte
	Epoch       [16]byte
	Seq         uint64 // its place in the device's chain, from 1
	Leaf        [32]byte
	Envelope    []byte
	Said        string // with what the device was refused before, by its own account
	ReceivedAt  time.Time
	DeliveredBy stead.StaffID
}

// Contact is what a device last said of one of its chains, signed by it.
type Contact struct {
	Device    stead.DeviceID
	Epoch     [16]byte
	Turn      int // in which order the device's chains were begun, from 1
	Seq       uint64
	Leaf      [32]byte
	ClaimedAt time.Time // when it said so first
	SeenAt    time.Time // when it was last heard speaking of this chain
}

// SignedHead is a head of a chain with its device's signature.
type SignedHead struct {
	Device    stead.DeviceID
	Epoch     [16]byte
	Seq       uint64 // from 1
	Leaf      [32]byte
	Signature []byte
}

// Alarm is a signed head that contradicts what the platform holds. The database refuses to change or delete it.
type Alarm struct {
	Device    stead.DeviceID
	Epoch     [16]byte
	Seq       uint64
	Leaf      [32]byte
	Signature []byte
	Why       string
	At        time.Time
}

// DeviceStanding is a device with what is known of the chain that it began last.
type DeviceStanding struct {
	Device
	SeenAt  time.Time // of any chain; zero when it was never heard
	Epoch   [16]byte  // zero when it was never heard
	Claimed uint64    // the last record it says it has
	Held    uint64    // the last record the platform has
	Pending uint64    // how many it says it has, of any of its chains, that the platform has not
	Alarms  int
}

// ChainPlace is where the record at a place of a device's chain stands in the Merkle log.
type ChainPlace struct {
	Seq      uint64
	Position int64 // -1 when it is not in the log yet
}

// ChainTx keeps what is known of devices' chains beside their records.
type ChainTx interface {
	// PutQuarantined adds one; ErrConflict when a record or a quarantined one holds the place.
	PutQuarantined(q Quarantined) error
	// QuarantinedAt is the one at that place of a chain; ErrNotFound when there is none.
	QuarantinedAt(device, epoch [16]byte, seq uint64) (Quarantined, error)
	// ChainPlaces lists the records that the intake holds of a chain from first to last, by sequence. Quarantined ones
	// are not in it, nor what was never taken in.
	ChainPlaces(device, epoch [16]byte, first, last uint64) ([]ChainPlace, error)
	// Contacts lists a device's chains as it spoke of them, the one begun last first.
	Contacts(device stead.DeviceID) ([]Contact, error)
	// PutContact inserts or replaces by device and epoch; ErrConflict when another chain has the turn. The database
	// refuses to take back what a device said: a sequence below, another leaf at the same one, another turn.
	PutContact(c Contact) error
	// PutSignedHead keeps the newest of the device's signatures: held over what was taken in, else over what it says it
	// has. One that is not further on than what is there changes nothing.
	PutSignedHead(h SignedHead, held bool) error
	// SignedHeads lists them by device, epoch and sequence, the claimed ones only where they are further on than what is held.
	SignedHeads() ([]SignedHead, error)
	// PutAlarm adds one; ErrConflict when that head of the device raised one before.
	PutAlarm(a Alarm) error
	// CountAlarms counts a device's alarms.
	CountAlarms(device stead.DeviceID) (int, error)
	// RevokeDevice sets the time once; ErrConflict when the device was revoked before, ErrNotFound when there is none.
	RevokeDevice(device stead.DeviceID, at time.Time) error
	// OpenSessionsOf lists the sessions of a device that have not ended.
	OpenSessionsOf(device stead.DeviceID) ([]SessionRow, error)
	// Devices lists devices, the one enrolled last first. A damaged cursor is stead.CodeBadRequest.
	Devices(limit int, after string) (found []DeviceStanding, next string, err error)
}
