//go:build linux

package browser

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"stead/internal/stead"
)

func TestS1_14_CookieIsOnTheFirstRequestAndHiddenFromScripts(t *testing.T) {
	app := newMemberApp(t)
	b := launch(t, newRoot(t))
	if got := app.seen(); len(got) != 0 {
		t.Fatalf("%d requests before Open", len(got))
	}
	v := app.visit("/")
	if err := b.Open(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	first := app.seen()[0]
	if c, err := first.Cookie(cookieName); err != nil || c.Value != string(v.Cookie.Value) || first.Referer() != "" {
		t.Errorf("the first request has cookie %v, %v and referer %q", c != nil, err, first.Referer())
	}
	var readable struct{ Early, Now string }
	if err := b.Hand().Evaluate(t.Context(), "({early: window.early, now: document.cookie})", &readable); err != nil || readable.Early+readable.Now != "" {
		t.Errorf("scripts read %+v, %v", readable, err)
	}
	var jar struct{ Cookies []map[string]any }
	if err := b.client.Call(t.Context(), "", "Storage.getCookies", map[string]any{"browserContextId": b.contextID}, &jar); err != nil || len(jar.Cookies) != 1 {
		t.Fatalf("%d cookies, %v", len(jar.Cookies), err)
	}
	for key, want := range map[string]any{"httpOnly": true, "secure": true, "sameSite": "Strict", "session": true, "path": "/", "domain": "portal.localhost"} {
		if got := jar.Cookies[0][key]; got != want {
			t.Errorf("cookie %s = %v, want %v", key, got, want)
		}
	}
}

func TestOpenRefusesWhatDidNotAnswerWell(t *testing.T) {
	app := newMemberApp(t)
	gone := newMemberApp(t)
	gone.Close()
	for name, tc := range map[string]struct {
		visit Visit
		cause string
	}{
		"status 401":  {app.visit("/refused"), "401"},
		"not there":   {gone.visit("/"), "ERR_CONNECTION_REFUSED"},
		"a download":  {app.visit("/export"), "ERR_ABORTED"},
		"not the web": {Visit{URL: "file:///etc/passwd", Cookie: Cookie{URL: app.address}}, "web address"},
		"credentials": {Visit{URL: "http://u:p@127.0.0.1/", Cookie: Cookie{URL: app.address}}, "web address"},
	} {
		t.Run(name, func(t *testing.T) {
			b := launch(t, newRoot(t))
			err := b.Open(t.Context(), tc.visit)
			if stead.CodeOf(err) != stead.CodeBrowserOpenFailed || !strings.Contains(err.Error(), tc.cause) || strings.Contains(err.Error(), "u:p") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestS1_10_ClosedWindowIsToldWithinASecond(t *testing.T) {
	b, ctx := open(t, newMemberApp(t), "/")
	start := time.Now()
	if err := b.Hand().CloseWindow(ctx); err != nil {
		t.Fatal(err)
	}
	if ev := nextEvent(t, b, time.Second); ev != (Event{Kind: Closed, Cause: WindowClosed}) {
		t.Fatalf("got %+v", ev)
	}
	t.Logf("told after %v", time.Since(start))
	if w, err := b.Close(ctx); err != nil || !w.Clean {
		t.Fatalf("close: %+v, %v", w, err)
	}
	if ev, ok := <-b.Events(); ok {
		t.Errorf("another event: %+v", ev)
	}
}

func TestAClosedPageAmongOthersIsNoEvent(t *testing.T) {
	b, ctx := open(t, newMemberApp(t), "/")
	if err := b.Hand().Click(ctx, "#opener"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.NextPage(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if err := b.Hand().CloseWindow(ctx); err != nil {
		t.Fatal(err)
	}
	select {
	case ev := <-b.Events():
		t.Fatalf("got %+v", ev)
	case <-time.After(settleTime + askTime + 200*time.Millisecond):
	}
	if err := b.Hand().CloseWindow(ctx); err != nil {
		t.Fatal(err)
	}
	if ev := nextEvent(t, b, time.Second); ev.Cause != WindowClosed {
		t.Fatalf("got %+v", ev)
	}
}

func TestAKilledBrowserIsTold(t *testing.T) {
	b, ctx := open(t, newMemberApp(t), "/")
	if err := syscall.Kill(b.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if ev := nextEvent(t, b, time.Second); ev != (Event{Kind: Closed, Cause: BrowserGone}) {
		t.Fatalf("got %+v", ev)
	}
	socket := b.claim.rec.Socket
	if socket == "" {
		t.Fatal("the socket folder was not recorded")
	}
	if w, err := b.Close(ctx); err != nil || !w.Clean {
		t.Fatalf("close: %+v, %v", w, err)
	}
	if _, err := os.Stat(socket); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left: %v", socket, err)
	}
}

// Ctrl+N opens a window of the on-disk context; this is how the protocol opens one.
func TestWindowsOfAnotherContextAreClosed(t *testing.T) {
	app := newMemberApp(t)
	b, ctx := open(t, app, "/")
	var made struct {
		TargetID string `json:"targetId"`
	}
	if err := b.client.Call(ctx, "", "Target.createTarget", map[string]any{"url": app.address + "/second", "newWindow": true}, &made); err != nil {
		t.Fatal(err)
	}
	deadline, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	for {
		var known struct{ TargetInfos []struct{ TargetID string } }
		if err := b.client.Call(ctx, "", "Target.getTargets", nil, &known); err != nil {
			t.Fatal(err)
		}
		there := false
		for _, info := range known.TargetInfos {
			there = there || info.TargetID == made.TargetID
		}
		if !there {
			break
		}
		if pause(deadline, 20*time.Millisecond) != nil {
			t.Fatal("the foreign window is still open")
		}
	}
	for _, r := range app.seen() {
		if len(r.Cookies()) > 0 && r.URL.Path == "/second" {
			t.Error("the foreign window has the session's cookie")
		}
	}
	if n := len(b.Pages()); n != 1 {
		t.Errorf("%d pages of the session", n)
	}
}

func TestDownloadsAreDenied(t *testing.T) {
	ownPlaces(t)
	b, ctx := open(t, newMemberApp(t), "/")
	if err := b.Hand().Evaluate(ctx, "location.href = '/export'; new Promise((done) => setTimeout(done, 1000))", nil); err != nil {
		t.Fatal(err)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(home, "Downloads", "export.csv")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("export.csv: %v", err)
	}
}

func TestS0_05_HandSeesAndMoves(t *testing.T) {
	app := newMemberApp(t)
	b, ctx := open(t, app, "/")
	h := b.Hand()
	if err := h.Click(ctx, "#plain"); err != nil {
		t.Fatal(err)
	}
	if err := h.WaitText(ctx, "Second page"); err != nil {
		t.Fatal(err)
	}
	png, err := h.Capture(ctx)
	if err != nil || http.DetectContentType(png) != "image/png" || len(png) < 1000 {
		t.Fatalf("capture: %d bytes, %v", len(png), err)
	}
	if dir := os.Getenv("BROWSER_TEST_SHOTS"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, "second.png"), png, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.Visit(ctx, app.address+"/refused"); err == nil {
		t.Error("a refused page is no error")
	}
	if err := h.Click(ctx, "#nowhere"); err == nil {
		t.Error("a missing element is no error")
	}
}

func TestCloseRepeats(t *testing.T) {
	b, ctx := open(t, newMemberApp(t), "/")
	first, err := b.Close(ctx)
	if err != nil || !first.Clean || first.Took <= 0 {
		t.Fatalf("close: %+v, %v", first, err)
	}
	t.Logf("took %v", first.Took)
	if again, err := b.Close(ctx); err != nil || again.Took != first.Took {
		t.Fatalf("again: %+v, %v", again, err)
	}
	if _, _, ok := identify(b.PID()); ok {
		t.Error("the browser still lives")
	}
}

// A person in a hurry still gets everything removed.
func TestCloseWithoutTimeStillWipes(t *testing.T) {
	b, _ := open(t, newMemberApp(t), "/")
	over, cancel := context.WithCancel(context.Background())
	cancel()
	if w, err := b.Close(over); err != nil || !w.Clean {
		t.Fatalf("close: %+v, %v", w, err)
	}
	if _, _, ok := identify(b.PID()); ok || len(naming(b.claim.dir)) > 0 {
		t.Error("something of the browser still lives")
	}
}
