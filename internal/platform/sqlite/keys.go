package sqlite

import (
	"time"

	"stead/internal/platform/store"
	"stead/internal/stead"
)

// SigningKeys implements store.KeyTx.
func (t *tx) SigningKeys() ([]store.SigningKey, error) {
	return all(t, func(row scanner) (k store.SigningKey, err error) {
		err = row.Scan(&k.ID, &k.Sealed, stamp{&k.CreatedAt}, stamp{&k.RetiredAt})
		return k, err
	}, "SELECT id, sealed, created_at, retired_at FROM signing_keys ORDER BY created_at DESC, rowid DESC")
}

// PutSigningKey implements store.KeyTx.
func (t *tx) PutSigningKey(k store.SigningKey) error {
	_, err := t.exec("INSERT INTO signing_keys (id, sealed, created_at, retired_at) VALUES (?, ?, ?, ?)",
		k.ID, k.Sealed, millis(k.CreatedAt), millis(k.RetiredAt))
	return err
}

// RetireSigningKey implements store.KeyTx. A key that was retired before keeps its first time.
func (t *tx) RetireSigningKey(id string, at time.Time) error {
	n, err := t.exec("UPDATE signing_keys SET retired_at = coalesce(retired_at, ?) WHERE id = ?", millis(at), id)
	if err == nil && n == 0 {
		err = store.ErrNotFound
	}
	return err
}

// PersonKey implements store.KeyTx.
func (t *tx) PersonKey(p stead.Pseudonym, m store.Month) (sealed []byte, err error) {
	err = t.one("SELECT sealed FROM person_keys WHERE pseudonym = ? AND month = ?", []any{p[:], m}, &sealed)
	return sealed, err
}

// PutPersonKey implements store.KeyTx.
func (t *tx) PutPersonKey(p stead.Pseudonym, m store.Month, sealed []byte) error {
	_, err := t.exec("INSERT INTO person_keys (pseudonym, month, until, sealed) VALUES (?, ?, ?, ?)", p[:], m, millis(m.Until()), sealed)
	return err
}

// Value implements store.KeyTx.
func (t *tx) Value(name string) (value string, err error) {
	err = t.one(`SELECT value FROM "values" WHERE name = ?`, []any{name}, &value)
	return value, err
}

// SetValue implements store.KeyTx.
func (t *tx) SetValue(name, value string) error {
	_, err := t.exec(`INSERT INTO "values" (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2`, name, value)
	return err
}
