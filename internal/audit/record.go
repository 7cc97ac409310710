package audit

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"stead/internal/stead"
)

// Version is the envelope's version that this package writes and reads.
const Version = 1

// The measure of a record. What is larger is refused before it is stored, so that no record can be too large to send.
const (
	MaxEnvelope    = 1<<16 - 1 // bytes; the length field of a log's entry has 16 bits (c2sp.org/tlog-tiles)
	MaxCommitments = 16
	MaxNameLength  = 40    // bytes, names of texts and keys of bodies
	MaxTextValue   = 16000 // bytes of one text
)

// ErrNotCanonical means that the bytes decode but are not the one encoding their record has.
var ErrNotCanonical = errors.New("not the canonical encoding of its record")

// Epoch names one unbroken chain of a device: 16 random bytes.
type Epoch [16]byte

// NewEpoch draws an epoch.
func NewEpoch() Epoch {
	var e Epoch
	rand.Read(e[:]) // never fails since Go 1.24
	return e
}

// ParseEpoch reads the form that String writes.
func ParseEpoch(s string) (Epoch, error) {
	b, err := parseHex16(s)
	if err != nil {
		return Epoch{}, fmt.Errorf("epoch %q: %w", s, err)
	}
	return b, nil
}

func (e Epoch) String() string { return hex.EncodeToString(e[:]) }

// Commitment binds a record to a text that is not in it.
type Commitment struct {
	_    struct{} `cbor:",toarray"`
	Name string
	Hash [32]byte
}

// Record is one audit entry. The package comment says what each field means on the wire.
type Record struct {
	Device         stead.DeviceID // for the platform's own records: its instance id, of the same form
	Epoch          Epoch
	Seq            uint64 // 0 for the platform's
	Prev           [32]byte
	WallMS         int64
	BootID         [16]byte
	MonoMS         int64
	ServerOffsetMS *int64
	Kind           Kind
	EventID        uuid.UUID
	Session        *stead.SessionID
	Actor          stead.Pseudonym // zero when nobody acted, as when a session expires
	Subject        *stead.Pseudonym
	Ref            *uuid.UUID
	Commitments    []Commitment // sorted by name; Commit fills it
	Body           Body
	KeyID          [8]byte
}

// Commit sets the commitments from the texts, sorted.
func (r *Record) Commit(texts []Text) {
	r.Commitments = make([]Commitment, 0, len(texts))
	for _, t := range texts {
		r.Commitments = append(r.Commitments, Commitment{Name: t.Name, Hash: t.Commitment()})
	}
	slices.SortFunc(r.Commitments, func(a, b Commitment) int { return strings.Compare(a.Name, b.Name) })
}

// Check reports whether every text is one the record commits to: the commitment of its name has its hash, and no
// name comes twice. Texts may be missing (withheld or erased).
func (r Record) Check(texts []Text) error {
	seen := map[string]bool{}
	for _, t := range texts {
		if seen[t.Name] {
			return fmt.Errorf("text %q comes twice", t.Name)
		}
		seen[t.Name] = true
		i := slices.IndexFunc(r.Commitments, func(c Commitment) bool { return c.Name == t.Name })
		if i < 0 {
			return fmt.Errorf("the record commits to no text %q", t.Name)
		}
		if r.Commitments[i].Hash != t.Commitment() {
			return fmt.Errorf("text %q is not the one the record commits to", t.Name)
		}
	}
	return nil
}

// view is the record without its commitments and its body, of which valid knows nothing.
func (r Record) view() (v view, err error) {
	v = view{epoch: r.Epoch, boot: r.BootID, event: r.EventID, actor: r.Actor, seq: r.Seq, prev: r.Prev, wall: r.WallMS, mono: r.MonoMS,
		kind: r.Kind, keyID: r.KeyID, hasOffset: r.ServerOffsetMS != nil, hasSession: r.Session != nil, hasSubject: r.Subject != nil, hasRef: r.Ref != nil}
	if v.device, err = deviceBytes(r.Device); err != nil {
		return v, err
	}
	if v.hasOffset {
		v.offset = *r.ServerOffsetMS
	}
	if v.hasSession {
		if v.session, err = sessionBytes(*r.Session); err != nil {
			return v, err
		}
	}
	if v.hasSubject {
		v.subject = *r.Subject
	}
	if v.hasRef {
		v.ref = *r.Ref
	}
	return v, nil
}

// valid checks what every record must satisfy, whoever made it.
func (v *view) valid() error {
	switch {
	case !v.kind.Known():
		return fmt.Errorf("unknown kind %q", v.kind)
	case v.device == [16]byte{}:
		return errors.New("device id is zero")
	case !version7(v.event):
		return errors.New("event id is not a UUIDv7")
	case v.hasRef && !version7(v.ref):
		return errors.New("ref is not a UUIDv7")
	case v.hasSession && v.session == [16]byte{}:
		return errors.New("session is present and zero")
	case v.hasSubject && v.subject == [16]byte{}:
		return errors.New("subject is present and names nobody")
	case v.mono < 0:
		return errors.New("negative monotonic time")
	}
	return v.validPlace()
}

func version7(id uuid.UUID) bool { return id.Version() == 7 && id.Variant() == uuid.RFC4122 }

// validPlace checks that device records are chained and the platform's are not.
func (v *view) validPlace() error {
	zeroPrev, device := v.prev == [32]byte{}, v.kind.FromDevice()
	switch {
	case !device && v.seq != 0:
		return fmt.Errorf("%s is the platform's to write, and its seq is 0", v.kind)
	case !device && !zeroPrev:
		return fmt.Errorf("%s has a previous record", v.kind)
	case device && v.seq == 0:
		return fmt.Errorf("%s needs a seq", v.kind)
	case device && (v.seq == 1) != zeroPrev:
		return errors.New("the first of an epoch has no previous record, and every other has one")
	case device && v.keyID == [8]byte{}:
		return errors.New("no key id")
	}
	return nil
}

func (r Record) validCommitments() error {
	if len(r.Commitments) > MaxCommitments {
		return fmt.Errorf("more than %d commitments", MaxCommitments)
	}
	for i, c := range r.Commitments {
		if err := validName([]byte(c.Name)); err != nil {
			return err
		}
		if i > 0 && r.Commitments[i-1].Name >= c.Name {
			return errors.New("commitments are not sorted by name, each once")
		}
	}
	return nil
}

func validName(s []byte) error {
	if len(s) == 0 || len(s) > MaxNameLength {
		return fmt.Errorf("name of %d bytes: want 1 to %d", len(s), MaxNameLength)
	}
	if !utf8.Valid(s) {
		return errors.New("name is not UTF-8")
	}
	return nil
}

// Leaf is the leaf hash of RFC 6962: SHA-256(0x00 || envelope).
func Leaf(envelope []byte) [32]byte {
	var buffer [1024]byte // most envelopes fit, and hashing in one go is a third faster
	return sha256.Sum256(append(buffer[:1], envelope...))
}

// KeyID names a signing key inside records: the first 8 bytes of its SHA-256.
func KeyID(key ed25519.PublicKey) [8]byte {
	sum := sha256.Sum256(key)
	return [8]byte(sum[:8])
}

// parseHex16 reads exactly 32 lower-case hex digits, so that an id has one spelling.
func parseHex16(s string) (out [16]byte, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(out) || hex.EncodeToString(b) != s {
		return out, errors.New("want 32 lower-case hex digits")
	}
	return [16]byte(b), nil
}
