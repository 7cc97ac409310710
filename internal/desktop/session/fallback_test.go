package session_test

import (
	"testing"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/desktop/browser"
	"stead/internal/desktop/session"
)

func newFallbackDesk(t *testing.T) *desk {
	d := newDesk(t)
	d.mode = stead.ModeFallback
	return d
}

func (d *desk) setWaiting(waiting bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.waiting = waiting
}

func TestFallbackOpensByACode(t *testing.T) {
	d := newFallbackDesk(t)
	d.setWaiting(true)
	c := d.control()
	exchanged := time.AfterFunc(300*time.Millisecond, func() { d.setWaiting(false) })
	defer exchanged.Stop()
	begin := time.Now()
	s, err := c.Start(t.Context(), ask("ana"))
	if err != nil || s.Phase != session.PhaseLive || s.Mode != stead.ModeFallback {
		t.Fatalf("%+v, %v", s, err)
	}
	if time.Since(begin) < 300*time.Millisecond {
		t.Error("it counts as live before the member app has the code")
	}
	v := d.browsers[0].visit
	if v.Form.Code != "posted" || v.Form.Action != "https://portal.test/support/handoff" || v.Cookie.Value != "" {
		t.Errorf("opened with %+v", v)
	}
	if kind, facts := d.last(); kind != audit.SessionOutcome || facts["mode"] != "fallback" || facts["result"] != "opened" {
		t.Errorf("%s %v", kind, facts)
	}
	if _, err := c.End(t.Context(), stead.CauseAgent); err != nil {
		t.Fatal(err)
	}
	if kind, facts := d.last(); kind != audit.SessionObservedEnd || facts["mode"] != "fallback" {
		t.Errorf("%s %v", kind, facts)
	}
}

// TestFallbackEndsWhenItsPageWasContested: at whatever moment somebody else asked for the page.
func TestFallbackEndsWhenItsPageWasContested(t *testing.T) {
	t.Run("while it opens", func(t *testing.T) {
		d := newFallbackDesk(t)
		d.breakStep("open", stead.E(stead.CodeBrowserContested, nil))
		_, err := d.control().Start(t.Context(), ask("ana"))
		d.wantContested(err)
	})
	t.Run("before the code is exchanged", func(t *testing.T) {
		d := newFallbackDesk(t)
		d.setWaiting(true)
		contest := time.AfterFunc(300*time.Millisecond, func() { d.newest().events <- browser.Event{Kind: browser.Contested} })
		defer contest.Stop()
		_, err := d.control().Start(t.Context(), ask("ana"))
		d.wantContested(err)
	})
	t.Run("while it lives", func(t *testing.T) {
		d := newFallbackDesk(t)
		c := d.control()
		s, err := c.Start(t.Context(), ask("ana"))
		if err != nil {
			t.Fatal(err)
		}
		d.newest().events <- browser.Event{Kind: browser.Contested}
		if over := d.await(c, session.PhaseEnded); over.Cause != stead.CauseHandoffReused || d.endOf(s.ID) != stead.CauseHandoffReused || !d.newest().gone() {
			t.Errorf("%+v", over)
		}
	})
}

func (d *desk) newest() *fakeBrowser {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.browsers[len(d.browsers)-1]
}

func (d *desk) wantContested(err error) {
	d.Helper()
	if stead.CodeOf(err) != stead.CodeBrowserContested || !d.newest().gone() {
		d.Errorf("got %v", err)
	}
	for _, cause := range d.ends {
		if cause != stead.CauseHandoffReused {
			d.Errorf("the platform was told %q", cause)
		}
	}
	if kind, facts := d.last(); kind != audit.SessionOutcome || facts["code"] != "browser_contested" || facts["mode"] != "fallback" || len(d.ends) != 1 {
		d.Errorf("%s %v, ends %v", kind, facts, d.ends)
	}
}

func TestFallbackIsUndoneWhenTheBrowserGoesOrTheCodeIsUnsafe(t *testing.T) {
	t.Run("the browser ends first", func(t *testing.T) {
		d := newFallbackDesk(t)
		d.setWaiting(true)
		gone := time.AfterFunc(200*time.Millisecond, func() { d.newest().events <- browser.Event{Kind: browser.Closed} })
		defer gone.Stop()
		if _, err := d.control().Start(t.Context(), ask("ana")); stead.CodeOf(err) != stead.CodeBrowserOpenFailed || !d.newest().gone() {
			t.Errorf("%v", err)
		}
	})
	t.Run("the code would go over plain http", func(t *testing.T) {
		d := newFallbackDesk(t)
		d.postURL = "http://portal.test/support/handoff"
		if _, err := d.control().Start(t.Context(), ask("ana")); stead.CodeOf(err) != stead.CodeDescriptorMismatch || d.newest().visit.Form.Code != "" {
			t.Errorf("%v", err)
		}
	})
	t.Run("a controlled browser is not opened by a code", func(t *testing.T) {
		d := newDesk(t)
		d.mode = stead.ModePipe
		d.opened.Cookie = nil
		if _, err := d.control().Start(t.Context(), ask("ana")); stead.CodeOf(err) != stead.CodeDescriptorMismatch {
			t.Errorf("%v", err)
		}
	})
}
