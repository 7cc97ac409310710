package sqlite

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"stead/internal/platform/store"
	"stead/internal/stead"
)

// With our own checks off, the database lets an erasure through and nothing beside it.
func TestTheDatabaseAllowsAnErasureAndNothingElse(t *testing.T) {
	raw := guarded(t)
	do := func(statement string) error { _, err := raw.Exec(statement); return err }
	refused := func(statements ...string) {
		t.Helper()
		for _, s := range statements {
			if do(s) == nil {
				t.Errorf("the database did it: %s", s)
			}
		}
	}
	allowed := func(statements ...string) {
		t.Helper()
		for _, s := range statements {
			if err := do(s); err != nil {
				t.Fatalf("%s: %v", s, err)
			}
		}
	}
	blank := "UPDATE sessions SET member_name = '', member_email = '', reason_text = '', note = '', request_hash = zeroblob(32) WHERE id = 's0'"
	allowed("UPDATE members SET pseudonym = x'000102030405060708090a0b0c0d0e0f'",
		"INSERT INTO person_keys VALUES (x'000102030405060708090a0b0c0d0e0f', 202601, 1, x'aa')")
	erase := "INSERT INTO erasures VALUES (x'000102030405060708090a0b0c0d0e0f', 'm', NULL, 1)"
	refused(blank, "UPDATE sessions SET agent_name = '' WHERE id = 's0'",
		erase, // s2 is open
		"DELETE FROM person_keys", "UPDATE person_keys SET sealed = x'bb'", "REPLACE INTO person_keys VALUES (x'000102030405060708090a0b0c0d0e0f', 202601, 1, x'bb')",
		"INSERT INTO erasures VALUES (x'0f', NULL, 'lena', 1)") // lena works here
	allowed("UPDATE sessions SET state = 'ended', ended_at = 1, cause = 'admin' WHERE id = 's2'",
		"INSERT INTO holds (id, pseudonym, member, reason_of, month, placed_at, placed_by) VALUES (1, x'000102030405060708090a0b0c0d0e0f', 'm', zeroblob(16), 202601, 1, '')")
	refused(erase, "DELETE FROM holds", "UPDATE holds SET placed_at = 2", "UPDATE holds SET member = 'n', released_at = 2, released_by = ''",
		"REPLACE INTO holds (id, pseudonym, member, reason_of, month, placed_at, placed_by) VALUES (1, zeroblob(16), 'n', zeroblob(16), 202601, 1, '')",
		"INSERT INTO retentions (before, at) VALUES (2, 1)")
	allowed("INSERT INTO retentions (id, before, at) VALUES (1, 2000000000000, 2000000000000)")
	refused(blank, "DELETE FROM person_keys", // the hold goes before the retention
		"DELETE FROM retentions", "UPDATE retentions SET before = 0", "REPLACE INTO retentions VALUES (1, 0, 0)")
	allowed("UPDATE holds SET released_at = 2, released_by = ''")
	refused("UPDATE holds SET released_at = 3", "UPDATE holds SET released_at = NULL, released_by = NULL")
	allowed(erase)
	refused("DELETE FROM erasures", "UPDATE erasures SET member = 'n'", "REPLACE INTO erasures VALUES (x'000102030405060708090a0b0c0d0e0f', 'n', NULL, 1)",
		"INSERT INTO person_keys VALUES (x'000102030405060708090a0b0c0d0e0f', 202602, 1, x'aa')")
	for _, s := range []string{
		"cause = 'expired'", "ended_at = ended_at - 1", "ended_by = 'lena'", "started_at = started_at - 1", "agent = 'lena'", "member = 'n'",
		"note_at = NULL", "note_at = note_at + 1", "member_name = 'somebody else'", "reason_text = 'better'", "note = 'better'", "request_hash = randomblob(32)",
		"state = 'live'", "opened_at = 1", "last_seen = 1", "ticket = 'x'", "account = 'x'", "device = 'x'", "consent_how = 'x'", "request_key = zeroblob(16)",
	} {
		refused(fmt.Sprintf("UPDATE sessions SET member_name = '', %s WHERE id = 's0'", s))
	}
	refused("UPDATE sessions SET note = 'late', note_at = 5 WHERE id = 's1'", "DELETE FROM sessions", "UPDATE members SET name = 'back'")
	allowed(blank, "UPDATE sessions SET note = '', note_at = 5 WHERE id = 's1'")
	if got := contents(t, raw, "sessions"); !strings.Contains(got, "s0|") || strings.Contains(got, "|note|") {
		t.Errorf("afterwards: %s", got)
	}
	allowed("DELETE FROM person_keys")
}

