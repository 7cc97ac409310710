//go:build linux

package cli

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"syscall"
	"testing"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/desktop"
	"stead/internal/desktop/browser"
	"stead/internal/desktop/session"

	"stead/internal/platform/store"
)

// atDesk is a whole desktop of the scene's agent in this process, signed in.
func (s *scene) atDesk(log *slog.Logger) *run {
	s.Helper()
	r := &run{demo: s.demo}
	o := s.orders
	desk, err := desktop.Open(s.Context(), desktop.Config{PlatformURL: o.Desk.PlatformURL, DataDir: o.Desk.DataDir, CacheDir: o.Desk.CacheDir, Keyring: o.Desk.Keyring,
		DeviceName: "test", Log: log, EnrolmentCode: func(context.Context) (string, error) { return o.Code, nil },
		OpenBrowser: func(url string) error { return choosePerson(s.Context(), url, "st-lena") },
		OnBrowser:   func(b *browser.Browser) { r.browser.Store(b) }})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = desk.Close(context.WithoutCancel(s.Context())) })
	if stage, _, err := desk.Begin(s.Context()); err != nil || stage != desktop.StageReady {
		s.Fatalf("stage %s: %v", stage, err)
	}
	m, err := desk.Client.Member(s.Context(), o.Member)
	if err != nil {
		s.Fatal(err)
	}
	r.desk, r.target = desk, m.Member
	return r
}

// observed is what the device's record says of the session's end, once it has arrived.
func (s *scene) observed(r *run, id stead.SessionID) (body audit.Body) {
	s.Helper()
	ob, err := r.desk.Outbox()
	if err == nil {
		err = ob.WaitDrained(s.Context(), ob.State().Head)
	}
	if err == nil {
		err = s.demo.platform.Store.View(s.Context(), func(tx store.Tx) error {
			entries, err := tx.Trail(store.TrailFilter{Limit: 10000})
			for _, e := range entries {
				if e.Session == id && e.Kind == string(audit.SessionObservedEnd) {
					rec, err := audit.Decode(e.Envelope)
					body = rec.Body
					return err
				}
			}
			return err
		})
	}
	if err != nil {
		s.Fatal(err)
	}
	return body
}

// TestEachWayOutHasItsCause: with a real browser, a real platform, and the time from the deed to the platform's end.
func TestEachWayOutHasItsCause(t *testing.T) {
	s := newScene(t)
	r := s.atDesk(slog.New(slog.DiscardHandler))
	for _, c := range []struct {
		name  string
		do    func(ctl *session.Control, b *browser.Browser) error
		want  stead.Cause
		limit time.Duration
	}{
		{"End", func(ctl *session.Control, _ *browser.Browser) error {
			_, err := ctl.End(t.Context(), stead.CauseAgent)
			return err
		}, stead.CauseAgent, time.Second},
		{"last page gone", func(_ *session.Control, b *browser.Browser) error { return b.Hand().CloseWindow(t.Context()) }, stead.CauseBrowserClosed, time.Second},
		{"browser killed", func(_ *session.Control, b *browser.Browser) error { return syscall.Kill(b.PID(), syscall.SIGKILL) }, stead.CauseBrowserCrashed, time.Second},
		{"log-off", func(*session.Control, *browser.Browser) error { return syscall.Kill(os.Getpid(), syscall.SIGTERM) }, stead.CauseLoggedOff, time.Second},
		{"log-off that ends the browser too", func(_ *session.Control, b *browser.Browser) error {
			return errors.Join(syscall.Kill(b.PID(), syscall.SIGKILL), syscall.Kill(os.Getpid(), syscall.SIGHUP))
		}, stead.CauseLoggedOff, time.Second},
		{"browser stopped", func(_ *session.Control, b *browser.Browser) error { return syscall.Kill(b.PID(), syscall.SIGSTOP) }, stead.CauseBrowserHung, 40 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			live, err := r.start(t.Context(), r.target)
			if err != nil {
				t.Fatal(err)
			}
			ctl, err := r.desk.Session()
			if err != nil {
				t.Fatal(err)
			}
			b := r.browser.Load()
			gone := make(chan time.Duration, 1)
			began := time.Now()
			go func() {
				for !errors.Is(syscall.Kill(b.PID(), 0), syscall.ESRCH) && time.Since(began) < time.Minute {
					time.Sleep(2 * time.Millisecond)
				}
				gone <- time.Since(began)
			}()
			if err := c.do(ctl, b); err != nil {
				t.Fatal(err)
			}
			for ctl.State().Phase != session.PhaseEnded && time.Since(began) < time.Minute {
				time.Sleep(5 * time.Millisecond)
			}
			if got := ctl.State(); got.Phase != session.PhaseEnded || got.Cause != c.want || !got.Confirmed || !got.Wiped {
				t.Errorf("state %+v", got)
			}
			if body := s.observed(r, live.ID); body["cause"] != string(c.want) {
				t.Errorf("the device's record says %v", body)
			}
			row, err := r.desk.Client.Session(t.Context(), live.ID)
			if err != nil || row.Cause == nil || *row.Cause != string(c.want) || row.EndedAt == nil {
				t.Fatalf("the platform says %+v, %v", row, err)
			}
			took := row.EndedAt.Sub(began) // one clock: the platform runs in this process
			t.Logf("ended at the platform after %v, browser gone after %v", took, <-gone)
			if took > c.limit {
				t.Errorf("ended at the platform after %v", took)
			}
			if _, err := r.desk.Client.WriteNote(t.Context(), live.ID, "Tried one way out."); err != nil {
				t.Fatal(err)
			}
		})
	}
}
