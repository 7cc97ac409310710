//go:build linux

package browser

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// yard is a server that answers under two names, so that there are two sites, and notes what would change something:
// each request that is not a GET, and each handshake of a WebSocket.
type yard struct {
	*httptest.Server
	own, other string

	mu   sync.Mutex
	hits map[string]bool // whether the session's cookie came along
}

const attempt = `const hit = (name) => fetch('/hit/' + name, { method: 'POST', mode: 'no-cors', body: 'x' });
	const socket = (name) => new WebSocket(origin.replace('http', 'ws') + '/socket/' + name);
	`

func newYard(t *testing.T) *yard {
	y := &yard{hits: map[string]bool{}}
	scripts := map[string]string{
		"/worker.js":  attempt + `try { socket('worker') } catch {} hit('worker'); new Worker('/nested.js')`,
		"/nested.js":  attempt + `try { socket('nested-worker') } catch {} hit('nested-worker')`,
		"/shared.js":  attempt + `try { socket('shared-worker') } catch {} hit('shared-worker')`,
		"/empty.js":   `oninstall = () => 0`,
		"/service.js": attempt + `try { socket('service-worker') } catch {} oninstall = (e) => e.waitUntil(hit('service-worker').catch(() => 0))`,
	}
	bodies := map[string]string{
		"/":          `<p>Yard</p>`,
		"/frame":     `<form id=f method=post action=/hit/frame-form></form><script>` + attempt + `try { socket('frame') } catch {} hit('frame-fetch').catch(() => 0).then(() => f.submit())</script>`,
		"/popup":     `<script>` + attempt + `try { socket('popup') } catch {} hit('popup-fetch')</script>`,
		"/sandboxed": `<script>const home = '` + "HOME" + `'; try { new WebSocket(home.replace('http', 'ws') + '/socket/sandboxed') } catch {} fetch(home + '/hit/sandboxed', { method: 'POST', mode: 'no-cors', body: 'x' })</script>`,
		"/popup2":    `<script>` + attempt + `try { socket('noopener') } catch {} hit('noopener-fetch')</script>`,
	}
	y.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, isHit := strings.CutPrefix(r.URL.Path, "/hit/")
		if r.Method != "GET" && r.Method != "HEAD" && r.Method != "OPTIONS" || r.Header.Get("Upgrade") != "" {
			if !isHit {
				name = strings.TrimPrefix(r.URL.Path, "/")
			}
			y.mu.Lock()
			y.hits[name] = y.hits[name] || r.Header.Get("Cookie") != ""
			y.mu.Unlock()
		}
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Access-Control-Allow-Methods", "PUT, DELETE, PATCH")
		switch {
		case scripts[r.URL.Path] != "":
			w.Header().Set("Content-Type", "text/javascript")
			fmt.Fprint(w, scripts[r.URL.Path])
		case r.URL.Path == "/csp":
			w.Header().Set("Content-Security-Policy", "img-src 'none'; report-uri /hit/csp-report")
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "<!doctype html><img src=/x.png>")
		default:
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "<!doctype html><title>yard</title>", strings.ReplaceAll(bodies[r.URL.Path], "HOME", y.own))
		}
	}))
	t.Cleanup(y.Close)
	y.own = strings.Replace(y.URL, "127.0.0.1", "portal.localhost", 1)
	y.other = strings.Replace(y.URL, "127.0.0.1", "embedded.localhost", 1)
	return y
}

func (y *yard) visit(mayChange bool) Visit {
	v := (&memberApp{address: y.own}).visit("/")
	v.Fence = Fence{Frames: []string{y.other}}
	v.MayChange = mayChange
	return v
}

// reached says what arrived, and whether the session's cookie came along.
func (y *yard) reached() map[string]bool {
	y.mu.Lock()
	defer y.mu.Unlock()
	return maps.Clone(y.hits)
}

