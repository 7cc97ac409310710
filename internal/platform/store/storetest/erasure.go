package storetest

import (
	"fmt"
	"strings"
	"time"

	"stead/internal/platform/store"
	"stead/internal/stead"
)

const secret = "Qzvx" // in everything personal that story writes

// story is one ended session of lena's in the first member's account at that time, with a note, a notice, a member's
// note and a key of that month for both. It returns the session as it was.
func (h *harness) story(tx store.Tx, agent stead.StaffID, member stead.MemberID, at time.Time) store.SessionRow {
	h.Helper()
	s := begin(agent, at)
	s.Member, s.MemberName, s.MemberEmail, s.AgentName = member, secret+" Member", secret+"@mail.example", secret+" Agent"
	s.Reason.Text, s.Ticket = secret+" because", "SUP-1"
	h.ok(tx.InsertSession(s))
	h.ok(tx.MarkLive(s.ID, at))
	h.ok(tx.EndSession(s.ID, at.Add(time.Minute), stead.CauseAgent, agent))
	h.ok(tx.SetNote(s.ID, at.Add(2*time.Minute), secret+" note"))
	h.ok(tx.PutNotice(store.Notice{Member: member, Session: s.ID, Kind: "started", AgentName: secret + " Agent", Reason: secret, Address: secret + "@mail.example", CreatedAt: at}))
	h.ok(tx.ReleaseNotices(s.ID, at))
	h.ok(tx.PutMemberNote(store.MemberNote{Member: member, Session: s.ID, Author: secret + " Agent", Kind: "close_out", Text: secret, At: at}))
	p := must(tx.Member(member))(h).Pseudonym
	if _, err := tx.PersonKey(p, store.MonthOf(at)); err != nil {
		h.ok(tx.PutPersonKey(p, store.MonthOf(at), []byte("sealed")))
	}
	return must(tx.Session(s.ID))(h)
}

func memberOf(h *harness, tx store.Tx, id stead.MemberID) store.Person {
	h.Helper()
	return store.Person{Member: id, Pseudonym: must(tx.Member(id))(h).Pseudonym}
}

// texts is everything that a store says about a session's people.
func (h *harness) texts(tx store.Tx, s store.SessionRow) string {
	h.Helper()
	return fmt.Sprint(must(tx.Session(s.ID))(h), must(tx.Notices(s.Member, 0))(h), must(tx.MemberNotes(s.Member, 0))(h), must(tx.Member(s.Member))(h))
}

