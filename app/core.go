package app

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"time"

	"stead/internal/api"
	"stead/internal/desktop"
	"stead/internal/desktop/session"
	"stead/internal/stead"
)

// core is what the bound structs share: the open desk and the way to the window.
type core struct {
	settings Settings
	opened   chan struct{} // closed when the desk is open, or will never be

	mu     sync.Mutex
	window window
	desk   *desktop.Desk
	broken error // why this machine cannot work
	view   SignInView
	cancel context.CancelFunc // of the sign-in under way
	closed bool
	ctx    context.Context
	wg     sync.WaitGroup
}

// window is told what happens.
type window interface {
	emit(event string, data any)
	raise()
	quit()
}

func newCore(s Settings) *core {
	return &core{settings: s, opened: make(chan struct{}), view: SignInView{Phase: "starting", Platform: s.PlatformURL}}
}

// bound lists the structs whose methods the window can call.
func (c *core) bound() []any {
	return []any{&SignIn{c}, &Members{c}, &Session{c}, &Overview{c}, &Trail{c}}
}

// startup opens the desk. It runs beside the first calls of the window, which wait for it.
func (c *core) startup(ctx context.Context, w window) {
	c.mu.Lock()
	c.window, c.ctx = w, ctx
	c.mu.Unlock()
	desk, err := c.open(ctx)
	c.mu.Lock()
	c.desk, c.broken = desk, err
	c.mu.Unlock()
	close(c.opened)
	if err != nil {
		c.show(SignInView{Phase: "failed", Problem: problem(err)})
		return
	}
	c.connect(ctx)
	c.wg.Go(func() { c.reportOutbox(ctx) })
}

func (c *core) open(ctx context.Context) (*desktop.Desk, error) {
	if c.settings.problem != nil {
		return nil, c.settings.problem
	}
	name, err := os.Hostname()
	if err != nil {
		name = "this computer"
	}
	return desktop.Open(ctx, desktop.Config{PlatformURL: c.settings.PlatformURL, DataDir: c.settings.DataDir, CacheDir: c.settings.CacheDir,
		Keyring: c.settings.Keyring, DeviceName: name, EnrolmentCode: c.settings.EnrolmentCode, OpenBrowser: c.settings.OpenBrowser,
		Browsers: c.settings.Browsers, NoFallback: c.settings.NoFallback,
		Log: slog.Default(), OnLive: c.onLive, OnHangUp: c.leave})
}

// onLive tells the window of every change of the session, and comes to the front when it is over: the agent's next
// step is here.
func (c *core) onLive(s session.State) {
	c.mu.Lock()
	w := c.window
	c.mu.Unlock()
	if w == nil {
		return
	}
	w.emit("live", liveView(s))
	if s.Phase == session.PhaseEnded {
		w.raise()
	}
}

// leave closes the window because the system said so in a way that Wails does not listen to. It does not wait: closing
// waits for whoever called this.
func (c *core) leave() {
	c.mu.Lock()
	w := c.window
	c.mu.Unlock()
	if w != nil {
		time.AfterFunc(0, w.quit)
	}
}

// ready returns the desk once it is open, or why it is not.
func (c *core) ready() (*desktop.Desk, error) {
	<-c.opened
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken != nil {
		return nil, c.broken
	}
	return c.desk, nil
}

// show sets what the sign-in screen shows and tells the window.
func (c *core) show(v SignInView) SignInView {
	c.mu.Lock()
	v.Platform, v.Version = c.settings.PlatformURL, desktop.Version
	c.view = v
	w := c.window
	c.mu.Unlock()
	if w != nil {
		w.emit("signin", v)
	}
	return v
}

// reached turns the desk's stage into what is shown.
func (c *core) reached(stage desktop.Stage, me *api.Me, err error) SignInView {
	v := SignInView{Phase: string(stage), Problem: problem(err)}
	if me != nil {
		v.Me = personView(*me)
	}
	return c.show(v)
}

func (c *core) connect(ctx context.Context) SignInView {
	d, err := c.ready()
	if err != nil {
		return c.show(SignInView{Phase: "failed", Problem: problem(err)})
	}
	stage, me, err := d.Connect(ctx)
	return c.reached(stage, me, err)
}

// lifetime is the context of calls that go on after the call of the window that began them.
func (c *core) lifetime() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx == nil {
		return context.Background()
	}
	return c.ctx
}

// shutdown ends the live session and releases everything.
func (c *core) shutdown() {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	c.closed = true
	d := c.desk
	cancel := c.cancel
	c.mu.Unlock()
	if cancel != nil {
		cancel()
	}
	if d == nil {
		return
	}
	ctx, stop := context.WithTimeout(context.Background(), closeLimit)
	defer stop()
	if err := d.Close(ctx); err != nil {
		slog.Error("Stead did not close cleanly; the next start puts it right", "err", err)
	}
	c.wg.Wait()
}

// failure is why this machine could not work, for the exit code.
func (c *core) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.broken
}

// noSession turns the code of "nothing lives" into a state that is shown, not an error.
func noSession(err error) bool { return stead.CodeOf(err) == stead.CodeSessionNotFound }
