package sqlite

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stead/internal/platform/store"
	"stead/internal/stead"
)

// guarded is a store with a live session of lena, an ended one of tom with its note, another of tom without, and two
// records; and a connection past all our code, with the checks a connection can switch off switched off.
func guarded(t *testing.T) (raw *sql.DB) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "stead.db")
	s := open(t, path)
	err := s.Update(t.Context(), func(tx store.Tx) error {
		must := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		must(tx.PutStaff(stead.Staff{ID: "lena"}, "", ""))
		must(tx.PutStaff(stead.Staff{ID: "tom"}, "", ""))
		must(tx.PutAccount("a", "A"))
		must(tx.PutMember(stead.Member{ID: "m", Account: "a", Level: stead.LevelMember}, ""))
		for i, agent := range []stead.StaffID{"tom", "tom", "lena"} {
			id := stead.SessionID(fmt.Sprint("s", i))
			must(tx.InsertSession(store.SessionRow{Session: stead.Session{ID: id, Agent: agent, Member: "m",
				StartedAt: tx.Now(), ExpiresAt: tx.Now().Add(stead.SessionTTL)}, RequestKey: stead.NewEventID(), RequestHash: [32]byte{1}}))
			must(tx.MarkLive(id, tx.Now()))
			if agent == "tom" {
				must(tx.EndSession(id, tx.Now(), stead.CauseAgent, agent))
			}
		}
		must(tx.SetNote("s0", tx.Now(), "note"))
		for seq := range uint64(2) {
			_, err := tx.AppendIntake(store.IntakeEntry{EventID: stead.NewEventID(), Device: [16]byte{1}, Epoch: [16]byte{1},
				Seq: 1 + seq, Envelope: []byte{1}, Kind: "k", Session: "s0", ReceivedAt: tx.Now()})
			must(err)
		}
		must(tx.AppendLog(0, []int64{1}, 0, [][32]byte{{1}}))
		must(tx.PutCheckpoint(store.Checkpoint{Size: 0, Note: "empty", At: tx.Now()}))
		must(tx.PutCheckpoint(store.Checkpoint{Size: 1, Note: "one", At: tx.Now()}))
		must(tx.PutNotice(store.Notice{Member: "m", Session: "s0", Kind: "started", CreatedAt: tx.Now(), ReleasedAt: tx.Now()}))
		must(tx.PutStatement(store.Statement{Kind: store.StatementHandover, Note: "note", At: tx.Now()}))
		must(tx.PutCosignature(store.Cosignature{Size: 1, Witness: "w", Note: "one", At: tx.Now()}))
		return tx.PutLogKey("key")
	})
	if err != nil {
		t.Fatal(err)
	}
	raw, err = sql.Open("sqlite", dsn(path, "foreign_keys(0)", "ignore_check_constraints(1)", "recursive_triggers(0)"))
	if err != nil {
		t.Fatal(err)
	}
	raw.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = raw.Close() })
	return raw
}

