package casework_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"stead/internal/stead"

	"stead/internal/platform/casework"
	"stead/internal/platform/keys"
	"stead/internal/platform/ledger"
	"stead/internal/platform/sqlite"
	"stead/internal/platform/store"
)

var (
	lena = stead.Staff{ID: "st-lena", Name: "Lena Ortiz", Email: "lena@stead.test", Role: stead.RoleSupport, Privilege: true, Scope: stead.Scope{Accounts: []stead.AccountID{"acme"}}, Pseudonym: stead.NewPseudonym()}
	tom  = stead.Staff{ID: "st-tom", Name: "Tom Fischer", Email: "tom@stead.test", Role: stead.RoleSupport, Privilege: true, Scope: stead.Scope{All: true}, Pseudonym: stead.NewPseudonym()}
	ana  = stead.Member{ID: "m-ana", Account: "acme", Branch: "acme-west", Name: "Ana Souza", Email: "ana@members.test", Level: stead.LevelMember, Pseudonym: stead.NewPseudonym()}
)

func newDesk(t *testing.T) *casework.Desk {
	t.Helper()
	dir := t.TempDir()
	st, err := sqlite.Open(t.Context(), filepath.Join(dir, "platform.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	ring, err := keys.Open(t.Context(), st, filepath.Join(dir, "kek"))
	if err != nil {
		t.Fatal(err)
	}
	led, err := ledger.Open(t.Context(), st, ring)
	if err != nil {
		t.Fatal(err)
	}
	err = st.Update(t.Context(), func(tx store.Tx) error {
		return errors.Join(tx.PutStaff(lena, "i", "lena"), tx.PutStaff(tom, "i", "tom"), tx.PutAccount("acme", "Acme"),
			tx.PutBranch("acme-west", "acme", "West"), tx.PutMember(ana, ""))
	})
	if err != nil {
		t.Fatal(err)
	}
	return &casework.Desk{Store: st, Ledger: led}
}

// session puts a session of Lena's into the store, ended or still live.
func session(t *testing.T, d *casework.Desk, ended bool) stead.SessionID {
	t.Helper()
	id := stead.NewSessionID()
	err := d.Store.Update(t.Context(), func(tx store.Tx) error {
		err := tx.InsertSession(store.SessionRow{RequestKey: stead.NewEventID(), HandoffHash: [32]byte{1}, Session: stead.Session{ID: id, Agent: lena.ID, AgentName: lena.Name,
			Member: ana.ID, MemberName: ana.Name, MemberEmail: ana.Email, Account: "acme", Device: "d", State: stead.StateStarted, Scope: "read",
			StartedAt: tx.Now(), ExpiresAt: tx.Now().Add(stead.SessionTTL), LastSeen: tx.Now()}})
		err = errors.Join(err, tx.MarkLive(id, tx.Now()))
		if ended {
			err = errors.Join(err, tx.EndSession(id, tx.Now(), stead.CauseAgent, lena.ID))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestCloseOutNote(t *testing.T) {
	d := newDesk(t)
	id := session(t, d, true)
	write := func(by stead.Staff, id stead.SessionID, text string) stead.Code {
		_, err := d.WriteNote(t.Context(), by, id, stead.NewEventID(), text)
		return stead.CodeOf(err)
	}
	for name, c := range map[string]struct {
		got, want stead.Code
	}{
		"empty":             {write(lena, id, "  \n"), stead.CodeNoteInvalid},
		"too long":          {write(lena, id, strings.Repeat("é", stead.MaxTextLength+1)), stead.CodeNoteInvalid},
		"a colleague's":     {write(tom, id, "not mine"), stead.CodeSessionNotFound},
		"no such session":   {write(lena, stead.NewSessionID(), "nothing"), stead.CodeSessionNotFound},
		"first":             {write(lena, id, " showed the zip code "), ""},
		"the same again":    {write(lena, id, "showed the zip code"), ""},
		"another, too late": {write(lena, id, "rewritten"), stead.CodeNoteInvalid},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", name, c.got, c.want)
		}
	}
	if got := write(lena, session(t, d, false), "too early"); got != stead.CodeNoteInvalid {
		t.Errorf("a note while the session lives: %q", got)
	}
	p, err := d.Open(t.Context(), lena, ana.ID)
	if err != nil || len(p.Notes) != 1 || p.Notes[0].Kind != "close_out" || p.Notes[0].Text != "showed the zip code" {
		t.Errorf("the member's notes: %+v, %v", p.Notes, err)
	}
}

// TestIdentityCheck_S0_02: the newest check counts, it is the agent's own, and it holds only when both match.
func TestIdentityCheck_S0_02(t *testing.T) {
	d := newDesk(t)
	checked := func(by stead.Staff) bool {
		t.Helper()
		p, err := d.Open(t.Context(), by, ana.ID)
		if err != nil {
			t.Fatal(err)
		}
		return !p.IdentityCheckedAt.IsZero()
	}
	check := func(name, email bool) {
		t.Helper()
		if _, err := d.CheckIdentity(t.Context(), lena, ana.ID, stead.NewEventID(), name, email); err != nil {
			t.Fatal(err)
		}
	}
	if checked(lena) {
		t.Error("checked before anybody checked")
	}
	check(true, true)
	if !checked(lena) || checked(tom) {
		t.Error("the check is not the agent's own")
	}
	check(true, false)
	if checked(lena) {
		t.Error("a later check that failed does not count")
	}
	key := stead.NewEventID()
	_, err := d.CheckIdentity(t.Context(), lena, ana.ID, key, true, true)
	_, again := d.CheckIdentity(t.Context(), lena, ana.ID, key, true, true)
	if err != nil || !errors.Is(again, store.ErrConflict) {
		t.Errorf("the same key twice: %v, %v", err, again)
	}
}

// A note that was owed when its member was erased is no longer owed once it is written, and says nothing.
func TestNoteAboutSomebodyErasedIsNotKept(t *testing.T) {
	d := newDesk(t)
	id := session(t, d, true)
	err := d.Store.Update(t.Context(), func(tx store.Tx) error {
		return tx.ErasePerson(store.Person{Member: ana.ID, Pseudonym: ana.Pseudonym}, tx.Now())
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := d.WriteNote(t.Context(), lena, id, stead.NewEventID(), "Ana's plan shows the right price again.")
	if err != nil || s.NoteOwed() || s.Note != "" {
		t.Errorf("%+v, %v", s, err)
	}
	err = d.Store.View(t.Context(), func(tx store.Tx) error {
		lines, err := d.Ledger.Trail(tx, store.TrailFilter{Limit: 1})
		if len(lines) != 1 || lines[0].State != ledger.TextsNone || len(lines[0].Texts) > 0 {
			t.Errorf("the record: %+v", lines)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
