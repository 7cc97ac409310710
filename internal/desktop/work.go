package desktop

import (
	"context"
	"crypto/ed25519"
	"errors"
	"path/filepath"
	"time"

	"stead/internal/api"
	"stead/internal/stead"

	"stead/internal/desktop/browser"
	"stead/internal/desktop/outbox"
	"stead/internal/desktop/session"
	"stead/internal/desktop/vault"
)

func publicKey(s *vault.Signer) ed25519.PublicKey { return s.Public().(ed25519.PublicKey) }

// begin opens the outbox, starts draining it, and puts right what a crash left behind.
func (d *Desk) begin(ctx context.Context, me api.Me, id stead.DeviceID) (Stage, *api.Me, error) {
	d.beginning.Lock() // not mu: what follows asks the platform, and that asks for a token
	defer d.beginning.Unlock()
	if w, err := d.working(); err == nil && w.me.ID == me.ID {
		return StageReady, &me, nil
	}
	pseudonym, err := stead.ParsePseudonym(me.Pseudonym)
	if err != nil {
		return StageSignedOut, nil, stead.E(stead.CodeVersion, err)
	}
	sealer, err := d.vault.Sealer(ctx, "outbox")
	if err != nil {
		return StageEnrol, &me, err
	}
	// One file per device id: enrolled anew, the device begins a new chain and the old file stays as it is.
	ob, err := outbox.Open(ctx, filepath.Join(d.cfg.DataDir, "outbox-"+string(id)+".db"),
		outbox.Config{Device: id, Signer: d.signer, KeyID: d.signer.KeyID(), Sealer: sealer})
	if err != nil {
		return StageEnrol, &me, err
	}
	ob.ObserveServerTime(d.version.ServerTime)
	w := &work{me: me, outbox: ob}
	var run context.Context
	run, w.stop = context.WithCancel(context.WithoutCancel(ctx))
	w.wg.Go(func() { ob.Run(run, d.Client) })
	w.session = session.New(session.Config{Outbox: ob, Platform: d.Client, Pulse: d.Client, Browsers: browsers{d.root, d.cfg.OnBrowser}, Signer: d.signer, Device: id,
		Agent: session.Agent{ID: stead.StaffID(me.ID), Pseudonym: pseudonym}, Issuer: d.cfg.PlatformURL,
		Journal: filepath.Join(d.cfg.DataDir, "journal.json"), Log: d.cfg.Log, OnChange: d.cfg.OnLive})
	if _, err := w.session.Recover(ctx); err != nil {
		return StageEnrol, &me, errors.Join(err, w.close(ctx))
	}
	d.mu.Lock()
	d.work = w
	d.mu.Unlock()
	return StageReady, &me, nil
}

// browsers narrows what Launch returns to what a session needs.
type browsers struct {
	root *browser.Root
	told func(*browser.Browser)
}

func (b browsers) Launch(ctx context.Context, id string) (session.Browser, error) {
	launched, err := b.root.Launch(ctx, id)
	if err != nil {
		return nil, err // not a nil *browser.Browser inside an interface
	}
	if b.told != nil {
		b.told(launched)
	}
	return launched, nil
}

func (b browsers) Sweep(ctx context.Context) ([]browser.Swept, error) { return b.root.Sweep(ctx) }

func (w *work) close(ctx context.Context) error {
	err := w.session.Close(ctx)
	w.stop()
	w.wg.Wait()
	return errors.Join(err, w.outbox.Close())
}

// working is the work of whoever is signed in, or CodeSignInRequired.
func (d *Desk) working() (*work, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.work == nil {
		return nil, stead.E(stead.CodeSignInRequired, nil)
	}
	return d.work, nil
}

// Session is the session control, or CodeSignInRequired while nobody works.
func (d *Desk) Session() (*session.Control, error) {
	w, err := d.working()
	if err != nil {
		return nil, err
	}
	return w.session, nil
}

// Outbox is the outbox, or CodeSignInRequired while nobody works.
func (d *Desk) Outbox() (*outbox.Outbox, error) {
	w, err := d.working()
	if err != nil {
		return nil, err
	}
	return w.outbox, nil
}

// Me is who works here, as the platform said when the work began; false while nobody does.
func (d *Desk) Me() (api.Me, bool) {
	w, err := d.working()
	if err != nil {
		return api.Me{}, false
	}
	return w.me, true
}

// Begin signs a person in with the agent's own browser, and goes on as Connect does.
func (d *Desk) Begin(ctx context.Context) (Stage, *api.Me, error) {
	if err := d.meet(ctx); err != nil {
		return StageUnreachable, nil, err
	}
	if err := d.signed.Load().Begin(ctx); err != nil {
		return StageSignedOut, nil, err
	}
	return d.Connect(ctx)
}

// Claim makes the signed-in person the first superadmin, and goes on as Connect does.
func (d *Desk) Claim(ctx context.Context, code string) (Stage, *api.Me, error) {
	if _, err := d.Client.Claim(ctx, code); err != nil {
		return StageSetup, nil, err
	}
	return d.Connect(ctx)
}

// SignOut ends the live session, waits a moment for the outbox, and forgets who was signed in.
func (d *Desk) SignOut(ctx context.Context) error {
	d.mu.Lock()
	w := d.work
	d.work = nil
	d.mu.Unlock()
	var errs []error
	if w != nil {
		if _, err := w.session.End(ctx, stead.CauseSignedOut); stead.CodeOf(err) != stead.CodeSessionNotFound {
			errs = append(errs, err)
		}
		flushed, cancel := context.WithTimeout(ctx, 3*time.Second)
		_ = w.outbox.WaitDrained(flushed, w.outbox.State().Head) // what stays is sent at the next sign-in
		cancel()
		errs = append(errs, w.close(ctx))
	}
	if s := d.signed.Load(); s != nil {
		errs = append(errs, s.SignOut(ctx))
	}
	return errors.Join(errs...)
}

// Close ends the live session because Stead closes, and releases the data folder.
func (d *Desk) Close(ctx context.Context) error {
	d.mu.Lock()
	w, s := d.work, d.signed.Load()
	d.work = nil
	d.mu.Unlock()
	var errs []error
	if w != nil {
		errs = append(errs, w.close(ctx))
	}
	if s != nil {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, d.lock.Close())...)
}
