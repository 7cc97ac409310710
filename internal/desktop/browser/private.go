package browser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"stead/internal/stead"
)

// doorLife is how long a browser has until it asks for its page (a cold Firefox took 13 s on a busy machine), and how
// long a second visitor of the page is waited for.
const doorLife = 30 * time.Second

// askGrace is how long a browser may take to end when it is asked to: a tenth of a second when measured. Nothing of
// value is lost by force, and an agent who ends a session must not see it any longer.
const askGrace = 400 * time.Millisecond

// Contested is an event of a Private: somebody else asked for its one-time page.
const Contested EventKind = "contested"

// Private is one session's browser that nothing controls: a private window, opened by a one-time page, that is known to
// be there as long as its process is. It has no banner and no guard, and what is done in it is not observed. It is safe
// for concurrent use.
type Private struct {
	claim *claim
	proc  *tied
	door  *doorway

	mu     sync.Mutex // held to send an event
	events chan Event
	life   context.Context // over when Close begins
	stop   context.CancelFunc
	work   sync.WaitGroup

	closeOnce sync.Once
	wiped     Wipe
	wipeErr   error
}

// LaunchPrivate starts a browser for the session id that Stead cannot control, and returns when it has asked for the
// page that Open will answer. It is for machines on which Launch found no browser with a usable pipe, and only where
// that is allowed. The caller must Close the Private.
//
// On an error everything is undone, as with Launch. The codes are browser_as_root, browser_missing,
// data_read_only, browser_silent, and browser_contested, after which no other browser is tried.
func (r *Root) LaunchPrivate(ctx context.Context, id string) (*Private, error) {
	if err := mayLaunch(); err != nil {
		return nil, err
	}
	err := error(stead.E(stead.CodeBrowserMissing, nil))
	for _, candidate := range r.findPrivate(ctx) {
		var p *Private
		if p, err = r.launchPrivate(ctx, id, candidate); err == nil {
			return p, nil
		}
		if stead.CodeOf(err) != stead.CodeBrowserSilent || ctx.Err() != nil {
			break
		}
	}
	return nil, err
}

// findPrivate lists the browsers that a one-time page can open, Firefox last. What is confined cannot use the session's
// folder and is left out, and so is what the settings or a policy of this machine refuse.
func (r *Root) findPrivate(ctx context.Context) []Installed {
	found, _ := Find(ctx, r.Choice) // that none has a pipe is why somebody asks
	return slices.DeleteFunc(found, func(i Installed) bool { return !i.mayOpenAPage() })
}

func (i Installed) mayOpenAPage() bool { return i.Why == "" && i.Confinement == "" }

func (r *Root) launchPrivate(ctx context.Context, id string, with Installed) (*Private, error) {
	c, err := r.claim(ctx, id, time.Now())
	if err != nil {
		return nil, stead.Errorf(stead.CodeDataReadOnly, "%s", r.dir).Because(err)
	}
	p := &Private{claim: c, events: make(chan Event, 4)}
	p.life, p.stop = context.WithCancel(context.Background())
	if err = p.start(with); err == nil {
		err = p.arrived(ctx)
	}
	if err == nil {
		p.work.Go(p.watch)
		p.work.Go(p.shut)
		return p, nil
	}
	_, left := p.Close(ctx)
	if stead.CodeOf(err) == stead.CodeBrowserContested {
		return nil, stead.E(stead.CodeBrowserContested, left)
	}
	return nil, stead.Errorf(stead.CodeBrowserSilent, "%s", with.Path).Because(errors.Join(err, left))
}

// start makes the page and the profile, and starts the program. What it leaves on an error, Close undoes.
func (p *Private) start(with Installed) error {
	home, err := os.UserConfigDir()
	if err != nil {
		home = "" // then there are no looks to take over
	}
	if err := seedPrivate(p.claim.dir, home); err != nil {
		return err
	}
	if p.door, err = openDoorway(); err != nil {
		return err
	}
	p.proc, err = startTied(PlanPrivate(thisSystem(), with, p.claim.dir, p.door.address()))
	if err != nil {
		return err
	}
	p.claim.rec.PID = p.proc.pid
	p.claim.rec.Start, _, _ = identify(p.proc.pid)
	return p.claim.write()
}

