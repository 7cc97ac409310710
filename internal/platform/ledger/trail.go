package ledger

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/store"
)

// AgentFact is the fact that holds the pseudonym of a session's agent where somebody else acted.
const AgentFact = "agent"

// Person is somebody a record names.
type Person struct {
	ID, Name, Email string
}

// TextsState says what became of the texts that a record commits to.
type TextsState string

// The states of a record's texts.
const (
	TextsNone     TextsState = "none"     // it commits to none
	TextsOK       TextsState = "ok"       // all are here, and each is the one that the record commits to
	TextsErased   TextsState = "erased"   // the key was destroyed, or they came after the person was erased
	TextsWithheld TextsState = "withheld" // some or all were never delivered
	TextsBroken   TextsState = "broken"   // what lies there is not what the record commits to
)

// Line is a record as a person reads it.
type Line struct {
	Index      int64
	ReceivedAt time.Time
	At         time.Time // by the clock of the source
	Source     string    // "platform" or the device's id
	Kind       audit.Kind
	Session    stead.SessionID
	Actor      *Person // nil when nobody acted, or the person is not known any more
	Subject    *Person
	Texts      map[string]string // what State says of them; empty when they are broken
	State      TextsState
	Facts      map[string]string
	Leaf       string
}

// Trail reads the lines that the filter selects, newest first.
func (l *Ledger) Trail(tx store.Tx, f store.TrailFilter) ([]Line, error) {
	entries, err := tx.Trail(f)
	if err != nil {
		return nil, err
	}
	lines := make([]Line, 0, len(entries))
	for _, e := range entries {
		line, err := l.Read(tx, e)
		if err != nil {
			return nil, fmt.Errorf("ledger: record %d: %w", e.Index, err)
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// Read turns an entry into a line.
func (l *Ledger) Read(tx store.Tx, e store.IntakeEntry) (Line, error) {
	rec, err := audit.Decode(e.Envelope)
	if err != nil {
		return Line{}, err
	}
	line := Line{Index: e.Index, ReceivedAt: e.ReceivedAt, At: time.UnixMilli(rec.WallMS).UTC(), Source: "platform",
		Kind: rec.Kind, Session: e.Session, Leaf: hex.EncodeToString(e.Leaf[:]), Facts: map[string]string{}, Texts: map[string]string{}}
	if rec.Device != l.instance {
		line.Source = string(rec.Device)
	}
	for name, value := range rec.Body {
		line.Facts[name] = fmt.Sprint(value)
	}
	if e.Doubt != "" {
		line.Facts["doubt"] = e.Doubt
	}
	if e.DeliveredBy != "" {
		line.Facts["delivered_by"] = string(e.DeliveredBy)
	}
	if line.Actor, err = person(tx, e.Actor); err != nil {
		return Line{}, err
	}
	if line.Subject, err = person(tx, e.Subject); err != nil {
		return Line{}, err
	}
	if err := nameAgent(tx, line.Facts); err != nil {
		return Line{}, err
	}
	line.Texts, line.State, err = l.openTexts(tx, e, rec)
	return line, err
}

// nameAgent puts a person's id where a record has the pseudonym of the session's agent as a fact.
func nameAgent(tx store.Tx, facts map[string]string) error {
	p, err := stead.ParsePseudonym(facts[AgentFact])
	if err != nil {
		return nil //nolint:nilerr // there is no such fact
	}
	agent, err := person(tx, p)
	if agent != nil {
		facts[AgentFact] = agent.ID
	}
	return err
}

// openTexts reads the texts beside a record and holds them to its commitments.
func (l *Ledger) openTexts(tx store.Tx, e store.IntakeEntry, rec audit.Record) (map[string]string, TextsState, error) {
	found := map[string]string{}
	switch {
	case len(e.SealedTexts) == 0 && len(rec.Commitments) == 0:
		return found, TextsNone, nil
	case len(e.SealedTexts) == 0:
		_, err := tx.ErasedAt(e.TextsOf)
		if errors.Is(err, store.ErrNotFound) {
			return found, TextsWithheld, nil
		}
		return found, TextsErased, err
	}
	plain, err := l.keys.OpenFor(tx, e.TextsOf, e.SealedTexts)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return found, TextsErased, nil // the record stays
	case stead.CodeOf(err) == stead.CodeRecordInvalid:
		return found, TextsBroken, nil // one broken record must not hide the others
	case err != nil:
		return found, TextsBroken, err
	}
	texts, ok := unsealed(plain)
	if !ok || rec.Check(texts) != nil {
		return found, TextsBroken, nil
	}
	for _, t := range texts {
		found[t.Name] = t.Value
	}
	if len(texts) < len(rec.Commitments) {
		return found, TextsWithheld, nil
	}
	return found, TextsOK, nil
}

// unsealed reads what seal wrote; false when it is something else.
func unsealed(plain []byte) ([]audit.Text, bool) {
	var sealed []sealedText
	if json.Unmarshal(plain, &sealed) != nil {
		return nil, false
	}
	texts := make([]audit.Text, 0, len(sealed))
	for _, t := range sealed {
		if len(t.Salt) != len(audit.Text{}.Salt) {
			return nil, false
		}
		texts = append(texts, audit.Text{Name: t.Name, Salt: [32]byte(t.Salt), Value: t.Value})
	}
	return texts, true
}

func person(tx store.Tx, p stead.Pseudonym) (*Person, error) {
	if p.IsZero() {
		return nil, nil
	}
	staff, member, err := tx.PersonOf(p)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case staff != nil:
		return &Person{ID: string(staff.ID), Name: staff.Name, Email: staff.Email}, nil
	}
	return &Person{ID: string(member.ID), Name: member.Name, Email: member.Email}, nil
}
