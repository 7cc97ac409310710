package session

import (
	"time"

	"stead/internal/stead"
)

const (
	// napInterval is how long after waking a computer may at most go on before a session that is over is noticed.
	napInterval = 250 * time.Millisecond
	// napLeast is what counts as sleep. Less is a clock that is put right in passing.
	napLeast = time.Second
)

// nap adds up how long the computer slept while a session lived. Timers stand still meanwhile, and the member's page
// would stay for as much longer. What passed by the wall clock and not by the monotonic one was sleep. A wall clock
// that is put forward looks the same and ends a session early; one that is put back changes nothing, because only
// gains count, each for itself. It belongs to one goroutine.
type nap struct {
	ends  time.Time     // by the timers, had there been no sleep
	last  instant       // of the last look
	slept time.Duration // so far
}

// instant is one moment by both clocks.
type instant struct{ mono, wall time.Time }

func newNap(wall time.Time, endsAt time.Time) *nap {
	now := time.Now()
	return &nap{ends: now.Add(time.Until(endsAt)), last: instant{now, wall}}
}

// look takes in the present moment and reports how long the computer has just slept.
func (n *nap) look(wall time.Time) time.Duration {
	now := instant{time.Now(), wall}
	gain := now.wall.Sub(n.last.wall) - now.mono.Sub(n.last.mono)
	n.last = now
	if gain < napLeast {
		return 0
	}
	n.slept += gain
	return gain
}

// over reports that the session's time is up when sleep counts.
func (n *nap) over() bool { return !n.last.mono.Add(n.slept).Before(n.ends) }

// Woke tells that the computer woke up just now, so that nothing has to wait for the next look at the clock.
func (c *Control) Woke() {
	select {
	case c.woke <- struct{}{}:
	default: // it will be looked at anyway
	}
}

// overslept finishes the session, and reports true, when its time is up because sleep counts too, or when the computer
// slept for so long that the platform, which heard nothing meanwhile, gave it up.
func (c *Control) overslept(r *run, l *looker, n *nap) bool {
	gain := n.look(c.wall())
	if gain == 0 {
		if n.slept > 0 && n.over() { // some of the time was slept; the rest passed on the screen
			c.finish(r, stead.CauseExpired, false)
			return true
		}
		return false
	}
	l.heard = l.heard.Add(-gain)
	if !n.over() && time.Since(l.heard) < stead.HeartbeatGrace {
		l.lastBeat = time.Time{} // the platform has missed some: the next question is a heartbeat
		l.begin(time.Now())
		return false
	}
	c.finish(r, stead.CauseSuspended, false)
	return true
}

// wall is the time by the wall clock alone.
func (c *Control) wall() time.Time {
	if c.Clock != nil {
		return c.Clock().Round(0)
	}
	return time.Now().Round(0)
}

// logOffPause is how long a browser's sudden end may go before the word that the agent is logging off: the system
// ends all programs at once.
const logOffPause = 200 * time.Millisecond

// unlessLoggedOff is the cause, unless the browser died because the agent is logging off.
func (c *Control) unlessLoggedOff(r *run, cause stead.Cause) stead.Cause {
	if cause != stead.CauseBrowserCrashed {
		return cause
	}
	pause := time.NewTimer(logOffPause)
	defer pause.Stop()
	select {
	case o := <-r.stop: // whoever ordered it waits for r.done too
		if o.cause == stead.CauseLoggedOff {
			return o.cause
		}
	case <-pause.C:
	}
	return cause
}
