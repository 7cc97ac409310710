package memberapp_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"stead/internal/platform/memberapp"
	"stead/internal/stead"
	"stead/internal/token"
)

func TestS1_13_RevokedSessionIsRefusedOnTheNextRequest(t *testing.T) {
	p := newPortal(t)
	raw := p.session("read")
	for range 3 {
		p.want(p.get("/", asSupport(raw)), http.StatusOK, "Hello, Ada")
	}
	if n := p.count("/v1/introspect"); n < 3 {
		t.Errorf("the platform was asked %d times for 3 requests", n)
	}
	p.end(raw)
	for _, path := range []string{"/", "/plan", "/preferences", "/notices", "/support-access", "/signin", "/nothing"} {
		r := p.get(path, asSupport(raw))
		p.want(r, http.StatusUnauthorized, "This support session is over")
		p.wantNothingOf(r)
		if r.Header.Get("WWW-Authenticate") == "" {
			t.Error("401 without WWW-Authenticate")
		}
	}
	r := p.post("/preferences", asSupport(raw), url.Values{"zip": {"10001"}})
	p.want(r, http.StatusUnauthorized)
	p.wantNothingOf(r)
}

// Whatever is wrong with the session cookie, the member's own sign-in beside it opens nothing.
func TestS1_09_NoFallBackToAnotherIdentity(t *testing.T) {
	p := newPortal(t)
	member := p.asMember("m-000001")
	p.want(p.get("/", member), http.StatusOK, "Hello, Ada")

	good := p.session("read")
	ended := p.session("read")
	p.end(ended)
	now := time.Now()
	old := stead.Session{ID: stead.NewSessionID(), Agent: "st-lena", Member: "m-000001", Account: "acme", Scope: "read", StartedAt: now.Add(-30 * time.Minute), ExpiresAt: now.Add(-10 * time.Minute)}
	fresh := old
	fresh.StartedAt, fresh.ExpiresAt = now, now.Add(stead.SessionTTL)
	descriptor, err := token.Describe(p.signing, issuer, fresh)
	if err != nil {
		t.Fatal(err)
	}
	other := newPlatform(t)
	for name, value := range map[string]string{
		"ended":            ended,
		"expired":          p.open(old, issuer, audience),
		"other audience":   p.open(fresh, issuer, "another-app"),
		"other issuer":     p.open(fresh, "http://elsewhere.localhost", audience),
		"other account":    p.session("read", func(s *stead.Session) { s.Account = "birch" }),
		"unknown member":   p.session("read", func(s *stead.Session) { s.Member = "m-999999" }),
		"foreign platform": other.open(fresh, issuer, audience),
		"descriptor":       descriptor,
		"empty":            "",
		"junk":             "junk",
		"malformed":        "\"a b,c\"",
		"cut":              good[:len(good)-3],
		"twice":            good + "; __Host-stead=" + ended,
		"twice the same":   good + "; __Host-stead=" + good,
		"long":             strings.Repeat("a", 6000),
	} {
		t.Run(name, func(t *testing.T) {
			for _, cookies := range []string{"__Host-stead=" + value + "; " + member, member + "; __Host-stead=" + value, "__Host-stead=" + value} {
				r := p.get("/preferences", cookies)
				p.want(r, http.StatusUnauthorized, "This support session is over")
				p.wantNothingOf(r)
			}
		})
	}
	t.Run("a name without a value", func(t *testing.T) {
		r := p.get("/preferences", "__Host-stead; "+member)
		p.want(r, http.StatusUnauthorized)
		p.wantNothingOf(r)
	})
	t.Run("a cookie line of its own", func(t *testing.T) {
		r := p.do(http.MethodGet, "/preferences", member, nil, func(r *http.Request) { r.Header.Add("Cookie", "__Host-stead="+ended) })
		p.want(r, http.StatusUnauthorized)
		p.wantNothingOf(r)
	})
	// And a good one beside a member's own sign-in is the session, not the member.
	second := p.asMember("m-000002")
	p.want(p.get("/", asSupport(good)+"; "+second), http.StatusOK, "Hello, Ada")
	p.want(p.get("/notices", asSupport(good)+"; "+second), http.StatusForbidden)
}