// contents is every row of a table as text.
func contents(t *testing.T, db *sql.DB, table string) string {
	t.Helper()
	rows, err := db.Query("SELECT * FROM " + table + " ORDER BY 1, 2")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, _ := rows.Columns()
	var b strings.Builder
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		if err := rows.Scan(values...); err != nil {
			t.Fatal(err)
		}
		for _, v := range values {
			fmt.Fprintf(&b, "%v|", *v.(*any))
		}
		b.WriteString("\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestS1_12_TheDatabaseRefusesToRewriteHistory(t *testing.T) {
	raw := guarded(t)
	tables := []string{"sessions", "intake", "log_entries", "log_hashes", "checkpoints", "log_keys", "statements", "cosignatures", "notices"}
	before := map[string]string{}
	for _, table := range tables {
		before[table] = contents(t, raw, table)
	}
	for _, statement := range []string{
		// Records.
		"UPDATE intake SET kind = 'other' WHERE idx = 1",
		"UPDATE intake SET received_at = received_at + 1",
		"UPDATE OR REPLACE intake SET idx = 2 WHERE idx = 1",
		"DELETE FROM intake WHERE idx = 2",
		"DELETE FROM intake",
		"REPLACE INTO intake SELECT * FROM intake WHERE idx = 1",
		"INSERT OR REPLACE INTO intake SELECT idx, randomblob(16), device, epoch, seq + 9, leaf, x'ff', NULL, NULL, kind, session, actor, subject, received_at, delivered_by, doubt FROM intake WHERE idx = 1",
		"INSERT OR REPLACE INTO intake SELECT 9, event_id, device, epoch, seq + 9, leaf, x'ff', NULL, NULL, kind, session, actor, subject, received_at, delivered_by, doubt FROM intake WHERE idx = 1",
		"INSERT OR REPLACE INTO intake SELECT 9, randomblob(16), device, epoch, seq, leaf, x'ff', NULL, NULL, kind, session, actor, subject, received_at, delivered_by, doubt FROM intake WHERE idx = 1",
		// The log over them.
		"UPDATE log_entries SET intake = 2",
		"UPDATE OR REPLACE log_entries SET position = 1",
		"DELETE FROM log_entries",
		"REPLACE INTO log_entries VALUES (0, 2)",
		"REPLACE INTO log_entries VALUES (1, 1)",
		"INSERT INTO log_entries VALUES (2, 2)",
		"INSERT INTO log_entries VALUES (-1, 2)",
		"UPDATE log_hashes SET hash = zeroblob(32)",
		"UPDATE log_hashes SET idx = 7",
		"DELETE FROM log_hashes WHERE idx = 0",
		"REPLACE INTO log_hashes VALUES (0, zeroblob(32))",
		"INSERT INTO log_hashes VALUES (2, zeroblob(32))",
		"UPDATE checkpoints SET note = 'other'",
		"UPDATE checkpoints SET size = 9 WHERE size = 1",
		"DELETE FROM checkpoints WHERE size = 1",
		"REPLACE INTO checkpoints VALUES (1, 'other', 1)",
		"INSERT INTO checkpoints VALUES (-1, 'other', 1)",
		"UPDATE log_keys SET key = 'other'",
		"DELETE FROM log_keys",
		"REPLACE INTO log_keys VALUES (1, 'other', 1)",
		"REPLACE INTO log_keys VALUES (2, 'key', 1)",
		// What is said about the log.
		"UPDATE statements SET note = 'other'",
		"DELETE FROM statements",
		"REPLACE INTO statements VALUES (1, 'handover', 'other', 1)",
		"REPLACE INTO statements VALUES (2, 'handover', 'note', 1)",
		"INSERT INTO statements VALUES (0, 'handover', 'earlier', 1)",
		"UPDATE cosignatures SET note = 'other'",
		"DELETE FROM cosignatures",
		"REPLACE INTO cosignatures VALUES (1, 'w', 'other', 1)",
		"UPDATE notices SET proof = 0",
		"UPDATE notices SET proof = NULL",
		// Ended sessions.
		"UPDATE sessions SET cause = 'expired' WHERE id = 's1'",
		"UPDATE sessions SET ended_at = ended_at - 1000 WHERE id = 's1'",
		"UPDATE sessions SET ended_by = 'lena' WHERE id = 's1'",
		"UPDATE sessions SET last_seen = last_seen - 1 WHERE id = 's1'",
		"UPDATE sessions SET opened_at = NULL WHERE id = 's1'",
		"UPDATE sessions SET scope = 'read write' WHERE id = 's1'",
		"UPDATE sessions SET handoff_hash = randomblob(32) WHERE id = 's1'",
		"UPDATE sessions SET note = 'without a time' WHERE id = 's1'",
		"UPDATE sessions SET note = 'n', note_at = 1, cause = 'expired' WHERE id = 's1'",
		"UPDATE sessions SET note = 'n', note_at = 1, ended_at = 1 WHERE id = 's1'",
		"UPDATE sessions SET note = 'n', note_at = 1, ended_by = 'lena' WHERE id = 's1'",
		"UPDATE sessions SET note = 'n', note_at = 1, last_seen = 1 WHERE id = 's1'",
		"UPDATE sessions SET note = 'n', note_at = 1, opened_at = 1 WHERE id = 's1'",
		"UPDATE sessions SET note = 'n', note_at = 1, expires_at = expires_at - 1 WHERE id = 's1'",
		"UPDATE sessions SET note = 'n', note_at = 1, scope = 'read write' WHERE id = 's1'",
		"UPDATE sessions SET note = 'n', note_at = 1, handoff_hash = randomblob(32) WHERE id = 's1'",
		"UPDATE sessions SET note = 'rewritten' WHERE id = 's0'",
		"UPDATE sessions SET note = 'rewritten', note_at = note_at + 1 WHERE id = 's0'",
		"UPDATE sessions SET note = '', note_at = NULL WHERE id = 's0'",
		"UPDATE sessions SET state = 'live' WHERE id = 's1'",
		"UPDATE sessions SET state = 'started', ended_at = NULL, cause = '' WHERE id = 's1'",
		"UPDATE sessions SET expires_at = expires_at - 1 WHERE id = 's1'",
		// Open ones.
		"UPDATE sessions SET state = 'started' WHERE id = 's2'",
		"UPDATE sessions SET expires_at = expires_at + 1 WHERE id = 's2'",
		"UPDATE sessions SET started_at = started_at + 1 WHERE id = 's2'",
		"UPDATE sessions SET agent = 'tom' WHERE id = 's2'",
		"UPDATE sessions SET member = 'm2' WHERE id = 's2'",
		"UPDATE sessions SET member_email = 'elsewhere@mail.example' WHERE id = 's2'",
		"UPDATE sessions SET reason_text = 'better' WHERE id = 's2'",
		"UPDATE sessions SET consent_how = 'phone' WHERE id = 's2'",
		"UPDATE OR REPLACE sessions SET id = 's1' WHERE id = 's2'",
		// Rows that go or come.
		"DELETE FROM sessions WHERE id = 's1'",
		"DELETE FROM sessions",
		"REPLACE INTO sessions SELECT * FROM sessions WHERE id = 's1'",
		copySession("'s1'", "'tom'", "'started'", "NULL", "''"),
		copySession("'s9'", "'lena'", "'started'", "NULL", "''"), // a second open one
		copySession("'s9'", "'tom'", "'ended'", "1", "'agent'"),  // one that never began
		copySession("'s9'", "'tom'", "'live'", "NULL", "''"),
	} {
		if _, err := raw.Exec(statement); err == nil {
			t.Errorf("the database did it: %s", statement)
		}
	}
	for _, table := range tables {
		if contents(t, raw, table) != before[table] {
			t.Errorf("rows of %s changed", table)
		}
	}
}

// copySession is a statement that makes a session out of s1 with some columns replaced, by any means.
func copySession(id, agent, state, endedAt, cause string) string {
	return fmt.Sprintf(`INSERT OR REPLACE INTO sessions (id, agent, agent_name, member, member_name, member_email, account, device, state, scope,
		reason_category, reason_text, ticket, consent_attested, consent_how, started_at, expires_at, last_seen, opened_at, ended_at, cause,
		request_key, request_hash)
		SELECT %s, %s, agent_name, member, member_name, member_email, account, device, %s, scope,
		reason_category, reason_text, ticket, consent_attested, consent_how, started_at, expires_at, last_seen, opened_at, %s, %s,
		randomblob(16), request_hash FROM sessions WHERE id = 's1'`, id, agent, state, endedAt, cause)
}

func TestTheDatabaseAllowsWhatASessionMayDo(t *testing.T) {
	raw := guarded(t)
	for _, statement := range []string{
		"UPDATE sessions SET note = 'n', note_at = 1 WHERE id = 's1'",
		"UPDATE sessions SET last_seen = last_seen + 1 WHERE id = 's2'",
		"UPDATE sessions SET expires_at = expires_at - 60000 WHERE id = 's2'",
		"UPDATE sessions SET state = 'ended', ended_at = 1, cause = 'admin', ended_by = 'tom' WHERE id = 's2'",
		copySession("'s9'", "'lena'", "'started'", "NULL", "''"),
	} {
		if _, err := raw.Exec(statement); err != nil {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

// The index alone, without the trigger before it, keeps one open session per agent.
func TestS1_08_AnIndexKeepsOneOpenSession(t *testing.T) {
	raw := guarded(t)
	if _, err := raw.Exec("DROP TRIGGER sessions_no_replace"); err != nil {
		t.Fatal(err)
	}
	statement := strings.Replace(copySession("'s9'", "'lena'", "'started'", "NULL", "''"), "OR REPLACE ", "", 1)
	if _, err := raw.Exec(statement); err == nil || !strings.Contains(err.Error(), "UNIQUE") {
		t.Errorf("a second open session: got %v, want the unique index to refuse", err)
	}
}

func TestS1_13_TheDatabaseAllowsTwentyMinutesAtMost(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "stead.db"))
	err := s.Update(t.Context(), func(tx store.Tx) error {
		if err := tx.PutStaff(stead.Staff{ID: "lena"}, "", ""); err != nil {
			return err
		}
		if err := tx.PutAccount("a", "A"); err != nil {
			return err
		}
		if err := tx.PutMember(stead.Member{ID: "m", Account: "a", Level: stead.LevelMember}, ""); err != nil {
			return err
		}
		row := store.SessionRow{Session: stead.Session{ID: "s", Agent: "lena", Member: "m", StartedAt: tx.Now()}}
		for _, ttl := range []time.Duration{-time.Millisecond, 0, stead.SessionTTL + time.Millisecond} {
			row.ExpiresAt = tx.Now().Add(ttl)
			if err := tx.InsertSession(row); err == nil {
				t.Errorf("a session of %v was taken", ttl)
			}
		}
		row.ExpiresAt = tx.Now().Add(stead.SessionTTL)
		return tx.InsertSession(row)
	})
	if err != nil {
		t.Fatal(err)
	}
}
