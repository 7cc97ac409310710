package sqlite

import (
	"time"

	"stead/internal/platform/store"
	"stead/internal/stead"
)

// PutQuarantined implements store.ChainTx.
func (t *tx) PutQuarantined(q store.Quarantined) error {
	seq, err := column(q.Seq)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO quarantined (device, epoch, seq, leaf, envelope, said, received_at, delivered_by)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, q.Device[:], q.Epoch[:], seq, q.Leaf[:], q.Envelope, q.Said, millis(q.ReceivedAt), q.DeliveredBy)
	return err
}

// QuarantinedAt implements store.ChainTx.
func (t *tx) QuarantinedAt(device, epoch [16]byte, seq uint64) (q store.Quarantined, err error) {
	n, err := column(seq)
	if err != nil {
		return q, store.ErrNotFound
	}
	found, err := all(t, readQuarantined, "SELECT "+quarantinedColumns+" FROM quarantined WHERE device = ? AND epoch = ? AND seq = ?", device[:], epoch[:], n)
	if err == nil && len(found) == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return q, err
	}
	return found[0], nil
}

const quarantinedColumns = "device, epoch, seq, leaf, envelope, said, received_at, delivered_by"

func readQuarantined(row scanner) (q store.Quarantined, err error) {
	err = row.Scan(fixed(q.Device[:]), fixed(q.Epoch[:]), &q.Seq, fixed(q.Leaf[:]), &q.Envelope, &q.Said, stamp{&q.ReceivedAt}, &q.DeliveredBy)
	return q, err
}

// ChainPlaces implements store.ChainTx.
func (t *tx) ChainPlaces(device, epoch [16]byte, first, last uint64) ([]store.ChainPlace, error) {
	const most = 1<<63 - 1 // what a column holds
	from, to := int64(min(first, most)), int64(min(last, most))
	return all(t, func(row scanner) (p store.ChainPlace, err error) {
		err = row.Scan(&p.Seq, &p.Position)
		return p, err
	}, `SELECT i.seq, coalesce(l.position, -1) FROM intake i LEFT JOIN log_entries l ON l.intake = i.idx
		WHERE i.device = ? AND i.epoch = ? AND i.seq > 0 AND i.seq BETWEEN ? AND ? ORDER BY i.seq`, device[:], epoch[:], from, to)
}

// Contacts implements store.ChainTx.
func (t *tx) Contacts(device stead.DeviceID) ([]store.Contact, error) {
	return all(t, func(row scanner) (c store.Contact, err error) {
		err = row.Scan(&c.Device, fixed(c.Epoch[:]), &c.Turn, &c.Seq, fixed(c.Leaf[:]), stamp{&c.ClaimedAt}, stamp{&c.SeenAt})
		return c, err
	}, "SELECT device, epoch, turn, seq, leaf, claimed_at, seen_at FROM device_contacts WHERE device = ? ORDER BY turn DESC", device)
}

// PutContact implements store.ChainTx.
func (t *tx) PutContact(c store.Contact) error {
	seq, err := column(c.Seq)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO device_contacts (device, epoch, turn, seq, leaf, claimed_at, seen_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
		ON CONFLICT (device, epoch) DO UPDATE SET turn = ?3, seq = ?4, leaf = ?5, claimed_at = ?6, seen_at = ?7`,
		c.Device, c.Epoch[:], c.Turn, seq, c.Leaf[:], millis(c.ClaimedAt), millis(c.SeenAt))
	return err
}

// PutAlarm implements store.ChainTx.
func (t *tx) PutAlarm(a store.Alarm) error {
	seq, err := column(a.Seq)
	if err != nil {
		return err
	}
	_, err = t.exec("INSERT INTO device_alarms (device, epoch, seq, leaf, signature, why, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
		a.Device, a.Epoch[:], seq, a.Leaf[:], a.Signature, a.Why, millis(a.At))
	return err
}

// CountAlarms implements store.ChainTx.
func (t *tx) CountAlarms(device stead.DeviceID) (int, error) {
	return t.count("SELECT count(*) FROM device_alarms WHERE device = ?", device)
}

// RevokeDevice implements store.ChainTx.
func (t *tx) RevokeDevice(device stead.DeviceID, at time.Time) error {
	n, err := t.exec("UPDATE devices SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", millis(at), device)
	if err != nil || n > 0 {
		return err
	}
	if _, err := t.Device(device); err != nil {
		return err
	}
	return store.ErrConflict
}

// OpenSessionsOf implements store.ChainTx.
func (t *tx) OpenSessionsOf(device stead.DeviceID) ([]store.SessionRow, error) {
	return all(t, readSession, "SELECT "+sessionColumns+" FROM sessions WHERE device = ? AND state <> 'ended' ORDER BY started_at, id", device)
}

// devicePlace is a cursor in the list of devices.
type devicePlace struct {
	Enrolled int64
	ID       string
}

// Devices implements store.ChainTx.
func (t *tx) Devices(limit int, after string) (found []store.DeviceStanding, next string, err error) {
	where, args := "1", []any{}
	if after != "" {
		var at devicePlace
		if err := decodeCursor(after, &at); err != nil {
			return nil, "", err
		}
		where, args = "(d.enrolled_at, d.id) < (?, ?)", []any{at.Enrolled, at.ID}
	}
	limit = page(limit, 50, 200)
	found, err = all(t, readStanding, `SELECT d.id, d.name, d.public_key, d.enrolled_by, d.enrolled_at, d.revoked_at,
			(SELECT max(seen_at) FROM device_contacts WHERE device = d.id), c.epoch, coalesce(c.seq, 0), coalesce(h.seq, 0),
			(SELECT coalesce(sum(max(said.seq - coalesce(got.seq, 0), 0)), 0) FROM device_contacts said
				LEFT JOIN device_heads got ON got.device = said.device AND got.epoch = said.epoch WHERE said.device = d.id),
			(SELECT count(*) FROM device_alarms WHERE device = d.id)
		FROM devices d
		LEFT JOIN device_contacts c ON c.device = d.id AND c.turn = (SELECT max(turn) FROM device_contacts WHERE device = d.id)
		LEFT JOIN device_heads h ON h.device = d.id AND h.epoch = c.epoch
		WHERE `+where+" ORDER BY d.enrolled_at DESC, d.id DESC LIMIT ?", append(args, limit+1)...)
	if err == nil && len(found) > limit {
		found = found[:limit]
		last := found[limit-1]
		next = encodeCursor(devicePlace{last.EnrolledAt.UnixMilli(), string(last.ID)})
	}
	return found, next, err
}

func readStanding(row scanner) (d store.DeviceStanding, err error) {
	err = row.Scan(&d.ID, &d.Name, &d.PublicKey, &d.EnrolledBy, stamp{&d.EnrolledAt}, stamp{&d.RevokedAt},
		stamp{&d.SeenAt}, fixed(d.Epoch[:]), &d.Claimed, &d.Held, &d.Pending, &d.Alarms)
	return d, err
}