func TestS1_09_TokenAndPlatformMustSpeakOfTheSameSession(t *testing.T) {
	p := newPortal(t)
	text := func(s string) *string { return &s }
	for name, change := range map[string]func(raw string){
		"other member":  func(raw string) { in := p.live[raw]; in.Sub = text("m-000002"); p.live[raw] = in },
		"other session": func(raw string) { in := p.live[raw]; in.Sid = text(string(stead.NewSessionID())); p.live[raw] = in },
		"other agent":   func(raw string) { in := p.live[raw]; a := *in.Act; a.Sub = "st-omar"; in.Act = &a; p.live[raw] = in },
		"no agent":      func(raw string) { in := p.live[raw]; in.Act = nil; p.live[raw] = in },
		"other account": func(raw string) { in := p.live[raw]; in.Account = text("birch"); p.live[raw] = in },
		"other app":     func(raw string) { in := p.live[raw]; in.Aud = text("another-app"); p.live[raw] = in },
		"other issuer":  func(raw string) { in := p.live[raw]; in.Iss = text("http://elsewhere.localhost"); p.live[raw] = in },
		"only active":   func(raw string) { in := p.live[raw]; in.Sub = nil; p.live[raw] = in },
	} {
		raw := p.session("read")
		p.want(p.get("/", asSupport(raw)), http.StatusOK)
		p.with(func() { change(raw) })
		r := p.get("/", asSupport(raw))
		if r.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %d, want 401", name, r.StatusCode)
		}
		p.wantNothingOf(r)
	}
}

func TestUnreachablePlatformShowsNothing(t *testing.T) {
	p := newPortal(t)
	raw := p.session("read")
	member := p.asMember("m-000001")
	p.want(p.get("/", asSupport(raw)), http.StatusOK)
	p.srv.Close()
	for _, path := range []string{"/", "/plan", "/preferences", "/support-access"} {
		r := p.get(path, asSupport(raw)+"; "+member)
		p.want(r, http.StatusUnauthorized, "cannot be checked")
		p.wantNothingOf(r)
	}
	// The member's own portal goes on as far as it can without the platform.
	p.want(p.get("/preferences", member), http.StatusOK, "ada@acme.example", "Notices, not known right now")
	p.want(p.get("/notices", member), http.StatusServiceUnavailable, "not available right now")
	p.want(p.get("/support-access", member), http.StatusServiceUnavailable, "not available right now")
	p.want(p.get("/healthz", ""), http.StatusOK, "ok")
}

func TestSlowAnswersDoNotCount(t *testing.T) {
	t.Parallel()
	p := newPortal(t)
	raw := p.session("read")
	p.want(p.get("/", asSupport(raw)), http.StatusOK)
	p.with(func() { p.delay = 700 * time.Millisecond })
	r := p.get("/", asSupport(raw))
	p.want(r, http.StatusUnauthorized, "cannot be checked")
	p.wantNothingOf(r)
}

func TestWrongAppSecretShowsNothing(t *testing.T) {
	p := newPortal(t, func(c *memberapp.Config) { c.AppSecret = "wrong" })
	r := p.get("/", asSupport(p.session("read")))
	p.want(r, http.StatusUnauthorized)
	p.wantNothingOf(r)
	if strings.Contains(p.log.String(), "wrong") {
		t.Error("the app's secret is in the log")
	}
}

func TestKeysAreFetchedAgainForAnUnknownKeyButNotForJunk(t *testing.T) {
	p := newPortal(t)
	p.want(p.get("/", asSupport(p.session("read"))), http.StatusOK)
	p.want(p.get("/", asSupport(p.session("read"))), http.StatusOK)
	if n := p.count("/.well-known/jwks.json"); n != 1 {
		t.Errorf("keys fetched %d times for one key, want 1", n)
	}
	time.Sleep(1100 * time.Millisecond) // longer than the pause between fetches
	p.rotate("k2")
	p.want(p.get("/", asSupport(p.session("read"))), http.StatusOK)
	if n := p.count("/.well-known/jwks.json"); n != 2 {
		t.Errorf("keys fetched %d times after a rotation, want 2", n)
	}
	other := newPlatform(t)
	for i := range 20 {
		other.rotate("junk" + string(rune('a'+i)))
		p.want(p.get("/", asSupport(other.session("read"))), http.StatusUnauthorized)
	}
	if n := p.count("/.well-known/jwks.json"); n > 4 {
		t.Errorf("keys fetched %d times, junk tokens flood the platform", n)
	}
}

func TestTokenStaysOutOfLogAndPages(t *testing.T) {
	p := newPortal(t)
	raw := p.session("read")
	member := p.asMember("m-000001")
	body := p.get("/?token="+raw, asSupport(raw)).body + p.get("/plan?zip="+raw, asSupport(raw)).body + p.get("/", member).body
	signature := raw[strings.LastIndexByte(raw, '.')+1:]
	own := strings.TrimPrefix(member, "__Host-member=")
	for _, s := range []string{signature, own, secret} {
		if strings.Contains(body, s) || strings.Contains(p.log.String(), s) {
			t.Errorf("a secret is on a page or in the log: %.6s…", s)
		}
	}
}
