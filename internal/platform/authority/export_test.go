package authority

import (
	"time"

	"stead/internal/stead"
)

// GuardedUntil is the session's end by this node's monotonic clock.
func (a *Authority) GuardedUntil(id stead.SessionID) time.Time {
	return a.guard.arm(id, stead.SessionTTL)
}

// Arm tells the guard that a session has that much left.
func (a *Authority) Arm(id stead.SessionID, left time.Duration) time.Time {
	return a.guard.arm(id, left)
}
