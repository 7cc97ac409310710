package sqlite

import (
	"strings"
	"time"

	"github.com/google/uuid"

	"stead/internal/platform/store"
	"stead/internal/stead"
)

const sessionColumns = `id, agent, agent_name, member, member_name, member_email, account, device, state, scope,
	reason_category, reason_text, ticket, consent_attested, consent_how, consent_at, started_at, expires_at,
	last_seen, opened_at, ended_at, cause, ended_by, note, note_at, request_key, request_hash, handoff_hash,
	mode, code_hash, code_until`

func readSession(row scanner) (s store.SessionRow, err error) {
	err = row.Scan(&s.ID, &s.Agent, &s.AgentName, &s.Member, &s.MemberName, &s.MemberEmail, &s.Account, &s.Device,
		&s.State, &s.Scope, &s.Reason.Category, &s.Reason.Text, &s.Ticket, &s.Consent.Attested, &s.Consent.How,
		stamp{&s.Consent.At}, stamp{&s.StartedAt}, stamp{&s.ExpiresAt}, stamp{&s.LastSeen}, stamp{&s.OpenedAt},
		stamp{&s.EndedAt}, &s.Cause, &s.EndedBy, &s.Note, stamp{&s.NoteAt},
		fixed(s.RequestKey[:]), fixed(s.RequestHash[:]), fixed(s.HandoffHash[:]),
		&s.Mode, fixed(s.CodeHash[:]), stamp{&s.CodeUntil})
	return s, err
}

