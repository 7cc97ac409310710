package erasure_test

import (
	"path/filepath"
	"testing"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/erasure"
	"stead/internal/platform/ledger"
	"stead/internal/platform/store"
)

func TestErasingLeavesTheProofWhole(t *testing.T) {
	p := newPlace(t)
	id := p.visit("st-1", "m-1")
	p.verify()
	p.must(p.erase(member("m-1")))
	p.verify()
	s := p.session(id)
	if s.MemberName+s.Reason.Text+s.Note != "" || s.Cause != stead.CauseAgent || s.NoteAt.IsZero() || s.AgentName == "" {
		t.Errorf("the session: %+v", s.Session)
	}
	lines := p.lines(store.TrailFilter{})
	said, started := lines[0], lines[1]
	if started.State != ledger.TextsErased || len(started.Texts) > 0 || started.Subject == nil || started.Subject.ID != "m-1" || started.Subject.Name != "" {
		t.Errorf("the record of before: %+v", started)
	}
	if said.Kind != audit.TextsErased || said.State != ledger.TextsOK || said.Texts["reason"] != "asked for by letter" || said.Texts["operator"] != "root" ||
		said.Facts["why"] != "request" || said.Facts["by"] != "operator" || said.Actor != nil || said.Subject.ID != "m-1" {
		t.Errorf("the record that says so: %+v", said)
	}
	first, err := p.office.Erase(t.Context(), root, member("m-1"), stead.NewEventID(), "again")
	p.must(err)
	if n := len(p.lines(store.TrailFilter{})); !first.Equal(start) || n != 2 {
		t.Errorf("erased again at %v, with %d records", first, n)
	}
}

func TestRefusals(t *testing.T) {
	p := newPlace(t)
	by := func(role stead.Role, scope stead.Scope) erasure.By {
		return erasure.By{Staff: stead.Staff{ID: "st-x", Role: role, Scope: scope, Pseudonym: stead.NewPseudonym()}}
	}
	all := stead.Scope{All: true}
	for name, c := range map[string]struct {
		by   erasure.By
		who  store.Person
		why  string
		want stead.Code
	}{
		"a lead":                 {by(stead.RoleLead, all), member("m-1"), "why", stead.CodeRoleForbidden},
		"outside the scope":      {by(stead.RoleSuperadmin, stead.Scope{Accounts: []stead.AccountID{"other"}}), member("m-1"), "why", stead.CodeMemberNotFound},
		"nobody":                 {by(stead.RoleSuperadmin, all), member("m-9"), "why", stead.CodeMemberNotFound},
		"a colleague":            {by(stead.RoleSuperadmin, all), staff("st-1"), "why", stead.CodeRoleForbidden},
		"no reason":              {root, member("m-1"), " ", stead.CodeBadRequest},
		"nobody who worked here": {root, staff("st-9"), "why", stead.CodeBadRequest},
		"who works here":         {root, staff("st-1"), "why", stead.CodeStaffEnabled},
	} {
		_, err := p.office.Erase(t.Context(), c.by, c.who, stead.NewEventID(), c.why)
		if stead.CodeOf(err) != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
		if c.want == stead.CodeStaffEnabled {
			continue
		}
		if _, err = p.office.Place(t.Context(), c.by, c.who, stead.NewEventID(), c.why); stead.CodeOf(err) != c.want {
			t.Errorf("%s, hold: %v, want %s", name, err, c.want)
		}
		if err = p.office.Release(t.Context(), c.by, c.who, stead.NewEventID(), c.why); stead.CodeOf(err) != c.want {
			t.Errorf("%s, release: %v, want %s", name, err, c.want)
		}
	}
	p.update(func(tx store.Tx) error {
		return tx.InsertSession(store.SessionRow{RequestKey: stead.NewEventID(), Session: stead.Session{ID: "open", Agent: "st-1", Member: "m-2", StartedAt: start, ExpiresAt: start.Add(time.Minute)}})
	})
	p.want(p.erase(member("m-2")), stead.CodeSessionOpen)
	p.must(p.erase(member("m-1")))
	p.want(p.hold(member("m-1")), stead.CodeBadRequest)
	if n := len(p.lines(store.TrailFilter{})); n != 1 {
		t.Errorf("%d records, want 1: a refusal changes nothing", n)
	}
}

