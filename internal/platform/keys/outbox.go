package keys

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/store"
)

// outboxValue is the name of the stored value that holds the private half of the outbox key, sealed.
const outboxValue = "outbox_key"

// loadOutbox reads the key for which devices seal the data keys of their outboxes; it is made at the first start and
// never changed, since files that were sealed for it may turn up years later.
func (r *Ring) loadOutbox(ctx context.Context) error {
	err := r.st.Update(ctx, func(tx store.Tx) error {
		saved, err := tx.Value(outboxValue)
		if errors.Is(err, store.ErrNotFound) {
			private, _, err := audit.NewOutboxKey()
			if err != nil {
				return err
			}
			r.outbox = private
			return tx.SetValue(outboxValue, base64.StdEncoding.EncodeToString(r.kek.Seal(nil, nil, private, []byte(outboxValue))))
		}
		if err != nil {
			return err
		}
		sealed, err := base64.StdEncoding.DecodeString(saved)
		if err == nil {
			r.outbox, err = r.kek.Open(nil, nil, sealed, []byte(outboxValue))
		}
		if err != nil {
			return stead.Errorf(stead.CodeConfigInvalid, "the outbox key was sealed under another key file").Because(err)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	r.outboxPublic, err = audit.PublicOutboxKey(r.outbox)
	return err
}

// OutboxKey is the public key for which devices seal the data keys of their outboxes.
func (r *Ring) OutboxKey() []byte { return r.outboxPublic }

// OpenOutboxKey opens a data key that was sealed for OutboxKey in that file.
func (r *Ring) OpenOutboxKey(f audit.OutboxFile, sealed []byte) ([]byte, error) {
	return audit.OpenOutboxKey(r.outbox, f, sealed)
}
