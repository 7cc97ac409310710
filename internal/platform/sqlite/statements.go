package sqlite

import "stead/internal/platform/store"

// PutStatement implements store.StatementTx.
func (t *tx) PutStatement(s store.Statement) error {
	_, err := t.exec("INSERT INTO statements (kind, note, at) VALUES (?, ?, ?)", s.Kind, s.Note, millis(s.At))
	return err
}

// Statements implements store.StatementTx.
func (t *tx) Statements() ([]store.Statement, error) {
	return all(t, func(row scanner) (s store.Statement, err error) {
		err = row.Scan(&s.Kind, &s.Note, stamp{&s.At})
		return s, err
	}, "SELECT kind, note, at FROM statements ORDER BY id")
}

// PutCosignature implements store.StatementTx.
func (t *tx) PutCosignature(c store.Cosignature) error {
	_, err := t.exec("INSERT INTO cosignatures (size, witness, note, at) VALUES (?, ?, ?, ?)", c.Size, c.Witness, c.Note, millis(c.At))
	return err
}

// Cosignature implements store.StatementTx.
func (t *tx) Cosignature() (c store.Cosignature, err error) {
	err = t.one("SELECT size, witness, note, at FROM cosignatures ORDER BY size DESC, at LIMIT 1", nil, &c.Size, &c.Witness, &c.Note, stamp{&c.At})
	return c, err
}

// PutDelivery implements store.StatementTx.
func (t *tx) PutDelivery(d store.Delivery) error {
	_, err := t.exec("INSERT INTO deliveries (place, size, at) VALUES (?1, ?2, ?3) ON CONFLICT (place) DO UPDATE SET size = ?2, at = ?3", d.Place[:], d.Size, millis(d.At))
	return err
}

// Delivery implements store.StatementTx.
func (t *tx) Delivery(place [32]byte) (store.Delivery, error) {
	d := store.Delivery{Place: place}
	err := t.one("SELECT size, at FROM deliveries WHERE place = ?", []any{place[:]}, &d.Size, stamp{&d.At})
	return d, err
}
