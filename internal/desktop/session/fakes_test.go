package session_test

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"stead/internal/api"
	"stead/internal/audit"
	"stead/internal/stead"
	"stead/internal/token"

	"stead/internal/desktop/browser"
	"stead/internal/desktop/outbox"
	"stead/internal/desktop/session"
)

// desk is everything a control needs, each part able to fail, and a diary of what was asked in which order.
type desk struct {
	*testing.T
	key     token.Key
	public  token.Public
	signer  ed25519.PrivateKey
	journal string
	clock   func() time.Time // the wall clock; nil for the system's

	mu       sync.Mutex
	diary    []string
	records  []outbox.Entry
	fail     map[string]error
	lost     int             // how many starts lose their answer
	unknown  stead.Cause     // what this platform's version does not know
	stalled  map[string]bool // steps that hang until their caller gives up
	inside   map[string]int  // how many calls hang there at the moment
	ends     map[stead.SessionID]stead.Cause
	started  map[uuid.UUID]api.Started
	browsers []*fakeBrowser
	offset   time.Duration           // platform's clock minus ours
	ttl      time.Duration           // of sessions
	lie      func(*token.Descriptor) // changes the descriptor
	boast    func(*api.Session)      // changes the session beside the descriptor, which nobody signs
	opened   api.Opened              // what a redeemed handoff brings
	redeemed map[stead.SessionID]bool
	mode     stead.Mode // of the browsers that are launched
	postURL  string     // where a fallback's code is posted; "" for a good address
	waiting  bool       // the member app has not exchanged a fallback's code
	states   []session.State
	wrap     func(session.Browser) session.Browser // around the browsers that are launched; nil for none
}

var me = session.Agent{ID: "st-lena", Pseudonym: stead.NewPseudonym()}

const (
	issuer   = "https://platform.test"
	deviceID = stead.DeviceID("00112233445566778899aabbccddeeff")
)

func newDesk(t *testing.T) *desk {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	_, device, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &desk{T: t, key: token.Key{ID: "k1", Signer: private}, public: token.Public{"k1": public}, signer: device, fail: map[string]error{},
		journal: filepath.Join(t.TempDir(), "journal.json"), ends: map[stead.SessionID]stead.Cause{}, started: map[uuid.UUID]api.Started{}, ttl: stead.SessionTTL,
		stalled: map[string]bool{}, inside: map[string]int{}, redeemed: map[stead.SessionID]bool{},
		opened: api.Opened{StartURL: "https://portal.test/", Cookie: &api.Cookie{Name: "__Host-stead", Value: "credential", HTTPOnly: true, Secure: true}}}
}

func (d *desk) control() *session.Control { return d.controlOf(me) }

func (d *desk) controlOf(agent session.Agent) *session.Control {
	c := session.New(session.Config{Outbox: d, Platform: d, Pulse: d, Browsers: launcher{d}, Signer: d.signer, Device: deviceID, Agent: agent, Issuer: issuer,
		Clock: d.clock, Journal: d.journal, Log: slog.New(slog.DiscardHandler), OnChange: func(s session.State) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.states = append(d.states, s)
		}})
	d.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

func ask(name string) session.Ask {
	return session.Ask{Member: api.MemberRow{ID: "m-" + name, Account: "acme", Name: name, Email: name + "@members.test"}, Subject: stead.NewPseudonym(),
		Reason:  stead.Reason{Category: stead.CategoryOther, Text: "help with the plan page"},
		Consent: stead.Consent{Attested: true, How: stead.ConsentPhone, At: time.Now()}}
}

// did notes a step and returns the error it was told to fail with.
func (d *desk) did(step string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.diary = append(d.diary, step)
	return d.fail[step]
}

// hold hangs while the step is stalled and the caller waits.
func (d *desk) hold(ctx context.Context, step string) error {
	d.mu.Lock()
	if !d.stalled[step] {
		d.mu.Unlock()
		return nil
	}
	d.inside[step]++
	d.mu.Unlock()
	<-ctx.Done()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.inside[step]--
	return stead.E(stead.CodeUnreachable, ctx.Err())
}