// TestErasedBytesLeaveTheFiles looks for what was erased in the bytes of the files themselves.
func TestErasedBytesLeaveTheFiles(t *testing.T) {
	folder := t.TempDir()
	s := open(t, filepath.Join(folder, "stead.db"))
	canaries := []string{"Qzvxname", "qzvxname", "Qzvxmail", "qzvxmail", "4917055577", "Qzvxreason", "Qzvxnote", "Qzvxaddress", "Qzvxtext", "QzvxKEYKEYKEY"}
	m := stead.Member{ID: "m-0500", Account: "a", Level: stead.LevelMember, Pseudonym: stead.NewPseudonym()}
	update := func(f func(tx store.Tx) error) {
		t.Helper()
		if err := s.Update(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	update(func(tx store.Tx) error {
		err := errors.Join(tx.PutAccount("a", "A"), tx.PutStaff(stead.Staff{ID: "lena"}, "", ""))
		for i := range 1000 {
			x := stead.Member{ID: stead.MemberID(fmt.Sprintf("m-%04d", i)), Account: "a", Name: fmt.Sprintf("Given%d Family%d", i, i*7), Email: fmt.Sprintf("g%d@mail.example", i),
				Level: stead.LevelMember, Pseudonym: stead.NewPseudonym()}
			if x.ID == m.ID {
				x.Pseudonym, x.Name = m.Pseudonym, "Qzvxformer "+x.Name
			}
			err = errors.Join(err, tx.PutMember(x, ""))
		}
		return err
	})
	for i := range 50 { // across transactions, so that pages are split and written again
		update(func(tx store.Tx) error {
			m.Name, m.Email, m.Phone = fmt.Sprintf("Qzvxname Nr%d", i), fmt.Sprintf("Qzvxmail%d@mail.example", i), fmt.Sprintf("+49 170 55577%02d", i)
			id := stead.SessionID(fmt.Sprint("s", i))
			at := tx.Now().Add(-time.Hour)
			text := strings.Repeat(fmt.Sprint("Qzvxnote ", i, " "), 40)
			return errors.Join(tx.PutMember(m, ""),
				tx.InsertSession(store.SessionRow{Session: stead.Session{ID: id, Agent: "lena", Member: m.ID, MemberName: m.Name, MemberEmail: m.Email,
					Reason: stead.Reason{Text: "Qzvxreason"}, StartedAt: at, ExpiresAt: at.Add(time.Minute)}, RequestKey: stead.NewEventID(), RequestHash: [32]byte{1}}),
				tx.MarkLive(id, at), tx.EndSession(id, at, stead.CauseAgent, "lena"), tx.SetNote(id, at, text),
				tx.PutNotice(store.Notice{Member: m.ID, Session: id, Kind: "started", Reason: "Qzvxreason", Address: "Qzvxaddress", CreatedAt: at}),
				tx.PutMemberNote(store.MemberNote{Member: m.ID, Session: id, Kind: "close_out", Text: "Qzvxtext " + text, At: at}))
		})
	}
	update(func(tx store.Tx) error {
		return tx.PutPersonKey(m.Pseudonym, store.MonthOf(tx.Now()), []byte("QzvxKEYKEYKEY"))
	})
	update(func(port store.Tx) error {
		n, err := port.(*tx).count("SELECT count(*) FROM member_text_data WHERE instr(block, 'zvx')")
		if n == 0 {
			t.Errorf("pieces of the name are not where the test looks for them")
		}
		return err
	})
	if found := inFiles(t, folder, canaries); len(found) != len(canaries) {
		t.Fatalf("before the erasure only %v are in the files: the test looks for the wrong thing", found)
	}
	update(func(tx store.Tx) error {
		return tx.ErasePerson(store.Person{Member: m.ID, Pseudonym: m.Pseudonym}, tx.Now())
	})
	if err := s.Scrub(t.Context()); err != nil {
		t.Fatal(err)
	}
	canaries = append(canaries, "Qzvxformer", "qzvxformer") // a name of before, which was replaced long ago
	if found := inFiles(t, folder, canaries); len(found) > 0 {
		t.Errorf("still in the files: %v", found)
	}
	err := s.View(t.Context(), func(port store.Tx) error {
		n, err := port.(*tx).count("SELECT count(*) FROM member_text_data WHERE instr(block, 'zvx')")
		if n > 0 {
			t.Errorf("pieces of the name are left in the index of texts")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// inFiles lists which of the texts are in some file of the folder.
func inFiles(t *testing.T, folder string, texts []string) (found []string) {
	t.Helper()
	var all []byte
	err := fs.WalkDir(os.DirFS(folder), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(filepath.Join(folder, path))
		all = append(all, content...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range texts {
		if bytes.Contains(all, []byte(text)) {
			found = append(found, text)
		}
	}
	return found
}

// TestDataFromBeforeErasures brings a file of the version before up to date: keys count as of this month, and what was
// deleted while deleting did not overwrite is gone.
func TestDataFromBeforeErasures(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "stead.db")
	db, err := sql.Open("sqlite", dsn(path, "journal_mode(WAL)", "secure_delete(0)"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), 5); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{
		"INSERT INTO person_keys VALUES (x'000102030405060708090a0b0c0d0e0f', x'abcd')",
		"INSERT INTO accounts VALUES ('a', 'Qzvxdeleted', 'a', 'a')", "DELETE FROM accounts",
	} {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if len(inFiles(t, folder, []string{"Qzvxdeleted"})) == 0 {
		t.Fatal("what was deleted is not in the file: the test looks for the wrong thing")
	}
	s := open(t, path)
	err = s.View(t.Context(), func(port store.Tx) error {
		var until time.Time
		if err := port.(*tx).one("SELECT until FROM person_keys WHERE month = 0 AND sealed = x'abcd'", nil, stamp{&until}); err != nil {
			return err
		}
		if want := store.MonthOf(port.Now()).Until(); !until.Equal(want) {
			t.Errorf("the old key counts until %v, want %v", until, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Scrub(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(inFiles(t, folder, []string{"Qzvxdeleted"})) > 0 {
		t.Error("what was deleted before is still in the file")
	}
}
