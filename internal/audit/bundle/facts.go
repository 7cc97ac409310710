package bundle

import (
	"encoding/hex"
	"errors"
	"fmt"

	"stead/internal/audit"
)

// Facts is what records say, one after the other, about sessions, devices and staff: places of records by whom or what
// they are about. It grows with the number of those, not with that of the records.
type Facts struct {
	Sessions map[[16]byte]*SessionFacts
	Refused  int64
	Enrolled map[string]Enrolment // by device
	Revoked  map[string]int64
	Wrote    map[string][8]byte // key id of the records of each device
	Claims   map[[16]byte][]int64
	Starts   map[[16]byte][2]int64 // the first and the last
	Heads    map[[2]string]int64   // sequence of each chain's head, by device and epoch
	Kept     map[KeptAt]Kept       // what lies in quarantine
}

// KeptAt is the place of a quarantined record in its chain.
type KeptAt struct {
	Device, Epoch string
	Seq           int64
}

// Kept is what a record of the platform says of a quarantined one.
type Kept struct{ Leaf, Said string }

// WhyQuarantined is why a chain was bridged over a record that is kept as evidence.
const WhyQuarantined = "quarantined"

// SessionFacts says where a session's records are; -1 for none.
type SessionFacts struct {
	Started, Opened, Ended int64
	Cause                  string
}

// State is the session's state as its records have it.
func (s *SessionFacts) State() string {
	switch {
	case s.Ended >= 0:
		return "ended"
	case s.Opened >= 0:
		return "live"
	}
	return "started"
}

// Enrolment is the first record of a device's enrolment.
type Enrolment struct {
	Place int64
	KeyID string // "" when the record has none
}

// NewFacts returns facts of no records.
func NewFacts() *Facts {
	return &Facts{Sessions: map[[16]byte]*SessionFacts{}, Enrolled: map[string]Enrolment{}, Revoked: map[string]int64{}, Wrote: map[string][8]byte{},
		Claims: map[[16]byte][]int64{}, Starts: map[[16]byte][2]int64{}, Heads: map[[2]string]int64{}, Kept: map[KeptAt]Kept{}}
}

// Take adds the record of the next place. The error says what about it contradicts the records before.
func (f *Facts) Take(place int64, r audit.Record) error {
	device, _ := r.Body["device"].(string)
	switch r.Kind {
	case audit.SessionStarted, audit.SessionOpened, audit.SessionEnded:
		return f.session(place, r)
	case audit.SessionRefused:
		f.Refused++
	case audit.StaffClaimed:
		f.Claims[r.Actor] = append(f.Claims[r.Actor], place)
	case audit.DeviceEnrolled:
		keyID, _ := r.Body["key_id"].(string)
		if _, known := f.Enrolled[device]; !known && device != "" {
			f.Enrolled[device] = Enrolment{Place: place, KeyID: keyID}
		}
	case audit.DeviceRevoked:
		if _, known := f.Revoked[device]; !known && device != "" {
			f.Revoked[device] = place
		}
	case audit.ChainBridged:
		epoch, _ := r.Body["epoch"].(string)
		last, _ := r.Body["last"].(int64)
		f.Heads[[2]string{device, epoch}] = last
		if r.Body["why"] == WhyQuarantined {
			if r.Body["first"] != last {
				return errors.New("quarantines more than one record")
			}
			leaf, _ := r.Body["leaf"].(string)
			said, _ := r.Body["said"].(string)
			f.Kept[KeptAt{device, epoch, last}] = Kept{leaf, said}
		}
	}
	if !r.Kind.FromDevice() {
		return nil
	}
	if key, known := f.Wrote[string(r.Device)]; known && key != r.KeyID {
		return errors.New("names another key than its device's records before")
	}
	f.Wrote[string(r.Device)] = r.KeyID
	f.Heads[[2]string{string(r.Device), r.Epoch.String()}] = int64(r.Seq) //nolint:gosec // G115: nobody counts so far
	return nil
}

func (f *Facts) session(place int64, r audit.Record) error {
	if r.Session == nil {
		return errors.New("names no session")
	}
	id, err := r.Session.Bytes()
	if err != nil {
		return err
	}
	s := f.Sessions[id]
	if r.Kind == audit.SessionStarted {
		if s != nil {
			return errors.New("starts a session that was started before")
		}
		f.Sessions[id] = &SessionFacts{Started: place, Opened: -1, Ended: -1}
		starts, known := f.Starts[r.Actor]
		if !known {
			starts[0] = place
		}
		starts[1] = place
		f.Starts[r.Actor] = starts
		return nil
	}
	switch {
	case s == nil:
		return errors.New("is about a session that was never started")
	case s.Ended >= 0:
		return errors.New("is about a session that has ended")
	case r.Kind == audit.SessionOpened && s.Opened >= 0:
		return errors.New("opens a session twice")
	case r.Kind == audit.SessionOpened:
		s.Opened = place
		return nil
	}
	cause, ok := r.Body["cause"].(string)
	if !ok {
		return errors.New("ends a session without a cause")
	}
	s.Ended, s.Cause = place, cause
	return nil
}

// fit says why a text is not the one of the commitment, or nil.
func (t Text) fit(c audit.Commitment) error {
	salt, err := unhex(t.Salt, 32)
	if err != nil {
		return err
	}
	text := audit.Text{Name: t.Name, Salt: [32]byte(salt), Value: t.Value}
	if t.Name != c.Name || text.Commitment() != c.Hash {
		return fmt.Errorf("text %q is not the one that the record commits to", t.Name)
	}
	return nil
}

// NewText is a text as a bundle holds it.
func NewText(t audit.Text) Text {
	return Text{Name: t.Name, Salt: hex.EncodeToString(t.Salt[:]), Value: t.Value}
}

// placeOrNull is a place as lines have it.
func placeOrNull(place int64) *int64 {
	if place < 0 {
		return nil
	}
	return &place
}
