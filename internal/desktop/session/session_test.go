package session_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"stead/internal/api"
	"stead/internal/audit"
	"stead/internal/stead"
	"stead/internal/token"

	"stead/internal/desktop/browser"
	"stead/internal/desktop/session"
)

var errNet = stead.E(stead.CodeUnreachable, errors.New("no route"))

func index(story []string, step string) int { return slices.Index(story, step) }

func TestIntentIsRecordedAndDrainedBeforeThePlatformIsAsked(t *testing.T) {
	d := newDesk(t)
	c := d.control()
	s, err := c.Start(t.Context(), ask("ana"))
	if err != nil || s.Phase != session.PhaseLive {
		t.Fatal(s.Phase, err)
	}
	story := d.story()
	intent, drained, launched, asked, redeemed, opened := index(story, "append session.intent"), index(story, "drain"), index(story, "launch"), index(story, "start"), index(story, "redeem"), index(story, "open")
	if intent != 0 || drained < 0 || launched < 0 || asked < max(drained, launched) || redeemed < asked || opened < redeemed {
		t.Errorf("wrong order: %v", story)
	}
	if kind, facts := d.last(); kind != audit.SessionOutcome || facts["result"] != "opened" {
		t.Errorf("last record %s %v", kind, facts)
	}
	v := d.browsers[0].visit
	if string(v.Cookie.Value) != "credential" || v.Banner.Name != "ana" || v.Banner.Email != "ana@members.test" {
		t.Errorf("visit %+v", v)
	}
}

// TestEachFailedStepIsUndone breaks every step of a start: nothing half-started stays, and an outcome says so.
func TestEachFailedStepIsUndone(t *testing.T) {
	for _, step := range []string{"append session.intent", "drain", "launch", "start", "keys", "redeem", "open", "append session.outcome"} {
		t.Run(step, func(t *testing.T) {
			d := newDesk(t)
			c := d.control()
			d.breakStep(step, stead.E(stead.CodeRecordInvalid, nil))
			s, err := c.Start(t.Context(), ask("ana"))
			if stead.CodeOf(err) != stead.CodeRecordInvalid || s.Phase != session.PhaseNone || s.Problem == nil {
				t.Fatalf("state %+v, error %v", s, err)
			}
			for _, b := range d.browsers {
				if !b.gone() {
					t.Error("the browser stayed")
				}
			}
			for _, st := range d.started {
				id := stead.SessionID(st.Session.ID)
				want := stead.CauseNotOpened
				if d.redeemed[id] {
					want = stead.CauseBrowserClosed
				}
				if got := d.endOf(id); got != want {
					t.Errorf("at the platform the session ended by %q, want %q", got, want)
				}
			}
			if step == "append session.intent" {
				if story := d.story(); len(story) != 1 {
					t.Errorf("something was done without a record: %v", story)
				}
				return
			}
			if step == "append session.outcome" {
				return // the outcome itself could not be written; TestUnwrittenOutcome shows that the journal remembers
			}
			if kind, facts := d.last(); kind != audit.SessionOutcome || facts["result"] != "failed" || facts["code"] != string(stead.CodeRecordInvalid) {
				t.Errorf("last record %s %v", kind, facts)
			}
		})
	}
}

func TestLostAnswerOfAStartIsAskedAgain(t *testing.T) {
	d := newDesk(t)
	d.lost = 2
	if _, err := d.control().Start(t.Context(), ask("ana")); err != nil {
		t.Fatal(err)
	}
	if len(d.started) != 1 {
		t.Errorf("%d sessions were started", len(d.started))
	}
}

func TestAnswerThatIsNotWhatWasAskedIsRefused(t *testing.T) {
	for name, lie := range map[string]func(*token.Descriptor){
		"another member":  func(d *token.Descriptor) { d.Subject = "m-other" },
		"another agent":   func(d *token.Descriptor) { d.Actor.Subject = "st-other" },
		"another account": func(d *token.Descriptor) { d.Account = "other" },
		"another device":  func(d *token.Descriptor) { d.Device = "ff" },
		"another session": func(d *token.Descriptor) { d.SessionID = "other" },
		"no scope":        func(d *token.Descriptor) { d.Scope = "" },
		"another issuer":  func(d *token.Descriptor) { d.Issuer = "https://evil.test" },
		"longer":          func(d *token.Descriptor) { d.ExpiresAt.Time = d.ExpiresAt.Add(time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.lie = lie
			_, err := d.control().Start(t.Context(), ask("ana"))
			if stead.CodeOf(err) != stead.CodeDescriptorMismatch {
				t.Errorf("error %v", err)
			}
			if index(d.story(), "redeem") >= 0 {
				t.Error("the handoff was redeemed all the same")
			}
		})
	}
}

