package session_test

import (
	"testing"
	"testing/synctest"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/desktop/session"
)

func TestEndWithoutThePlatformIsShownAndConfirmedLater(t *testing.T) {
	d := newDesk(t)
	c := d.control()
	s, err := c.Start(t.Context(), ask("ana"))
	if err != nil {
		t.Fatal(err)
	}
	d.breakStep("end", errNet)
	got, err := c.End(t.Context(), stead.CauseAgent)
	if err != nil || got.Confirmed || got.Phase != session.PhaseEnded || !d.browsers[0].gone() {
		t.Fatalf("state %+v, %v", got, err)
	}
	if _, facts := d.last(); facts["confirmed"] != false {
		t.Errorf("the record claims a confirmation: %v", facts)
	}
	d.breakStep("end", nil)
	for deadline := time.Now().Add(10 * time.Second); !c.State().Confirmed; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("never confirmed")
		}
	}
	if d.endOf(s.ID) != stead.CauseAgent {
		t.Errorf("platform %q", d.endOf(s.ID))
	}
}

func TestLostConnectionIsShownAndHeals(t *testing.T) {
	d := newDesk(t)
	c := d.control()
	if _, err := c.Start(t.Context(), ask("ana")); err != nil {
		t.Fatal(err)
	}
	d.breakStep("look", errNet)
	wait := func(lost bool) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); c.State().LostAt.IsZero() == lost; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("lost = %v was never shown", lost)
			}
		}
	}
	wait(true)
	if left := time.Until(c.State().LostAt); left > stead.HeartbeatGrace || left < stead.HeartbeatGrace-20*time.Second {
		t.Errorf("says it ends in %v", left)
	}
	d.breakStep("look", nil)
	wait(false)
	if c.State().Phase != session.PhaseLive {
		t.Errorf("state %+v", c.State())
	}
}

// TestLostConnectionIsNoConfirmation: that this machine hears nothing proves nothing about the platform.
func TestLostConnectionIsNoConfirmation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		c := d.control()
		s, err := c.Start(t.Context(), ask("ana"))
		if err != nil {
			t.Fatal(err)
		}
		d.breakStep("look", errNet)
		d.breakStep("end", errNet)
		time.Sleep(stead.HeartbeatGrace + 30*time.Second)
		if got := c.State(); got.Phase != session.PhaseEnded || got.Cause != stead.CauseConnectionLost || got.Confirmed || !d.browsers[0].gone() {
			t.Errorf("state %+v", got)
		}
		if kind, facts := d.last(); kind != audit.SessionObservedEnd || facts["cause"] != string(stead.CauseConnectionLost) || facts["confirmed"] != false {
			t.Errorf("last record %s %v", kind, facts)
		}
		d.breakStep("end", nil)
		time.Sleep(2 * time.Minute)
		if got := c.State(); !got.Confirmed || got.Cause != stead.CauseSteadClosed || d.endOf(s.ID) != stead.CauseSteadClosed {
			t.Errorf("state %+v, platform %q", got, d.endOf(s.ID))
		}
	})
}

func TestExpiryHereIsNoConfirmation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		c := d.control()
		if _, err := c.Start(t.Context(), ask("ana")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(stead.SessionTTL - time.Second)
		d.breakStep("end", errNet)
		began := time.Now()
		for !d.browsers[0].gone() {
			time.Sleep(50 * time.Millisecond)
		}
		if late := time.Since(began); late > 1100*time.Millisecond {
			t.Errorf("the page stayed for %v", late)
		}
		time.Sleep(3 * time.Second)
		if got := c.State(); got.Phase != session.PhaseEnded || got.Cause != stead.CauseExpired || got.Confirmed {
			t.Errorf("state %+v", got)
		}
		if _, facts := d.last(); facts["cause"] != string(stead.CauseExpired) || facts["confirmed"] != false {
			t.Errorf("the record claims a confirmation: %v", facts)
		}
	})
}

// TestHangingNetworkHoldsNothingUp: the question that hangs is one, and End does not wait for it.
func TestHangingNetworkHoldsNothingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		c := d.control()
		if _, err := c.Start(t.Context(), ask("ana")); err != nil {
			t.Fatal(err)
		}
		d.stall("look")
		time.Sleep(4500 * time.Millisecond) // the second tick finds the first question open
		if n := d.hanging("look"); n != 1 {
			t.Fatalf("%d questions are under way", n)
		}
		began := time.Now()
		got, err := c.End(t.Context(), stead.CauseAgent)
		if took := time.Since(began); err != nil || got.Phase != session.PhaseEnded || took > 100*time.Millisecond {
			t.Errorf("state %+v after %v, %v", got, took, err)
		}
		synctest.Wait()
		if n := d.hanging("look"); n != 0 {
			t.Errorf("%d questions outlive the session", n)
		}
	})
}

// TestCloseUndoesARunningStart: nothing of it is left to the platform's patience, and no other begins.
func TestCloseUndoesARunningStart(t *testing.T) {
	for _, step := range []string{"launch", "redeem"} {
		t.Run(step, func(t *testing.T) {
			d := newDesk(t)
			c := d.control()
			d.stall(step)
			failed := make(chan error, 1)
			go func() {
				_, err := c.Start(t.Context(), ask("ana"))
				failed <- err
			}()
			for deadline := time.Now().Add(10 * time.Second); d.hanging(step) == 0; time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("the start never came so far")
				}
			}
			began := time.Now()
			if err := c.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("closing took %v", took)
			}
			for _, st := range d.started {
				if d.endOf(stead.SessionID(st.Session.ID)) != stead.CauseNotOpened {
					t.Error("the session stayed at the platform")
				}
			}
			if kind, facts := d.last(); kind != audit.SessionOutcome || facts["result"] != "failed" {
				t.Errorf("last record %s %v", kind, facts)
			}
			if err := <-failed; err == nil {
				t.Error("the start succeeded")
			}
			n := len(d.story())
			if _, err := c.Start(t.Context(), ask("bo")); stead.CodeOf(err) != stead.CodeSignInRequired || len(d.story()) != n {
				t.Errorf("a start after the close: %v, %v", err, d.story()[n:])
			}
		})
	}
}
