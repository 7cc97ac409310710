package authority_test

import (
	"testing"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/authority"
)

// handOver starts a session and exchanges its handoff for the member app's code.
func (w *world) handOver(agent stead.Staff, s authority.Started) (authority.Handed, error) {
	w.Helper()
	claim := audit.HandoffClaim{Device: w.devices[agent.ID].id, Session: s.Session.ID, Code: stead.Secret(s.Handoff)}
	signature, err := claim.Sign(w.devices[agent.ID].key)
	w.must(err)
	return w.auth.HandOver(w.Context(), agent, s.Session.ID, stead.Secret(s.Handoff), signature)
}

func (w *world) handed(agent stead.Staff, m stead.Member) authority.Handed {
	w.Helper()
	h, err := w.handOver(agent, w.start(agent, m))
	w.must(err)
	return h
}

func (w *world) exchange(code string) (authority.Opened, error) {
	return w.auth.Exchange(w.Context(), stead.Secret(code))
}

// alarms lists what of the session was used twice.
func (w *world) alarms(id stead.SessionID) (what []string) {
	for _, l := range w.trail(id) {
		if l.Kind == audit.HandoffReused {
			what = append(what, l.Facts["what"])
		}
	}
	return what
}

func TestACodeOpensASessionOnce(t *testing.T) {
	w := newWorld(t)
	h := w.handed(lena, ana)
	if h.PostURL != "https://portal.test/support/handoff" || h.Session.Mode != stead.ModeFallback {
		t.Errorf("%+v", h)
	}
	if s := w.session(h.Session.ID); s.State != stead.StateStarted || len(w.notices(ana)) != 0 {
		t.Errorf("it is %s before the member app has the code", s.State)
	}
	o, err := w.exchange(h.Code)
	w.must(err)
	if !w.active(o.Token) || o.Session.Mode != stead.ModeFallback || w.session(h.Session.ID).State != stead.StateLive || len(w.notices(ana)) != 1 {
		t.Errorf("%+v", o.Session)
	}
	var said string
	for _, l := range w.trail(h.Session.ID) {
		if l.Kind == audit.SessionOpened {
			said = l.Facts["mode"]
		}
	}
	if said != "fallback" {
		t.Errorf("the record of the opening says mode %q", said)
	}
	// The second use: refused, and the session is over with an alarm.
	_, err = w.exchange(h.Code)
	w.wantCode(err, stead.CodeHandoffInvalid)
	if s := w.session(h.Session.ID); s.Cause != stead.CauseHandoffReused || w.active(o.Token) {
		t.Errorf("after a second use: %+v", s)
	}
	if got := w.alarms(h.Session.ID); len(got) != 1 || got[0] != "code" {
		t.Errorf("alarms: %v", got)
	}
	if list := w.notices(ana); len(list) != 2 {
		t.Errorf("the member was told %d times", len(list))
	}
	_, err = w.exchange(h.Code) // a third use has nothing left to end, and no record at somebody's will
	w.wantCode(err, stead.CodeHandoffInvalid)
	if n := len(w.alarms(h.Session.ID)); n != 1 {
		t.Errorf("%d alarms", n)
	}
}

// TestEveryOtherCodeIsRefusedAlike: and ends nothing.
func TestEveryOtherCodeIsRefusedAlike(t *testing.T) {
	w := newWorld(t)
	wrong := func(name, code string) {
		t.Helper()
		_, err := w.exchange(code)
		if err == nil || err.Error() != stead.E(stead.CodeHandoffInvalid, nil).Error() {
			t.Errorf("%s: %v", name, err)
		}
	}
	wrong("never given", "no-such-code")
	wrong("empty", "")
	start := w.start(tom, bo)
	wrong("a device's handoff", start.Handoff)
	h := w.handed(lena, ana)
	w.store.pass(stead.FallbackCodeTTL + time.Second)
	wrong("too late", h.Code)
	if s := w.session(h.Session.ID); s.State != stead.StateStarted || len(w.alarms(s.ID)) != 0 {
		t.Errorf("a late code did more than be refused: %+v", s)
	}
	_, err := w.auth.End(t.Context(), lena, h.Session.ID, stead.CauseNotOpened)
	w.must(err)
	wrong("after the end", h.Code)
	if got := w.session(h.Session.ID).Cause; got != stead.CauseNotOpened {
		t.Errorf("the end became %q", got)
	}
}

