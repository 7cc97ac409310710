package sqlite

import (
	"encoding/json"
	"strings"

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
func (t *tx) AppendLog(position int64, indexes []int64, at int64, hashes [][32]byte) error {
	err := t.insertPairs("INSERT INTO log_entries (position, intake) VALUES ", len(indexes), func(i int) (any, any) {
		return position + int64(i), indexes[i]
	})
	if err != nil {
		return err
	}
	return t.insertPairs("INSERT INTO log_hashes (idx, hash) VALUES ", len(hashes), func(i int) (any, any) {
		return at + int64(i), hashes[i][:]
	})
}

// insertPairs inserts n rows of two columns, many by one statement.
func (t *tx) insertPairs(into string, n int, pair func(i int) (any, any)) error {
	const group, row = 100, "(?, ?)"
	for i := 0; i < n; {
		size := 1
		if n-i >= group {
			size = group
		}
		args := make([]any, 0, 2*size)
		for end := i + size; i < end; i++ {
			a, b := pair(i)
			args = append(args, a, b)
		}
		if _, err := t.exec(into+row+strings.Repeat(", "+row, size-1), args...); err != nil {
			return err
		}
	}
	return nil
}

// LogHashes implements store.LogTx. All are read by one query: a tile has 256 of them.
func (t *tx) LogHashes(at []int64) ([][32]byte, error) {
	if len(at) == 0 {
		return nil, nil
	}
	asked, err := json.Marshal(at)
	if err != nil {
		return nil, err
	}
	hashes, err := all(t, func(row scanner) (h [32]byte, err error) {
		err = row.Scan(fixed(h[:]))
		return h, err
	}, "SELECT h.hash FROM json_each(?) j CROSS JOIN log_hashes h ON h.idx = j.value ORDER BY j.key", string(asked))
	if err == nil && len(hashes) != len(at) {
		err = store.ErrNotFound
	}
	return hashes, err
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
