package ledger

import (
	"encoding/json"
	"fmt"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/store"
)

// Opener opens what was sealed for a person; store.ErrNotFound when the person's key was destroyed.
type Opener interface {
	OpenFor(tx store.Tx, p stead.Pseudonym, sealed []byte) ([]byte, error)
}

// OpenTexts opens the texts beside a record, none when there are none. store.ErrNotFound means that the person's key was
// destroyed. That they are the texts which the record commits to is not looked at.
func OpenTexts(tx store.Tx, keys Opener, e store.IntakeEntry) ([]audit.Text, error) {
	if len(e.SealedTexts) == 0 {
		return nil, nil
	}
	plain, err := keys.OpenFor(tx, e.TextsOf, e.SealedTexts)
	if err != nil {
		return nil, err
	}
	var sealed []sealedText
	if err := json.Unmarshal(plain, &sealed); err != nil {
		return nil, err
	}
	texts := make([]audit.Text, 0, len(sealed))
	for _, t := range sealed {
		if len(t.Salt) != len(audit.Text{}.Salt) {
			return nil, fmt.Errorf("ledger: text %q has a salt of %d bytes", t.Name, len(t.Salt))
		}
		texts = append(texts, audit.Text{Name: t.Name, Salt: [32]byte(t.Salt), Value: t.Value})
	}
	return texts, nil
}