func TestEnds_S1_10_S2_08(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(*testing.T, *desk, *session.Control)
		want stead.Cause
	}{
		"End in the window": {func(t *testing.T, _ *desk, c *session.Control) {
			if _, err := c.End(t.Context(), stead.CauseAgent); err != nil {
				t.Error(err)
			}
		}, stead.CauseAgent},
		"End in the banner": {func(_ *testing.T, d *desk, _ *session.Control) {
			d.browsers[0].events <- browser.Event{Kind: browser.EndClicked}
		}, stead.CauseBanner},
		"closed window": {func(_ *testing.T, d *desk, _ *session.Control) {
			d.browsers[0].events <- browser.Event{Kind: browser.Closed, Cause: browser.WindowClosed}
		}, stead.CauseBrowserClosed},
		"crashed browser": {func(_ *testing.T, d *desk, _ *session.Control) {
			d.browsers[0].events <- browser.Event{Kind: browser.Closed, Cause: browser.BrowserGone}
		}, stead.CauseBrowserCrashed},
		"hung browser": {func(_ *testing.T, d *desk, _ *session.Control) {
			d.browsers[0].events <- browser.Event{Kind: browser.Closed, Cause: browser.BrowserHung}
		}, stead.CauseBrowserHung},
		"log-off": {func(t *testing.T, _ *desk, c *session.Control) {
			if _, err := c.End(t.Context(), stead.CauseLoggedOff); err != nil {
				t.Error(err)
			}
		}, stead.CauseLoggedOff},
		"log-off that took the browser first": {func(t *testing.T, d *desk, c *session.Control) {
			d.browsers[0].events <- browser.Event{Kind: browser.Closed, Cause: browser.BrowserGone}
			time.Sleep(20 * time.Millisecond)
			if _, err := c.End(t.Context(), stead.CauseLoggedOff); err != nil {
				t.Error(err)
			}
		}, stead.CauseLoggedOff},
		"dead browser": {func(_ *testing.T, d *desk, _ *session.Control) { close(d.browsers[0].events) }, stead.CauseBrowserClosed},
		"Stead closes": {func(t *testing.T, _ *desk, c *session.Control) {
			if err := c.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}, stead.CauseSteadClosed},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			ctl := d.control()
			s, err := ctl.Start(t.Context(), ask("ana"))
			if err != nil {
				t.Fatal(err)
			}
			c.end(t, d, ctl)
			got := d.await(ctl, session.PhaseEnded)
			if got.Cause != c.want || !got.Confirmed || !got.Wiped || !d.browsers[0].gone() || d.endOf(s.ID) != c.want {
				t.Errorf("state %+v, platform %q", got, d.endOf(s.ID))
			}
			if kind, facts := d.last(); kind != audit.SessionObservedEnd || facts["cause"] != string(c.want) || facts["confirmed"] != true {
				t.Errorf("last record %s %v", kind, facts)
			}
			story := d.story()
			if index(story, "end") > index(story, "close") {
				t.Errorf("the browser was closed before the session was revoked: %v", story)
			}
		})
	}
}

func TestEndFromElsewhereClosesTheBrowser_S1_11(t *testing.T) {
	d := newDesk(t)
	c := d.control()
	s, err := c.Start(t.Context(), ask("ana"))
	if err != nil {
		t.Fatal(err)
	}
	d.mu.Lock()
	d.ends[s.ID] = stead.CauseAdmin
	d.mu.Unlock()
	if got := d.await(c, session.PhaseEnded); got.Cause != stead.CauseAdmin || !d.browsers[0].gone() {
		t.Errorf("state %+v", got)
	}
}

func TestExpiryClosesTheBrowserWhateverTheClocksSay_S1_07(t *testing.T) {
	d := newDesk(t)
	d.offset, d.ttl = -90*time.Second, 2500*time.Millisecond // the platform's clock is behind ours
	c := d.control()
	s, err := c.Start(t.Context(), ask("ana"))
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(s.EndsAt); left > 2500*time.Millisecond || left < time.Second { // the descriptor cuts the second off
		t.Errorf("the countdown starts at %v", left)
	}
	if got := d.await(c, session.PhaseEnded); got.Cause != stead.CauseExpired || !got.Confirmed || !d.browsers[0].gone() {
		t.Errorf("state %+v", got)
	}
	if story := d.story(); index(story, "close") > index(story, "end") {
		t.Errorf("the page stayed until the platform was asked: %v", story)
	}
}

