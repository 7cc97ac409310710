package browser

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"stead/internal/desktop/browser/cdp"
	"stead/internal/stead"
)

const (
	answerLimit    = 20 * time.Second // a cold start took 9 s on a slow machine
	lastWordsLimit = 200 * time.Millisecond
	proveLimit     = 15 * time.Second // from the first answer to our window; under a second on an idle machine
	managedLimit   = 6 * time.Second  // for one that a policy forbids to obey
)

// policyLine is what Chromium prints when RemoteDebuggingAllowed is false. It then opens a window and never answers.
const policyLine = "disallowed by the system admin"

// errPolicy is the cause behind a browser_policy error.
var errPolicy = errors.New("the browser says that remote debugging is disallowed")

// Launch starts a browser for the session id and proves that it obeys: it answers on the pipe, it lets us attach to
// a page, the folder it uses is ours, and one window on about:blank stands alone in an in-memory context that
// downloads nothing. No credential is in it yet. The caller must Close the Browser.
//
// On an error everything is undone: no process and no folder is left, or the cause says what. The codes are
// browser_as_root, browser_missing, data_read_only, browser_policy and browser_silent. If one
// browser fails, the next usable one is tried. The detail names each that failed, and every policy of this machine
// that explains it.
func (r *Root) Launch(ctx context.Context, id string) (*Browser, error) {
	if err := mayLaunch(); err != nil {
		return nil, err
	}
	found, err := Find(ctx, r.Choice)
	if err != nil {
		return nil, err
	}
	var failed []error
	for _, candidate := range found {
		if !candidate.Usable() {
			continue
		}
		b, err := r.launch(ctx, id, candidate)
		if err == nil {
			return b, nil
		}
		failed = append(failed, err)
		if ctx.Err() != nil || stead.CodeOf(err) == stead.CodeDataReadOnly {
			break
		}
	}
	return nil, together(failed)
}

func mayLaunch() error {
	if os.Geteuid() == 0 {
		return stead.E(stead.CodeBrowserAsRoot, nil)
	}
	return nil
}

// together makes one error of those of all browsers: a policy, which somebody can change, goes before silence.
func together(failed []error) error {
	if len(failed) == 1 {
		return failed[0]
	}
	code := stead.CodeOf(failed[0])
	var details []string
	for _, err := range failed {
		if stead.CodeOf(err) == stead.CodeBrowserPolicy {
			code = stead.CodeBrowserPolicy
		}
		var e *stead.Error
		if errors.As(err, &e) {
			details = append(details, e.Detail)
		}
	}
	return stead.Errorf(code, "%s", strings.Join(details, "; ")).Because(errors.Join(failed...))
}

func (r *Root) launch(ctx context.Context, id string, with Installed) (*Browser, error) {
	c, err := r.claim(ctx, id, time.Now())
	if err != nil {
		return nil, stead.Errorf(stead.CodeDataReadOnly, "%s", r.dir).Because(err)
	}
	b := newBrowser(c)
	b.with = with
	if err = b.start(with); err == nil {
		err = b.proveIn(ctx, patience(with))
	}
	if err == nil {
		b.work.Go(b.watch)
		return b, nil
	}
	_, left := b.Close(ctx)
	return nil, failure(with, err).Because(errors.Join(err, left))
}

// patience is how long the browser has to prove itself. One that a policy forbids to obey is tried all the same,
// since only the browser knows what it read; but the agent does not look at its useless window for long.
func patience(with Installed) time.Duration {
	if len(forbidding(with.Policies)) > 0 {
		return managedLimit
	}
	return answerLimit + proveLimit
}

func (b *Browser) proveIn(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return b.prove(ctx)
}

// failure says which browser failed, and names the policies that are known to lead to it or that nobody could read.
func failure(with Installed, err error) *stead.Error {
	var details []string
	forbids := len(forbidding(with.Policies)) > 0
	code := stead.CodeBrowserSilent
	if forbids || errors.Is(err, errPolicy) {
		code = stead.CodeBrowserPolicy
	}
	if errors.Is(err, errPolicy) && !forbids {
		details = append(details, "it says that RemoteDebuggingAllowed is false, which Stead finds nowhere; chrome://policy shows where it is set")
	}
	if policies := say(with.Policies, Forbids, Hinders, Unknown); policies != "" {
		details = append(details, policies)
	}
	if len(details) == 0 {
		return stead.Errorf(code, "%s", with.Path)
	}
	return stead.Errorf(code, "%s: %s", with.Path, strings.Join(details, "; "))
}

// start seeds the profile and starts the program. What it leaves on an error, Close undoes.
func (b *Browser) start(with Installed) error {
	plan := PlanLaunch(thisSystem(), with, b.claim.dir)
	if err := plan.prepare(); err != nil {
		return err
	}
	p, err := start(plan)
	if err != nil {
		return err
	}
	b.proc = p
	b.client = cdp.New(p.out, p.in, b.onEvent)
	b.work.Go(b.listen)
	b.claim.recordProcess(p.pid, plan.Path)
	return b.claim.write()
}

