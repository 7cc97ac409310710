package sqlite

import (
	"stead/internal/platform/store"
)

// LogSize implements store.LogTx.
func (t *tx) LogSize() (size int64, err error) {
	err = t.one("SELECT coalesce(max(position) + 1, 0) FROM log_entries", nil, &size)
	return size, err
}

// Unlogged implements store.LogTx. Records commit one after the other here, so what is not in the log lies behind
// what is.
func (t *tx) Unlogged(limit int) ([]store.LogEntry, error) {
	return all(t, func(row scanner) (e store.LogEntry, err error) {
		err = row.Scan(&e.Index, fixed(e.Leaf[:]), &e.Envelope)
		return e, err
	}, `SELECT idx, leaf, envelope FROM intake WHERE idx > (SELECT coalesce(max(intake), 0) FROM log_entries)
		ORDER BY idx LIMIT ?`, limit)
}

// AppendLog implements store.LogTx.
func (t *tx) AppendLog(position, index, at int64, hashes [][32]byte) error {
	if _, err := t.exec("INSERT INTO log_entries (position, intake) VALUES (?, ?)", position, index); err != nil {
		return err
	}
	for i, h := range hashes {
		if _, err := t.exec("INSERT INTO log_hashes (idx, hash) VALUES (?, ?)", at+int64(i), h[:]); err != nil {
			return err
		}
	}
	return nil
}

// LogHashes implements store.LogTx.
func (t *tx) LogHashes(at []int64) ([][32]byte, error) {
	hashes := make([][32]byte, len(at))
	for i, idx := range at {
		if err := t.one("SELECT hash FROM log_hashes WHERE idx = ?", []any{idx}, fixed(hashes[i][:])); err != nil {
			return nil, err
		}
	}
	return hashes, nil
}

// LogEntries implements store.LogTx.
func (t *tx) LogEntries(from int64, limit int) ([]store.LogEntry, error) {
	return all(t, func(row scanner) (e store.LogEntry, err error) {
		err = row.Scan(&e.Position, &e.Index, fixed(e.Leaf[:]), &e.Envelope)
		return e, err
	}, `SELECT l.position, l.intake, i.leaf, i.envelope FROM log_entries l JOIN intake i ON i.idx = l.intake
		WHERE l.position >= ? ORDER BY l.position LIMIT ?`, from, page(limit, 50, 500))
}

// PutCheckpoint implements store.LogTx.
func (t *tx) PutCheckpoint(c store.Checkpoint) error {
	_, err := t.exec("INSERT INTO checkpoints (size, note, at) VALUES (?, ?, ?)", c.Size, c.Note, millis(c.At))
	return err
}

// Checkpoint implements store.LogTx.
func (t *tx) Checkpoint() (c store.Checkpoint, err error) {
	err = t.one("SELECT size, note, at FROM checkpoints ORDER BY size DESC LIMIT 1", nil, &c.Size, &c.Note, stamp{&c.At})
	return c, err
}

// PutLogKey implements store.LogTx.
func (t *tx) PutLogKey(key string) error {
	_, err := t.exec("INSERT INTO log_keys (key, at) SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM log_keys WHERE key = ?1)", key, millis(t.now))
	return err
}

// LogKeys implements store.LogTx.
func (t *tx) LogKeys() ([]string, error) {
	return all(t, func(row scanner) (key string, err error) {
		err = row.Scan(&key)
		return key, err
	}, "SELECT key FROM log_keys ORDER BY id")
}
