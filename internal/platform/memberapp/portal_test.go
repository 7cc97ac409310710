package memberapp_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"stead/internal/api"
	"stead/internal/platform/memberapp"
)

// portal is the running member app with a browser-like client in front and a platform behind.
type portal struct {
	*fakePlatform
	app  *memberapp.App
	base string
	http *http.Client
	log  *logBook
	cfg  memberapp.Config
}

// logBook keeps what is logged.
type logBook struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func people() []memberapp.Member {
	return []memberapp.Member{
		{ID: "m-000001", Account: "acme", AccountName: "Acme", Name: "Ada Moreno", Email: "ada@acme.example", Zip: "80202", Plan: "Haven Balance"},
		{ID: "m-000002", Account: "birch", AccountName: "Birch & Sons", Name: "Bo <i>Lund</i>", Email: "bo@birch.example", Zip: "10001", Plan: "Haven Complete"},
	}
}

func newPortal(t *testing.T, change ...func(*memberapp.Config)) *portal {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	p := &portal{fakePlatform: newPlatform(t), base: "http://portal.localhost:" + port, log: &logBook{}}
	p.cfg = memberapp.Config{BaseURL: p.base, PlatformURL: p.url, Issuer: issuer, Audience: audience, AppID: appID, AppSecret: secret,
		DataFile: filepath.Join(t.TempDir(), "portal.db"), Members: people(), SupportPhone: "555-0100", Log: slog.New(slog.NewTextHandler(p.log, nil))}
	for _, c := range change {
		c(&p.cfg)
	}
	if p.app, err = memberapp.New(p.cfg); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(p.app)
	srv.Listener.Close()
	srv.Listener = l
	srv.Start()
	// Like the browser, and unlike Go's resolver, the client knows where *.localhost is.
	p.http = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, l.Addr().String())
		}}}
	t.Cleanup(func() {
		srv.Close()
		p.http.CloseIdleConnections()
		p.with(func() { p.actionCode, p.refuse = 0, nil }) // so that Close does not wait for what a test broke
		_ = p.app.Close()                                  // tests that care close it themselves
	})
	return p
}

// reply is what the browser gets.
type reply struct {
	*http.Response
	body string
}

// do sends a request with a Cookie header as given.
func (p *portal) do(method, path, cookies string, form url.Values, change ...func(*http.Request)) reply {
	p.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(p.t.Context(), method, p.base+path, body)
	if err != nil {
		p.t.Fatal(err)
	}
	if cookies != "" {
		r.Header.Set("Cookie", cookies)
	}
	if method != http.MethodGet && method != http.MethodHead {
		r.Header.Set("Origin", p.base)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, c := range change {
		c(r)
	}
	res, err := p.http.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return reply{res, string(b)}
}

func (p *portal) get(path, cookies string) reply { return p.do(http.MethodGet, path, cookies, nil) }

func (p *portal) post(path, cookies string, form url.Values) reply {
	return p.do(http.MethodPost, path, cookies, form)
}

func asSupport(raw string) string { return "__Host-stead=" + raw }

// asMember signs a member in and returns the cookie.
func (p *portal) asMember(id string) string {
	p.t.Helper()
	r := p.post("/signin", "", url.Values{"member": {id}})
	if r.StatusCode != http.StatusSeeOther || len(r.Cookies()) != 1 {
		p.t.Fatalf("sign in: %d %s", r.StatusCode, r.body)
	}
	c := r.Cookies()[0]
	if c.Name != "__Host-member" || !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
		p.t.Errorf("cookie %v", c)
	}
	return c.Name + "=" + c.Value
}

func (p *portal) want(r reply, status int, words ...string) {
	p.t.Helper()
	if r.StatusCode != status {
		p.t.Errorf("%s %s: %d, want %d\n%s", r.Request.Method, r.Request.URL.Path, r.StatusCode, status, r.body)
	}
	for _, w := range words {
		if !strings.Contains(r.body, w) {
			p.t.Errorf("%s %s: lacks %q\n%s", r.Request.Method, r.Request.URL.Path, w, r.body)
		}
	}
}

// wantNothingOf fails when a page shows anything of the first member.
func (p *portal) wantNothingOf(r reply) {
	p.t.Helper()
	for _, w := range []string{"Ada", "Moreno", "ada@acme.example", "80202", "Haven Balance", "m-000001", "Acme", "data-unread"} {
		if strings.Contains(r.body, w) {
			p.t.Errorf("%s %s: %d shows %q", r.Request.Method, r.Request.URL.Path, r.StatusCode, w)
		}
	}
}

// wantActions compares reports as "method path status words".
func wantActions(t *testing.T, got []api.ActionReport, want ...string) {
	t.Helper()
	var lines []string
	for _, a := range got {
		lines = append(lines, a.Method+" "+a.Path+" "+http.StatusText(a.Status)+": "+a.Words)
	}
	if strings.Join(lines, "\n") != strings.Join(want, "\n") {
		t.Errorf("actions\n  %s\nwant\n  %s", strings.Join(lines, "\n  "), strings.Join(want, "\n  "))
	}
}
