package notify_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/keys"
	"stead/internal/platform/ledger"
	"stead/internal/platform/notify"
	"stead/internal/platform/sqlite"
	"stead/internal/platform/store"
)

var (
	agent  = stead.Staff{ID: "st-lena", Name: "Lena Ortiz", Email: "lena@stead.test", Role: stead.RoleSupport, Privilege: true, Pseudonym: stead.NewPseudonym()}
	member = stead.Member{ID: "m-ana", Account: "acme", Branch: "acme-west", Name: "Ana Souza", Email: "ana@members.test", Level: stead.LevelMember, Pseudonym: stead.NewPseudonym()}
)

// TestNothingCanBePushedOffTheMembersPage: however many requests and unopened starts follow, the member still reads what
// was done first.
func TestNothingCanBePushedOffTheMembersPage(t *testing.T) {
	st, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "platform.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	ring, err := keys.Open(t.Context(), st, filepath.Join(t.TempDir(), "kek"))
	if err != nil {
		t.Fatal(err)
	}
	led, err := ledger.Open(t.Context(), st, ring)
	if err != nil {
		t.Fatal(err)
	}
	err = st.Update(t.Context(), func(tx store.Tx) error {
		err := errors.Join(tx.PutStaff(agent, "i", "s"), tx.PutAccount("acme", "Acme"), tx.PutBranch("acme-west", "acme", "West"), tx.PutMember(member, ""))
		if err != nil {
			return err
		}
		begin := func(opened bool) (stead.SessionID, error) {
			s := stead.Session{ID: stead.NewSessionID(), Agent: agent.ID, AgentName: agent.Name, Member: member.ID, MemberName: member.Name, MemberEmail: member.Email,
				Account: "acme", Device: "d", State: stead.StateStarted, Scope: "read write", Ticket: "SUP-12", StartedAt: tx.Now(),
				ExpiresAt: tx.Now().Add(stead.SessionTTL), LastSeen: tx.Now()}
			err := tx.InsertSession(store.SessionRow{Session: s, RequestKey: stead.NewEventID(), HandoffHash: [32]byte{1}})
			if err == nil && opened {
				err = tx.MarkLive(s.ID, tx.Now())
			}
			return s.ID, errors.Join(err, tx.EndSession(s.ID, tx.Now(), stead.CauseAgent, agent.ID))
		}
		id, err := begin(true)
		if err != nil {
			return err
		}
		act := func(method, words string, status int64) error {
			return led.Write(tx, ledger.Entry{Kind: audit.SessionAction, Session: id, Actor: agent.Pseudonym, Subject: member.Pseudonym,
				Facts: audit.Body{"method": method, "words": words, "status": status}})
		}
		err = errors.Join(act("POST", "Changed the preferences", 200), act("POST", "Tried to change the plan", 403), act("GET", "Looked at the plan", 200))
		for i := range 1200 {
			err = errors.Join(err, act("GET", fmt.Sprintf("Looked at the dashboard, part %d", i%3), 200))
		}
		for range 150 {
			_, failed := begin(false)
			err = errors.Join(err, failed)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	visits, err := notify.Visits(t.Context(), st, led, member.ID)
	if err != nil {
		t.Fatal(err)
	}
	if len(visits) != 1 || !slices.Equal(visits[0].Changed, []string{"Changed the preferences"}) || len(visits[0].Viewed) != 4 || visits[0].Viewed[0] != "Looked at the plan" || visits[0].Reason != "SUP-12" {
		t.Errorf("the member reads %+v", visits)
	}
	for _, v := range visits {
		if said := strings.ToLower(fmt.Sprint(v.Viewed, v.Changed)); strings.Contains(said, "impersonat") {
			t.Errorf("the member reads %s", said)
		}
	}
}