func TestNewerSessionEndsTheOlder_S1_08(t *testing.T) {
	d := newDesk(t)
	c := d.control()
	if _, err := c.Start(t.Context(), ask("ana")); err != nil {
		t.Fatal(err)
	}
	s, err := c.Start(t.Context(), ask("bo"))
	if err != nil {
		t.Fatal(err)
	}
	if !d.browsers[0].gone() || d.browsers[1].gone() || c.State().ID != s.ID || c.State().Phase != session.PhaseLive {
		t.Errorf("state %+v", c.State())
	}
}

func TestRefusedSecondStartLeavesTheFirstAlone(t *testing.T) {
	d := newDesk(t)
	c := d.control()
	first, err := c.Start(t.Context(), ask("ana"))
	if err != nil {
		t.Fatal(err)
	}
	d.breakStep("start", stead.E(stead.CodePeer, nil))
	if _, err := c.Start(t.Context(), ask("bo")); stead.CodeOf(err) != stead.CodePeer {
		t.Fatal(err)
	}
	if s := c.State(); s.Phase != session.PhaseLive || s.ID != first.ID || d.browsers[0].gone() || !d.browsers[1].gone() {
		t.Errorf("state %+v", s)
	}
	if _, err := c.End(t.Context(), stead.CauseAgent); err != nil || c.State().Phase != session.PhaseEnded {
		t.Errorf("the first cannot be ended any more: %v", err)
	}
}

// TestOnlyTheDescriptorSaysHowLongAndHowMuch: what stands beside it is not signed.
func TestOnlyTheDescriptorSaysHowLongAndHowMuch(t *testing.T) {
	d := newDesk(t)
	d.boast = func(s *api.Session) { s.ExpiresAt, s.Scope = s.ExpiresAt.Add(time.Hour), "read write" }
	s, err := d.control().Start(t.Context(), ask("ana"))
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(s.EndsAt); left > stead.SessionTTL || s.Scope != "read" {
		t.Errorf("ends in %v, scope %q", left, s.Scope)
	}
	if got := d.browsers[0].visit.Banner.Ends; !got.Equal(s.EndsAt) {
		t.Errorf("the banner counts down to %v", got)
	}
}

func TestCredentialGoesOnlyWhereItIsSafe(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*api.Opened)
		safe   bool
	}{
		"plain http":               {func(o *api.Opened) { o.StartURL = "http://portal.test/" }, false},
		"a name that only ends so": {func(o *api.Opened) { o.StartURL = "http://evillocalhost/" }, false},
		"no address":               {func(o *api.Opened) { o.StartURL = "/" }, false},
		"for scripts to read":      {func(o *api.Opened) { o.Cookie.HTTPOnly = false }, false},
		"on plain http too":        {func(o *api.Opened) { o.Cookie.Secure = false }, false},
		"this machine by name":     {func(o *api.Opened) { o.StartURL = "http://portal.localhost:7420/" }, true},
		"this machine by number":   {func(o *api.Opened) { o.StartURL = "http://127.0.0.1:7420/" }, true},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			c.change(&d.opened)
			_, err := d.control().Start(t.Context(), ask("ana"))
			if c.safe {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if stead.CodeOf(err) != stead.CodeDescriptorMismatch || index(d.story(), "open") >= 0 || !d.browsers[0].gone() {
				t.Errorf("error %v, %v", err, d.story())
			}
		})
	}
}

func TestS0_05_TheViewIsChosenWhileTheSessionLives(t *testing.T) {
	d := newDesk(t)
	c := d.control()
	if _, err := c.SetView(t.Context(), browser.PhoneView); stead.CodeOf(err) != stead.CodeSessionNotFound {
		t.Errorf("a view without a session: %v", err)
	}
	if s, err := c.Start(t.Context(), ask("ana")); err != nil || s.View != browser.DesktopView {
		t.Fatalf("%+v, %v", s, err)
	}
	if s, err := c.SetView(t.Context(), browser.PhoneView); err != nil || s.View != browser.PhoneView || d.browsers[0].view != browser.PhoneView {
		t.Errorf("%+v, %v", s, err)
	}
	d.fail["view"] = errNet
	if s, err := c.SetView(t.Context(), "watch"); stead.CodeOf(err) != stead.CodeBadRequest || s.View != browser.PhoneView {
		t.Errorf("%+v, %v", s, err)
	}
}
