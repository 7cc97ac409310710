package session

import (
	"context"
	"time"

	"stead/internal/stead"

	"stead/internal/desktop/browser"
)

// lookInterval is how often the state is asked for between heartbeats, so that an end from elsewhere closes the
// browser soon. The member app refuses in any case; this only clears the screen.
const lookInterval = 2 * time.Second

// stopOrder tells the watcher to end the session.
type stopOrder struct {
	cause    stead.Cause
	platform bool // the platform has ended it already
	done     chan struct{}
}

// watch keeps the session until it ends, for whatever reason comes first, and then finishes it.
func (c *Control) watch(r *run) {
	defer close(r.done)
	ticks := time.NewTicker(lookInterval)
	defer ticks.Stop()
	expiry := time.NewTimer(time.Until(r.endsAt))
	defer expiry.Stop()
	lastBeat, heard := time.Now(), time.Now()
	for {
		select {
		case o := <-r.stop:
			c.finish(r, o.cause, o.platform)
			close(o.done)
			return
		case <-c.life.Done():
			c.finish(r, stead.CauseSteadClosed, false)
			return
		case <-expiry.C:
			// The platform has ended it by its own clock, or is about to; here it is over now.
			c.finish(r, stead.CauseExpired, true)
			return
		case e, ok := <-r.browser.Events():
			if cause := eventCause(e, ok); cause != "" {
				c.finish(r, cause, false)
				return
			}
		case now := <-ticks.C:
			beat := now.Sub(lastBeat) >= stead.HeartbeatInterval
			cause, err := c.look(r, beat)
			if beat && err == nil {
				lastBeat = now
			}
			if cause != "" {
				c.finish(r, cause, true)
				return
			}
			if c.lost(&heard, err) {
				c.finish(r, stead.CauseConnectionLost, true)
				return
			}
		}
	}
}

func eventCause(e browser.Event, ok bool) stead.Cause {
	switch {
	case !ok || e.Kind == browser.Closed:
		return stead.CauseBrowserClosed
	case e.Kind == browser.EndClicked:
		return stead.CauseBanner
	}
	return ""
}

// look asks for the session's state, as a heartbeat when one is due. It returns the cause once the session has
// ended.
func (c *Control) look(r *run, beat bool) (stead.Cause, error) {
	ctx, cancel := context.WithTimeout(c.life, stead.HeartbeatInterval/2)
	defer cancel()
	if beat {
		p, err := c.Pulse.Heartbeat(ctx, r.id)
		if err != nil || p.State != "ended" || p.Cause == nil {
			return "", err
		}
		return stead.Cause(*p.Cause), nil
	}
	s, err := c.Pulse.Session(ctx, r.id)
	if err != nil || s.State != "ended" || s.Cause == nil {
		return "", err
	}
	return stead.Cause(*s.Cause), nil
}

// lost notes whether the platform was heard, shows until when the session lives without it, and reports whether
// that time is over: what cannot ask, closes.
func (c *Control) lost(heard *time.Time, err error) bool {
	if err == nil {
		*heard = time.Now()
		if !c.State().LostAt.IsZero() {
			c.change(func(s *State) { s.LostAt = time.Time{} })
		}
		return false
	}
	at := heard.Add(stead.HeartbeatGrace)
	if c.State().LostAt.IsZero() {
		c.change(func(s *State) { s.LostAt = at })
	}
	return !time.Now().Before(at)
}
