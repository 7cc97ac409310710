package desktop

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"time"

	"stead/internal/api"
	"stead/internal/stead"

	"stead/internal/desktop/browser"
	"stead/internal/desktop/client"
	"stead/internal/desktop/outbox"
	"stead/internal/desktop/session"
)

// work is what exists only while somebody is signed in on an enrolled device.
type work struct {
	me      api.Me
	device  stead.DeviceID
	outbox  *outbox.Outbox
	session *session.Control
	stop    context.CancelFunc
	wg      sync.WaitGroup
}

// alone waits until nobody else begins, enrols, signs out or closes, and keeps it so until leave is called. The
// context it returns also ends when Close begins; after that it fails with CodeSignInRequired.
func (d *Desk) alone(ctx context.Context) (_ context.Context, leave func(), _ error) {
	d.beginning.Lock() // not mu: what follows asks the platform
	if d.life.Err() != nil {
		d.beginning.Unlock()
		return nil, nil, stead.E(stead.CodeSignInRequired, nil)
	}
	ctx, cancel := context.WithCancel(ctx)
	unlink := context.AfterFunc(d.life, cancel)
	return ctx, func() {
		unlink()
		cancel()
		d.beginning.Unlock()
	}, nil
}

// settle makes the person whom the platform named in that turn the one who works here.
func (d *Desk) settle(ctx context.Context, turn int, me api.Me) (Stage, *api.Me, error) {
	ctx, leave, err := d.alone(ctx)
	if err != nil {
		return StageSignedOut, nil, err
	}
	defer leave()
	if !d.tenure.name(turn, me.ID) {
		return StageSignedOut, nil, errOvertaken
	}
	if w, err := d.working(); err == nil && w.me.ID != me.ID {
		d.retire(ctx)
	}
	dev, err := d.enrolled(ctx)
	if err != nil || dev.ID == "" {
		return StageEnrol, &me, err
	}
	if w, err := d.working(); err == nil {
		if w.device == dev.ID {
			return StageReady, &me, nil
		}
		d.retire(ctx)
	}
	return d.begin(ctx, me, dev)
}

// retire ends the work that is under way, if any. The caller is alone.
func (d *Desk) retire(ctx context.Context) {
	if w := d.take(); w != nil {
		if err := w.close(ctx); err != nil {
			d.cfg.Log.Error("earlier work did not close cleanly", "err", err)
		}
	}
}

// take returns the work that is under way, which nobody finds any more; nil when there is none.
func (d *Desk) take() *work {
	d.mu.Lock()
	defer d.mu.Unlock()
	w := d.work
	d.work = nil
	return w
}

// begin opens the outbox, starts draining it, and puts right what a crash left behind. The caller is alone, and no
// work is under way.
func (d *Desk) begin(ctx context.Context, me api.Me, dev device) (Stage, *api.Me, error) {
	pseudonym, err := stead.ParsePseudonym(me.Pseudonym)
	if err != nil {
		return StageSignedOut, nil, stead.E(stead.CodeVersion, err)
	}
	platform, err := client.New(d.cfg.PlatformURL, ownTokens{d, me.ID}, d.cfg.HTTP)
	if err != nil {
		return StageUnreachable, &me, err
	}
	ob, err := d.openOutbox(ctx, dev)
	if err != nil {
		return StageEnrol, &me, err
	}
	w := &work{me: me, device: dev.ID, outbox: ob}
	var run context.Context
	run, w.stop = context.WithCancel(context.WithoutCancel(ctx))
	w.wg.Go(func() {
		if err := ob.Run(run, platform, platform.Log(dev.ID)); err != nil {
			d.cfg.Log.Error("the outbox is not drained", "err", err)
		}
	})
	w.session = session.New(session.Config{Outbox: ob, Platform: platform, Pulse: platform, Browsers: browsers{d.root, d.cfg.OnBrowser, d.mayFallBack}, Signer: d.signer, Device: dev.ID,
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
	// mayFallBack says whether a browser that cannot be controlled may be used.
	mayFallBack func(ctx context.Context) (bool, error)
}

func (b browsers) Launch(ctx context.Context, id string) (session.Browser, error) {
	launched, err := b.root.Launch(ctx, id)
	if err != nil {
		return b.fallBack(ctx, id, err) // not a nil *browser.Browser inside an interface
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
	d.tenure.enter()
	err := d.signed.Load().Begin(ctx)
	d.tenure.leave(err == nil)
	if err != nil {
		return StageSignedOut, nil, err
	}
	stage, me, err := d.Connect(ctx)
	if stage == StageSignedOut && stead.CodeOf(err) == stead.CodeSignInRequired {
		// Signing in again would not help: the two do not fit together.
		err = stead.Errorf(stead.CodeSignInFailed, "the platform does not accept what the identity provider issues; its log says why").Because(err)
	}
	return stage, me, err
}

// Claim makes the signed-in person the first superadmin, and goes on as Connect does.
func (d *Desk) Claim(ctx context.Context, code string) (Stage, *api.Me, error) {
	if _, err := d.Client.Claim(ctx, code); err != nil {
		return StageSetup, nil, err
	}
	return d.Connect(ctx)
}

// SignOut ends the live session or gives up its start, waits a moment for the outbox, and forgets who was signed in.
func (d *Desk) SignOut(ctx context.Context) error {
	ctx, leave, err := d.alone(ctx)
	if err != nil {
		return err
	}
	defer leave()
	var errs []error
	if w := d.take(); w != nil {
		if _, err := w.session.End(ctx, stead.CauseSignedOut); stead.CodeOf(err) != stead.CodeSessionNotFound {
			errs = append(errs, err)
		}
		errs = append(errs, w.session.Close(ctx))
		flushed, cancel := context.WithTimeout(ctx, 3*time.Second)
		_ = w.outbox.WaitDrained(flushed, w.outbox.State().Head) // what stays is sent at the next sign-in
		cancel()
		errs = append(errs, w.close(ctx))
	}
	if s := d.signed.Load(); s != nil {
		d.tenure.enter()
		errs = append(errs, s.SignOut(ctx))
		d.tenure.leave(true)
	}
	return errors.Join(errs...)
}

// Close breaks off a begin under way, ends the live session because Stead closes, and releases the data folder.
// Nothing begins afterwards.
func (d *Desk) Close(ctx context.Context) error {
	d.end()
	d.beginning.Lock()
	defer d.beginning.Unlock()
	var errs []error
	if w := d.take(); w != nil {
		if d.leaving() {
			d.endForLogOff(ctx, w)
		}
		errs = append(errs, w.close(ctx))
	}
	d.system.Close()
	d.attending.Wait()
	if s := d.signed.Load(); s != nil {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, d.lock.Close())...)
}
