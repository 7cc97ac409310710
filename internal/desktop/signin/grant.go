package signin

import (
	"fmt"
	"io"
	"time"
)

// grant is what the provider gave. It prints [redacted].
type grant struct {
	access  string    // empty when only the refresh token was restored
	expiry  time.Time // of access
	refresh string    // empty when the provider gave none
	stored  bool      // refresh is in the file
}

// left returns how long the access token is still good, at worst. A monotonic clock stands still while a laptop sleeps, and
// the wall clock can be set back; whichever says less is right.
func (g *grant) left() time.Duration {
	if g.access == "" {
		return 0
	}
	return min(time.Until(g.expiry), time.Until(g.expiry.Round(0)))
}

// Format prints [redacted] for every verb.
func (*grant) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[redacted]") }
