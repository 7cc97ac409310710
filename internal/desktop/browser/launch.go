package browser

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"stead/internal/desktop/browser/cdp"
	"stead/internal/stead"
)

const (
	answerLimit    = 20 * time.Second // a cold start took 9 s on a slow machine
	lastWordsLimit = 200 * time.Millisecond
	proveLimit     = 15 * time.Second // from the first answer to our window; under a second on an idle machine
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
// browser_unsupported, browser_as_root, browser_missing, data_read_only, browser_policy and browser_silent. If a
// policy forbids one browser, the next usable one is tried.
func (r *Root) Launch(ctx context.Context, id string) (*Browser, error) {
	if !supported {
		return nil, stead.E(stead.CodeBrowserUnsupported, nil)
	}
	if os.Geteuid() == 0 {
		return nil, stead.E(stead.CodeBrowserAsRoot, nil)
	}
	found, err := Find(exec.LookPath)
	if err != nil {
		return nil, err
	}
	for _, candidate := range found {
		if !candidate.Usable() {
			continue
		}
		var b *Browser
		if b, err = r.launch(ctx, id, candidate); err == nil {
			return b, nil
		}
		if stead.CodeOf(err) != stead.CodeBrowserPolicy {
			break
		}
	}
	return nil, err
}

func (r *Root) launch(ctx context.Context, id string, with Installed) (*Browser, error) {
	c, err := r.claim(ctx, id, time.Now())
	if err != nil {
		return nil, stead.Errorf(stead.CodeDataReadOnly, "%s", r.dir).Because(err)
	}
	b := newBrowser(c)
	if err = b.start(with); err == nil {
		err = b.prove(ctx)
	}
	if err == nil {
		b.work.Go(b.watch)
		return b, nil
	}
	_, left := b.Close(ctx)
	code := stead.CodeBrowserSilent
	if errors.Is(err, errPolicy) {
		code = stead.CodeBrowserPolicy
	}
	return nil, stead.Errorf(code, "%s", with.Path).Because(errors.Join(err, left))
}

// start seeds the profile and starts the program. What it leaves on an error, Close undoes.
func (b *Browser) start(with Installed) error {
	first := filepath.Join(b.claim.dir, profileDir, "Default")
	if err := errors.Join(os.MkdirAll(first, 0o700), os.Mkdir(filepath.Join(b.claim.dir, crashDir), 0o700)); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(first, "Preferences"), []byte(preferences), 0o600); err != nil {
		return err
	}
	p, err := start(PlanLaunch(with, b.claim.dir, os.Environ()))
	if err != nil {
		return err
	}
	b.proc = p
	b.client = cdp.New(p.out, p.in, b.onEvent)
	b.work.Go(b.listen)
	b.claim.rec.PID = p.pid
	b.claim.rec.Start, _, _ = identify(p.pid)
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

func (b *Browser) prove(ctx context.Context) error {
	if err := b.answer(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, proveLimit)
	defer cancel()
	if err := b.attach(ctx); err != nil {
		return fmt.Errorf("attach to the first page: %w", err)
	}
	if err := b.ownFolder(ctx); err != nil {
		return fmt.Errorf("the browser does not use the session's folder: %w", err)
	}
	if err := b.ownWindow(ctx); err != nil {
		return fmt.Errorf("make the session's window: %w", err)
	}
	b.mu.Lock()
	b.proved, b.lastWords = true, ""
	b.mu.Unlock()
	return nil
}

// answer waits for the first reply, the line that says there will be none, the end of the program or the limit.
func (b *Browser) answer(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	version := b.client.Send("", "Browser.getVersion", nil)
	asked, stop := context.WithCancel(ctx)
	defer stop()
	b.work.Go(func() { // a refusal on stderr ends the wait for an answer that will not come
		defer stop()
		_ = b.until(asked, func() bool { return b.refused })
	})
	err := version.Wait(asked, nil)
	if err == nil {
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

// attach asks to be attached to pages, present and future, the latter paused until we have dressed them.
func (b *Browser) attach(ctx context.Context) error {
	pagesOnly := []map[string]any{{"type": "page"}, {"exclude": true}}
	realms := []map[string]any{{"type": "page"}, {"type": "shared_worker"}, {"type": "service_worker"}, {"exclude": true}}
	if err := b.client.Call(ctx, "", "Target.setDiscoverTargets", map[string]any{"discover": true, "filter": pagesOnly}, nil); err != nil {
		return err
	}
	if err := b.client.Call(ctx, "", "Target.setAutoAttach", map[string]any{
		"autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true, "filter": realms,
	}, nil); err != nil {
		return err
	}
	return b.until(ctx, func() bool { return len(b.pages) > 0 })
}

// ownFolder checks that the profile's lock names a process of ours. A policy can make a browser use another folder,
// which would be the agent's own.
func (b *Browser) ownFolder(ctx context.Context) error {
	for {
		link, err := os.Readlink(filepath.Join(b.claim.dir, profileDir, "SingletonLock"))
		if err == nil {
			pid, err := strconv.Atoi(link[strings.LastIndexByte(link, '-')+1:]) // host-pid
			if err != nil || !inGroup(pid, b.proc.pid) {
				return fmt.Errorf("its lock names %q", link)
			}
			break
		}
		if pause(ctx, 20*time.Millisecond) != nil {
			return err
		}
	}
	b.claim.rec.Socket = socketFolder(b.claim.dir)
	_, b.claim.rec.Exe, _ = identify(b.proc.pid)
	return b.claim.write()
}

// ownWindow makes the session's context and window and closes everything else.
func (b *Browser) ownWindow(ctx context.Context) error {
	var made struct {
		ContextID string `json:"browserContextId"`
	}
	if err := b.client.Call(ctx, "", "Target.createBrowserContext", map[string]any{"disposeOnDetach": true}, &made); err != nil {
		return err
	}
	if err := b.client.Call(ctx, "", "Browser.setDownloadBehavior", map[string]any{
		"behavior": "deny", "eventsEnabled": true, "browserContextId": made.ContextID,
	}, nil); err != nil {
		return err
	}
	// Once for the whole browser, before it can ask for anything: what each page asks for by itself leaks.
	if err := b.client.Call(ctx, "", "Fetch.enable", b.guard.fetchParams(), nil); err != nil {
		return err
	}
	b.mu.Lock()
	b.contextID = made.ContextID
	b.mu.Unlock()
	if err := b.client.Call(ctx, "", "Target.createTarget", map[string]any{
		"url": "about:blank", "newWindow": true, "browserContextId": made.ContextID,
	}, nil); err != nil {
		return err
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
