package sqlite

import (
	"time"

	"stead/internal/stead"

	"stead/internal/platform/store"
)

// LateFile implements store.LateTx.
func (t *tx) LateFile(device stead.DeviceID) (f store.LateFile, err error) {
	f.Device = device
	err = t.one("SELECT epoch, generation, seq, leaf, head_seq, head_leaf, bytes, touched_at FROM late_files WHERE device = ?", []any{device},
		fixed(f.Epoch[:]), &f.Generation, &f.Seq, fixed(f.Leaf[:]), &f.HeadSeq, fixed(f.HeadLeaf[:]), &f.Bytes, stamp{&f.TouchedAt})
	return f, err
}

// PutLateFile implements store.LateTx.
func (t *tx) PutLateFile(f store.LateFile) error {
	var numbers [3]int64
	for i, n := range []uint64{f.Generation, f.Seq, f.HeadSeq} {
		var err error
		if numbers[i], err = column(n); err != nil {
			return err
		}
	}
	_, err := t.exec(`INSERT INTO late_files (device, epoch, generation, seq, leaf, head_seq, head_leaf, bytes, touched_at)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (device) DO UPDATE SET
		epoch = ?2, generation = ?3, seq = ?4, leaf = ?5, head_seq = ?6, head_leaf = ?7, bytes = ?8, touched_at = ?9`,
		f.Device, f.Epoch[:], numbers[0], numbers[1], f.Leaf[:], numbers[2], f.HeadLeaf[:], f.Bytes, millis(f.TouchedAt))
	return err
}

// PutLate implements store.LateTx.
func (t *tx) PutLate(device stead.DeviceID, seq uint64, sealed []byte) error {
	n, err := column(seq)
	if err != nil {
		return err
	}
	_, err = t.exec("INSERT INTO late_records (device, seq, sealed) VALUES (?, ?, ?)", device, n, sealed)
	return err
}

// LateRecords implements store.LateTx.
func (t *tx) LateRecords(device stead.DeviceID, from uint64, limit int) ([][]byte, error) {
	n, err := column(from)
	if err != nil {
		return nil, err
	}
	return all(t, func(row scanner) (sealed []byte, err error) {
		err = row.Scan(&sealed)
		return sealed, err
	}, "SELECT sealed FROM late_records WHERE device = ? AND seq >= ? ORDER BY seq LIMIT ?", device, n, limit)
}

// DropLate implements store.LateTx.
func (t *tx) DropLate(device stead.DeviceID, through uint64) error {
	n, err := column(through)
	if err != nil {
		return err
	}
	_, err = t.exec("DELETE FROM late_records WHERE device = ? AND seq <= ?", device, n)
	return err
}

// DropLateFile implements store.LateTx.
func (t *tx) DropLateFile(device stead.DeviceID) error {
	_, err := t.exec("DELETE FROM late_files WHERE device = ?", device)
	return err
}

// DropLateFiles implements store.LateTx.
func (t *tx) DropLateFiles(since time.Time) error {
	_, err := t.exec("DELETE FROM late_files WHERE touched_at < ?", millis(since))
	return err
}
