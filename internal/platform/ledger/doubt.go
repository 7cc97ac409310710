package ledger

import (
	"errors"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/store"
)

// LateUntrusted is the doubt about everything that a device delivers after it was revoked: whoever holds its key now
// may have written it, and when.
const LateUntrusted = "late_untrusted"

// beginningLost is the doubt about the first record of a chain whose beginning nobody can show any more.
const beginningLost = "its chain's beginning was lost in a restore"

// doubter says why what a device's records say does not fit what the platform knows. It asks the store for each
// person and session once; a zero answer means that there is none.
type doubter struct {
	tx       store.Tx
	revoked  bool
	staff    map[stead.Pseudonym]stead.StaffID
	sessions map[stead.SessionID]stead.Session
}

func newDoubter(tx store.Tx, d store.Device) doubter {
	return doubter{tx: tx, revoked: !d.RevokedAt.IsZero(), staff: map[stead.Pseudonym]stead.StaffID{}, sessions: map[stead.SessionID]stead.Session{}}
}

// of is the doubt about a record, "" when it fits.
func (d doubter) of(rec audit.Record) (string, error) {
	if d.revoked {
		return LateUntrusted, nil
	}
	if rec.Seq == 1 && rec.Kind != audit.DeviceRecovery {
		if n, err := d.tx.DeviceEpochs(rec.Device); err != nil || n > 0 {
			return "a new chain that does not say why the one before it ended", err
		}
	}
	if rec.Actor.IsZero() {
		return "", nil // nobody acted, as when a device recovers by itself
	}
	actor, err := d.actor(rec.Actor)
	if err == nil && actor == "" {
		return "the actor does not work here", nil
	}
	if err != nil || rec.Session == nil {
		return "", err
	}
	s, err := d.session(*rec.Session)
	switch {
	case err != nil:
		return "", err
	case s.ID == "":
		return "there is no such session", nil
	case s.Device != rec.Device || s.Agent != actor:
		return "the session is another device's or another agent's", nil
	}
	return "", nil
}

func (d doubter) actor(p stead.Pseudonym) (stead.StaffID, error) {
	if id, asked := d.staff[p]; asked {
		return id, nil
	}
	staff, _, err := d.tx.PersonOf(p)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return "", err
	}
	if staff != nil {
		d.staff[p] = staff.ID
	} else {
		d.staff[p] = ""
	}
	return d.staff[p], nil
}

func (d doubter) session(id stead.SessionID) (stead.Session, error) {
	if s, asked := d.sessions[id]; asked {
		return s, nil
	}
	row, err := d.tx.Session(id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return stead.Session{}, err
	}
	d.sessions[id] = row.Session
	return row.Session, nil
}
