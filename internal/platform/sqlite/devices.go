package sqlite

import (
	"errors"
	"fmt"
	"math"
	"time"

	"stead/internal/platform/store"
	"stead/internal/stead"
)

const deviceColumns = "id, name, public_key, enrolled_by, enrolled_at, revoked_at"

func readDevice(row scanner) (d store.Device, err error) {
	err = row.Scan(&d.ID, &d.Name, &d.PublicKey, &d.EnrolledBy, stamp{&d.EnrolledAt}, stamp{&d.RevokedAt})
	return d, err
}

// Device implements store.DeviceTx.
func (t *tx) Device(id stead.DeviceID) (store.Device, error) {
	return first(t, readDevice, "SELECT "+deviceColumns+" FROM devices WHERE id = ?", id)
}

// DeviceByKey implements store.DeviceTx.
func (t *tx) DeviceByKey(publicKey []byte) (store.Device, error) {
	return first(t, readDevice, "SELECT "+deviceColumns+" FROM devices WHERE public_key = ?", publicKey)
}

// PutDevice implements store.DeviceTx.
func (t *tx) PutDevice(d store.Device) error {
	_, err := t.exec("INSERT INTO devices ("+deviceColumns+") VALUES (?, ?, ?, ?, ?, ?)",
		d.ID, d.Name, d.PublicKey, d.EnrolledBy, millis(d.EnrolledAt), millis(d.RevokedAt))
	return err
}

// DeviceHead implements store.DeviceTx.
func (t *tx) DeviceHead(id stead.DeviceID, epoch [16]byte) (seq uint64, leaf [32]byte, err error) {
	err = t.one("SELECT seq, leaf FROM device_heads WHERE device = ? AND epoch = ?", []any{id, epoch[:]}, &seq, fixed(leaf[:]))
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return seq, leaf, err
}

// SetDeviceHead implements store.DeviceTx.
func (t *tx) SetDeviceHead(id stead.DeviceID, epoch [16]byte, seq uint64, leaf [32]byte) error {
	n, err := column(seq)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO device_heads (device, epoch, seq, leaf) VALUES (?1, ?2, ?3, ?4)
		ON CONFLICT (device, epoch) DO UPDATE SET seq = ?3, leaf = ?4`, id, epoch[:], n, leaf[:])
	return err
}

// DeviceEpochs implements store.DeviceTx.
func (t *tx) DeviceEpochs(id stead.DeviceID) (int, error) {
	return t.count("SELECT count(*) FROM device_heads WHERE device = ?", id)
}

// column is how a sequence number is stored. It refuses one that no honest chain reaches and no column holds.
func column(seq uint64) (int64, error) {
	if seq > math.MaxInt64 {
		return 0, fmt.Errorf("sqlite: sequence number %d is out of range", seq)
	}
	return int64(seq), nil
}

// PutCode implements store.DeviceTx.
func (t *tx) PutCode(kind store.CodeKind, hash [32]byte, expires time.Time) error {
	_, err := t.exec("INSERT INTO codes (kind, hash, expires_at) VALUES (?, ?, ?)", kind, hash[:], millis(expires))
	return err
}

// good says which codes can still be taken at a time.
const good = " taken_at IS NULL AND (expires_at IS NULL OR expires_at > ?)"

// TakeCode implements store.DeviceTx.
func (t *tx) TakeCode(kind store.CodeKind, hash [32]byte) error {
	n, err := t.exec("UPDATE codes SET taken_at = ? WHERE kind = ? AND hash = ? AND"+good,
		millis(t.now), kind, hash[:], millis(t.now))
	if err == nil && n == 0 {
		err = store.ErrNotFound
	}
	return err
}

// OpenCodes implements store.DeviceTx.
func (t *tx) OpenCodes(kind store.CodeKind) (int, error) {
	return t.count("SELECT count(*) FROM codes WHERE kind = ? AND"+good, kind, millis(t.now))
}
