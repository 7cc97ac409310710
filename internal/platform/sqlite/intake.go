package sqlite

import (
	"errors"
	"strings"

	"stead/internal/platform/store"
	"stead/internal/stead"
)

const intakeColumns = `idx, event_id, device, epoch, seq, leaf, envelope, sealed_texts, texts_of, kind, session,
	actor, subject, received_at, delivered_by, doubt`

func readEntry(row scanner) (e store.IntakeEntry, err error) {
	err = row.Scan(&e.Index, fixed(e.EventID[:]), fixed(e.Device[:]), fixed(e.Epoch[:]), &e.Seq, fixed(e.Leaf[:]),
		&e.Envelope, &e.SealedTexts, fixed(e.TextsOf[:]), &e.Kind, &e.Session, fixed(e.Actor[:]), fixed(e.Subject[:]),
		stamp{&e.ReceivedAt}, &e.DeliveredBy, &e.Doubt)
	return e, err
}

const (
	intakeInsert = `INSERT INTO intake (event_id, device, epoch, seq, leaf, envelope, sealed_texts, texts_of, kind, session,
		actor, subject, received_at, delivered_by, doubt) VALUES `
	intakeValues = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)

// intakeGroups are how many records one statement adds: with 50 a record costs half of what it costs alone, with more
// hardly less.
func intakeGroups() [3]int { return [...]int{50, 10, 1} }

// intakeArgs adds an entry's values in the order of the columns.
func intakeArgs(args []any, e *store.IntakeEntry) ([]any, error) {
	seq, err := column(e.Seq)
	if err != nil {
		return nil, err
	}
	var texts any
	if len(e.SealedTexts) > 0 {
		texts = e.SealedTexts
	}
	return append(args, e.EventID[:], e.Device[:], e.Epoch[:], seq, e.Leaf[:], e.Envelope, texts, bytesOrNull(e.TextsOf[:]),
		e.Kind, e.Session, bytesOrNull(e.Actor[:]), bytesOrNull(e.Subject[:]), millis(e.ReceivedAt), e.DeliveredBy, e.Doubt), nil
}

// AppendIntake implements store.IntakeTx.
func (t *tx) AppendIntake(e store.IntakeEntry) (index int64, err error) {
	args, err := intakeArgs(nil, &e)
	if err != nil {
		return 0, err
	}
	return t.insert(intakeInsert+intakeValues, args)
}

// AppendIntakes implements store.IntakeTx.
func (t *tx) AppendIntakes(list []store.IntakeEntry) (added int, err error) {
	for _, group := range intakeGroups() {
		for len(list)-added >= group {
			err := t.insertIntake(list[added : added+group])
			if group > 1 && errors.Is(err, store.ErrConflict) {
				break // none of them was added; smaller groups tell which it is
			}
			if err != nil {
				return added, err
			}
			added += group
		}
	}
	return added, nil
}

func (t *tx) insertIntake(list []store.IntakeEntry) (err error) {
	args := make([]any, 0, len(list)*strings.Count(intakeValues, "?"))
	for i := range list {
		if args, err = intakeArgs(args, &list[i]); err != nil {
			return err
		}
	}
	_, err = t.exec(intakeInsert+intakeValues+strings.Repeat(", "+intakeValues, len(list)-1), args...)
	return err
}

// IntakeAt implements store.IntakeTx.
func (t *tx) IntakeAt(device, epoch [16]byte, seq uint64) (store.IntakeEntry, error) {
	n, err := column(seq)
	if err != nil || n == 0 { // 0 is no place in a chain
		return store.IntakeEntry{}, store.ErrNotFound
	}
	return first(t, readEntry, "SELECT "+intakeColumns+" FROM intake WHERE device = ? AND epoch = ? AND seq = ? AND seq > 0",
		device[:], epoch[:], n)
}

// Trail implements store.IntakeTx.
func (t *tx) Trail(f store.TrailFilter) ([]store.IntakeEntry, error) {
	where, args := []string{"1"}, []any{}
	narrow := func(condition string, value any) {
		where, args = append(where, condition), append(args, value)
	}
	if f.Session != "" {
		narrow("session = ? AND session <> ''", f.Session)
	}
	if !f.Actor.IsZero() {
		narrow("actor = ?", f.Actor[:])
	}
	if f.Kind != "" {
		narrow("kind = ?", f.Kind)
	}
	if f.Before > 0 {
		narrow("idx < ?", f.Before)
	}
	return all(t, readEntry, "SELECT "+intakeColumns+" FROM intake WHERE "+strings.Join(where, " AND ")+
		" ORDER BY idx DESC LIMIT ?", append(args, page(f.Limit, 50, 500))...)
}

// PersonOf implements store.IntakeTx.
func (t *tx) PersonOf(p stead.Pseudonym) (*stead.Staff, *stead.Member, error) {
	if p.IsZero() {
		return nil, nil, store.ErrNotFound
	}
	s, err := first(t, readStaff, "SELECT "+staffColumns+" FROM staff s WHERE s.pseudonym = ?", p[:])
	if err == nil {
		return &s, nil, nil
	}
	if !errors.Is(err, store.ErrNotFound) {
		return nil, nil, err
	}
	m, err := first(t, readMember, "SELECT "+memberColumns+" FROM members m"+memberJoins+" WHERE m.pseudonym = ?", p[:])
	if err != nil {
		return nil, nil, err
	}
	return nil, &m, nil
}
