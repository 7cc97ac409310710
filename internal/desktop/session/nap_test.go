package session_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/desktop/session"
)

// sleeper is a wall clock that can be moved against the timers, as sleep does and as a hand on the clock does.
type sleeper struct{ by atomic.Int64 }

func (s *sleeper) now() time.Time       { return time.Now().Add(time.Duration(s.by.Load())) }
func (s *sleeper) move(d time.Duration) { s.by.Add(int64(d)) }

// asleep starts a session whose wall clock the test moves.
func asleep(t *testing.T, f func(*desk, *session.Control, *sleeper)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d, s := newDesk(t), &sleeper{}
		d.clock = s.now
		c := d.control()
		if _, err := c.Start(t.Context(), ask("ana")); err != nil {
			t.Fatal(err)
		}
		f(d, c, s)
	})
}

func wantSuspended(d *desk, c *session.Control, within time.Duration) {
	d.Helper()
	began := time.Now()
	for !d.browsers[0].gone() {
		if time.Since(began) > within {
			d.Fatalf("the page is still shown %v after waking: %+v", within, c.State())
		}
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(10 * time.Second)
	if got := c.State(); got.Phase != session.PhaseEnded || got.Cause != stead.CauseSuspended {
		d.Errorf("state %+v", got)
	}
	if kind, facts := d.last(); kind != audit.SessionObservedEnd || facts["cause"] != string(stead.CauseSuspended) {
		d.Errorf("last record %s %v", kind, facts)
	}
}

func TestSleepBeyondTheEndClosesTheBrowserOnWaking(t *testing.T) {
	asleep(t, func(d *desk, c *session.Control, s *sleeper) {
		d.breakStep("end", errNet) // the network is not back yet
		time.Sleep(3 * time.Minute)
		s.move(17*time.Minute + time.Second)
		wantSuspended(d, c, 300*time.Millisecond)
	})
}

func TestBeingToldOfWakingLooksAtOnce(t *testing.T) {
	asleep(t, func(d *desk, c *session.Control, s *sleeper) {
		time.Sleep(3*time.Minute + time.Millisecond) // between two looks
		s.move(time.Hour)
		c.Woke()
		wantSuspended(d, c, 10*time.Millisecond)
	})
}

func TestSleepBeyondTheGraceClosesTheBrowser(t *testing.T) {
	asleep(t, func(d *desk, c *session.Control, s *sleeper) {
		time.Sleep(time.Minute)
		s.move(stead.HeartbeatGrace)
		wantSuspended(d, c, 300*time.Millisecond)
	})
}

func TestShortSleepGoesOnAndCountsTowardsTheEnd(t *testing.T) {
	asleep(t, func(d *desk, c *session.Control, s *sleeper) {
		time.Sleep(time.Minute)
		for range 8 { // eight minutes in all, none of them long enough to be given up
			s.move(time.Minute)
			time.Sleep(time.Minute)
		}
		if got := c.State(); got.Phase != session.PhaseLive {
			t.Fatalf("state %+v", got)
		}
		time.Sleep(2 * time.Minute)
		s.move(stead.HeartbeatGrace - 5*time.Second) // 20:25 by the wall clock
		wantSuspended(d, c, 300*time.Millisecond)
	})
}

// A clock that is put back, at once or bit by bit, must not make a session longer, asleep or awake.
func TestPuttingTheClockBackGainsNothing(t *testing.T) {
	asleep(t, func(d *desk, c *session.Control, s *sleeper) {
		for range 9 {
			s.move(-10 * time.Minute)
			time.Sleep(time.Minute)
		}
		s.move(-time.Hour)
		time.Sleep(time.Second)
		s.move(80 * time.Second) // sleep, in a day that is long over by this clock
		time.Sleep(9*time.Minute + 30*time.Second)
		if got := c.State(); got.Phase != session.PhaseLive {
			t.Fatalf("state %+v", got)
		}
		time.Sleep(30 * time.Second)
		if !d.browsers[0].gone() {
			t.Errorf("the page is shown for longer than twenty minutes: %+v", c.State())
		}
	})
}

func TestAClockPutRightInPassingIsNoSleep(t *testing.T) {
	asleep(t, func(_ *desk, c *session.Control, s *sleeper) {
		for range 1000 {
			s.move(900 * time.Millisecond)
			time.Sleep(time.Second)
			s.move(-900 * time.Millisecond)
		}
		if got := c.State(); got.Phase != session.PhaseLive {
			t.Errorf("state %+v", got)
		}
	})
}

// TestAPlatformThatDoesNotKnowTheCause: one of an earlier version refuses what it cannot name.
func TestAPlatformThatDoesNotKnowTheCause(t *testing.T) {
	d := newDesk(t)
	d.unknown = stead.CauseBrowserHung
	c := d.control()
	s, err := c.Start(t.Context(), ask("ana"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.End(t.Context(), stead.CauseBrowserHung)
	if err != nil || !got.Confirmed || d.endOf(s.ID) != stead.CauseSteadClosed {
		t.Errorf("state %+v, %v, platform %q", got, err, d.endOf(s.ID))
	}
	if _, facts := d.last(); facts["cause"] != string(stead.CauseBrowserHung) {
		t.Errorf("record %v", facts)
	}
}
