package sqlite

import (
	"iter"

	"stead/internal/audit"

	"stead/internal/platform/store"
)

// PutSignedHead implements store.ChainTx.
func (t *tx) PutSignedHead(h store.SignedHead, held bool) error {
	seq, err := column(h.Seq)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO signed_heads (device, epoch, held, seq, leaf, signature) SELECT ?1, ?2, ?3, ?4, ?5, ?6
		WHERE NOT EXISTS (SELECT 1 FROM signed_heads WHERE device = ?1 AND epoch = ?2 AND held = ?3 AND seq >= ?4)
		ON CONFLICT (device, epoch, held) DO UPDATE SET seq = ?4, leaf = ?5, signature = ?6`,
		h.Device, h.Epoch[:], held, seq, h.Leaf[:], h.Signature)
	return err
}

const signedHeads = `SELECT device, epoch, seq, leaf, signature FROM signed_heads s WHERE held = 1 OR seq > coalesce(
	(SELECT seq FROM signed_heads h WHERE h.device = s.device AND h.epoch = s.epoch AND held = 1), 0) ORDER BY device, epoch, seq`

func readSignedHead(row scanner) (h store.SignedHead, err error) {
	err = row.Scan(&h.Device, fixed(h.Epoch[:]), &h.Seq, fixed(h.Leaf[:]), &h.Signature)
	return h, err
}

// SignedHeads implements store.ChainTx.
func (t *tx) SignedHeads() ([]store.SignedHead, error) { return all(t, readSignedHead, signedHeads) }

// Statements implements audit.StatementSource. A file of a version that had none yet has none.
func (e *Evidence) Statements() (audit.Statements, error) {
	notes, err := collect(added(e, "statements", "SELECT note FROM statements ORDER BY id", func(row scanner) (note []byte, err error) {
		err = row.Scan(&note)
		return note, err
	}))
	return audit.Statements{Notes: notes}, err
}

// SignedHeads yields the signatures of devices over their chains, by device, epoch and sequence.
func (e *Evidence) SignedHeads() iter.Seq2[store.SignedHead, error] {
	return added(e, "signed_heads", signedHeads, readSignedHead)
}

// Quarantined yields what was kept as evidence, by device, epoch and sequence.
func (e *Evidence) Quarantined() iter.Seq2[store.Quarantined, error] {
	return added(e, "quarantined", "SELECT "+quarantinedColumns+" FROM quarantined ORDER BY device, epoch, seq", readQuarantined)
}

// added is rows of a table that older files do not have.
func added[T any](e *Evidence, table, query string, read func(scanner) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		var n int
		err := e.tx.QueryRowContext(e.ctx, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?", table).Scan(&n)
		if err != nil {
			yield(none, damaged(err))
		}
		if err != nil || n == 0 {
			return
		}
		rows(e, query, read)(yield)
	}
}