var erasureTests = []test{
	{"a member is erased, and what happened stays", func(h *harness) {
		h.people()
		var was, other store.SessionRow
		h.update(func(tx store.Tx) {
			was = h.story(tx, lena, "m-0001", tx.Now().Add(-time.Hour))
			other = h.story(tx, tom, "m-0002", tx.Now().Add(-time.Hour))
			p := memberOf(h, tx, "m-0001")
			_, err := tx.ErasedAt(p.Pseudonym)
			h.want(err, store.ErrNotFound)
			h.ok(tx.ErasePerson(p, tx.Now()))
			h.want(tx.ErasePerson(p, tx.Now()), store.ErrConflict)
		})
		h.reopen()
		h.update(func(tx store.Tx) {
			want := was
			want.MemberName, want.MemberEmail, want.Reason.Text, want.Note, want.RequestHash = "", "", "", "", [32]byte{}
			equal(h, must(tx.Session(was.ID))(h), want)
			m := must(tx.Member("m-0001"))(h)
			same(h, "name", m.Name+m.Email+m.Phone+m.Language+m.TimeZone, "")
			same(h, "disabled", m.Disabled, true)
			if told := strings.ReplaceAll(h.texts(tx, was), secret+" Agent", ""); strings.Contains(told, secret) {
				h.Errorf("left of the member: %s", told)
			}
			if !strings.Contains(h.texts(tx, other), secret+" because") {
				h.Error("another member's session was erased too")
			}
			_, err := tx.PersonKey(m.Pseudonym, store.MonthOf(was.StartedAt))
			h.want(err, store.ErrNotFound)
			h.want(tx.PutPersonKey(m.Pseudonym, store.MonthOf(tx.Now()), []byte("again")), store.ErrErased)
			must(tx.PersonKey(memberOf(h, tx, "m-0002").Pseudonym, store.MonthOf(other.StartedAt)))(h)
			for _, typed := range []string{"ada", "ronté", "bronte@", "794600", "m-0001", "m-000"} {
				found, _, err := tx.FindMembers(typed, stead.Scope{All: true}, 0, "")
				h.ok(err)
				for _, f := range found {
					if f.ID == "m-0001" {
						h.Errorf("found by %q", typed)
					}
				}
			}
			equal(h, must(tx.Erasures())(h), []stead.Pseudonym{m.Pseudonym})
			if must(tx.ErasedAt(m.Pseudonym))(h).IsZero() {
				h.Error("no time")
			}
			same(h, "keys left", must(tx.DestroyKeys(m.Pseudonym))(h), 0)
			m.Name = "Ada again"
			h.want(tx.PutMember(m, ""), store.ErrErased)
		})
	}},
	{"nothing is written about somebody who was erased", func(h *harness) {
		h.people()
		h.update(func(tx store.Tx) {
			s := begin(lena, tx.Now().Add(-time.Hour))
			h.ok(tx.InsertSession(s))
			h.ok(tx.MarkLive(s.ID, s.StartedAt))
			h.ok(tx.EndSession(s.ID, tx.Now(), stead.CauseAgent, lena))
			h.ok(tx.ErasePerson(memberOf(h, tx, s.Member), tx.Now()))
			h.want(tx.PutNotice(store.Notice{Member: s.Member, Kind: "ended", Reason: secret, CreatedAt: tx.Now()}), store.ErrErased)
			h.want(tx.PutMemberNote(store.MemberNote{Member: s.Member, Kind: "reason", Text: secret, At: tx.Now()}), store.ErrErased)
			if tx.SetNote(s.ID, tx.Now(), secret) == nil {
				h.Error("a note about an erased member")
			}
			same(h, "owed", len(must(tx.OwedNotes(lena))(h)), 1)
			h.ok(tx.SetNote(s.ID, tx.Now(), "")) // no longer owed, and says nothing
			same(h, "owed", len(must(tx.OwedNotes(lena))(h)), 0)
		})
	}},
	{"an open session and a hold refuse an erasure", func(h *harness) {
		h.people()
		h.update(func(tx store.Tx) {
			s := begin(lena, tx.Now())
			h.ok(tx.InsertSession(s))
			p := memberOf(h, tx, s.Member)
			if tx.ErasePerson(p, tx.Now()) == nil {
				h.Error("erased with an open session")
			}
			h.ok(tx.EndSession(s.ID, tx.Now(), stead.CauseAgent, lena))
			h.ok(tx.PlaceHold(store.Hold{Person: p, PlacedAt: tx.Now()}))
			if tx.ErasePerson(p, tx.Now()) == nil {
				h.Error("erased under a hold")
			}
			h.ok(tx.ReleaseHold(p.Pseudonym, tx.Now(), ""))
			agent := store.Person{Staff: lena, Pseudonym: pseudonym(1)}
			h.ok(tx.PlaceHold(store.Hold{Person: agent, PlacedAt: tx.Now()}))
			same(h, "kept", must(tx.Kept(p.Pseudonym))(h), true)
			if tx.ErasePerson(p, tx.Now()) == nil {
				h.Error("erased although the agent of a session is held")
			}
			h.ok(tx.ReleaseHold(agent.Pseudonym, tx.Now(), ""))
			h.ok(tx.ErasePerson(p, tx.Now()))
		})
	}},
	{"staff are erased when they have left", func(h *harness) {
		h.people()
		h.update(func(tx store.Tx) {
			was := h.story(tx, lena, "m-0001", tx.Now().Add(-time.Hour))
			h.ok(tx.PutDevice(store.Device{ID: "d1", Name: secret, PublicKey: make([]byte, 32), EnrolledBy: lena, EnrolledAt: tx.Now()}))
			p := store.Person{Staff: lena, Pseudonym: pseudonym(1)}
			if tx.ErasePerson(p, tx.Now()) == nil {
				h.Error("erased while they work here")
			}
			s := must(tx.Staff(lena))(h)
			s.Disabled = true
			h.ok(tx.PutStaff(s, issuer, string(lena)))
			h.ok(tx.ErasePerson(p, tx.Now()))
			got := must(tx.Staff(lena))(h)
			same(h, "left", got.Name+got.Email+must(tx.Device("d1"))(h).Name, "")
			_, err := tx.StaffBySubject(issuer, string(lena))
			h.want(err, store.ErrNotFound)
			if told := h.texts(tx, was); strings.Contains(told, secret+" Agent") || !strings.Contains(told, secret+" because") {
				h.Errorf("after the agent was erased: %s", told)
			}
			h.want(tx.PutStaff(s, issuer, string(lena)), store.ErrErased)
		})
	}},
	{"what was erased leaves the files, also while somebody reads", func(h *harness) {
		h.people()
		h.update(func(tx store.Tx) { h.ok(tx.ErasePerson(memberOf(h, tx, "m-0001"), tx.Now())) })
		h.ok(h.Scrub(h.Context()))
		h.view(func(store.Tx) {
			if err := h.Scrub(h.Context()); err != nil {
				h.Logf("while somebody reads: %v", err) // may fail, must not wait for ever
			}
		})
		h.ok(h.Scrub(h.Context()))
	}},
}

