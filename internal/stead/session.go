package stead

import "time"

// The fixed times of a session.
const (
	SessionTTL        = 20 * time.Minute // at most, by the database's clock; nobody extends it
	HandoffTTL        = 30 * time.Second // from the start's answer to its redemption
	FallbackCodeTTL   = 15 * time.Second // from the redemption to the member app's exchange, in ModeFallback
	HeartbeatInterval = 10 * time.Second
	HeartbeatGrace    = 90 * time.Second // without a heartbeat for longer, the connection counts as lost
)

// State is where a session is in its life. It only moves forward: started, live, ended.
type State string

const (
	StateStarted State = "started" // decided and recorded; the handoff is not redeemed yet
	StateLive    State = "live"    // a credential exists
	StateEnded   State = "ended"   // for good
)

// Mode says how a session reached its browser, and with that what is known of it.
type Mode string

const (
	ModePipe     Mode = "pipe"     // Stead controls the browser: guard, banner, observed requests
	ModeFallback Mode = "fallback" // a page that Stead served opened it: nothing in the browser is controlled or observed
)

// Cause says why a session ended. Exactly one is written, by the platform.
type Cause string

const (
	CauseAgent          Cause = "agent"           // End in the window
	CauseBanner         Cause = "banner"          // End in the banner
	CauseBrowserClosed  Cause = "browser_closed"  // the agent closed the last window
	CauseExpired        Cause = "expired"         // the twenty minutes are over
	CauseSuperseded     Cause = "superseded"      // the same agent started a newer session
	CauseAdmin          Cause = "admin"           // another member of staff ended it
	CauseSignedOut      Cause = "signed_out"      // the agent signed out of Stead
	CauseSteadClosed    Cause = "stead_closed"    // Stead was closed, or found the session open after a crash
	CauseConnectionLost Cause = "connection_lost" // no heartbeat for longer than the grace
	CauseNotOpened      Cause = "not_opened"      // the handoff was never redeemed, or the browser never opened it
	CauseDeviceRevoked  Cause = "device_revoked"  // the device it ran on was revoked
	CauseBrowserCrashed Cause = "browser_crashed" // the browser died, or shows nothing any more, without anybody closing it
	CauseBrowserHung    Cause = "browser_hung"    // the browser lives and no longer answers
	CauseLoggedOff      Cause = "logged_off"      // the agent logged off the computer, or it was shut down
	CauseSuspended      Cause = "suspended"       // the computer slept until after the end
	CauseHandoffReused  Cause = "handoff_reused"  // what opens the fallback's browser was used twice: one of the two was not ours
)

// Causes lists every cause.
func Causes() []Cause {
	return []Cause{CauseAgent, CauseBanner, CauseBrowserClosed, CauseExpired, CauseSuperseded, CauseAdmin,
		CauseSignedOut, CauseSteadClosed, CauseConnectionLost, CauseNotOpened, CauseDeviceRevoked,
		CauseBrowserCrashed, CauseBrowserHung, CauseLoggedOff, CauseSuspended, CauseHandoffReused}
}

// Reportable reports whether an agent's own device may name this cause when it ends its session. The others are
// the platform's to write.
func (c Cause) Reportable() bool {
	switch c {
	case CauseAgent, CauseBanner, CauseBrowserClosed, CauseSignedOut, CauseSteadClosed, CauseNotOpened,
		CauseBrowserCrashed, CauseBrowserHung, CauseLoggedOff, CauseSuspended, CauseHandoffReused:
		return true
	}
	return false
}

// Session is one impersonation as the platform keeps it.
type Session struct {
	ID          SessionID
	Agent       StaffID
	AgentName   string
	Member      MemberID
	MemberName  string
	MemberEmail string // the address held at the start; notices go there
	Account     AccountID
	Device      DeviceID
	State       State
	Mode        Mode   // empty until the handoff was redeemed
	Scope       string // "read", or "read write" where the platform turned view-first off
	Reason      Reason
	Ticket      string
	Consent     Consent
	StartedAt   time.Time
	ExpiresAt   time.Time
	LastSeen    time.Time // last heartbeat
	OpenedAt    time.Time // zero until the handoff was redeemed
	EndedAt     time.Time // zero until ended
	Cause       Cause     // empty until ended
	EndedBy     StaffID   // who ended it, when a person did
	Note        string    // close-out note; a session is finished when it is written
	NoteAt      time.Time
}

// Why is what the session is for, as its member and the member's notes read it: the ticket and the reason, as far as
// there are any.
func (s Session) Why() string {
	switch {
	case s.Ticket == "":
		return s.Reason.Text
	case s.Reason.Text == "":
		return s.Ticket
	}
	return s.Ticket + ": " + s.Reason.Text
}

// NoteOwed reports whether the session is over and its close-out note is still missing. A session that was never
// opened owes none: nothing was seen. What the device says the cause was does not matter.
func (s Session) NoteOwed() bool {
	return s.State == StateEnded && !s.OpenedAt.IsZero() && s.NoteAt.IsZero()
}
