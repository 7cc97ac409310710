package store

import (
	"errors"
	"time"

	"stead/internal/stead"
)

// ErrErased is returned when something personal would be written about a person who was erased.
var ErrErased = errors.New("store: the person was erased")

// Month is a calendar month in UTC as year*100+month, 202611 for November 2026. NoMonth names the one key that a
// person had before keys went by months; it counts as of the month in which the store was brought up to months.
type Month int

// NoMonth is the month of a key from before there were months.
const NoMonth Month = 0

// MonthOf is the month of a time.
func MonthOf(t time.Time) Month {
	t = t.UTC()
	return Month(t.Year()*100 + int(t.Month()))
}

// Start is the month's first moment.
func (m Month) Start() time.Time {
	return time.Date(int(m)/100, time.Month(int(m)%100), 1, 0, 0, 0, 0, time.UTC)
}

// Until is the first moment after the month.
func (m Month) Until() time.Time { return m.Start().AddDate(0, 1, 0) }

// Person is somebody whose texts the platform keeps: a member or somebody who works or worked here, one of the two.
type Person struct {
	Member    stead.MemberID
	Staff     stead.StaffID
	Pseudonym stead.Pseudonym
}

// Hold is a legal hold: as long as it is open, nothing of the person is erased.
type Hold struct {
	Person
	ReasonOf   stead.Pseudonym // under whose key of the month of PlacedAt the reason lies; zero for the platform's own
	PlacedAt   time.Time
	PlacedBy   stead.StaffID // "" for whoever runs the platform
	ReleasedAt time.Time     // zero while it is open
	ReleasedBy stead.StaffID
}

// Expired counts what a retention erases or erased.
type Expired struct {
	Keys     int // a person's month each
	Sessions int
	Notices  int
	Notes    int
}

// None reports whether there was nothing.
func (e Expired) None() bool { return e == Expired{} }

// ErasureTx erases people for good. The database itself allows it to happen only as these methods do it.
type ErasureTx interface {
	// ErasePerson destroys the person's keys and empties what tells who the person is or was written about them:
	// their row, what search knows of them, their ended sessions, notices and notes. What happened stays: when, by
	// whom, for how long, why it ended. The person's row is disabled. ErrConflict when the person was erased before;
	// a hold, an open session or a member of staff who is not disabled make it fail.
	ErasePerson(p Person, at time.Time) error
	// ErasedAt is when the person was erased; ErrNotFound when they were not.
	ErasedAt(p stead.Pseudonym) (time.Time, error)
	// Erasures lists the pseudonyms of everybody who was erased.
	Erasures() ([]stead.Pseudonym, error)
	// DestroyKeys destroys the keys of somebody who was erased and returns how many there were.
	DestroyKeys(p stead.Pseudonym) (int, error)
}

// HoldTx keeps legal holds. The database refuses to change or delete one, but for its release.
type HoldTx interface {
	// PlaceHold begins a hold; ErrConflict when the person is held. Its release is not taken from h.
	PlaceHold(h Hold) error
	// ReleaseHold ends the person's open hold; ErrNotFound when there is none.
	ReleaseHold(p stead.Pseudonym, at time.Time, by stead.StaffID) error
	// Holds lists the open ones, the oldest first.
	Holds() ([]Hold, error)
	// Kept reports whether a hold keeps the person's texts: one on them, on somebody they share a session with, or on
	// somebody who was recorded about them.
	Kept(p stead.Pseudonym) (bool, error)
}

// RetentionTx erases what is older than texts are kept. What a hold keeps is left out.
type RetentionTx interface {
	// Overdue counts keys whose month was over at before, and sessions, notices and notes from earlier that still
	// hold texts.
	Overdue(before time.Time) (Expired, error)
	// Retain allows the database to erase what is older than before, for good. before must not lie in the future.
	Retain(before time.Time) error
	// Retained is the latest time that Retain allowed; zero when it never did.
	Retained() (time.Time, error)
	// Expire erases up to limit of each of what Overdue counts. Retain must have allowed it.
	Expire(before time.Time, limit int) (Expired, error)
}