var holdTests = []test{
	{"a hold stands until it is released", func(h *harness) {
		h.people()
		h.update(func(tx store.Tx) {
			p := memberOf(h, tx, "m-0001")
			a := store.Hold{Person: p, ReasonOf: pseudonym(2), PlacedAt: tx.Now(), PlacedBy: tom}
			h.want(tx.ReleaseHold(p.Pseudonym, tx.Now(), ""), store.ErrNotFound)
			h.ok(tx.PlaceHold(a))
			h.want(tx.PlaceHold(a), store.ErrConflict)
			b := store.Hold{Person: store.Person{Staff: lena, Pseudonym: pseudonym(1)}, PlacedAt: tx.Now()}
			h.ok(tx.PlaceHold(b))
			equal(h, must(tx.Holds())(h), []store.Hold{a, b})
			same(h, "kept", must(tx.Kept(p.Pseudonym))(h), true)
			same(h, "another", must(tx.Kept(memberOf(h, tx, "m-0002").Pseudonym))(h), false)
			h.ok(tx.ReleaseHold(p.Pseudonym, tx.Now(), tom))
			h.want(tx.ReleaseHold(p.Pseudonym, tx.Now(), tom), store.ErrNotFound)
			equal(h, must(tx.Holds())(h), []store.Hold{b})
			h.ok(tx.PlaceHold(a)) // again
		})
	}},
}

var retentionTests = []test{
	{"texts of months that are over are erased, those under a hold are not", func(h *harness) {
		h.people()
		var old, held, shared, young store.SessionRow
		may, july := time.Date(2026, 5, 20, 12, 0, 0, 0, time.UTC), time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
		h.update(func(tx store.Tx) {
			h.ok(tx.PutStaff(stead.Staff{ID: "st-eve", Name: "Eve", Role: stead.RoleSupport, Pseudonym: pseudonym(3)}, "", ""))
			old, held = h.story(tx, tom, "m-0001", may), h.story(tx, tom, "m-0002", may)
			shared, young = h.story(tx, "st-eve", "m-0003", may), h.story(tx, tom, "m-0001", july)
			h.ok(tx.PlaceHold(store.Hold{Person: memberOf(h, tx, "m-0002"), ReasonOf: pseudonym(9), PlacedAt: may}))
			h.ok(tx.PlaceHold(store.Hold{Person: store.Person{Staff: "st-eve", Pseudonym: pseudonym(3)}, PlacedAt: july}))
			h.ok(tx.PutPersonKey(pseudonym(9), store.MonthOf(may), []byte("has the first hold's reason")))
			h.ok(tx.PutPersonKey(stead.Pseudonym{}, store.MonthOf(may), []byte("the platform's own")))
			equal(h, must(tx.Overdue(may))(h), store.Expired{}) // sessions of that moment are not before it
			want := store.Expired{Keys: 2, Sessions: 1, Notices: 1, Notes: 1}
			equal(h, must(tx.Overdue(july))(h), want)
			if _, err := tx.Expire(july, 10); err == nil {
				h.Error("erased before it was allowed")
			}
		})
		h.update(func(tx store.Tx) {
			same(h, "retained", must(tx.Retained())(h), time.Time{})
			if tx.Retain(tx.Now().Add(time.Hour)) == nil {
				h.Error("a retention reaches into the future")
			}
			h.ok(tx.Retain(july))
			h.ok(tx.Retain(may)) // an earlier one changes nothing
			same(h, "retained", must(tx.Retained())(h), july)
			equal(h, must(tx.Expire(july, 1))(h), store.Expired{Keys: 1, Sessions: 1, Notices: 1, Notes: 1})
			equal(h, must(tx.Expire(july, 1))(h), store.Expired{Keys: 1})
			equal(h, must(tx.Expire(july, 1))(h), store.Expired{})
			want := old
			want.AgentName, want.MemberName, want.MemberEmail, want.Reason.Text, want.Note, want.RequestHash = "", "", "", "", "", [32]byte{}
			equal(h, must(tx.Session(old.ID))(h), want)
			for _, s := range []store.SessionRow{held, shared, young} {
				equal(h, must(tx.Session(s.ID))(h), s)
				must(tx.PersonKey(must(tx.Member(s.Member))(h).Pseudonym, store.MonthOf(s.StartedAt)))(h)
			}
			must(tx.PersonKey(pseudonym(9), store.MonthOf(may)))(h) // a hold's reason stays as long as the hold
			same(h, "name", must(tx.Member("m-0001"))(h).Name, cast()[0].Name)
		})
	}},
}