func (d *desk) stall(step string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stalled[step] = true
}

// hanging is how many calls hang in the step.
func (d *desk) hanging(step string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.inside[step]
}

func (d *desk) breakStep(step string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fail[step] = err; err == nil {
		delete(d.fail, step)
	}
}

func (d *desk) story() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.diary)
}

func (d *desk) Append(_ context.Context, e outbox.Entry) (outbox.Placed, error) {
	if e.EventID == uuid.Nil {
		e.EventID = stead.NewEventID()
	}
	if err := d.did("append " + string(e.Kind)); err != nil {
		return outbox.Placed{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.records = append(d.records, e)
	return outbox.Placed{EventID: e.EventID, Seq: uint64(len(d.records))}, nil
}

func (d *desk) WaitDrained(context.Context, uint64) error { return d.did("drain") }

func (d *desk) Start(_ context.Context, key uuid.UUID, req api.StartRequest) (api.Started, error) {
	if err := d.did("start"); err != nil {
		return api.Started{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	out, known := d.started[key]
	if !known {
		now := time.Now().Add(d.offset)
		s := api.Session{ID: string(stead.NewSessionID()), State: "started", Scope: "read", StartedAt: now, ExpiresAt: now.Add(d.ttl)}
		desc := token.Descriptor{RegisteredClaims: jwt.RegisteredClaims{Issuer: issuer, Subject: req.MemberID, Audience: jwt.ClaimStrings{token.AudienceDesktop},
			ExpiresAt: jwt.NewNumericDate(s.ExpiresAt)}, Actor: token.Actor{Subject: string(me.ID)}, SessionID: s.ID, Account: req.Account, Device: string(deviceID), Scope: "read"}
		if d.lie != nil {
			d.lie(&desc)
		}
		if d.boast != nil {
			d.boast(&s)
		}
		raw, err := token.Sign(d.key, token.TypeDescriptor, desc)
		if err != nil {
			return api.Started{}, err
		}
		out = api.Started{Session: s, Descriptor: raw, Handoff: "one-time", ServerTime: now}
		d.started[key] = out
	}
	if d.lost > 0 {
		d.lost--
		return api.Started{}, stead.E(stead.CodeUnreachable, nil)
	}
	return out, nil
}

func (d *desk) Redeem(ctx context.Context, id stead.SessionID, req api.RedeemRequest) (api.Opened, error) {
	if err := d.hold(ctx, "redeem"); err != nil {
		return api.Opened{}, err
	}
	if err := d.did("redeem"); err != nil {
		return api.Opened{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.redeemed[id] = true
	out := d.opened
	if req.Mode != nil && *req.Mode == api.RedeemRequestModeFallback {
		d.redeemed[id] = false // it is not opened before the code is exchanged
		out.Cookie, out.Handover = nil, &api.Handover{Code: "posted", PostURL: cmp.Or(d.postURL, "https://portal.test/support/handoff")}
	}
	out.Session = api.Session{ID: string(id)}
	return out, nil
}

// End ends as the platform does: what ran out before has expired, and what was redeemed was opened.
func (d *desk) End(_ context.Context, id stead.SessionID, cause stead.Cause) (api.Session, error) {
	if err := d.did("end"); err != nil {
		return api.Session{}, err
	}
	if !cause.Reportable() || cause == d.unknown {
		return api.Session{}, stead.E(stead.CodeBadRequest, nil)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.expire()
	if cause == stead.CauseNotOpened && d.redeemed[id] {
		cause = stead.CauseBrowserClosed
	}
	if _, ended := d.ends[id]; !ended {
		d.ends[id] = cause
	}
	c := string(d.ends[id])
	return api.Session{ID: string(id), State: "ended", Cause: &c}, nil
}

// expire ends what has run out by the platform's clock. The caller holds mu.
func (d *desk) expire() {
	for _, st := range d.started {
		id := stead.SessionID(st.Session.ID)
		if _, ended := d.ends[id]; !ended && time.Now().Add(d.offset).After(st.ServerTime.Add(d.ttl)) {
			d.ends[id] = stead.CauseExpired
		}
	}
}

func (d *desk) Keys(context.Context) (token.Public, error) { return d.public, d.did("keys") }

func (d *desk) Head() (audit.Head, []byte) {
	return audit.Head{Device: deviceID, Seq: 3}, []byte("signed")
}

func (d *desk) Heartbeat(ctx context.Context, id stead.SessionID, head audit.Head, sig []byte) (api.Pulse, error) {
	if head.Seq != 3 || string(sig) != "signed" {
		return api.Pulse{}, stead.E(stead.CodeDeviceSignature, nil)
	}
	s, err := d.Session(ctx, id)
	return api.Pulse{State: api.PulseState(s.State), Cause: s.Cause}, err
}

func (d *desk) Session(ctx context.Context, id stead.SessionID) (api.Session, error) {
	if err := d.hold(ctx, "look"); err != nil {
		return api.Session{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.fail["look"]; err != nil {
		return api.Session{}, err
	}
	if cause, ended := d.ends[id]; ended {
		c := string(cause)
		return api.Session{ID: string(id), State: "ended", Cause: &c}, nil
	}
	if d.waiting {
		return api.Session{ID: string(id), State: "started"}, nil
	}
	return api.Session{ID: string(id), State: "live"}, nil
}

type launcher struct{ d *desk }

func (l launcher) Launch(ctx context.Context, _ string) (session.Browser, error) {
	if err := l.d.hold(ctx, "launch"); err != nil {
		return nil, err
	}
	if err := l.d.did("launch"); err != nil {
		return nil, err
	}
	l.d.mu.Lock()
	defer l.d.mu.Unlock()
	b := &fakeBrowser{d: l.d, events: make(chan browser.Event, 1), mode: l.d.mode}
	l.d.browsers = append(l.d.browsers, b)
	if l.d.wrap != nil {
		return l.d.wrap(b), nil
	}
	return b, nil
}

func (l launcher) Sweep(context.Context) ([]browser.Swept, error) { return nil, l.d.did("sweep") }

type fakeBrowser struct {
	d      *desk
	mode   stead.Mode
	events chan browser.Event
	mu     sync.Mutex
	visit  browser.Visit
	view   browser.View
	closed bool
}

func (b *fakeBrowser) Open(_ context.Context, v browser.Visit) error {
	b.mu.Lock()
	b.visit = v
	b.mu.Unlock()
	return b.d.did("open")
}

func (b *fakeBrowser) Mode() stead.Mode { return b.mode }

func (b *fakeBrowser) Events() <-chan browser.Event { return b.events }

func (b *fakeBrowser) Close(context.Context) (browser.Wipe, error) {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	return browser.Wipe{Clean: true}, b.d.did("close")
}

func (b *fakeBrowser) SetView(_ context.Context, v browser.View) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.view = v
	return b.d.did("view")
}

func (b *fakeBrowser) gone() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}

// last is the newest record's kind and facts.
func (d *desk) last() (audit.Kind, audit.Body) {
	e := d.lastEntry()
	return e.Kind, e.Body
}

func (d *desk) lastEntry() outbox.Entry {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.records) == 0 {
		return outbox.Entry{}
	}
	return d.records[len(d.records)-1]
}

func (d *desk) endOf(id stead.SessionID) stead.Cause {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ends[id]
}

// await waits until the control's session has reached the phase.
func (d *desk) await(c *session.Control, want session.Phase) session.State {
	d.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if s := c.State(); s.Phase == want {
			return s
		}
	}
	d.Fatalf("still %s, want %s", c.State().Phase, want)
	return session.State{}
}
