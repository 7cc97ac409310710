package memberapp_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"stead/internal/platform/memberapp"
	"stead/internal/stead"
)

func TestMemberSignsInAndOut(t *testing.T) {
	p := newPortal(t)
	for _, path := range []string{"/", "/plan", "/preferences", "/notices", "/support-access"} {
		if r := p.get(path, ""); r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != "/signin" {
			t.Errorf("%s without sign-in: %d %q", path, r.StatusCode, r.Header.Get("Location"))
		}
	}
	p.want(p.post("/preferences", "", url.Values{"zip": {"80202"}}), http.StatusUnauthorized, "You are not signed in")
	p.want(p.get("/signin", ""), http.StatusOK, "no password is asked", "Ada Moreno", "Bo &lt;i&gt;Lund")
	p.want(p.get("/signin?q=ADA%40", ""), http.StatusOK, "Ada Moreno")
	if strings.Contains(p.get("/signin?q=ada", "").body, "Bo &lt;") {
		t.Error("the search finds everybody")
	}
	p.want(p.post("/signin", "", url.Values{"member": {"m-999999"}}), http.StatusBadRequest)
	one, two := p.asMember("m-000001"), p.asMember("m-000002")
	p.want(p.get("/", one), http.StatusOK, "Hello, Ada")
	p.want(p.get("/", two), http.StatusOK, "Hello, Bo")
	p.want(p.get("/", one+"; "+two), http.StatusSeeOther)
	p.want(p.get("/", one[:len(one)-1]), http.StatusSeeOther)
	r := p.post("/signout", one, nil)
	if p.want(r, http.StatusSeeOther); len(r.Cookies()) != 1 || r.Cookies()[0].MaxAge >= 0 {
		t.Errorf("sign-out leaves the cookie: %v", r.Cookies())
	}
	p.want(p.get("/", one), http.StatusSeeOther)
	p.want(p.get("/", two), http.StatusOK)
}

func TestOnlyThisMachineAndThisNameAreAnswered(t *testing.T) {
	p := newPortal(t)
	for _, c := range []struct {
		remote, host string
		status       int
	}{
		{"127.0.0.1:5000", strings.TrimPrefix(p.base, "http://"), http.StatusOK},
		{"[::1]:5000", strings.TrimPrefix(p.base, "http://"), http.StatusOK},
		{"192.0.2.7:5000", strings.TrimPrefix(p.base, "http://"), http.StatusForbidden},
		{"127.0.0.1:5000", "evil.example", http.StatusMisdirectedRequest},
		{"127.0.0.1:5000", "portal.localhost", http.StatusMisdirectedRequest},
	} {
		r := httptest.NewRequest(http.MethodGet, "/signin", nil)
		r.RemoteAddr, r.Host = c.remote, c.host
		w := httptest.NewRecorder()
		if p.app.ServeHTTP(w, r); w.Code != c.status {
			t.Errorf("from %s to %s: %d, want %d", c.remote, c.host, w.Code, c.status)
		}
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	good := newPortal(t).cfg
	for name, c := range map[string]struct {
		change func(*memberapp.Config)
		code   stead.Code
	}{
		"address with a path": {func(c *memberapp.Config) { c.BaseURL += "/" }, stead.CodeConfigInvalid},
		"no secret":           {func(c *memberapp.Config) { c.AppSecret = "" }, stead.CodeConfigInvalid},
		"no audience":         {func(c *memberapp.Config) { c.Audience = "" }, stead.CodeConfigInvalid},
		"unknown plan":        {func(c *memberapp.Config) { c.Members = people(); c.Members[0].Plan = "Haven Gold" }, stead.CodeConfigInvalid},
		"bad zip":             {func(c *memberapp.Config) { c.Members = people(); c.Members[0].Zip = "1" }, stead.CodeConfigInvalid},
		"a member twice":      {func(c *memberapp.Config) { c.Members = append(people(), people()[0]) }, stead.CodeConfigInvalid},
		"no folder":           {func(c *memberapp.Config) { c.DataFile = filepath.Join(t.TempDir(), "no", "such", "file") }, stead.CodeDataReadOnly},
		"a folder as file":    {func(c *memberapp.Config) { c.DataFile = t.TempDir() }, stead.CodeDataReadOnly},
	} {
		cfg := good
		c.change(&cfg)
		if app, err := memberapp.New(cfg); stead.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
			if app != nil {
				_ = app.Close()
			}
		}
	}
	if len(memberapp.Plans()) < 2 || stead.Secret("x").String() != "[redacted]" {
		t.Error("plans or secret")
	}
}
