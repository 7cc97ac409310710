package authority

import (
	"context"
	"errors"
	"sync"
	"time"

	"stead/internal/stead"

	"stead/internal/platform/store"
)

// maxSleep bounds how long Watch trusts a deadline it computed: the database's clock may be set while it sleeps.
const maxSleep = 5 * time.Second

// Watch runs until the context ends: it ends sessions whose time is over, at once at start-up for those whose
// deadline passed while the platform was down.
func (a *Authority) Watch(ctx context.Context) {
	idle := make(chan struct{}, 1) // comparing takes as long as there is to read, and no end waits for it
	idle <- struct{}{}
	var comparing sync.WaitGroup
	defer comparing.Wait()
	for {
		next, err := a.sweep(ctx)
		select {
		case <-idle:
			comparing.Go(func() {
				if late := a.compare(ctx); late != nil && ctx.Err() == nil {
					a.Log.Error("sessions could not be compared with what their browsers showed", "err", late)
				}
				idle <- struct{}{}
			})
		default:
		}
		if err != nil && ctx.Err() == nil {
			a.Log.Error("sessions could not be expired", "err", err)
			next = time.Second
		}
		t := time.NewTimer(next)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-a.wake:
		case <-t.C:
		}
		t.Stop()
	}
}

// sweep ends what is over and returns how long to sleep.
func (a *Authority) sweep(ctx context.Context) (time.Duration, error) {
	var overdue []store.SessionRow
	sleep := maxSleep
	err := a.Store.View(ctx, func(tx store.Tx) error {
		var err error
		if overdue, err = tx.OverdueSessions(tx.Now()); err != nil {
			return err
		}
		for _, id := range a.guard.passed() {
			row, err := tx.Session(id)
			if err == nil && row.State != stead.StateEnded {
				overdue = append(overdue, row)
				continue
			}
			a.guard.disarm(id)
		}
		deadline, err := tx.NextDeadline()
		if err == nil && !deadline.IsZero() {
			sleep = min(maxSleep, max(deadline.Sub(tx.Now()), time.Millisecond))
		}
		return err
	})
	if err != nil || len(overdue) == 0 {
		return sleep, err
	}
	var errs []error // one session that cannot be ended must not keep the others alive
	for _, row := range overdue {
		errs = append(errs, a.endOverdue(ctx, row.ID))
	}
	return 0, errors.Join(errs...)
}

func (a *Authority) endOverdue(ctx context.Context, id stead.SessionID) error {
	ended := false
	err := a.Store.Update(ctx, func(tx store.Tx) error {
		row, err := tx.Session(id)
		if err != nil || row.State == stead.StateEnded {
			return err
		}
		cause, due := a.overdue(row.Session, tx.Now())
		if cause == "" {
			return nil // a heartbeat or a redemption came in between
		}
		err = a.endTx(tx, row.Session, cause, nil, due)
		if errors.Is(err, store.ErrConflict) {
			return nil
		}
		ended = err == nil
		return err
	})
	if err == nil && ended {
		a.guard.disarm(id)
	}
	return err
}

// overdue says why a session is over at now, and since when.
func (a *Authority) overdue(s stead.Session, now time.Time) (stead.Cause, time.Time) {
	lost := s.LastSeen.Add(stead.HeartbeatGrace)
	opened := s.StartedAt.Add(stead.HandoffTTL)
	switch {
	case s.State == stead.StateStarted && !now.Before(opened):
		return stead.CauseNotOpened, opened
	case s.State == stead.StateLive && !now.Before(lost) && lost.Before(s.ExpiresAt):
		return stead.CauseConnectionLost, lost
	case !now.Before(s.ExpiresAt) || a.guard.over(s.ID, s.ExpiresAt.Sub(now)):
		return stead.CauseExpired, s.ExpiresAt
	}
	return "", time.Time{}
}

// guard keeps the end of each session by this node's monotonic clock as well, so that a database clock that is set
// back never lengthens a session. It is safe for concurrent use.
type guard struct {
	mu  sync.Mutex
	end map[stead.SessionID]time.Time
}

func newGuard() *guard { return &guard{end: map[stead.SessionID]time.Time{}} }

// arm notes that the session has that much left, never more than a whole session; an earlier end stays.
func (g *guard) arm(id stead.SessionID, left time.Duration) time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	end := time.Now().Add(min(left, stead.SessionTTL))
	if old, ok := g.end[id]; ok && old.Before(end) {
		return old
	}
	g.end[id] = end
	return end
}

// over reports whether the session's time has passed, arming it if this node has not seen it before.
func (g *guard) over(id stead.SessionID, left time.Duration) bool {
	return !time.Now().Before(g.arm(id, left))
}

// left is how much time the session has by the monotonic clock, arming it if this node has not seen it before.
func (g *guard) left(id stead.SessionID, left time.Duration) time.Duration {
	return time.Until(g.arm(id, left))
}

func (g *guard) disarm(id stead.SessionID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.end, id)
}

// passed lists the sessions whose time is over by the monotonic clock.
func (g *guard) passed() []stead.SessionID {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []stead.SessionID
	now := time.Now()
	for id, end := range g.end {
		if !now.Before(end) {
			out = append(out, id)
		}
	}
	return out
}
