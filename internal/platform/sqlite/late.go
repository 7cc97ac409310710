package sqlite

import "stead/internal/stead"

// LateSeq implements store.LateTx.
func (t *tx) LateSeq(device stead.DeviceID, epoch [16]byte) (uint64, error) {
	n, err := t.count("SELECT coalesce(max(seq), 0) FROM late_records WHERE device = ? AND epoch = ?", device, epoch[:])
	return uint64(n), err //nolint:gosec // G115: the column's check
}

// PutLate implements store.LateTx.
func (t *tx) PutLate(device stead.DeviceID, epoch [16]byte, seq uint64, sealed []byte) error {
	n, err := column(seq)
	if err != nil {
		return err
	}
	_, err = t.exec("INSERT INTO late_records (device, epoch, seq, sealed) VALUES (?, ?, ?, ?)", device, epoch[:], n, sealed)
	return err
}

// LateRecords implements store.LateTx.
func (t *tx) LateRecords(device stead.DeviceID, epoch [16]byte, from uint64) ([][]byte, error) {
	n, err := column(from)
	if err != nil {
		return nil, err
	}
	return all(t, func(row scanner) (sealed []byte, err error) {
		err = row.Scan(&sealed)
		return sealed, err
	}, "SELECT sealed FROM late_records WHERE device = ? AND epoch = ? AND seq >= ? ORDER BY seq", device, epoch[:], n)
}

// DropLate implements store.LateTx.
func (t *tx) DropLate(device stead.DeviceID, epoch [16]byte) error {
	_, err := t.exec("DELETE FROM late_records WHERE device = ? AND epoch = ?", device, epoch[:])
	return err
}
