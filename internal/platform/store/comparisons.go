package store

import (
	"time"

	"stead/internal/stead"
)

// Comparison is an ended session whose actions are to be held against what its browser showed.
type Comparison struct {
	Session stead.SessionID
	Missing int64 // how much was found missing before
}

// ComparisonTx keeps which sessions are to be compared, and when.
type ComparisonTx interface {
	// ExpectComparison sets when a session is compared next; an earlier time that was set stays, or whoever says something
	// again and again could put it off for ever.
	ExpectComparison(id stead.SessionID, due time.Time) error
	// PutOffComparison sets when a session that is due is compared instead.
	PutOffComparison(id stead.SessionID, due time.Time) error
	// DueComparisons lists sessions that are due at now, the one that is due longest first.
	DueComparisons(now time.Time, limit int) ([]Comparison, error)
	// Compared notes that a session was compared and how much is missing. It is not due any more, unless another time
	// than the given one was set since.
	Compared(id stead.SessionID, missing int64, due time.Time) error
}
