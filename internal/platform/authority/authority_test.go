package authority_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"
	"stead/internal/token"

	"stead/internal/platform/authority"
	"stead/internal/platform/store"
)

func TestStartOpensForTheAgentAndTheMember_S1_06_S1_09_S1_13(t *testing.T) {
	w := newWorld(t)
	started := w.start(lena, ana)
	if len(w.notices(ana)) != 0 {
		t.Error("the member is told before the session is open")
	}
	o, err := w.redeem(lena, started)
	w.must(err)
	c, err := token.Verify(o.Token, w.ring.Public(), "https://platform.test", "https://portal.test", time.Now())
	w.must(err)
	if c.Subject != "m-ana" || c.Actor.Subject != "st-lena" || c.Account != "acme" || c.Scope != "read" || c.SessionID != string(o.Session.ID) {
		t.Errorf("claims %+v", c)
	}
	if ttl := c.ExpiresAt.Sub(o.Session.StartedAt); ttl > stead.SessionTTL {
		t.Errorf("the token lives %v", ttl)
	}
	if !w.active(o.Token) {
		t.Error("the token of a live session is refused")
	}
	var kinds []audit.Kind
	for _, l := range w.trail(o.Session.ID) {
		kinds = append(kinds, l.Kind)
		if l.Actor == nil || l.Actor.ID != "st-lena" || l.Subject == nil || l.Subject.ID != "m-ana" {
			t.Errorf("%s lacks an identity: %+v", l.Kind, l)
		}
	}
	if !slices.Equal(kinds, []audit.Kind{audit.SessionStarted, audit.SessionOpened}) {
		t.Errorf("trail %v", kinds)
	}
	if n := w.notices(ana); len(n) != 1 || n[0].Kind != "started" || n[0].Address != "ana@members.test" {
		t.Errorf("notices %+v", n)
	}
	d, err := token.VerifyDescriptor(started.Descriptor, w.ring.Public(), "https://platform.test", time.Now())
	w.must(err)
	if d.Subject != "m-ana" || d.Actor.Subject != "st-lena" || d.Device != string(w.devices["st-lena"].id) {
		t.Errorf("descriptor %+v", d)
	}
}

func TestReasonIsInTheMembersNotes_S0_09(t *testing.T) {
	w := newWorld(t)
	w.start(lena, bo) // never opened: nothing to note
	w.live(lena, ana)
	w.must(w.store.View(t.Context(), func(tx store.Tx) error {
		if unopened, err := tx.MemberNotes("m-bo", 10); err != nil || len(unopened) != 0 {
			t.Errorf("a session nobody opened is in the notes: %+v, %v", unopened, err)
		}
		notes, err := tx.MemberNotes("m-ana", 10)
		if len(notes) != 1 || notes[0].Kind != "reason" || notes[0].Text != "plan page shows an error" || notes[0].Author != "Lena Ortiz" {
			t.Errorf("notes %+v", notes)
		}
		return err
	}))
}

func TestNewSessionEndsThePrevious_S1_08(t *testing.T) {
	w := newWorld(t)
	first := w.live(lena, ana)
	second := w.live(lena, bo)
	if s := w.session(first.Session.ID); s.State != stead.StateEnded || s.Cause != stead.CauseSuperseded {
		t.Errorf("first session %s, %s", s.State, s.Cause)
	}
	if w.active(first.Token) || !w.active(second.Token) {
		t.Error("the wrong one of the two tokens is good")
	}
	if got := w.ends(first.Session.ID); !slices.Equal(got, []string{"superseded"}) {
		t.Errorf("ends %v", got)
	}
	if n := w.notices(ana); len(n) != 2 || n[0].Kind != "ended" {
		t.Errorf("notices %+v", n)
	}
}

func TestFailedStartLeavesThePreviousAlone(t *testing.T) {
	w := newWorld(t)
	first := w.live(lena, ana)
	_, err := w.auth.Start(t.Context(), lena, w.intend(lena, tomAs))
	w.wantCode(err, stead.CodePeer)
	if !w.active(first.Token) {
		t.Error("a refused start ended the session before it")
	}
}

