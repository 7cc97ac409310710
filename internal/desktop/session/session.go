// Package session is the desktop's heart: it starts a session, watches it, counts it down, ends it, and puts things
// right after a crash. It decides nothing: the platform does. It makes sure that nothing
// is asked before it is recorded, that nothing half-started stays, and that a session that may no longer live is
// gone from this machine.
package session

import (
	"context"
	"crypto"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"stead/internal/api"
	"stead/internal/audit"
	"stead/internal/stead"
	"stead/internal/token"

	"stead/internal/desktop/browser"
	"stead/internal/desktop/outbox"
)

// Outbox keeps records durably and delivers them.
type Outbox interface {
	Append(ctx context.Context, e outbox.Entry) (outbox.Placed, error)
	WaitDrained(ctx context.Context, seq uint64) error
	// Head is where its chain ends, with the device's signature over that; none while it cannot be said.
	Head() (head audit.Head, sig []byte)
}

// Platform is asked for everything that counts.
type Platform interface {
	Start(ctx context.Context, key uuid.UUID, req api.StartRequest) (api.Started, error)
	Redeem(ctx context.Context, id stead.SessionID, req api.RedeemRequest) (api.Opened, error)
	End(ctx context.Context, id stead.SessionID, cause stead.Cause) (api.Session, error)
	Keys(ctx context.Context) (token.Public, error)
}

// Pulse says that a session is watched, and asks for its state. A heartbeat says with it where the device's chain ends, so
// that records which never arrive are missed.
type Pulse interface {
	Heartbeat(ctx context.Context, id stead.SessionID, head audit.Head, sig []byte) (api.Pulse, error)
	Session(ctx context.Context, id stead.SessionID) (api.Session, error)
}

// Browsers launches a browser that is proved but knows nothing of the session yet, and removes what crashed ones
// left behind.
type Browsers interface {
	Launch(ctx context.Context, id string) (Browser, error)
	Sweep(ctx context.Context) ([]browser.Swept, error)
}

// Browser is one launched browser.
type Browser interface {
	Open(ctx context.Context, v browser.Visit) error
	Events() <-chan browser.Event
	Close(ctx context.Context) (browser.Wipe, error)
	// Mode says what Open takes: a Visit's Form in ModeFallback, all the rest of it in ModePipe.
	Mode() stead.Mode
}

// Agent is who acts on this machine.
type Agent struct {
	ID        stead.StaffID
	Pseudonym stead.Pseudonym
}

// Config is what a Control works with.
type Config struct {
	Outbox   Outbox
	Platform Platform
	Pulse    Pulse
	Browsers Browsers
	Signer   crypto.Signer // the device's key
	Device   stead.DeviceID
	Agent    Agent
	Issuer   string // of the platform's descriptors: its public address
	Journal  string // file that names the running session, for recovery after a crash
	Log      *slog.Logger
	Clock    func() time.Time // the wall clock; nil for the system's
	OnChange func(State)      // called after each change, never concurrently, never while a lock is held; may be nil
}

// Ask is what the agent confirmed.
type Ask struct {
	Member    api.MemberRow
	Subject   stead.Pseudonym
	Reason    stead.Reason
	Ticket    string
	Consent   stead.Consent
	NameMatch bool
	MailMatch bool
}

// Phase is where this machine's session is.
type Phase string

const (
	PhaseNone     Phase = "none"
	PhaseStarting Phase = "starting"
	PhaseLive     Phase = "live"
	PhaseEnding   Phase = "ending"
	PhaseEnded    Phase = "ended"
)

// Step is what a start is waiting for.
type Step string

const (
	StepRecord   Step = "record"   // the intent is written and on its way
	StepBrowser  Step = "browser"  // the browser starts
	StepPlatform Step = "platform" // the platform decides
	StepOpen     Step = "open"     // the member app opens
)

// State is what the window shows. Times are by this machine's clock, corrected for the platform's.
type State struct {
	Phase     Phase
	Step      Step
	ID        stead.SessionID
	Member    api.MemberRow
	Scope     string
	View      browser.View // the kind of screen that the pages are shown on; "" where the browser offers no choice
	EndsAt    time.Time
	LostAt    time.Time // when the platform ends it unless the connection returns; zero while connected
	Cause     stead.Cause
	Confirmed bool // the platform confirmed the end
	Wiped     bool // nothing of the browser is left on this machine
	Mode      stead.Mode
	Problem   *stead.Error
}

// Control runs at most one session. It is safe for concurrent use.
type Control struct {
	Config

	startMu sync.Mutex // one start at a time; Close takes it too
	journal journal
	mu      sync.Mutex
	state   State
	run     *run               // nil when no session lives
	giveUp  context.CancelFunc // of the running start; nil when there is none
	closed  bool               // no start begins any more
	tell    sync.Mutex

	woke chan struct{}   // see Woke
	life context.Context // ends with Close
	stop context.CancelFunc
	wg   sync.WaitGroup
}

// New returns a control without a session. Recover should be called before the first Start.
func New(c Config) *Control {
	ctl := &Control{Config: c, state: State{Phase: PhaseNone}, journal: journal{path: c.Journal}, woke: make(chan struct{}, 1)}
	ctl.life, ctl.stop = context.WithCancel(context.Background())
	return ctl
}

// State is the present state.
func (c *Control) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// change applies f to the state and tells the listener, in order.
func (c *Control) change(f func(*State)) State {
	c.tell.Lock()
	defer c.tell.Unlock()
	c.mu.Lock()
	f(&c.state)
	s := c.state
	c.mu.Unlock()
	if c.OnChange != nil {
		c.OnChange(s)
	}
	return s
}

// Close gives up a running start, which is undone, ends the live session because Stead closes, and waits for
// everything this control runs. No start begins afterwards. ctx bounds the waiting for the live session's end; its
// browser is closed in any case. Closing again does nothing.
func (c *Control) Close(ctx context.Context) error {
	c.mu.Lock()
	c.closed = true
	if c.giveUp != nil {
		c.giveUp()
	}
	c.mu.Unlock()
	c.startMu.Lock() // the start, if any, has been undone, or its session lives
	defer c.startMu.Unlock()
	_, err := c.End(ctx, stead.CauseSteadClosed)
	if stead.CodeOf(err) == stead.CodeSessionNotFound {
		err = nil
	}
	c.stop()
	c.wg.Wait()
	return err
}

// enter makes the caller, who holds startMu, the running start: Close gives it up. CodeSignInRequired after Close.
func (c *Control) enter(ctx context.Context) (context.Context, func(), error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, nil, stead.E(stead.CodeSignInRequired, nil)
	}
	ctx, cancel := context.WithCancel(ctx)
	c.giveUp = cancel
	return ctx, func() {
		c.mu.Lock()
		c.giveUp = nil
		c.mu.Unlock()
		cancel()
	}, nil
}