// attempts are ways in which a page changes something or speaks with a server, each with what then arrives there.
func (y *yard) attempts() map[string][]string {
	frame := `const f = document.createElement('iframe'); `
	return map[string][]string{
		`document.body.insertAdjacentHTML('beforeend', '<form id=form1 method=post action=/hit/form target=f1></form><iframe name=f1></iframe>'); form1.submit()`: {"form"},
		`document.body.insertAdjacentHTML('beforeend', '<form id=f2 method=post action=/hit/blank-form target=_blank></form>'); f2.submit()`:                      {"blank-form"},
		`hit('fetch')`: {"fetch"},
		`fetch('/hit/put', { method: 'PUT' }); fetch('/hit/delete', { method: 'DELETE' }); fetch('/hit/patch', { method: 'PATCH' })`: {"put", "delete", "patch"},
		`{ const x = new XMLHttpRequest(); x.open('POST', '/hit/xhr'); x.send('x') }`:                                                {"xhr"},
		`navigator.sendBeacon('/hit/beacon', 'x')`:                                                                                   {"beacon"},
		`fetch('/hit/keepalive', { method: 'POST', keepalive: true, body: 'x' })`:                                                    {"keepalive"},
		`document.body.insertAdjacentHTML('beforeend', '<a id=a1 href="#x" ping=/hit/ping>x</a>'); a1.click()`:                       {"ping"},
		frame + `f.src = '/csp'; document.body.append(f)`:                                                                            {"csp-report"},
		frame + `f.src = '` + y.other + `/frame'; document.body.append(f)`:                                                           {"frame-fetch", "frame-form", "socket/frame"},
		frame + `f.src = '/popup?sandboxed'; f.sandbox = 'allow-scripts'; document.body.append(f)`:                                   {},
		`new Worker('/worker.js')`:                        {"worker", "nested-worker", "socket/worker", "socket/nested-worker"},
		`new SharedWorker('/shared.js')`:                  {"shared-worker", "socket/shared-worker"},
		`navigator.serviceWorker.register('/service.js')`: {"service-worker", "socket/service-worker"},
		`navigator.serviceWorker.register('/empty.js').then(() => navigator.serviceWorker.ready).then((r) => r.backgroundFetch.fetch('x', [new Request('/hit/background', { method: 'POST', body: 'x' })]))`: {"background"},
		`socket('page')`: {"socket/page"},
		frame + `document.body.append(f); f.contentWindow.fetch('/hit/empty-frame', { method: 'POST' })`:                                                                                   {"empty-frame"},
		frame + `document.body.append(f); new f.contentWindow.WebSocket(origin.replace('http', 'ws') + '/socket/empty-frame')`:                                                             {"socket/empty-frame"},
		frame + `f.srcdoc = '<script>new WebSocket("` + strings.Replace(y.own, "http", "ws", 1) + `/socket/srcdoc")</' + 'script>'; document.body.append(f)`:                               {"socket/srcdoc"},
		frame + `f.sandbox = 'allow-scripts'; f.srcdoc = '<script>new WebSocket("` + strings.Replace(y.own, "http", "ws", 1) + `/socket/sandbox")</' + 'script>'; document.body.append(f)`: {"socket/sandbox"},
		`new Worker(URL.createObjectURL(new Blob(['new WebSocket("` + strings.Replace(y.own, "http", "ws", 1) + `/socket/blob-worker")'])))`:                                               {"socket/blob-worker"},
		`window.open('/popup')`:                  {"popup-fetch", "socket/popup"},
		`window.open('/popup2', '', 'noopener')`: {"noopener-fetch", "socket/noopener"},
		`{ const w = window.open(''); new w.WebSocket(origin.replace('http', 'ws') + '/socket/empty-window') }`: {"socket/empty-window"},
		`globalThis.fetchLater && fetchLater('/hit/later', { method: 'POST', body: 'x', activateAfter: 0 })`:    {"later"},
	}
}

// What the table says must really arrive where nothing stops it; else the next test shows nothing.
func TestInASessionThatMayChangeEverythingArrives(t *testing.T) {
	y := newYard(t)
	y.run(t, true)
	var missing []string
	for code, names := range y.attempts() {
		for _, name := range names {
			if _, ok := y.reached()[name]; !ok {
				missing = append(missing, name+" by "+code)
			}
		}
	}
	if len(missing) > 0 {
		t.Errorf("never arrived: %s", strings.Join(missing, "\n"))
	}
}

func TestViewOnlyNothingThatChangesLeavesTheBrowser(t *testing.T) {
	y := newYard(t)
	b, ctx := y.run(t, false)
	for name, cookie := range y.reached() {
		// Chromium does not pause a sandboxed frame with its text in an attribute, so its first script finds what later
		// ones do not. What it sends comes from nobody: without the session's cookie.
		if name != "socket/sandbox" || cookie {
			t.Errorf("it reached the server: %s (with the session's cookie: %v)", name, cookie)
		}
	}
	var left string
	if err := b.Hand().Evaluate(ctx, `['WebSocket','WebSocketStream','WebTransport','RTCPeerConnection'].filter((n) => n in globalThis).join()`, &left); err != nil || left != "" {
		t.Errorf("still there: %q, %v", left, err)
	}
	if n := len(b.Pages()); n != 4 { // the page, two pop-ups and the empty window; not the one that a form opened
		t.Errorf("%d windows are open", n)
	}
}

// run opens the yard and tries everything.
func (y *yard) run(t *testing.T, mayChange bool) (*Browser, context.Context) {
	t.Helper()
	b := launch(t, newRoot(t))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	if err := b.Open(ctx, y.visit(mayChange)); err != nil {
		t.Fatal(err)
	}
	first := b.Pages()[0]
	if err := first.Evaluate(ctx, "void 0;"+strings.ReplaceAll(attempt, "const ", "globalThis."), nil); err != nil {
		t.Fatal(err)
	}
	for code := range y.attempts() {
		if err := first.Evaluate(ctx, "(() => { try { "+code+" } catch (e) { return '' + e } })()", nil); err != nil {
			t.Fatalf("%s: %v", code, err)
		}
	}
	time.Sleep(6 * time.Second) // what does not arrive cannot be waited for
	return b, ctx
}
