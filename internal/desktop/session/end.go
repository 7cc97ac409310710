package session

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"

	"stead/internal/audit"
	"stead/internal/stead"
)

const (
	// revokeHead is how long an end waits for the platform before it closes the browser all the same: revoking
	// first is better, but an agent who pressed End must not look at the member's page any longer.
	// Together with the browser's own end it stays within half a second.
	revokeHead = 150 * time.Millisecond
	// expiryPause is how long a session that ran out here is left to the platform's own clock, whose word the end is.
	expiryPause = 1200 * time.Millisecond
	revokeLimit = 5 * time.Second
	closeLimit  = 20 * time.Second
)

// End ends the live session for that cause and returns when it is over on this machine. CodeSessionNotFound when
// there is none.
func (c *Control) End(ctx context.Context, cause stead.Cause) (State, error) {
	r := c.current()
	if r == nil {
		return c.State(), stead.E(stead.CodeSessionNotFound, nil)
	}
	o := stopOrder{cause: cause, done: make(chan struct{})}
	select {
	case r.stop <- o:
	case <-r.done:
		return c.State(), nil // it ended by itself at this moment
	case <-ctx.Done():
		return c.State(), ctx.Err()
	}
	select {
	case <-o.done:
	case <-r.done:
	case <-ctx.Done():
		return c.State(), ctx.Err()
	}
	return c.State(), nil
}

// dismiss ends a session that the platform has ended already, and waits for it.
func (c *Control) dismiss(r *run, cause stead.Cause) {
	o := stopOrder{cause: cause, platform: true, done: make(chan struct{})}
	select {
	case r.stop <- o:
	case <-r.done:
	}
	<-r.done
}

// finish revokes, closes, wipes and records: the one way in which a live session ends here. platform says that the
// platform knows already. It runs in the session's watcher, once.
func (c *Control) finish(r *run, cause stead.Cause, platform bool) {
	c.changeOf(r, func(s *State) { s.Phase, s.Cause = PhaseEnding, cause })
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.life), closeLimit)
	defer cancel()
	revoked := make(chan stead.Cause, 1)
	head, pause := revokeHead, time.Duration(0)
	switch cause {
	case stead.CauseExpired: // the page closes on the second; the platform is asked a little later
		head, pause = 0, expiryPause
	case stead.CauseSuspended: // it should have been closed long ago
		head = 0
	}
	if platform {
		revoked <- cause
	} else {
		c.wg.Go(func() { revoked <- c.revoke(ctx, r, cause, pause) })
	}
	wait := time.NewTimer(head)
	defer wait.Stop()
	var final stead.Cause
	select {
	case final = <-revoked:
		revoked = nil
	case <-wait.C:
	}
	wipe, err := r.browser.Close(ctx)
	clean := err == nil && wipe.Clean
	if !clean {
		c.Log.Error("the browser of a session could not be removed whole", "left", wipe.Left, "err", err)
	}
	r.seen.close()
	if revoked != nil {
		final = <-revoked
	}
	c.conclude(ctx, r, cause, final, clean)
}

// revoke asks the platform, after the pause, to end the session and returns the cause it wrote, "" when it could not
// be reached.
func (c *Control) revoke(ctx context.Context, r *run, seen stead.Cause, pause time.Duration) stead.Cause {
	if err := rest(ctx, pause); err != nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, revokeLimit)
	defer cancel()
	final, err := c.tellEnd(ctx, r.id, seen)
	if err != nil {
		c.Log.Warn("the end of a session is not confirmed yet", "session", r.id, "err", err)
	}
	return final
}

// tellEnd tells the platform that the session is over here and returns the cause it wrote. Some ends are only the
// platform's to declare: where this machine believes in one, it says that Stead closed the session, and a platform
// that ended it before answers with its own cause.
func (c *Control) tellEnd(ctx context.Context, id stead.SessionID, seen stead.Cause) (stead.Cause, error) {
	if !seen.Reportable() {
		seen = stead.CauseSteadClosed
	}
	s, err := c.Platform.End(ctx, id, seen)
	if stead.CodeOf(err) == stead.CodeBadRequest { // a platform of an earlier version, which does not know the cause
		s, err = c.Platform.End(ctx, id, stead.CauseSteadClosed)
	}
	switch {
	case err != nil:
		return "", err
	case s.Cause == nil || *s.Cause == "":
		return "", stead.Errorf(stead.CodeVersion, "an end without a cause")
	}
	return stead.Cause(*s.Cause), nil
}

// rest waits, or returns why it did not.
func rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// conclude records what was seen of the end and shows it. final is the platform's cause, "" while unconfirmed.
func (c *Control) conclude(ctx context.Context, r *run, seen, final stead.Cause, clean bool) {
	err := c.record(ctx, audit.SessionObservedEnd, r.ask.Subject, r.intent, r.id,
		r.withMode(audit.Body{"cause": string(seen), "confirmed": final != "", "wiped": clean}))
	if err == nil {
		err = c.journal.remove(r.intent)
	}
	if err != nil {
		c.Log.Error("the end of a session could not be recorded; the next start of Stead will", "err", err)
	}
	if c.current() == r {
		c.setCurrent(nil)
	}
	if final == "" {
		c.confirmLater(r, seen)
	}
	c.changeOf(r, func(s *State) {
		s.Phase, s.Confirmed, s.Wiped, s.LostAt = PhaseEnded, final != "", clean, time.Time{}
		if final != "" {
			s.Cause = final
		}
	})
}

// changeOf changes the state while it still shows this session: a newer one may have taken its place.
func (c *Control) changeOf(r *run, f func(*State)) {
	if c.State().ID == r.id {
		c.change(f)
	}
}

// confirmLater goes on telling the platform until it answers or the session is over by itself.
func (c *Control) confirmLater(r *run, cause stead.Cause) {
	c.wg.Go(func() {
		ctx, cancel := context.WithDeadline(c.life, r.endsAt.Add(stead.HeartbeatInterval))
		defer cancel()
		final, err := backoff.Retry(ctx, func() (stead.Cause, error) { return c.tellEnd(ctx, r.id, cause) },
			backoff.WithBackOff(backoff.NewExponentialBackOff()), backoff.WithMaxElapsedTime(0))
		if err == nil {
			c.changeOf(r, func(s *State) { s.Confirmed, s.Cause = true, final })
		}
	})
}
