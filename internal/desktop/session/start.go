package session

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"stead/internal/api"
	"stead/internal/audit"
	"stead/internal/stead"
	"stead/internal/token"

	"stead/internal/desktop/browser"
	"stead/internal/desktop/outbox"
)

// The limits of the steps of a start.
const (
	drainLimit    = 20 * time.Second
	platformLimit = 10 * time.Second // per try
	platformTries = 3
	openLimit     = 30 * time.Second
	undoLimit     = 10 * time.Second
)

// run is one session from its intent to its end.
type run struct {
	ask     Ask
	intent  uuid.UUID // event id of the intent, idempotency key of the start
	placed  outbox.Placed
	asked   bool // the platform was asked for the session
	browser Browser
	id      stead.SessionID
	scope   string        // what the platform signed that it may do
	offset  time.Duration // platform's clock minus this machine's
	endsAt  time.Time     // by this machine's clock
	stop    chan stopOrder
	done    chan struct{} // closed when the watcher has left
	seen    *notebook     // what its browser observes; the watcher's
}

// Start records the intent, starts the browser, asks the platform, opens the member app, and returns when the agent
// sees it. Whatever fails, the steps before it are undone and an outcome record says so. A session that already
// lives on this machine goes on until the platform has agreed to the new one. CodeSignInRequired after Close.
func (c *Control) Start(ctx context.Context, ask Ask) (State, error) {
	c.startMu.Lock()
	defer c.startMu.Unlock()
	ctx, leave, err := c.enter(ctx)
	if err != nil {
		return c.State(), err
	}
	defer leave()
	previous := c.current()
	before := c.State()
	r := &run{ask: ask, intent: stead.NewEventID(), stop: make(chan stopOrder, 1), done: make(chan struct{})}
	c.change(func(s *State) { *s = State{Phase: PhaseStarting, Step: StepRecord, Member: ask.Member} })
	if err := c.start(ctx, r, previous); err != nil {
		if c.current() == previous && previous != nil {
			c.change(func(s *State) { *s = before }) // the old session still lives
		} else {
			c.change(func(s *State) { *s = State{Phase: PhaseNone, Member: ask.Member, Problem: asProblem(err)} })
		}
		return c.State(), err
	}
	s := c.change(func(s *State) {
		*s = State{Phase: PhaseLive, ID: r.id, Member: ask.Member, Scope: s.Scope, EndsAt: r.endsAt, Mode: r.mode(), View: firstView(r.browser)}
	})
	c.wg.Go(func() { c.watch(r) })
	return s, nil
}

func asProblem(err error) *stead.Error {
	var e *stead.Error
	if errors.As(err, &e) {
		return e
	}
	return stead.E(stead.CodeOf(err), err)
}

func (c *Control) current() *run {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.run
}

func (c *Control) setCurrent(r *run) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.run = r
}

// start runs the steps; step names the one that failed.
func (c *Control) start(ctx context.Context, r *run, previous *run) error {
	if err := c.intend(ctx, r); err != nil {
		return err
	}
	step := StepRecord
	err := c.prepare(ctx, r, &step)
	if err == nil {
		err = c.agree(ctx, r, previous, &step)
	}
	if err == nil {
		// The last thing before the session counts as running here: if even this cannot be recorded, it must not.
		err = c.record(ctx, audit.SessionOutcome, r.ask.Subject, r.intent, r.id, r.withMode(audit.Body{"result": "opened"}))
	}
	if err == nil {
		c.setCurrent(r)
		return nil
	}
	c.undo(ctx, r, step, err)
	return err
}

// intend writes the journal and the intent: after it, a crash at any point can be told.
func (c *Control) intend(ctx context.Context, r *run) error {
	if err := c.note(r); err != nil {
		return stead.E(stead.CodeOutboxWrite, err)
	}
	a := r.ask
	placed, err := c.Outbox.Append(ctx, outbox.Entry{Kind: audit.SessionIntent, EventID: r.intent, Actor: c.Agent.Pseudonym, Subject: &a.Subject,
		Texts: nonEmpty(text{"reason", a.Reason.Text}, text{"member_name", a.Member.Name}, text{"member_email", a.Member.Email}),
		Body: audit.Body{"account": a.Member.Account, "category": string(a.Reason.Category), "ticket": a.Ticket,
			"consent": string(a.Consent.How), "name_matches": a.NameMatch, "email_matches": a.MailMatch}})
	switch {
	case stead.CodeOf(err) == stead.CodeOutboxWrite:
		return err // the intent may be on disk all the same, and then it needs an outcome: the journal remembers
	case err != nil:
		return errors.Join(err, c.journal.remove(r.intent))
	}
	r.placed = placed
	return nil
}

type text struct{ name, value string }

func nonEmpty(texts ...text) []audit.Text {
	var out []audit.Text
	for _, t := range texts {
		if t.value != "" {
			out = append(out, audit.NewText(t.name, t.value))
		}
	}
	return out
}

// prepare waits for the intent to arrive while the browser starts.
func (c *Control) prepare(ctx context.Context, r *run, step *Step) error {
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		dctx, cancel := context.WithTimeout(gctx, drainLimit)
		defer cancel()
		err := c.Outbox.WaitDrained(dctx, r.placed.Seq)
		if err == nil {
			c.change(func(s *State) { s.Step = StepBrowser })
		}
		return err
	})
	var launched Browser
	g.Go(func() error {
		b, err := c.Browsers.Launch(gctx, r.intent.String())
		if err == nil {
			launched = b
		}
		return err
	})
	err := g.Wait()
	r.browser = launched // kept even when the drain failed, so that undo closes it
	if err == nil {
		*step = StepPlatform
		c.change(func(s *State) { s.Step = StepPlatform })
	} else if launched == nil {
		*step = StepBrowser
	}
	return err
}