func TestAHoldGoesBeforeErasureAndRetention(t *testing.T) {
	p := newPlace(t)
	id := p.visit("st-1", "m-1")
	_, err := p.office.Place(t.Context(), erasure.By{Staff: sam}, member("m-1"), stead.NewEventID(), "case 4711")
	p.must(err)
	again := stead.NewEventID()
	for range 2 { // the same request twice is one
		h, err := p.office.Place(t.Context(), root, member("m-1"), again, "case 4712")
		p.must(err)
		if !h.PlacedAt.Equal(start) || h.PlacedBy != sam.ID {
			t.Errorf("the hold that stands: %+v", h)
		}
	}
	p.must(p.hold(member("m-2")))
	p.want(p.erase(member("m-1")), stead.CodeLegalHold)
	p.office.Days = 30
	p.store.now = start.AddDate(0, 6, 0)
	p.must(p.office.Sweep(t.Context()))
	if s := p.session(id); s.Note == "" {
		t.Error("the retention erased what a hold keeps")
	}
	holds, err := p.office.Holds(t.Context())
	p.must(err)
	if len(holds) != 2 || len(holds[1].Further) != 0 || holds[0].Reason != "case 4711" || holds[0].PlacedBy != sam.ID || !holds[0].PlacedAt.Equal(start) {
		t.Errorf("holds after six months: %+v", holds)
	}
	if len(holds[0].Further) != 1 {
		t.Errorf("the second reason: %q", holds[0].Further)
	}
	p.must(p.release(member("m-2")))
	p.must(p.release(member("m-1")))
	p.must(p.release(member("m-1")))
	kinds := map[audit.Kind]int{}
	for _, l := range p.lines(store.TrailFilter{}) {
		kinds[l.Kind]++
	}
	if kinds[audit.HoldPlaced] != 3 || kinds[audit.HoldReleased] != 2 {
		t.Errorf("records: %v", kinds)
	}
	p.must(p.office.Sweep(t.Context()))
	if s := p.session(id); s.Note+s.AgentName+s.MemberName+s.Reason.Text != "" || s.Ticket != "" || s.EndedAt.IsZero() {
		t.Errorf("after the release: %+v", s.Session)
	}
	p.must(p.erase(member("m-1")))
	p.verify()
}

func TestRetentionTakesWholeMonths(t *testing.T) {
	p := newPlace(t)
	p.office.Days = 30
	january := p.visit("st-1", "m-1")
	p.store.now = time.Date(2026, 1, 31, 23, 59, 59, 0, time.UTC)
	p.visit("st-2", "m-2")
	p.store.now = time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	february := p.visit("st-1", "m-1")
	sweep := func(now time.Time) ledger.Line {
		t.Helper()
		p.store.now = now
		p.must(p.office.Sweep(t.Context()))
		return p.lines(store.TrailFilter{})[0]
	}
	if l := sweep(time.Date(2026, 3, 2, 23, 59, 59, 0, time.UTC)); l.Kind == audit.TextsErased {
		t.Errorf("January's last day is 29 days old, and: %+v", l)
	}
	l := sweep(time.Date(2026, 3, 3, 0, 0, 0, 0, time.UTC))
	if l.Kind != audit.TextsErased || l.Facts["why"] != "retention" || l.Facts["month"] != "2026-01" || l.Facts["count"] != "2" || l.Facts["sessions"] != "2" || l.Subject != nil || l.Actor != nil {
		t.Errorf("the record of January: %+v", l)
	}
	if p.session(january).Note != "" || p.session(february).Note == "" {
		t.Error("January is to go and February to stay")
	}
	if again := sweep(p.store.now); again.Index != l.Index {
		t.Errorf("a second sweep wrote %+v", again)
	}
	for _, line := range p.lines(store.TrailFilter{Kind: string(audit.SessionStarted)}) {
		want := map[bool]ledger.TextsState{true: ledger.TextsErased, false: ledger.TextsOK}[line.At.Month() == time.January]
		if line.State != want {
			t.Errorf("texts of %v are %s, want %s", line.At, line.State, want)
		}
	}
	p.verify()
}

// A backup that is put back knows nothing of an erasure after it; the list beside it does.
func TestErasedAgainAfterARestore(t *testing.T) {
	p := newPlace(t)
	id := p.visit("st-1", "m-1")
	p.visit("st-1", "m-2")
	p.must(p.store.Close())
	data, backup := filepath.Join(p.dir, "platform.db"), filepath.Join(p.dir, "backup")
	p.copyData(data, backup)
	p.open()
	p.must(p.erase(member("m-1")))
	p.must(p.store.Close())
	p.copyData(backup, data)
	p.open()
	if p.session(id).Note == "" {
		t.Fatal("the backup did not bring the texts back")
	}
	p.must(p.office.Reapply(t.Context()))
	p.must(p.office.Reapply(t.Context()))
	if s := p.session(id); s.Note+s.MemberName != "" {
		t.Errorf("after the restore: %+v", s.Session)
	}
	lines := p.lines(store.TrailFilter{})
	if len(lines) != 3 || lines[0].Facts["why"] != "restored" || lines[0].Subject.ID != "m-1" || lines[2].State != ledger.TextsErased || lines[1].State != ledger.TextsOK {
		t.Errorf("the trail: %+v", lines)
	}
	p.verify()
}

// A record about an erased member that a device brings late is kept, without its texts.
func TestLateTextsAreNotKept(t *testing.T) {
	p := newPlace(t)
	p.must(p.erase(member("m-1")))
	p.update(func(tx store.Tx) error {
		m, err := tx.Member("m-1")
		if err != nil {
			return err
		}
		return p.ledger.Write(tx, ledger.Entry{Kind: audit.IdentityChecked, Actor: sam.Pseudonym, Subject: m.Pseudonym, Texts: map[string]string{"name": "Ana"}})
	})
	if l := p.lines(store.TrailFilter{})[0]; l.State != ledger.TextsErased || len(l.Texts) > 0 {
		t.Errorf("the late record: %+v", l)
	}
	p.verify()
}
