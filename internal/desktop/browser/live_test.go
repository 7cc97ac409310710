//go:build linux

package browser

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"stead/internal/stead"
)

// These tests run a real Chromium in a real window. They need an unprivileged user and a display, which
// build/test.sh provides; without them they fail rather than say nothing.
func needBrowser(t *testing.T) {
	t.Helper()
	if os.Geteuid() == 0 {
		t.Fatal("this test runs a browser, which Stead never does as root: run it as an ordinary user (build/test.sh does)")
	}
	if os.Getenv("DISPLAY") == "" {
		t.Fatal("this test needs a display: run it under xvfb-run (build/test.sh does)")
	}
	if _, err := Find(t.Context(), Choice{}); err != nil {
		t.Fatal("this test needs Chromium: ", err)
	}
}

const cookieName = "__Host-stead"

// memberApp is a small site that tells what reached it.
type memberApp struct {
	*httptest.Server
	address string // by name: cookies are per host

	mu       sync.Mutex
	requests []*http.Request
}

// pages are those that only show something.
var pages = map[string]string{
	"/{$}": `<body style="margin:0"><div id=top style="height:10px">Home</div>
		<p><a id=plain href="/second">second</a> <a id=opener href="/popup" target="_blank" rel="opener">popup</a>
		<a id=noopener href="/noopener" target="_blank" rel="noopener">noopener</a></p>
		<script>window.early = document.cookie</script>`,
	"/second":   `Second page`,
	"/popup":    `Popup page`,
	"/noopener": `Noopener page`,
	"/frames":   `Frames page <iframe id=inner src="/second" style="width:600px;height:200px"></iframe>`,
	"/hostile": `<style>html, html > *, div { display:none !important; opacity:0 !important; visibility:hidden !important;
		transform:translateY(-500px) !important; transition: all 999s !important }</style>
		<script>for (const k of ['click','pointerdown','mousedown','keydown'])
			addEventListener(k, (e) => { e.preventDefault(); e.stopImmediatePropagation() }, true)</script>Hostile page`,
	"/fixed": `<header id=pinned style="position:fixed;top:0;left:0;right:0;height:50px;background:#ddd">Pinned</header>
		<div style="height:3000px">Fixed page</div>`,
	"/dialog": `<dialog id=d style="width:100vw;height:100vh;max-width:none;max-height:none">Dialog open</dialog>
		<script>d.showModal()</script>`,
	"/shadow": `Shadow page <div id=h></div><script>
		const s = h.attachShadow({mode: 'closed'})
		s.innerHTML = '<dialog style="width:100vw;height:100vh;max-width:none;max-height:none">Dialog</dialog>'
		setTimeout(() => s.firstChild.showModal(), 300)</script>`,
	"/fullscreen": `<div id=wall style="background:#dd8">Fullscreen page
		<button id=go onclick="wall.requestFullscreen()">go</button></div>`,
}

func newMemberApp(t *testing.T) *memberApp {
	app := &memberApp{}
	show := func(w http.ResponseWriter, body string) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, "<!doctype html><title>portal</title>", body)
	}
	mux := http.NewServeMux()
	for path, body := range pages {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) { show(w, body) })
	}
	mux.HandleFunc("GET /strict", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; require-trusted-types-for 'script'; trusted-types 'none'")
		show(w, "Strict page")
	})
	mux.HandleFunc("GET /refused", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		show(w, "Refused")
	})
	mux.HandleFunc("GET /export", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Disposition", `attachment; filename="export.csv"`)
		fmt.Fprint(w, "a,b\n")
	})
	app.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		app.mu.Lock()
		app.requests = append(app.requests, r)
		app.mu.Unlock()
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(app.Close)
	app.address = strings.Replace(app.URL, "127.0.0.1", "portal.localhost", 1)
	return app
}

func (a *memberApp) seen() []*http.Request {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]*http.Request(nil), a.requests...)
}