// arrived waits until the browser has asked for its page.
func (p *Private) arrived(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, doorLife)
	defer cancel()
	select {
	case <-p.door.came:
	case <-p.door.contested:
		return stead.E(stead.CodeBrowserContested, nil)
	case <-p.proc.exited:
		return errors.New("it ended before it asked for its page")
	case <-ctx.Done():
		return fmt.Errorf("it did not ask for its page: %w", ctx.Err())
	}
	p.claim.rec.Socket = socketFolder(p.claim.dir)
	_, p.claim.rec.Exe, _ = identify(p.proc.pid)
	return p.claim.write()
}

// Mode is stead.ModeFallback.
func (p *Private) Mode() stead.Mode { return stead.ModeFallback }

// PID is the browser's main process.
func (p *Private) PID() int { return p.proc.pid }

// Events tells what happens to the browser: Contested and Closed, each at most once, within a second. It is closed by
// Close, which itself causes no event.
func (p *Private) Events() <-chan Event { return p.events }

// Open answers the page with v.Form and returns when it is written; nothing else of v can be used here. It is called
// once. Whether the member app was opened, only the platform knows: its session is live then. The errors are
// browser_contested and browser_open_failed, and the caller must Close the Private.
func (p *Private) Open(ctx context.Context, v Visit) error {
	ctx, cancel := context.WithTimeout(ctx, loadLimit)
	defer cancel()
	if err := webAddress(v.Form.Action); err != nil || v.Form.Code == "" {
		return stead.E(stead.CodeBrowserOpenFailed, err)
	}
	select {
	case p.door.form <- v.Form:
	default:
		return stead.E(stead.CodeBrowserOpenFailed, errors.New("it was opened before"))
	}
	select {
	case <-p.door.served:
	case <-p.door.contested:
	case <-p.proc.exited:
		return stead.E(stead.CodeBrowserOpenFailed, errors.New("the browser ended"))
	case <-ctx.Done():
		return stead.E(stead.CodeBrowserOpenFailed, ctx.Err())
	}
	if p.door.isContested() {
		return stead.E(stead.CodeBrowserContested, nil)
	}
	return nil
}

// watch tells what happens, and ends with the browser or with Close.
func (p *Private) watch() {
	contested := p.door.contested
	for {
		select {
		case <-contested:
			contested = nil
			p.emit(Event{Kind: Contested})
		case <-p.proc.exited:
			ev := Event{Kind: Closed, Cause: BrowserGone}
			if p.proc.clean {
				ev.Cause = WindowClosed
			}
			p.emit(ev)
			return
		case <-p.life.Done():
			return
		}
	}
}

// emit never blocks: there is room for all that can happen.
func (p *Private) emit(ev Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.life.Err() == nil {
		p.events <- ev
	}
}

// shut closes the page's port when the page is used and nobody can come second any more: a stranger who was first has
// the browser behind them, within the time that a browser takes to start.
func (p *Private) shut() {
	if pause(p.life, doorLife) != nil {
		return
	}
	select {
	case <-p.door.served:
		p.door.close()
	case <-p.life.Done():
	}
}

// Close ends the browser, with force where it must, wipes the session's files and closes Events. When ctx is over it
// goes on without the gentle part. Wipe says whether anything is left; then the error is browser_left. Further calls
// wait for the first and return the same.
func (p *Private) Close(ctx context.Context) (Wipe, error) {
	p.closeOnce.Do(func() {
		begin := time.Now()
		p.stop()
		if p.proc != nil {
			p.end(ctx)
			p.proc.release()
		}
		if p.door != nil {
			p.door.close()
		}
		p.work.Wait()
		close(p.events)
		p.wiped, p.wipeErr = p.claim.wipe(ctx)
		p.wiped.Took = time.Since(begin)
	})
	return p.wiped, p.wipeErr
}

// end returns when no process of the group is left, or two ways to end it have failed.
func (p *Private) end(ctx context.Context) {
	if socket := socketFolder(p.claim.dir); socket != "" {
		p.claim.rec.Socket = socket // a launch that failed early has not recorded it yet
	}
	if _, exe, ok := identify(p.proc.pid); ok {
		p.claim.rec.Exe = exe // likewise
	}
	p.proc.ask() // the leader alone: one whose helpers are told as well waits for them in vain
	if p.proc.gone(ctx, askGrace) {
		return
	}
	for range 2 { // the second time for children that outlive the leader
		p.proc.kill()
		if p.proc.gone(context.WithoutCancel(ctx), killGrace) {
			return
		}
	}
}
