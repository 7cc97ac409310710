package session

import (
	"context"
	"sync"
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
	r.seen = c.newNotebook(r)
	l := c.newLooker(r)
	defer l.close()
	ticks := time.NewTicker(lookInterval)
	defer ticks.Stop()
	nap := newNap(c.wall(), r.endsAt)
	expiry := time.NewTimer(time.Until(r.endsAt))
	defer expiry.Stop()
	clock := time.NewTicker(napInterval)
	defer clock.Stop()
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
			c.finish(r, stead.CauseExpired, false)
			return
		case <-c.woke:
			if c.overslept(r, l, nap) {
				return
			}
		case <-clock.C:
			if c.overslept(r, l, nap) {
				return
			}
		case e, ok := <-r.browser.Events():
			if cause := eventCause(e, ok); cause != "" {
				c.finish(r, c.unlessLoggedOff(r, cause), false)
				return
			}
		case now := <-ticks.C:
			l.begin(now)
		case s := <-l.seen:
			if cause := l.take(s); cause != "" {
				c.finish(r, cause, true)
				return
			}
			if c.lost(r, &l.heard, s.err) {
				c.finish(r, stead.CauseConnectionLost, false)
				return
			}
		}
	}
}

// looker asks the platform beside the watcher, so that a hanging network holds up neither End nor expiry. One
// question is under way at most. Its methods are the watcher's.
type looker struct {
	c        *Control
	r        *run
	ctx      context.Context
	stop     context.CancelFunc
	asking   sync.WaitGroup
	busy     bool
	seen     chan sight // holds one, so that nobody waits for a watcher that left
	lastBeat time.Time
	heard    time.Time
}

// sight is the platform's answer, or why there was none.
type sight struct {
	at    time.Time // when it was asked
	beat  bool
	cause stead.Cause // not empty once the session has ended
	err   error
}

func (c *Control) newLooker(r *run) *looker {
	l := &looker{c: c, r: r, seen: make(chan sight, 1), lastBeat: time.Now(), heard: time.Now()}
	l.ctx, l.stop = context.WithCancel(c.life)
	return l
}

// begin asks, as a heartbeat when one is due, unless the question before is still open.
func (l *looker) begin(now time.Time) {
	if l.busy {
		return
	}
	l.busy = true
	s := sight{at: now, beat: now.Sub(l.lastBeat) >= stead.HeartbeatInterval}
	l.asking.Go(func() {
		s.cause, s.err = l.c.look(l.ctx, l.r, s.beat)
		l.seen <- s
	})
}

// take takes an answer in and returns the cause once the session has ended.
func (l *looker) take(s sight) stead.Cause {
	l.busy = false
	if s.beat && s.err == nil {
		l.lastBeat = s.at
	}
	return s.cause
}

// close breaks off an open question and waits for it.
func (l *looker) close() {
	l.stop()
	l.asking.Wait()
}

func eventCause(e browser.Event, ok bool) stead.Cause {
	switch {
	case ok && e.Kind == browser.EndClicked:
		return stead.CauseBanner
	case e.Kind == browser.Contested:
		return stead.CauseHandoffReused
	case ok && e.Kind != browser.Closed:
		return ""
	case e.Cause == browser.BrowserGone:
		return stead.CauseBrowserCrashed
	case e.Cause == browser.BrowserHung:
		return stead.CauseBrowserHung
	}
	return stead.CauseBrowserClosed
}

// look asks for the session's state, as a heartbeat when one is due. It returns the cause once the session has
// ended.
func (c *Control) look(ctx context.Context, r *run, beat bool) (stead.Cause, error) {
	ctx, cancel := context.WithTimeout(ctx, stead.HeartbeatInterval/2)
	defer cancel()
	if beat {
		head, sig := c.Outbox.Head()
		p, err := c.Pulse.Heartbeat(ctx, r.id, head, sig)
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
func (c *Control) lost(r *run, heard *time.Time, err error) bool {
	if err == nil {
		*heard = time.Now()
		if !c.State().LostAt.IsZero() {
			c.changeOf(r, func(s *State) { s.LostAt = time.Time{} })
		}
		return false
	}
	at := heard.Add(stead.HeartbeatGrace)
	if c.State().LostAt.IsZero() {
		c.changeOf(r, func(s *State) { s.LostAt = at })
	}
	return !time.Now().Before(at)
}
