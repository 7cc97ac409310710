// Package ledger takes records in: the platform's own, written in the transaction of what they record, and those
// that devices deliver. It also reads them back as the trail.
package ledger

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/store"
)

// Keys seals texts per person, says which key vouches for the platform's records, and opens data keys of outboxes. SealerFor
// answers store.ErrErased for somebody who was erased, OpenFor store.ErrNotFound when the key was destroyed and
// stead.CodeRecordInvalid when what lies there was not sealed by it.
type Keys interface {
	SealerFor(tx store.Tx, p stead.Pseudonym) (seal func(plain []byte) []byte, err error)
	OpenFor(tx store.Tx, p stead.Pseudonym, sealed []byte) ([]byte, error)
	CurrentPublic() ed25519.PublicKey
	OpenOutboxKey(f audit.OutboxFile, sealed []byte) ([]byte, error)
}

// Ledger writes and reads records. It is safe for concurrent use.
type Ledger struct {
	keys     Keys
	instance stead.DeviceID // this platform as a source of records
	id       [16]byte
	epoch    audit.Epoch
	boot     [16]byte
	started  time.Time // for the monotonic clock
}

// instanceValue is the name of the stored value that holds the platform's id and epoch.
const instanceValue = "instance"

// Open reads the platform's id as a source of records, or draws it at the first start.
func Open(ctx context.Context, st store.Store, keys Keys) (*Ledger, error) {
	l := &Ledger{keys: keys, boot: uuid.New(), started: time.Now()}
	err := st.Update(ctx, func(tx store.Tx) error {
		saved, err := tx.Value(instanceValue)
		if errors.Is(err, store.ErrNotFound) {
			id, epoch := stead.NewPseudonym(), audit.NewEpoch()
			saved = id.String() + epoch.String()
			err = tx.SetValue(instanceValue, saved)
		}
		if err != nil {
			return err
		}
		return l.setInstance(saved)
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: open: %w", err)
	}
	return l, nil
}

func (l *Ledger) setInstance(saved string) error {
	raw, err := hex.DecodeString(saved)
	if err != nil || len(raw) != 32 {
		return fmt.Errorf("stored instance is not 32 bytes of hex")
	}
	copy(l.id[:], raw[:16])
	copy(l.epoch[:], raw[16:])
	l.instance = stead.DeviceID(hex.EncodeToString(l.id[:]))
	return nil
}

// Instance is the platform's id as a source of records.
func (l *Ledger) Instance() stead.DeviceID { return l.instance }

// Entry is what the platform wants to record.
type Entry struct {
	Kind    audit.Kind
	EventID uuid.UUID // drawn when zero
	Session stead.SessionID
	Actor   stead.Pseudonym
	Subject stead.Pseudonym   // zero when it is about nobody
	Ref     uuid.UUID         // the record this one answers; zero for none
	Texts   map[string]string // personal: committed to in the record, sealed beside it
	Facts   audit.Body        // not personal
	// OfActor seals the texts under the key of who acted, the platform's own when nobody did, though the record has a
	// subject: they must outlive the subject's key.
	OfActor bool
}

// Write records the entry in the given transaction: it is committed with what it records, or neither is.
// store.ErrConflict when its event is recorded already.
func (l *Ledger) Write(tx store.Tx, e Entry) error {
	in, err := l.intake(tx, l.sealer(tx), e)
	if err != nil {
		return err
	}
	_, err = tx.AppendIntake(in)
	return err
}

// WriteNew records the entries as Write does, in their order, and passes over those whose event is recorded already. It
// costs less than one Write after the other.
func (l *Ledger) WriteNew(tx store.Tx, entries []Entry) error {
	rows, sealer := make([]store.IntakeEntry, len(entries)), l.sealer(tx)
	for i, e := range entries {
		var err error
		if rows[i], err = l.intake(tx, sealer, e); err != nil {
			return err
		}
	}
	for len(rows) > 0 {
		n, err := tx.AppendIntakes(rows)
		if err == nil {
			return nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
		rows = rows[n+1:]
	}
	return nil
}

// intake is how an entry lies in the intake.
func (l *Ledger) intake(tx store.Tx, s sealer, e Entry) (in store.IntakeEntry, err error) {
	rec, texts := l.record(tx, e)
	envelope, err := rec.Encode()
	if err != nil {
		return in, fmt.Errorf("ledger: %s: %w", e.Kind, err)
	}
	if in, err = entry(tx, rec, audit.Leaf(envelope), envelope); err != nil {
		return in, err
	}
	return in, s.seal(&in, texts, e.OfActor)
}

// record is the platform's record of an entry, with the texts that it commits to.
func (l *Ledger) record(tx store.Tx, e Entry) (rec audit.Record, texts []audit.Text) {
	if e.EventID == uuid.Nil {
		e.EventID = stead.NewEventID()
	}
	rec = audit.Record{Device: l.instance, Epoch: l.epoch, WallMS: tx.Now().UnixMilli(), BootID: l.boot,
		MonoMS: time.Since(l.started).Milliseconds(), Kind: e.Kind, EventID: e.EventID, Actor: e.Actor, Body: e.Facts,
		KeyID: audit.KeyID(l.keys.CurrentPublic())}
	if e.Session != "" {
		rec.Session = &e.Session
	}
	if !e.Subject.IsZero() {
		rec.Subject = &e.Subject
	}
	if e.Ref != uuid.Nil {
		rec.Ref = &e.Ref
	}
	for name, value := range e.Texts {
		if value = fitting(value); value != "" {
			texts = append(texts, audit.NewText(name, value))
		}
	}
	rec.Commit(texts)
	return rec, texts
}

// fitting is a text as records can hold it: valid UTF-8 of bounded length. What people type into a refused request
// is recorded too, so it may be anything.
func fitting(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) > audit.MaxTextValue {
		s = strings.ToValidUTF8(s[:audit.MaxTextValue], "")
	}
	return s
}

// entry is how a record lies in the intake.
func entry(tx store.Tx, rec audit.Record, leaf [32]byte, envelope []byte) (store.IntakeEntry, error) {
	device, err := stead.ParsePseudonym(string(rec.Device)) // the same 16 bytes in hex
	e := store.IntakeEntry{EventID: rec.EventID, Device: device, Epoch: rec.Epoch, Seq: rec.Seq, Leaf: leaf,
		Envelope: envelope, Kind: string(rec.Kind), Actor: rec.Actor, ReceivedAt: tx.Now()}
	if rec.Session != nil {
		e.Session = *rec.Session
	}
	if rec.Subject != nil {
		e.Subject = *rec.Subject
	}
	return e, err
}

// sealedText is how a text lies beside its record, inside the seal.
type sealedText struct {
	Name  string `json:"n"`
	Salt  []byte `json:"s"`
	Value string `json:"v"`
}

// sealer seals texts in one transaction. It asks for each person's key once.
type sealer struct {
	keys Keys
	tx   store.Tx
	open map[stead.Pseudonym]func([]byte) []byte
}

func (l *Ledger) sealer(tx store.Tx) sealer {
	return sealer{l.keys, tx, map[stead.Pseudonym]func([]byte) []byte{}}
}

// seal puts texts beside an entry, under the key of whom it is about, or else, or where ofActor asks for it, of who
// acted. A device may bring a record about somebody who was erased meanwhile: it is kept, and its texts are not.
func (s sealer) seal(e *store.IntakeEntry, texts []audit.Text, ofActor bool) error {
	if len(texts) == 0 {
		return nil
	}
	e.TextsOf = e.Subject
	if ofActor || e.TextsOf.IsZero() {
		e.TextsOf = e.Actor
	}
	out := make([]sealedText, 0, len(texts))
	for _, t := range texts {
		out = append(out, sealedText{Name: t.Name, Salt: t.Salt[:], Value: t.Value})
	}
	slices.SortFunc(out, func(a, b sealedText) int { return compare(a.Name, b.Name) })
	plain, err := json.Marshal(out)
	if err != nil {
		return err
	}
	seal, known := s.open[e.TextsOf]
	if !known {
		seal, err = s.keys.SealerFor(s.tx, e.TextsOf)
		if err != nil && !errors.Is(err, store.ErrErased) {
			return err
		}
		s.open[e.TextsOf] = seal
	}
	if seal != nil {
		e.SealedTexts = seal(plain)
	}
	return nil
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