// listen reads what the browser prints. Until it is proved, its last line explains a failure; afterwards, when it
// could hold what a page says, it is thrown away.
func (b *Browser) listen() {
	defer close(b.heard)
	lines := bufio.NewScanner(b.proc.stderr)
	for lines.Scan() {
		b.mu.Lock()
		if !b.proved {
			b.lastWords = lines.Text()
			if strings.Contains(b.lastWords, policyLine) {
				b.refused = true
				b.touch()
			}
		}
		b.mu.Unlock()
	}
}

// prove asks for everything that needs no answer first at once: the browser works on it while it comes up.
func (b *Browser) prove(ctx context.Context) error {
	version := b.client.Send("", "Browser.getVersion", nil)
	attached := b.attach()
	made := b.client.Send("", "Target.createBrowserContext", map[string]any{"disposeOnDetach": true})
	if err := b.answer(ctx, version); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, proveLimit)
	defer cancel()
	for _, reply := range attached {
		if err := reply.Wait(ctx, nil); err != nil {
			return fmt.Errorf("attach to pages: %w", err)
		}
	}
	if err := b.ownFolder(ctx); err != nil {
		return fmt.Errorf("the browser does not use the session's folder: %w", err)
	}
	if err := b.ownWindow(ctx, made); err != nil {
		return fmt.Errorf("make the session's window: %w", err)
	}
	b.mu.Lock()
	b.proved, b.lastWords = true, ""
	b.mu.Unlock()
	return nil
}

// answer waits for the first reply, the line that says there will be none, the end of the program or the limit.
func (b *Browser) answer(ctx context.Context, version *cdp.Reply) error {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	asked, stop := context.WithCancel(ctx)
	defer stop()
	b.work.Go(func() { // a refusal on stderr ends the wait for an answer that will not come
		defer stop()
		_ = b.until(asked, func() bool { return b.refused })
	})
	var says struct {
		UserAgent string `json:"userAgent"`
	}
	err := version.Wait(asked, &says)
	if err == nil {
		b.agent = says.UserAgent
		return nil
	}
	if b.client.Err() != nil { // it is ending: its last words may still be on their way
		select {
		case <-b.heard:
		case <-time.After(lastWordsLimit):
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refused {
		return errPolicy
	}
	return fmt.Errorf("no answer on the pipe: %w (its last words: %q)", err, b.lastWords)
}

// attach asks to be attached to all pages that come, paused until we have dressed them. There is none yet: the browser
// starts without a window.
func (b *Browser) attach() []*cdp.Reply {
	pagesOnly := []map[string]any{{"type": "page"}, {"exclude": true}}
	realms := []map[string]any{{"type": "page"}, {"type": "shared_worker"}, {"type": "service_worker"}, {"exclude": true}}
	return []*cdp.Reply{
		b.client.Send("", "Target.setDiscoverTargets", map[string]any{"discover": true, "filter": pagesOnly}),
		b.client.Send("", "Target.setAutoAttach", map[string]any{
			"autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true, "filter": realms,
		}),
	}
}

// ownFolder checks that the browser uses the session's profile. A policy can make it use another folder, which would
// be the agent's own.
func (b *Browser) ownFolder(ctx context.Context) error {
	for {
		used, err := usedBy(filepath.Join(b.claim.dir, profileDir), b.proc)
		if err != nil {
			return err
		}
		if used {
			break
		}
		if pause(ctx, 20*time.Millisecond) != nil {
			return errors.New("it has not locked its profile")
		}
	}
	b.claim.rec.Socket = socketFolder(b.claim.dir)
	_, b.claim.rec.Exe, _ = identify(b.proc.pid)
	return b.claim.write()
}

// ownWindow makes the session's window in the context that was asked for, and closes everything else.
func (b *Browser) ownWindow(ctx context.Context, context *cdp.Reply) error {
	var made struct {
		ContextID string `json:"browserContextId"`
	}
	if err := context.Wait(ctx, &made); err != nil {
		return err
	}
	b.mu.Lock()
	b.contextID = made.ContextID
	b.mu.Unlock()
	ours := map[string]any{"browserContextId": made.ContextID}
	asked := []*cdp.Reply{
		// Once for the whole browser, before it can ask for anything: what each page asks for by itself leaks.
		b.client.Send("", "Fetch.enable", b.guard.fetchParams()),
		b.client.Send("", "Browser.setDownloadBehavior", map[string]any{
			"behavior": "deny", "eventsEnabled": true, "browserContextId": made.ContextID,
		}),
		b.client.Send("", "Target.createTarget", map[string]any{"url": "about:blank", "newWindow": true, "browserContextId": made.ContextID}),
		b.client.Send("", "Storage.getCookies", ours), // there are none: this opens the cookie store while the window comes up
	}
	for _, reply := range asked {
		if err := reply.Wait(ctx, nil); err != nil {
			return err
		}
	}
	if err := b.until(ctx, func() bool { return len(b.ours()) > 0 }); err != nil {
		return err
	}
	b.mu.Lock()
	b.settled = true
	for _, p := range b.pages {
		if p.context != made.ContextID {
			b.client.Send("", "Target.closeTarget", target(p))
		}
	}
	b.mu.Unlock()
	return b.until(ctx, func() bool { return len(b.ours()) == len(b.pages) })
}