func TestRefusalsAreRecorded_S0_16_S2_01(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		member stead.Member
		want   stead.Code
	}{{tomAs, stead.CodePeer}, {far, stead.CodeMemberNotFound}, {stead.Member{ID: "m-nobody", Account: "birch", Pseudonym: stead.NewPseudonym()}, stead.CodeMemberNotFound}} {
		_, err := w.auth.Start(t.Context(), lena, w.intend(lena, c.member))
		w.wantCode(err, c.want)
		w.must(w.store.View(t.Context(), func(tx store.Tx) error {
			lines, err := w.ledger.Trail(tx, store.TrailFilter{Kind: string(audit.SessionRefused), Limit: 1})
			if len(lines) != 1 || lines[0].Facts["code"] != string(c.want) || lines[0].Texts["asked_for"] != string(c.member.ID) {
				t.Errorf("%s: refusal record %+v", c.member.ID, lines)
			}
			if c.want == stead.CodeMemberNotFound && len(lines) == 1 && lines[0].Subject != nil {
				t.Errorf("%s: the record of a refusal outside the scope names the member", c.member.ID)
			}
			return err
		}))
	}
	_, err := w.auth.Start(t.Context(), tom, w.intend(tom, tomAs))
	w.wantCode(err, stead.CodeSelf)
}

func TestStartNeedsItsIntentAndItsDevice(t *testing.T) {
	w := newWorld(t)
	missing := w.intend(lena, ana)
	missing.Record.Seq++
	w.sign(w.devices[lena.ID], &missing)
	_, err := w.auth.Start(t.Context(), lena, missing)
	w.wantCode(err, stead.CodeIntentMissing)

	other := w.intend(lena, ana)
	other.Member, other.Account = bo.ID, bo.Account
	w.sign(w.devices[lena.ID], &other)
	_, err = w.auth.Start(t.Context(), lena, other)
	w.wantCode(err, stead.CodeIntentMismatch)

	unsigned := w.intend(lena, ana)
	unsigned.Signature[0] ^= 1
	_, err = w.auth.Start(t.Context(), lena, unsigned)
	w.wantCode(err, stead.CodeDeviceSignature)

	stolen := w.intend(lena, ana)
	_, err = w.auth.Start(t.Context(), tom, stolen) // another agent with lena's signed request
	w.wantCode(err, stead.CodeIntentMismatch)

	unknown := w.intend(lena, ana)
	unknown.Record.Device = stead.DeviceID(stead.NewPseudonym().String())
	_, err = w.auth.Start(t.Context(), lena, unknown)
	w.wantCode(err, stead.CodeDeviceUnknown)
}

func TestStartIsIdempotent(t *testing.T) {
	w := newWorld(t)
	req := w.intend(lena, ana)
	first, err := w.auth.Start(t.Context(), lena, req)
	w.must(err)
	again, err := w.auth.Start(t.Context(), lena, req)
	w.must(err)
	if first.Session.ID != again.Session.ID || first.Handoff == again.Handoff {
		t.Error("the same request must answer the same session with a fresh handoff")
	}
	_, err = w.redeem(lena, first)
	w.wantCode(err, stead.CodeHandoffInvalid)
	_, err = w.redeem(lena, again)
	w.must(err)
	_, err = w.auth.Start(t.Context(), lena, req)
	w.wantCode(err, stead.CodeHandoffInvalid)
	unsigned := req
	unsigned.Signature = nil
	_, err = w.auth.Start(t.Context(), lena, unsigned) // not even a replay without the device
	w.wantCode(err, stead.CodeDeviceSignature)
	req.Ticket = "SUP-1"
	_, err = w.auth.Start(t.Context(), lena, req)
	w.wantCode(err, stead.CodeIdempotencyConflict)
}

// TestIntentMustSayWhatIsStarted changes each thing that was announced, and lets an intent grow old.
func TestIntentMustSayWhatIsStarted(t *testing.T) {
	for name, change := range map[string]func(*world, *authority.StartRequest){
		"reason":   func(_ *world, r *authority.StartRequest) { r.Reason.Text = "something else altogether" },
		"category": func(_ *world, r *authority.StartRequest) { r.Reason.Category = stead.CategoryOther },
		"ticket":   func(_ *world, r *authority.StartRequest) { r.Ticket = "SUP-1" },
		"consent":  func(_ *world, r *authority.StartRequest) { r.Consent.How = stead.ConsentEmail },
		"age":      func(w *world, _ *authority.StartRequest) { w.store.pass(3 * time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			req := w.intend(lena, ana)
			change(w, &req)
			_, err := w.auth.Start(t.Context(), lena, req)
			w.wantCode(err, stead.CodeIntentMismatch)
		})
	}
}