// agree asks the platform, checks its answer against what was asked, redeems the handoff and opens the member app.
func (c *Control) agree(ctx context.Context, r *run, previous *run, step *Step) error {
	started, err := c.ask(ctx, r)
	if err != nil {
		return err
	}
	r.id = stead.SessionID(started.Session.ID)
	r.offset = time.Until(started.ServerTime)
	r.endsAt = time.Now().Add(stead.SessionTTL) // at the latest; the descriptor says when
	if err := c.note(r); err != nil {
		return stead.E(stead.CodeOutboxWrite, err)
	}
	if previous != nil { // the platform has ended it in the same transaction
		c.dismiss(previous, stead.CauseSuperseded)
	}
	d, err := c.checkDescriptor(ctx, r, started)
	if err != nil {
		return err
	}
	r.endsAt, r.scope = d.ExpiresAt.Add(-r.offset), d.Scope
	*step = StepOpen
	c.change(func(s *State) { s.Step, s.ID, s.Scope, s.EndsAt = StepOpen, r.id, d.Scope, r.endsAt })
	return c.open(ctx, r, started)
}

// ask sends the start, again if the answer was lost: the key makes that harmless.
func (c *Control) ask(ctx context.Context, r *run) (api.Started, error) {
	a := r.ask
	claim := audit.StartClaim{Device: c.Device, Epoch: r.placed.Epoch, Seq: r.placed.Seq, Leaf: r.placed.Leaf,
		Member: stead.MemberID(a.Member.ID), RequestKey: r.intent.String()}
	signature, err := claim.Sign(c.Signer)
	if err != nil {
		return api.Started{}, err
	}
	req := api.StartRequest{MemberID: a.Member.ID, Account: a.Member.Account, Reason: api.Reason{Category: string(a.Reason.Category), Text: a.Reason.Text},
		Consent: api.Consent{Attested: a.Consent.Attested, How: string(a.Consent.How), At: &a.Consent.At}, Signature: signature,
		Record: api.RecordRef{DeviceID: string(c.Device), Epoch: r.placed.Epoch.String(), Seq: int64(r.placed.Seq), Leaf: r.placed.Leaf[:]}} //nolint:gosec // a count of records
	if a.Ticket != "" {
		req.Ticket = &a.Ticket
	}
	r.asked = true
	for try := 1; ; try++ {
		tctx, cancel := context.WithTimeout(ctx, platformLimit)
		started, err := c.Platform.Start(tctx, r.intent, req)
		cancel()
		if stead.CodeOf(err) != stead.CodeUnreachable || try == platformTries || ctx.Err() != nil {
			return started, err
		}
		if rest(ctx, time.Duration(try)*300*time.Millisecond) != nil {
			return started, err
		}
	}
}

// checkDescriptor returns what the platform signed for, when that is what was asked.
func (c *Control) checkDescriptor(ctx context.Context, r *run, started api.Started) (token.Descriptor, error) {
	keys, err := c.Platform.Keys(ctx)
	if err != nil {
		return token.Descriptor{}, err
	}
	d, err := token.VerifyDescriptor(started.Descriptor, keys, c.Issuer, time.Now().Add(r.offset))
	if err != nil {
		return d, stead.E(stead.CodeDescriptorMismatch, err)
	}
	if d.Subject != r.ask.Member.ID || d.Account != r.ask.Member.Account || d.Actor.Subject != string(c.Agent.ID) || d.Scope == "" ||
		d.Device != string(c.Device) || d.SessionID != string(r.id) || d.ExpiresAt.After(started.ServerTime.Add(stead.SessionTTL+time.Second)) {
		return d, stead.E(stead.CodeDescriptorMismatch, nil)
	}
	return d, nil
}

func (c *Control) open(ctx context.Context, r *run, started api.Started) error {
	ctx, cancel := context.WithTimeout(ctx, openLimit)
	defer cancel()
	claim := audit.HandoffClaim{Device: c.Device, Session: r.id, Code: stead.Secret(started.Handoff)}
	signature, err := claim.Sign(c.Signer)
	if err != nil {
		return err
	}
	if r.browser.Mode() == stead.ModeFallback {
		return c.openByPage(ctx, r, started.Handoff, signature)
	}
	opened, err := c.Platform.Redeem(ctx, r.id, api.RedeemRequest{Code: started.Handoff, Signature: signature})
	if err != nil {
		return err
	}
	k := opened.Cookie
	if k == nil || !k.HTTPOnly || !k.Secure || !stead.StaysPrivate(opened.StartURL) {
		return stead.Errorf(stead.CodeDescriptorMismatch, "the credential would not be safe in the browser")
	}
	return r.browser.Open(ctx, browser.Visit{URL: opened.StartURL,
		Fence:     browser.Fence{Origins: list(opened.Origins), Pages: list(opened.OtherPages), Frames: list(opened.OtherFrames)},
		MayChange: mayChange(r.scope), Downloads: opened.Downloads != nil && *opened.Downloads == api.OpenedDownloadsSession,
		Cookie: browser.Cookie{Name: k.Name, Value: stead.Secret(k.Value), URL: opened.StartURL, HTTPOnly: k.HTTPOnly, Secure: k.Secure, SameSite: string(k.SameSite)},
		Banner: browser.Banner{Name: r.ask.Member.Name, Email: r.ask.Member.Email, Ends: r.endsAt},
		Locale: r.ask.Member.Language, TimeZone: r.ask.Member.TimeZone})
}
