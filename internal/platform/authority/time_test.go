package authority_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"
)

// watch runs the expirer until the test ends.
func (w *world) watch() {
	ctx, stop := context.WithCancel(w.Context())
	done := make(chan struct{})
	go func() { defer close(done); w.auth.Watch(ctx) }()
	w.Cleanup(func() { stop(); <-done })
}

// awaitEnd waits for the end that somebody else writes.
func (w *world) awaitEnd(id stead.SessionID, want stead.Cause) {
	w.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if s := w.session(id); s.State == stead.StateEnded {
			if s.Cause != want {
				w.Errorf("ended by %q, want %q", s.Cause, want)
			}
			return
		}
	}
	w.Fatalf("still not ended by %s", want)
}

func TestExpiryIsActiveRecordedAndTold_S1_07(t *testing.T) {
	w := newWorld(t)
	o := w.live(lena, ana)
	w.store.pass(stead.SessionTTL - time.Second)
	w.must(w.touch(lena, o.Session.ID))
	if !w.active(o.Token) {
		t.Fatal("refused before its time")
	}
	w.store.pass(time.Second)
	if w.active(o.Token) {
		t.Error("a token is good after the session's time, before anybody ended it")
	}
	w.watch()
	w.awaitEnd(o.Session.ID, stead.CauseExpired)
	if got := w.ends(o.Session.ID); !slices.Equal(got, []string{"expired"}) {
		t.Errorf("ends %v", got)
	}
	if n := w.notices(ana); len(n) != 2 || n[0].Cause != stead.CauseExpired {
		t.Errorf("notices %+v", n)
	}
}

func (w *world) touch(agent stead.Staff, id stead.SessionID) error {
	_, _, err := w.auth.Heartbeat(w.Context(), agent, id, nil)
	return err
}

// TestEndAfterTheTimeIsExpiry: whoever presses End too late did not end anything.
func TestEndAfterTheTimeIsExpiry_S1_07(t *testing.T) {
	w := newWorld(t)
	o := w.live(lena, ana)
	for range 15 {
		w.store.pass(80 * time.Second)
		w.must(w.touch(lena, o.Session.ID))
	}
	s, err := w.auth.End(t.Context(), lena, o.Session.ID, stead.CauseSteadClosed)
	w.must(err)
	if s.Cause != stead.CauseExpired || s.EndedBy != "" {
		t.Errorf("cause %s, by %q", s.Cause, s.EndedBy)
	}
}

func TestExpiryWhileThePlatformWasDown(t *testing.T) {
	w := newWorld(t)
	o := w.live(lena, ana)
	w.must(w.store.Close())
	w.store.pass(time.Hour)
	w.open()
	w.watch()
	w.awaitEnd(o.Session.ID, stead.CauseConnectionLost)
	for _, l := range w.trail(o.Session.ID) {
		if l.Kind == audit.SessionEnded && l.Facts["due_ms"] == "" {
			t.Error("the end does not say when it was due")
		}
	}
}

func TestLostConnection(t *testing.T) {
	w := newWorld(t)
	o := w.live(lena, ana)
	w.watch()
	w.store.pass(stead.HeartbeatGrace - 5*time.Second)
	w.must(w.touch(lena, o.Session.ID))
	w.store.pass(stead.HeartbeatGrace - 5*time.Second)
	if !w.active(o.Token) {
		t.Fatal("ended although heartbeats came")
	}
	w.store.pass(10 * time.Second)
	w.awaitEnd(o.Session.ID, stead.CauseConnectionLost)
	if w.active(o.Token) {
		t.Error("the token outlives the session")
	}
}

// TestLostConnectionNeedsNoSweep: the request itself is refused, whether or not anybody has written the end yet.
func TestLostConnectionNeedsNoSweep(t *testing.T) {
	w := newWorld(t)
	o := w.live(lena, ana)
	w.store.pass(stead.HeartbeatGrace + time.Second)
	if w.active(o.Token) {
		t.Error("good without a heartbeat for longer than the grace")
	}
}

func TestClockSetBackAcrossARestart(t *testing.T) {
	w := newWorld(t)
	o := w.live(lena, ana)
	late := w.start(tom, bo)
	w.must(w.store.Close())
	w.store.pass(-time.Hour)
	w.open()
	if w.active(o.Token) {
		t.Error("good although the clock stands before the session's start")
	}
	_, err := w.redeem(tom, late)
	w.wantCode(err, stead.CodeHandoffInvalid)
}

// TestClockSetBackBehindAHeartbeat: after a restart the monotonic guard remembers nothing, but the row remembers when
// the session was last heard of.
func TestClockSetBackBehindAHeartbeat(t *testing.T) {
	w := newWorld(t)
	o := w.live(lena, ana)
	for range 5 {
		w.store.pass(80 * time.Second)
		w.must(w.touch(lena, o.Session.ID))
	}
	w.must(w.store.Close())
	w.store.pass(-5 * time.Minute)
	w.open()
	if w.active(o.Token) {
		t.Error("a clock set back gives a session its minutes again")
	}
}

func TestGuardNeverGivesMoreThanAWholeSession(t *testing.T) {
	w := newWorld(t)
	if left := time.Until(w.auth.Arm("s", 80*time.Minute)); left > stead.SessionTTL {
		t.Errorf("the guard gives %v", left)
	}
}

func TestUnredeemedStartEndsAndTellsNobody(t *testing.T) {
	w := newWorld(t)
	s := w.start(lena, ana)
	w.store.pass(stead.HandoffTTL + time.Second)
	w.watch()
	w.awaitEnd(s.Session.ID, stead.CauseNotOpened)
	if n := w.notices(ana); len(n) != 0 {
		t.Errorf("the member was told of a session nobody opened: %+v", n)
	}
}

func TestClockSetBackNeverLengthensASession(t *testing.T) {
	w := newWorld(t)
	o := w.live(lena, ana)
	w.store.pass(-time.Minute)
	w.must(w.touch(lena, o.Session.ID))
	if !w.active(o.Token) {
		t.Fatal("a clock set back ended the session at once") // the monotonic guard still has twenty minutes
	}
	if left := time.Until(w.auth.GuardedUntil(o.Session.ID)); left > stead.SessionTTL {
		t.Errorf("after the clock was set back the session would live another %v", left)
	}
}
