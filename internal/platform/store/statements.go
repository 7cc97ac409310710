package store

import "time"

// StatementKind is what a statement is about.
type StatementKind string

const (
	StatementHandover StatementKind = "handover" // audit.Handover
	StatementRestored StatementKind = "restored" // audit.Restored
)

// Statement is a signed note about the log.
type Statement struct {
	Kind StatementKind
	Note string
	At   time.Time // when it was taken in
}

// Delivery is a checkpoint that was brought to an address outside.
type Delivery struct {
	Place [32]byte
	Size  int64
	At    time.Time
}

// Cosignature is a checkpoint that a witness signed as well (c2sp.org/tlog-cosignature).
type Cosignature struct {
	Size    int64
	Witness string // the name in the witness's key
	Note    string // the checkpoint with the log's signature and the witness's
	At      time.Time
}

// StatementTx keeps what is said about the log and by others. The database refuses to change or delete any of it.
type StatementTx interface {
	// PutStatement adds a statement; ErrConflict when the same note is there.
	PutStatement(s Statement) error
	// Statements lists all, the oldest first.
	Statements() ([]Statement, error)
	// PutDelivery notes what was brought to a place last, in place of what was noted before.
	PutDelivery(d Delivery) error
	// Delivery is what was brought to the place last; ErrNotFound when nothing was.
	Delivery(place [32]byte) (Delivery, error)
	// PutCosignature adds a cosignature; ErrConflict when the witness has signed that size.
	PutCosignature(c Cosignature) error
	// Cosignature is the one of the largest size, whoever gave it; ErrNotFound when there is none.
	Cosignature() (Cosignature, error)
}