func (a *memberApp) visit(path string) Visit {
	return Visit{
		URL: a.address + path,
		Cookie: Cookie{
			Name: cookieName, Value: stead.Secret("cred" + rand.Text()), URL: a.address,
			HTTPOnly: true, Secure: true, SameSite: "Strict",
		},
		Banner: Banner{Name: "Ada Lovelace", Email: "ada@example.org", Ends: time.Now().Add(20 * time.Minute)},
	}
}

func launch(t *testing.T, r *Root) *Browser {
	t.Helper()
	needBrowser(t)
	b, err := r.Launch(t.Context(), "s-"+rand.Text())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if w, err := b.Close(context.Background()); err != nil || !w.Clean {
			t.Errorf("close: %+v, %v", w, err)
		}
	})
	return b
}

// open launches a browser on a path of the app, with a deadline for everything that follows.
func open(t *testing.T, app *memberApp, path string) (*Browser, context.Context) {
	t.Helper()
	b := launch(t, newRoot(t))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	if err := b.Open(ctx, app.visit(path)); err != nil {
		t.Fatal(err)
	}
	return b, ctx
}

// nextEvent fails when nothing comes within the limit.
func nextEvent(t *testing.T, b *Browser, limit time.Duration) Event {
	t.Helper()
	select {
	case ev, ok := <-b.Events():
		if !ok {
			t.Fatal("Events is closed")
		}
		return ev
	case <-time.After(limit):
		t.Fatalf("no event within %v", limit)
	}
	return Event{}
}

func wantBanner(ctx context.Context, t *testing.T, h *Hand) {
	t.Helper()
	p, err := h.page()
	if err == nil {
		err = h.b.awaitBanner(ctx, p)
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := h.BannerText(ctx)
	if err != nil || !strings.Contains(text, "Ada Lovelace (ada@example.org)") ||
		!strings.Contains(text, "19:") && !strings.Contains(text, "20:00") || !strings.Contains(text, "End session") {
		t.Fatalf("the banner says %q, %v", text, err)
	}
}

// The helper is this test binary again: a Stead that opens a session and is then killed.
const helperVariable = "BROWSER_TEST_HELPER"

type helperOrder struct {
	Root, ID string
	Visit    Visit
	Value    string // of the cookie, which Visit itself does not encode
	Script   string // run in the page
}

func TestMain(m *testing.M) {
	if runFake() {
		return
	}
	if os.Getenv(helperVariable) != "" {
		runHelper()
		return
	}
	if stage := os.Getenv(policyVariable); stage != "" {
		runUnderPolicy(stage)
		return
	}
	if os.Getenv(privateVariable) != "" {
		runPrivateHelper()
		return
	}
	os.Exit(m.Run())
}

// runHelper reads its order from stdin, so that no credential is in an argument or variable of its own.
func runHelper() {
	ctx := context.Background()
	var order helperOrder
	err := json.NewDecoder(os.Stdin).Decode(&order)
	var r *Root
	if err == nil {
		r, err = OpenRoot(order.Root)
	}
	var b *Browser
	if err == nil {
		b, err = r.Launch(ctx, order.ID)
	}
	if err == nil {
		order.Visit.Cookie.Value = stead.Secret(order.Value)
		err = b.Open(ctx, order.Visit)
	}
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	if err := b.Hand().Evaluate(ctx, order.Script, nil); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	fmt.Println("pid:", b.PID())
	select {}
}

// startHelper returns the helper, which the test must end, and its browser's process.
func startHelper(t *testing.T, order helperOrder) (helper *os.Process, browserPID int) {
	t.Helper()
	needBrowser(t)
	order.Value = string(order.Visit.Cookie.Value)
	in, err := json.Marshal(order)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), helperVariable+"=1")
	cmd.Stdin = strings.NewReader(string(in))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if _, scanErr := fmt.Sscanf(line, "pid: %d", &browserPID); err != nil || scanErr != nil {
		t.Fatalf("the helper said %q, %v", line, err)
	}
	return cmd.Process, browserPID
}

func runAsNamespaceRoot(t *testing.T, order helperOrder) (string, error) {
	t.Helper()
	in, err := json.Marshal(order)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), helperVariable+"=1")
	cmd.Stdin = strings.NewReader(string(in))
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}
