package stead

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"

	"github.com/google/uuid"
)

type (
	// StaffID names a person who works here, e.g. "st-lena".
	StaffID string
	// MemberID names a member as the customer does, e.g. "m-000042".
	MemberID string
	// AccountID names a customer account that members belong to, e.g. "acme".
	AccountID string
	// BranchID names a part of an account, e.g. "acme-north".
	BranchID string
	// SessionID names one impersonation: a UUIDv7 in its text form.
	SessionID string
	// DeviceID names one enrolled installation: 16 bytes as 32 hex digits.
	DeviceID string
)

// Pseudonym stands for a person inside records: 16 random bytes drawn when the person was added. Whoever destroys
// the row that maps it back makes the records anonymous without touching them.
type Pseudonym [16]byte

// NewPseudonym draws a pseudonym.
func NewPseudonym() Pseudonym {
	var p Pseudonym
	rand.Read(p[:]) // never fails since Go 1.24
	return p
}

// ParsePseudonym reads the form that String writes.
func ParsePseudonym(s string) (Pseudonym, error) {
	var p Pseudonym
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(p) {
		return p, fmt.Errorf("pseudonym %q: want 32 hex digits", s)
	}
	copy(p[:], b)
	return p, nil
}

func (p Pseudonym) String() string { return hex.EncodeToString(p[:]) }

// IsZero reports whether p names nobody.
func (p Pseudonym) IsZero() bool { return p == Pseudonym{} }

// NewSessionID returns a fresh session id (UUIDv7, RFC 9562: sorts by time).
func NewSessionID() SessionID { return SessionID(NewEventID().String()) }

// NewEventID returns a fresh UUIDv7 for a record or a request.
func NewEventID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// Bytes returns the 16 bytes of the session id, or an error when it is not a UUID.
func (s SessionID) Bytes() ([16]byte, error) {
	u, err := uuid.Parse(string(s))
	if err != nil {
		return [16]byte{}, fmt.Errorf("session id %q: %w", string(s), err)
	}
	return u, nil
}
