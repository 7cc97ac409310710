package ledger

import (
	"encoding/json"
	"errors"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/store"
)

// Opener opens what was sealed for a person: store.ErrNotFound when the key was destroyed, stead.CodeRecordInvalid when
// what lies there was not sealed for that person.
type Opener interface {
	OpenFor(tx store.Tx, p stead.Pseudonym, sealed []byte) ([]byte, error)
}

// OpenTexts opens the texts beside a record and holds them to its commitments. None are returned when one of them is not
// the one that the record commits to. The error says that nothing can be read at all.
func OpenTexts(tx store.Tx, keys Opener, e store.IntakeEntry, rec audit.Record) ([]audit.Text, TextsState, error) {
	switch {
	case len(e.SealedTexts) == 0 && len(rec.Commitments) == 0:
		return nil, TextsNone, nil
	case len(e.SealedTexts) == 0:
		_, err := tx.ErasedAt(e.TextsOf)
		if errors.Is(err, store.ErrNotFound) {
			return nil, TextsWithheld, nil
		}
		return nil, TextsErased, err
	}
	plain, err := keys.OpenFor(tx, e.TextsOf, e.SealedTexts)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, TextsErased, nil // the record stays
	case stead.CodeOf(err) == stead.CodeRecordInvalid:
		return nil, TextsBroken, nil // one broken record must not hide the others
	case err != nil:
		return nil, TextsBroken, err
	}
	texts, ok := unsealed(plain)
	if !ok || rec.Check(texts) != nil {
		return nil, TextsBroken, nil
	}
	if len(texts) < len(rec.Commitments) {
		return texts, TextsWithheld, nil
	}
	return texts, TextsOK, nil
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
