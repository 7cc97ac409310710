//go:build linux

package browser

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// abroad is a site outside the fence that notes whether it was asked for anything.
type abroad struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string
}

func newAbroad(t *testing.T) *abroad {
	a := &abroad{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		a.asked = append(a.asked, r.Host+r.URL.Path)
		a.mu.Unlock()
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<!doctype html>Abroad")
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *abroad) at(host string) string { return strings.Replace(a.URL, "127.0.0.1", host, 1) }

func (a *abroad) seen() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.asked...)
}

// openFenced opens the app with links and redirects to the other site.
func openFenced(t *testing.T, other *abroad) (*Browser, context.Context, *httptest.Server) {
	t.Helper()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/redirect" {
			http.Redirect(w, r, other.at("evil.localhost")+"/redirected?token=secret", http.StatusFound)
			return
		}
		if r.URL.Path == "/export" {
			w.Header().Set("Content-Disposition", `attachment; filename="export.csv"`)
			fmt.Fprint(w, "a,b\n")
			return
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<!doctype html><title>app</title>Home <a id=out href="%[1]s/out">out</a> <a id=pop target=_blank href="%[1]s/pop">pop</a>
			<a id=redirect href=/redirect>redirect</a> <a id=pay href="%[2]s/pay">pay</a> <a id=export href=/export>export</a>
			<img src="%[1]s/picture.png">`, other.at("evil.localhost"), other.at("pay.shop.localhost"))
	}))
	t.Cleanup(app.Close)
	address := strings.Replace(app.URL, "127.0.0.1", "portal.localhost", 1)
	v := (&memberApp{address: address}).visit("/")
	v.Fence = Fence{Pages: []string{other.at("*.shop.localhost")}, Frames: []string{other.at("embedded.localhost")}}
	b := launch(t, newRoot(t))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	if err := b.Open(ctx, v); err != nil {
		t.Fatal(err)
	}
	return b, ctx, app
}

func TestWhatIsOutsideIsRefusedWithAPageThatSaysWhy(t *testing.T) {
	other := newAbroad(t)
	b, ctx, app := openFenced(t, other)
	h := b.Hand()
	refused := func(h *Hand, how string) {
		t.Helper()
		if err := h.WaitText(ctx, "is outside the member’s platform"); err != nil {
			t.Fatalf("%s: %v", how, err)
		}
		text, err := h.Text(ctx)
		if err != nil || !strings.Contains(text, "evil.localhost") || !strings.Contains(text, "portal.localhost") ||
			strings.Contains(text, "secret") || strings.Contains(text, "/out") {
			t.Errorf("%s: the page says %q, %v", how, text, err)
		}
		wantBanner(ctx, t, h)
	}
	home := strings.Replace(app.URL, "127.0.0.1", "portal.localhost", 1)
	for _, link := range []string{"#out", "#redirect"} {
		if err := h.WaitText(ctx, "Home"); err != nil {
			t.Fatal(err)
		}
		if err := h.Click(ctx, link); err != nil {
			t.Fatal(err)
		}
		refused(h, link)
		if err := h.Visit(ctx, home); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.WaitText(ctx, "Home"); err != nil {
		t.Fatal(err)
	}
	if err := h.Click(ctx, "#pop"); err != nil {
		t.Fatal(err)
	}
	popup, err := b.NextPage(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	refused(popup, "pop-up")
	_ = popup.Visit(ctx, other.at("evil.localhost")+"/typed")
	refused(popup, "typed")
	for _, path := range other.seen() {
		if !strings.HasSuffix(path, "/picture.png") {
			t.Errorf("the other site was asked for %s", path)
		}
	}
	if len(other.seen()) == 0 {
		t.Error("a picture from elsewhere was not loaded")
	}
}

func TestListedSitesAreShown(t *testing.T) {
	other := newAbroad(t)
	b, ctx, _ := openFenced(t, other)
	h := b.Hand()
	frame := func(host string) string {
		return fmt.Sprintf(`(() => new Promise((done) => { const f = document.createElement('iframe'); f.src = '%s/framed'; f.onload = done; document.body.append(f) }))()`, other.at(host))
	}
	for _, host := range []string{"embedded.localhost", "evil.localhost", "pay.shop.localhost"} {
		if err := h.Evaluate(ctx, frame(host), nil); err != nil {
			t.Fatal(err)
		}
	}
	seen := strings.Join(other.seen(), " ")
	if !strings.Contains(seen, "embedded.localhost") || !strings.Contains(seen, "pay.shop.localhost") || strings.Contains(seen, "/framed evil") ||
		strings.Contains(seen, "evil.localhost:"+other.URL[strings.LastIndex(other.URL, ":")+1:]+"/framed") {
		t.Errorf("frames: the other sites saw %s", seen)
	}
	if err := h.Click(ctx, "#pay"); err != nil {
		t.Fatal(err)
	}
	if err := h.WaitText(ctx, "Abroad"); err != nil {
		t.Error("the payment page is not shown: ", err)
	}
	if err := h.Visit(ctx, other.at("embedded.localhost")+"/top"); err == nil {
		t.Error("a site that may be framed only fills a window")
	}
}

// What a person types, as the browser itself takes it.
func TestPagesThatAreNotOfTheWebAreLeft(t *testing.T) {
	other := newAbroad(t)
	b, ctx, _ := openFenced(t, other)
	secret := filepath.Join(t.TempDir(), "secret.html")
	if err := os.WriteFile(secret, []byte("<!doctype html>Secret file"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"file://" + secret, "chrome://version", "view-source:" + other.at("evil.localhost") + "/source",
		"data:text/html,typed", "chrome://net-export", "devtools://devtools/bundled/inspector.html"} {
		h := b.Hand()
		p, err := h.page()
		if err != nil {
			t.Fatal(err)
		}
		_ = b.client.Call(ctx, p.session, "Page.navigate", map[string]any{"url": address}, nil)
		if err := h.WaitText(ctx, "Not part of this session"); err != nil {
			text, _ := h.Text(ctx)
			t.Errorf("%s: %v; it shows %.80q", address, err, text)
		}
	}
	for _, path := range other.seen() {
		if !strings.HasSuffix(path, "/picture.png") {
			t.Errorf("the other site was asked for %s", path)
		}
	}
}

func TestADownloadIsStoppedAndSaid(t *testing.T) {
	b, ctx, _ := openFenced(t, newAbroad(t))
	h := b.Hand()
	if err := h.Click(ctx, "#export"); err != nil {
		t.Fatal(err)
	}
	wantNotice(ctx, t, h, englishGuard.NoDownload)
	if out, err := exec.Command("find", b.claim.dir, os.Getenv("HOME"), "-name", "*export*").Output(); err != nil || len(out) > 0 {
		t.Errorf("found %s, %v", out, err)
	}
}

func TestADownloadThatIsAllowedGoesIntoTheSessionsFolder(t *testing.T) {
	app := newMemberApp(t)
	b := launch(t, newRoot(t))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	v := app.visit("/")
	v.Downloads = true
	if err := b.Open(ctx, v); err != nil {
		t.Fatal(err)
	}
	_ = b.Hand().Visit(ctx, app.address+"/export") // it is no page
	kept := filepath.Join(b.claim.dir, downloadDir, "export.csv")
	for {
		if raw, err := os.ReadFile(kept); err == nil && string(raw) == "a,b\n" {
			break
		}
		if pause(ctx, 50*time.Millisecond) != nil {
			t.Fatal("it is not in the session's folder")
		}
	}
	if w, err := b.Close(ctx); err != nil || !w.Clean {
		t.Errorf("close: %+v, %v", w, err)
	}
	if _, err := os.Stat(kept); err == nil {
		t.Error("it was not wiped")
	}
}

func wantNotice(ctx context.Context, t *testing.T, h *Hand, words string) {
	t.Helper()
	p, err := h.page()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for {
		var said string
		err := h.b.evaluate(ctx, p, world, "globalThis.steadNotice?.words ?? ''", &said)
		if err == nil && said == words {
			return
		}
		if pause(ctx, 50*time.Millisecond) != nil {
			t.Fatalf("the page says %q, %v", said, err)
		}
	}
}