// InsertSession implements store.SessionTx. What a session gets later (opened, ended, note) is not taken from s.
func (t *tx) InsertSession(s store.SessionRow) error {
	_, err := t.exec(`INSERT INTO sessions (id, agent, agent_name, member, member_name, member_email, account, device,
			state, scope, reason_category, reason_text, ticket, consent_attested, consent_how, consent_at,
			started_at, expires_at, last_seen, request_key, request_hash, handoff_hash)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'started', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		s.ID, s.Agent, s.AgentName, s.Member, s.MemberName, s.MemberEmail, s.Account, s.Device,
		s.Scope, s.Reason.Category, s.Reason.Text, s.Ticket, s.Consent.Attested, s.Consent.How, millis(s.Consent.At),
		millis(s.StartedAt), millis(s.ExpiresAt), millis(s.LastSeen), s.RequestKey[:], s.RequestHash[:],
		bytesOrNull(s.HandoffHash[:]))
	return err
}

// Session implements store.SessionTx.
func (t *tx) Session(id stead.SessionID) (store.SessionRow, error) {
	return first(t, readSession, "SELECT "+sessionColumns+" FROM sessions WHERE id = ?", id)
}

// SessionByRequest implements store.SessionTx.
func (t *tx) SessionByRequest(agent stead.StaffID, key uuid.UUID) (store.SessionRow, error) {
	return first(t, readSession, "SELECT "+sessionColumns+" FROM sessions WHERE agent = ? AND request_key = ?", agent, key[:])
}

// OpenSession implements store.SessionTx.
func (t *tx) OpenSession(agent stead.StaffID) (store.SessionRow, error) {
	return first(t, readSession, "SELECT "+sessionColumns+" FROM sessions WHERE agent = ? AND state <> 'ended'", agent)
}

// SetHandoff implements store.SessionTx.
func (t *tx) SetHandoff(id stead.SessionID, hash [32]byte) error {
	return t.changeSession(id, "handoff_hash = ? WHERE id = ? AND state = 'started'", bytesOrNull(hash[:]), id)
}

// SetCode implements store.SessionTx.
func (t *tx) SetCode(id stead.SessionID, hash [32]byte, until time.Time) error {
	return t.changeSession(id, `handoff_hash = NULL, mode = 'fallback', code_hash = ?, code_until = ?
		WHERE id = ? AND state = 'started' AND mode = ''`, hash[:], millis(until), id)
}

// SessionByCode implements store.SessionTx.
func (t *tx) SessionByCode(hash [32]byte) (store.SessionRow, error) {
	return first(t, readSession, "SELECT "+sessionColumns+" FROM sessions WHERE code_hash = ?", hash[:])
}

// MarkLive implements store.SessionTx.
func (t *tx) MarkLive(id stead.SessionID, at time.Time) error {
	return t.changeSession(id, `state = 'live', mode = iif(mode = '', 'pipe', mode), handoff_hash = NULL, opened_at = ?1, last_seen = ?1
		WHERE id = ?2 AND state = 'started'`, millis(at), id)
}

// Touch implements store.SessionTx. An earlier time than the one that stands there changes nothing.
func (t *tx) Touch(id stead.SessionID, at time.Time) error {
	return t.changeSession(id, "last_seen = max(coalesce(last_seen, 0), ?) WHERE id = ? AND state <> 'ended'", millis(at), id)
}

// EndSession implements store.SessionTx.
func (t *tx) EndSession(id stead.SessionID, at time.Time, cause stead.Cause, by stead.StaffID) error {
	return t.changeSession(id, `state = 'ended', handoff_hash = NULL, ended_at = ?, cause = ?, ended_by = ?
		WHERE id = ? AND state <> 'ended'`, millis(at), cause, by, id)
}

// SetNote implements store.SessionTx.
func (t *tx) SetNote(id stead.SessionID, at time.Time, text string) error {
	return t.changeSession(id, "note = ?, note_at = ? WHERE id = ? AND state = 'ended' AND note_at IS NULL", text, millis(at), id)
}

// changeSession updates one session. When its condition did not hold, the session is missing or in the wrong state.
func (t *tx) changeSession(id stead.SessionID, change string, args ...any) error {
	n, err := t.exec("UPDATE sessions SET "+change, args...)
	if err != nil || n > 0 {
		return err
	}
	known, err := t.count("SELECT count(*) FROM sessions WHERE id = ?", id)
	switch {
	case err != nil:
		return err
	case known == 0:
		return store.ErrNotFound
	}
	return store.ErrConflict
}

// deadline is when an open session is over unless something happens: it expires, its heartbeats stopped, or nobody
// redeemed its handoff. The two parameters are the grace and the handoff's time in milliseconds.
const deadline = `min(expires_at, CASE state WHEN 'live' THEN last_seen + ?1 ELSE started_at + ?2 END)`

// OverdueSessions implements store.SessionTx. The one that was over first comes first.
func (t *tx) OverdueSessions(now time.Time) ([]store.SessionRow, error) {
	return all(t, readSession, "SELECT "+sessionColumns+" FROM sessions WHERE state <> 'ended' AND "+deadline+" <= ?3 ORDER BY "+
		deadline+", id", stead.HeartbeatGrace.Milliseconds(), stead.HandoffTTL.Milliseconds(), millis(now))
}

// NextDeadline implements store.SessionTx.
func (t *tx) NextDeadline() (next time.Time, err error) {
	err = t.one("SELECT min(d) FROM (SELECT "+deadline+" AS d FROM sessions WHERE state <> 'ended')",
		[]any{stead.HeartbeatGrace.Milliseconds(), stead.HandoffTTL.Milliseconds()}, stamp{&next})
	return next, err
}

// sessionPlace is a cursor in the list of sessions.
type sessionPlace struct {
	Started int64
	ID      string
}

// ListSessions implements store.SessionTx.
func (t *tx) ListSessions(f store.SessionFilter) (rows []store.SessionRow, next string, err error) {
	where, args := []string{"1"}, []any{}
	narrow := func(condition string, values ...any) {
		where, args = append(where, condition), append(args, values...)
	}
	if f.Agent != "" {
		narrow("agent = ?", f.Agent)
	}
	if f.Member != "" {
		narrow("member = ?", f.Member)
	}
	switch f.State {
	case "", "all":
	case "live":
		narrow("state <> 'ended'")
	case "ended":
		narrow("state = 'ended'")
	default:
		return nil, "", stead.Errorf(stead.CodeBadRequest, "state %q", f.State)
	}
	if f.Opened {
		narrow("opened_at IS NOT NULL")
	}
	if f.After != "" {
		var at sessionPlace
		if err := decodeCursor(f.After, &at); err != nil {
			return nil, "", err
		}
		narrow("(started_at, id) < (?, ?)", at.Started, at.ID)
	}
	limit := page(f.Limit, 50, 200)
	rows, err = all(t, readSession, "SELECT "+sessionColumns+" FROM sessions WHERE "+strings.Join(where, " AND ")+
		" ORDER BY started_at DESC, id DESC LIMIT ?", append(args, limit+1)...)
	if err == nil && len(rows) > limit {
		rows = rows[:limit]
		last := rows[limit-1]
		next = encodeCursor(sessionPlace{last.StartedAt.UnixMilli(), string(last.ID)})
	}
	return rows, next, err
}

// OwedNotes implements store.SessionTx.
func (t *tx) OwedNotes(agent stead.StaffID) ([]store.SessionRow, error) {
	return all(t, readSession, "SELECT "+sessionColumns+` FROM sessions
		WHERE agent = ? AND state = 'ended' AND note_at IS NULL AND opened_at IS NOT NULL ORDER BY ended_at, id`, agent)
}
