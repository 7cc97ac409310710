package sqlite

import (
	"time"

	"stead/internal/platform/store"
	"stead/internal/stead"
)

const noticeColumns = "id, member, session, kind, agent_name, reason, cause, address, created_at, released_at, read_at, coalesce((SELECT note FROM checkpoints WHERE size = notices.proof), '')"

// newestProof is the newest checkpoint by its size, when the notice is shown.
const newestProof = "(SELECT max(size) FROM checkpoints)"

func readNotice(row scanner) (n store.Notice, err error) {
	err = row.Scan(&n.ID, &n.Member, optional[stead.SessionID]{&n.Session}, &n.Kind, &n.AgentName, &n.Reason, &n.Cause,
		&n.Address, stamp{&n.CreatedAt}, stamp{&n.ReleasedAt}, stamp{&n.ReadAt}, &n.Proof)
	return n, err
}

// PutNotice implements store.NoticeTx. The id is drawn here.
func (t *tx) PutNotice(n store.Notice) error {
	_, err := t.exec(`INSERT INTO notices (member, session, kind, agent_name, reason, cause, address, created_at, released_at, read_at, proof)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, CASE WHEN ?9 IS NOT NULL THEN `+newestProof+` END)`, n.Member, textOrNull(string(n.Session)), n.Kind, n.AgentName, n.Reason, n.Cause,
		n.Address, millis(n.CreatedAt), millis(n.ReleasedAt), millis(n.ReadAt))
	return err
}

// ReleaseNotices implements store.NoticeTx.
func (t *tx) ReleaseNotices(session stead.SessionID, at time.Time) error {
	_, err := t.exec("UPDATE notices SET released_at = ?, proof = "+newestProof+" WHERE session = ? AND released_at IS NULL", millis(at), session)
	return err
}

// Notices implements store.NoticeTx.
func (t *tx) Notices(member stead.MemberID, limit int) ([]store.Notice, error) {
	return all(t, readNotice, "SELECT "+noticeColumns+" FROM notices WHERE member = ? AND released_at IS NOT NULL ORDER BY id DESC LIMIT ?",
		member, page(limit, 50, 500))
}

// UnreadNotices implements store.NoticeTx. What is still hidden does not count: the dot would give it away.
func (t *tx) UnreadNotices(member stead.MemberID) (int, error) {
	return t.count("SELECT count(*) FROM notices WHERE member = ? AND released_at IS NOT NULL AND read_at IS NULL", member)
}

// MarkNoticesRead implements store.NoticeTx.
func (t *tx) MarkNoticesRead(member stead.MemberID, upTo int64, at time.Time) error {
	_, err := t.exec(`UPDATE notices SET read_at = ?
		WHERE member = ? AND id <= ? AND released_at IS NOT NULL AND read_at IS NULL`, millis(at), member, upTo)
	return err
}

// PutMemberNote implements store.NoticeTx.
func (t *tx) PutMemberNote(n store.MemberNote) error {
	_, err := t.exec("INSERT INTO member_notes (member, session, author, kind, text, at) VALUES (?, ?, ?, ?, ?, ?)",
		n.Member, textOrNull(string(n.Session)), n.Author, n.Kind, n.Text, millis(n.At))
	return err
}

// MemberNotes implements store.NoticeTx.
func (t *tx) MemberNotes(member stead.MemberID, limit int) ([]store.MemberNote, error) {
	return all(t, func(row scanner) (n store.MemberNote, err error) {
		err = row.Scan(&n.Member, optional[stead.SessionID]{&n.Session}, &n.Author, &n.Kind, &n.Text, stamp{&n.At})
		return n, err
	}, "SELECT member, session, author, kind, text, at FROM member_notes WHERE member = ? ORDER BY id DESC LIMIT ?",
		member, page(limit, 50, 500))
}