func TestHandoffIsSingleUseTimedAndBound(t *testing.T) {
	w := newWorld(t)
	s := w.start(lena, ana)
	claim := audit.HandoffClaim{Device: w.devices[tom.ID].id, Session: s.Session.ID, Code: stead.Secret(s.Handoff)}
	foreign, err := claim.Sign(w.devices[tom.ID].key)
	w.must(err)
	_, err = w.auth.Redeem(t.Context(), lena, s.Session.ID, stead.Secret(s.Handoff), foreign)
	w.wantCode(err, stead.CodeDeviceSignature)
	_, err = w.redeem(tom, s)
	w.wantCode(err, stead.CodeSessionNotFound)
	_, err = w.redeem(lena, s)
	w.must(err)
	_, err = w.redeem(lena, s)
	w.wantCode(err, stead.CodeHandoffInvalid)
	late := w.start(lena, bo)
	w.store.pass(stead.HandoffTTL + time.Second)
	_, err = w.redeem(lena, late)
	w.wantCode(err, stead.CodeHandoffInvalid)
}

func TestConcurrentStartsLeaveOneLiveSession_S1_08(t *testing.T) {
	w := newWorld(t)
	const n = 24
	var requests [n]func() error
	for i := range n {
		req := w.intend(lena, ana)
		requests[i] = func() error { _, err := w.auth.Start(t.Context(), lena, req); return err }
	}
	var wg sync.WaitGroup
	for _, f := range requests {
		wg.Go(func() {
			if err := f(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	w.must(w.store.View(t.Context(), func(tx store.Tx) error {
		open, _, err := tx.ListSessions(store.SessionFilter{State: "live", Limit: 100})
		ended, _, err2 := tx.ListSessions(store.SessionFilter{State: "ended", Limit: 100})
		if err != nil || err2 != nil || len(open) != 1 || len(ended) != n-1 {
			t.Errorf("%d open, %d ended (%v, %v)", len(open), len(ended), err, err2)
		}
		return nil
	}))
}

func TestAuditorSeesAndEndsNothing(t *testing.T) {
	w := newWorld(t)
	o := w.live(lena, ana)
	auditor := stead.Staff{ID: "st-ines", Role: stead.RoleAuditor, Scope: stead.Scope{All: true}, Pseudonym: stead.NewPseudonym()}
	_, err := w.auth.End(t.Context(), auditor, o.Session.ID, stead.CauseAgent)
	w.wantCode(err, stead.CodeRoleForbidden)
	if !w.active(o.Token) {
		t.Error("the session ended all the same")
	}
}

// TestOwedNotesHoldBackAnotherCase: the same member and ticket may go on, anything else waits for the notes.
func TestOwedNotesHoldBackAnotherCase(t *testing.T) {
	w := newWorld(t)
	with := func(m stead.Member, ticket string) error {
		req := w.intendFor(lena, m, ticket)
		s, err := w.auth.Start(t.Context(), lena, req)
		if err != nil {
			return err
		}
		if _, err := w.redeem(lena, s); err != nil {
			return err
		}
		_, err = w.auth.End(t.Context(), lena, s.Session.ID, stead.CauseAgent)
		return err
	}
	for range 3 {
		w.must(with(ana, "SUP-1"))
	}
	w.wantCode(with(ana, "SUP-2"), stead.CodeNotesOwed)
	w.wantCode(with(bo, "SUP-1"), stead.CodeNotesOwed)
	w.wantCode(with(ana, ""), stead.CodeNotesOwed)
	w.must(with(ana, "SUP-1"))
}

func TestAnOverdueNoteHoldsBackAlone(t *testing.T) {
	w := newWorld(t)
	_, err := w.auth.End(t.Context(), lena, w.live(lena, ana).Session.ID, stead.CauseAgent)
	w.must(err)
	w.must(w.startErr(lena, bo))
	w.store.pass(stead.NoteDue + time.Minute)
	w.wantCode(w.startErr(lena, bo), stead.CodeNotesOwed)
}

// TestNotOpenedIsNoWayAroundTheNote: a device that redeemed its handoff has seen the member's pages, whatever it says.
func TestNotOpenedIsNoWayAroundTheNote(t *testing.T) {
	w := newWorld(t)
	for _, m := range []stead.Member{ana, bo} {
		s, err := w.auth.End(t.Context(), lena, w.live(lena, m).Session.ID, stead.CauseNotOpened)
		w.must(err)
		if s.Cause != stead.CauseBrowserClosed || !s.NoteOwed() {
			t.Errorf("cause %s, owes a note: %v", s.Cause, s.NoteOwed())
		}
	}
	_, err := w.auth.Start(t.Context(), lena, w.intend(lena, ana))
	w.wantCode(err, stead.CodeNotesOwed)
	unopened, err := w.auth.End(t.Context(), tom, w.start(tom, bo).Session.ID, stead.CauseNotOpened)
	w.must(err)
	if unopened.Cause != stead.CauseNotOpened || unopened.NoteOwed() {
		t.Errorf("a session nobody opened: %s, %v", unopened.Cause, unopened.NoteOwed())
	}
}

func TestEndIsWrittenOnce_S1_11_S2_08(t *testing.T) {
	w := newWorld(t)
	o := w.live(lena, ana)
	_, err := w.auth.End(t.Context(), tom, o.Session.ID, stead.CauseAgent)
	w.wantCode(err, stead.CodeSessionNotFound) // a colleague does not even learn that it exists
	s, err := w.auth.End(t.Context(), priya, o.Session.ID, stead.CauseAgent)
	w.must(err)
	if s.Cause != stead.CauseAdmin || s.EndedBy != "st-priya" {
		t.Errorf("ended by %s, cause %s", s.EndedBy, s.Cause)
	}
	if w.active(o.Token) {
		t.Error("the token outlives the end")
	}
	s, err = w.auth.End(t.Context(), lena, o.Session.ID, stead.CauseBanner)
	w.must(err)
	if s.Cause != stead.CauseAdmin {
		t.Errorf("the second end rewrote the first: %s", s.Cause)
	}
	if got := w.ends(o.Session.ID); !slices.Equal(got, []string{"admin"}) {
		t.Errorf("ends %v", got)
	}
	_, err = w.auth.End(t.Context(), lena, w.live(lena, bo).Session.ID, stead.CauseExpired)
	w.wantCode(err, stead.CodeBadRequest) // only the platform may say that
}

func TestIntrospectAsksTheRowNotTheToken(t *testing.T) {
	w := newWorld(t)
	o := w.live(lena, ana)
	change := func(f func(*stead.Staff)) {
		s := lena
		f(&s)
		w.must(w.store.Update(t.Context(), func(tx store.Tx) error { return tx.PutStaff(s, "https://idp.test", string(s.ID)) }))
	}
	for name, f := range map[string]func(*stead.Staff){
		"privilege removed": func(s *stead.Staff) { s.Privilege = false }, "disabled": func(s *stead.Staff) { s.Disabled = true },
		"role changed": func(s *stead.Staff) { s.Role = stead.RoleAuditor }, "scope removed": func(s *stead.Staff) { s.Scope = stead.Scope{} },
	} {
		change(f)
		if w.active(o.Token) {
			t.Errorf("%s: the token is still good", name)
		}
		change(func(*stead.Staff) {})
		if !w.active(o.Token) {
			t.Fatalf("%s: not good again", name)
		}
	}
	promoted := stead.Staff{ID: "st-new", Name: "Ana Souza", Email: "ana@members.test", Role: stead.RoleSupport, Pseudonym: stead.NewPseudonym()}
	w.must(w.store.Update(t.Context(), func(tx store.Tx) error { return tx.PutStaff(promoted, "", "") }))
	if w.active(o.Token) {
		t.Error("a member who became staff is still impersonated")
	}
}