// TestAHandoffIsForOneWayOnly: what was redeemed in one way cannot be redeemed in the other.
func TestAHandoffIsForOneWayOnly(t *testing.T) {
	w := newWorld(t)
	req := w.intend(lena, ana)
	s, err := w.auth.Start(t.Context(), lena, req)
	w.must(err)
	h, err := w.handOver(lena, s)
	w.must(err)
	_, err = w.redeem(lena, s)
	w.wantCode(err, stead.CodeHandoffInvalid)
	_, err = w.auth.Start(t.Context(), lena, req) // the start sent again gives no second handoff
	w.wantCode(err, stead.CodeHandoffInvalid)
	_, err = w.exchange(h.Code)
	w.must(err)

	s = w.start(tom, bo)
	_, err = w.redeem(tom, s)
	w.must(err)
	_, err = w.handOver(tom, s)
	w.wantCode(err, stead.CodeHandoffInvalid)
}

func TestTheFallbackIsOffUnlessAllowed(t *testing.T) {
	w := newWorld(t)
	w.auth.Fallback = false
	s := w.start(lena, ana)
	_, err := w.handOver(lena, s)
	w.wantCode(err, stead.CodeBadRequest)
	_, err = w.redeem(lena, s) // and the refusal has used nothing up
	w.must(err)
}

// TestADeviceTellsOfASecondVisitor: its own word ends the session, and the alarm stands with the end.
func TestADeviceTellsOfASecondVisitor(t *testing.T) {
	w := newWorld(t)
	h := w.handed(lena, ana)
	_, err := w.auth.End(t.Context(), lena, h.Session.ID, stead.CauseHandoffReused)
	w.must(err)
	if got := w.alarms(h.Session.ID); len(got) != 1 || got[0] != "page" {
		t.Errorf("alarms: %v", got)
	}
	_, err = w.exchange(h.Code)
	w.wantCode(err, stead.CodeHandoffInvalid)
}

// TestAnAlarmIsNotLostToTheClock: the time was over before the device could say it; the alarm is written all the same.
func TestAnAlarmIsNotLostToTheClock(t *testing.T) {
	w := newWorld(t)
	h := w.handed(lena, ana)
	w.store.pass(stead.HandoffTTL + time.Second)
	s, err := w.auth.End(t.Context(), lena, h.Session.ID, stead.CauseHandoffReused)
	w.must(err)
	if got := w.alarms(h.Session.ID); len(got) != 1 || s.Cause != stead.CauseNotOpened {
		t.Errorf("ended by %s, alarms: %v", s.Cause, got)
	}
	// Somebody else who names the cause ends it as themselves, and raises nothing.
	h = w.handed(tom, bo)
	_, err = w.auth.End(t.Context(), priya, h.Session.ID, stead.CauseHandoffReused)
	w.must(err)
	if got := w.alarms(h.Session.ID); len(got) != 0 || w.session(h.Session.ID).Cause != stead.CauseAdmin {
		t.Errorf("alarms: %v", got)
	}
}

func TestTheMemberAppEndsASessionByItsToken(t *testing.T) {
	w := newWorld(t)
	h := w.handed(lena, ana)
	o, err := w.exchange(h.Code)
	w.must(err)
	w.must(w.auth.EndFromApp(t.Context(), "nonsense"))
	if !w.active(o.Token) {
		t.Fatal("nonsense ended it")
	}
	w.must(w.auth.EndFromApp(t.Context(), o.Token))
	w.must(w.auth.EndFromApp(t.Context(), o.Token))
	if ends := w.ends(h.Session.ID); len(ends) != 1 || ends[0] != "banner" || w.active(o.Token) {
		t.Errorf("ends: %v", ends)
	}
}
