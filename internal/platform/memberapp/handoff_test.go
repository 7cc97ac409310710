package memberapp_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"stead/internal/api"
)

// handoffs is what the platform knows of codes and of Ends pressed on pages.
type handoffs struct {
	codes  map[string]string // to the token they buy
	cookie api.Cookie        // what it answers beside name and value
	ended  []string
	down   bool
}

func (f *fakePlatform) ExchangeHandoff(_ context.Context, r api.ExchangeHandoffRequestObject) (api.ExchangeHandoffResponseObject, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	raw, ok := f.handoffs.codes[r.Body.Code]
	switch {
	case f.handoffs.down:
		return api.ExchangeHandoffdefaultApplicationProblemPlusJSONResponse{StatusCode: http.StatusInternalServerError,
			Body: api.Problem{Code: api.Internal}}, nil
	case !ok:
		return api.ExchangeHandoffdefaultApplicationProblemPlusJSONResponse{StatusCode: http.StatusConflict,
			Body: api.Problem{Code: api.HandoffInvalid}}, nil
	}
	delete(f.handoffs.codes, r.Body.Code)
	k := f.handoffs.cookie
	k.Value = raw
	return api.ExchangeHandoff200JSONResponse{SessionID: "s", StartURL: "http://portal.localhost/", Cookie: k}, nil
}

func (f *fakePlatform) EndFromApp(_ context.Context, r api.EndFromAppRequestObject) (api.EndFromAppResponseObject, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.handoffs.down {
		return api.EndFromAppdefaultApplicationProblemPlusJSONResponse{StatusCode: http.StatusInternalServerError}, nil
	}
	f.handoffs.ended = append(f.handoffs.ended, r.Body.Token)
	in := f.live[r.Body.Token]
	in.Active = false
	f.live[r.Body.Token] = in
	return api.EndFromApp204Response{}, nil
}

// bare gives the token of a session in a browser without Stead's banner, and the code that buys it.
func (p *portal) bare(code, scope string) (raw string) {
	raw = p.session(scope)
	mode := api.IntrospectionSteadModeFallback
	p.with(func() {
		in := p.live[raw]
		in.SteadMode = &mode
		p.live[raw] = in
		p.handoffs.codes = map[string]string{code: raw}
		p.handoffs.cookie = api.Cookie{Name: "__Host-stead", HTTPOnly: true, Secure: true, SameSite: api.Lax}
	})
	return raw
}

// form posts one from that origin.
func (p *portal) form(path, origin string, fields url.Values, cookies string) reply {
	p.t.Helper()
	return p.do(http.MethodPost, path, cookies, fields, func(r *http.Request) { r.Header.Set("Origin", origin) })
}

func TestACodeBecomesTheSessionsCookie(t *testing.T) {
	p := newPortal(t)
	raw := p.bare("the-code", "read")
	r := p.form("/support/handoff", "null", url.Values{"code": {"the-code"}}, "")
	p.want(r, http.StatusSeeOther)
	got := r.Header.Get("Set-Cookie")
	if got != "__Host-stead="+raw+"; Path=/; HttpOnly; Secure; SameSite=Lax" || r.Header.Get("Location") != "/" {
		t.Errorf("Set-Cookie %q, Location %q", got, r.Header.Get("Location"))
	}
	page := p.get("/", asSupport(raw))
	p.want(page, http.StatusOK, "Hello, Ada", "You are in the account of Ada Moreno (ada@acme.example)", `action="/support/end"`)
	for _, path := range []string{"/plan", "/preferences", "/support-access", "/notices", "/nothing-here"} {
		if !strings.Contains(p.get(path, asSupport(raw)).body, "Support session") {
			t.Errorf("%s does not say that it is a support session", path)
		}
	}
	if strings.Contains(p.get("/", asSupport(p.session("read"))).body, "Support session") {
		t.Error("a session with Stead's banner gets a second one")
	}
	if strings.Contains(p.log.String(), "the-code") || strings.Contains(p.log.String(), raw) {
		t.Error("the log holds the code or the credential")
	}
}

// TestNoOtherCodeTellsAnything: used, unknown, empty and overlong codes get the same answer, byte for byte.
func TestNoOtherCodeTellsAnything(t *testing.T) {
	p := newPortal(t)
	p.bare("the-code", "read")
	p.want(p.form("/support/handoff", "null", url.Values{"code": {"the-code"}}, ""), http.StatusSeeOther)
	used := p.form("/support/handoff", "null", url.Values{"code": {"the-code"}}, "")
	p.want(used, http.StatusForbidden, "This way in is closed")
	for name, fields := range map[string]url.Values{"unknown": {"code": {"another"}}, "empty": {"code": {""}}, "missing": nil,
		"overlong": {"code": {strings.Repeat("x", 500)}}} {
		r := p.form("/support/handoff", "null", fields, "")
		if r.StatusCode != used.StatusCode || r.body != used.body || r.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %d", name, r.StatusCode)
		}
	}
	// In the address it is no code: it would stand in logs.
	p.bare("second", "read")
	p.want(p.form("/support/handoff?code=second", "null", nil, ""), http.StatusForbidden)
	p.want(p.get("/support/handoff?code=second", ""), http.StatusNotFound)
}

func TestACookieThatWouldNotBeSafeIsNotSet(t *testing.T) {
	p := newPortal(t)
	for name, spoil := range map[string]func(*api.Cookie){
		"for scripts": func(k *api.Cookie) { k.HTTPOnly = false }, "on plain http": func(k *api.Cookie) { k.Secure = false },
		"another name": func(k *api.Cookie) { k.Name = "__Host-member" }, "Strict": func(k *api.Cookie) { k.SameSite = api.Strict },
	} {
		p.bare("c", "read")
		p.with(func() { spoil(&p.handoffs.cookie) })
		r := p.form("/support/handoff", "null", url.Values{"code": {"c"}}, "")
		if r.StatusCode != http.StatusInternalServerError || r.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %d %q", name, r.StatusCode, r.Header.Get("Set-Cookie"))
		}
	}
	p.with(func() { p.handoffs.down = true })
	p.want(p.form("/support/handoff", "null", url.Values{"code": {"c"}}, ""), http.StatusServiceUnavailable)
}

func TestEndOnThePageEndsTheSession(t *testing.T) {
	p := newPortal(t)
	raw := p.bare("c", "read")
	cookie := asSupport(raw)
	p.want(p.form("/support/end", "https://elsewhere.example", nil, cookie), http.StatusForbidden)
	p.want(p.form("/support/end", p.base, nil, ""), http.StatusForbidden) // nobody's
	if len(p.handoffs.ended) != 0 {
		t.Fatal("another site ended the session")
	}
	r := p.form("/support/end", p.base, nil, cookie)
	p.want(r, http.StatusOK, "This support session is over")
	if !strings.Contains(r.Header.Get("Set-Cookie"), "__Host-stead=; Path=/; Max-Age=0") || len(p.handoffs.ended) != 1 || p.handoffs.ended[0] != raw {
		t.Errorf("%q, %v", r.Header.Get("Set-Cookie"), p.handoffs.ended)
	}
	p.want(p.get("/", asSupport(raw)), http.StatusUnauthorized)
	p.with(func() { p.handoffs.down = true })
	p.want(p.form("/support/end", p.base, nil, cookie), http.StatusServiceUnavailable)
}
