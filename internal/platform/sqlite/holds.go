package sqlite

import (
	"time"

	"stead/internal/platform/store"
	"stead/internal/stead"
)

// PlaceHold implements store.HoldTx.
func (t *tx) PlaceHold(h store.Hold) error {
	_, err := t.exec("INSERT INTO holds (pseudonym, member, staff, reason_of, month, placed_at, placed_by) VALUES (?, ?, ?, ?, ?, ?, ?)",
		h.Pseudonym[:], textOrNull(string(h.Member)), textOrNull(string(h.Staff)), h.ReasonOf[:], store.MonthOf(h.PlacedAt), millis(h.PlacedAt), h.PlacedBy)
	return err
}

// ReleaseHold implements store.HoldTx.
func (t *tx) ReleaseHold(p stead.Pseudonym, at time.Time, by stead.StaffID) error {
	n, err := t.exec("UPDATE holds SET released_at = ?, released_by = ? WHERE pseudonym = ? AND released_at IS NULL", millis(at), by, p[:])
	if err == nil && n == 0 {
		err = store.ErrNotFound
	}
	return err
}

// Holds implements store.HoldTx.
func (t *tx) Holds() ([]store.Hold, error) {
	return all(t, func(row scanner) (h store.Hold, err error) {
		err = row.Scan(fixed(h.Pseudonym[:]), optional[stead.MemberID]{&h.Member}, optional[stead.StaffID]{&h.Staff},
			fixed(h.ReasonOf[:]), stamp{&h.PlacedAt}, &h.PlacedBy)
		return h, err
	}, "SELECT pseudonym, member, staff, reason_of, placed_at, placed_by FROM holds WHERE released_at IS NULL ORDER BY id")
}

// Kept implements store.HoldTx.
func (t *tx) Kept(p stead.Pseudonym) (bool, error) {
	n, err := t.count("SELECT count(*) FROM kept WHERE pseudonym = ?", p[:])
	return n > 0, err
}

// What Overdue counts and Expire erases. The parameter is the time before which it lies.
const (
	overdueKeys = `FROM person_keys k WHERE k.until <= ?1 AND k.pseudonym NOT IN (SELECT pseudonym FROM kept)
		AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.released_at IS NULL AND h.reason_of = k.pseudonym AND h.month = k.month)`
	overdueSessions = `FROM sessions s WHERE s.state = 'ended' AND s.ended_at < ?1
		AND s.agent_name || s.member_name || s.member_email || s.reason_text || s.note <> ''
		AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.released_at IS NULL AND (h.member = s.member OR h.staff = s.agent))`
	overdueNotices = `FROM notices n LEFT JOIN sessions s ON s.id = n.session WHERE n.created_at < ?1 AND n.agent_name || n.reason || n.address <> ''
		AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.released_at IS NULL AND (h.member = n.member OR h.staff = s.agent))`
	overdueNotes = `FROM member_notes n LEFT JOIN sessions s ON s.id = n.session WHERE n.at < ?1 AND n.author || n.text <> ''
		AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.released_at IS NULL AND (h.member = n.member OR h.staff = s.agent))`
)

// Overdue implements store.RetentionTx.
func (t *tx) Overdue(before time.Time) (e store.Expired, err error) {
	at := millis(before)
	for _, c := range []struct {
		to   *int
		from string
	}{{&e.Keys, overdueKeys}, {&e.Sessions, overdueSessions}, {&e.Notices, overdueNotices}, {&e.Notes, overdueNotes}} {
		if *c.to, err = t.count("SELECT count(*) "+c.from, at); err != nil {
			return store.Expired{}, err
		}
	}
	return e, nil
}

// Retain implements store.RetentionTx.
func (t *tx) Retain(before time.Time) error {
	_, err := t.exec("INSERT INTO retentions (before, at) SELECT ?1, ?2 WHERE ?1 > (SELECT coalesce(max(before), 0) FROM retentions)",
		millis(before), millis(t.now))
	return err
}

// Retained implements store.RetentionTx.
func (t *tx) Retained() (before time.Time, err error) {
	err = t.one("SELECT max(before) FROM retentions", nil, stamp{&before})
	return before, err
}

// Expire implements store.RetentionTx.
func (t *tx) Expire(before time.Time, limit int) (e store.Expired, err error) {
	for _, c := range []struct {
		to  *int
		sql string
	}{
		{&e.Keys, "DELETE FROM person_keys WHERE (pseudonym, month) IN (SELECT k.pseudonym, k.month " + overdueKeys + " LIMIT ?2)"},
		{&e.Sessions, `UPDATE sessions SET agent_name = '', member_name = '', member_email = '', reason_text = '', note = '', request_hash = zeroblob(32)
			WHERE id IN (SELECT s.id ` + overdueSessions + " LIMIT ?2)"},
		{&e.Notices, "UPDATE notices SET agent_name = '', reason = '', address = '' WHERE id IN (SELECT n.id " + overdueNotices + " LIMIT ?2)"},
		{&e.Notes, "UPDATE member_notes SET author = '', text = '' WHERE id IN (SELECT n.id " + overdueNotes + " LIMIT ?2)"},
	} {
		n, err := t.exec(c.sql, millis(before), limit)
		if err != nil {
			return store.Expired{}, err
		}
		*c.to = int(n)
	}
	return e, nil
}
