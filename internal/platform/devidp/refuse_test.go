package devidp_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"stead/internal/platform/devidp"
)

func copyBody(b *strings.Builder, res *http.Response) (int64, error) { return io.Copy(b, res.Body) }

func header(t *testing.T, raw string) map[string]any {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[0])
	if err != nil {
		t.Fatal(err)
	}
	h := map[string]any{}
	if err := json.Unmarshal(b, &h); err != nil {
		t.Fatal(err)
	}
	return h
}

func wantError(t *testing.T, status int, body, code string) {
	t.Helper()
	var e struct{ Error string }
	if err := json.Unmarshal([]byte(body), &e); err != nil || e.Error != code || status < 400 {
		t.Errorf("%d %s, want %s", status, body, code)
	}
}

func (w *world) codeForm(code, verifier string) url.Values {
	return url.Values{"grant_type": {"authorization_code"}, "client_id": {clientID}, "code": {code}, "redirect_uri": {redirect}, "code_verifier": {verifier}}
}

func TestTokenRequestsAreRefused(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		change func(url.Values)
		code   string
	}{
		"wrong verifier":    {func(f url.Values) { f.Set("code_verifier", oauth2.GenerateVerifier()) }, "invalid_grant"},
		"no verifier":       {func(f url.Values) { f.Del("code_verifier") }, "invalid_grant"},
		"other redirect":    {func(f url.Values) { f.Set("redirect_uri", "http://127.0.0.1:49153/callback") }, "invalid_grant"},
		"no redirect":       {func(f url.Values) { f.Del("redirect_uri") }, "invalid_grant"},
		"unknown code":      {func(f url.Values) { f.Set("code", "nothing") }, "invalid_grant"},
		"other client":      {func(f url.Values) { f.Set("client_id", "other") }, "invalid_grant"},
		"unknown client":    {func(f url.Values) { f.Set("client_id", "nobody") }, "invalid_client"},
		"made-up secret":    {func(f url.Values) { f.Set("client_secret", "x") }, "invalid_client"},
		"no grant type":     {func(f url.Values) { f.Del("grant_type") }, "invalid_request"},
		"password":          {func(f url.Values) { f.Set("grant_type", "password") }, "unsupported_grant_type"},
		"a field twice":     {func(f url.Values) { f.Add("code", "again") }, "invalid_request"},
		"refresh with code": {func(f url.Values) { f.Set("grant_type", "refresh_token"); f.Set("refresh_token", f.Get("code")) }, "invalid_grant"},
	} {
		t.Run(name, func(t *testing.T) {
			code, verifier := w.signIn("st-lena", "n")
			form := w.codeForm(code, verifier)
			c.change(form)
			status, body := w.exchange(form)
			wantError(t, status, body, c.code)
			if strings.Contains(body, "access_token") {
				t.Error("a refused request got a token")
			}
		})
	}
}

func TestReplayedCodeGetsNothingAndEndsWhatItGave(t *testing.T) {
	w := newWorld(t)
	code, verifier := w.signIn("st-lena", "n", consent())
	status, body := w.exchange(w.codeForm(code, verifier))
	var first struct {
		Refresh string `json:"refresh_token"`
	}
	if err := json.Unmarshal([]byte(body), &first); err != nil || status != http.StatusOK || first.Refresh == "" {
		t.Fatalf("%d %s", status, body)
	}
	status, body = w.exchange(w.codeForm(code, verifier))
	wantError(t, status, body, "invalid_grant")
	if _, err := w.refresh(t.Context(), first.Refresh); err == nil || !strings.Contains(err.Error(), "invalid_grant") {
		t.Errorf("the refresh token of a replayed code still works: %v", err)
	}
}

func TestReusedRefreshTokenEndsTheChain(t *testing.T) {
	w := newWorld(t)
	code, verifier := w.signIn("st-lena", "n", consent())
	tok, err := w.oauth.Exchange(t.Context(), code, oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	second, err := w.refresh(t.Context(), tok.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	if second.RefreshToken == tok.RefreshToken || second.RefreshToken == "" {
		t.Error("the refresh token was not rotated")
	}
	form := url.Values{"grant_type": {"refresh_token"}, "client_id": {clientID}, "refresh_token": {second.RefreshToken}, "scope": {"openid admin"}}
	status, body := w.exchange(form)
	wantError(t, status, body, "invalid_scope")
	form.Set("client_id", "other")
	form.Del("scope")
	status, body = w.exchange(form)
	wantError(t, status, body, "invalid_grant")
	third, err := w.refresh(t.Context(), second.RefreshToken)
	if err != nil {
		t.Fatalf("neither refusal may use the token up: %v", err)
	}
	if _, err := w.refresh(t.Context(), tok.RefreshToken); err == nil || !strings.Contains(err.Error(), "invalid_grant") {
		t.Errorf("reuse: %v, want invalid_grant", err)
	}
	if _, err := w.refresh(t.Context(), third.RefreshToken); err == nil || !strings.Contains(err.Error(), "invalid_grant") {
		t.Errorf("after a reuse the newest token must be dead too: %v", err)
	}
}

func TestRevokedRefreshTokenIsOver(t *testing.T) {
	w := newWorld(t)
	code, verifier := w.signIn("st-lena", "n", consent())
	tok, err := w.oauth.Exchange(t.Context(), code, oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	if status, _, _ := w.post("/revoke", "", url.Values{"client_id": {"other"}, "token": {tok.RefreshToken}}); status != http.StatusOK {
		t.Errorf("revoking another's token answers %d, want 200 without effect", status)
	}
	again, err := w.refresh(t.Context(), tok.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	if status, _, _ := w.post("/revoke", "", url.Values{"client_id": {clientID}, "token": {again.RefreshToken}}); status != http.StatusOK {
		t.Errorf("revoke: %d", status)
	}
	if _, err := w.refresh(t.Context(), again.RefreshToken); err == nil {
		t.Error("a revoked refresh token works")
	}
}

func TestAuthorizationRequestsAreRefusedAtTheClient(t *testing.T) {
	w := newWorld(t)
	good, err := url.Parse(w.oauth.AuthCodeURL("s", oauth2.S256ChallengeOption(oauth2.GenerateVerifier())))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(url.Values)
		code   string
	}{
		"no PKCE":            {func(q url.Values) { q.Del("code_challenge"); q.Del("code_challenge_method") }, "invalid_request"},
		"plain PKCE":         {func(q url.Values) { q.Set("code_challenge_method", "plain") }, "invalid_request"},
		"PKCE by default":    {func(q url.Values) { q.Del("code_challenge_method") }, "invalid_request"},
		"a short challenge":  {func(q url.Values) { q.Set("code_challenge", "abc") }, "invalid_request"},
		"implicit":           {func(q url.Values) { q.Set("response_type", "id_token") }, "unsupported_response_type"},
		"no response type":   {func(q url.Values) { q.Del("response_type") }, "invalid_request"},
		"fragment":           {func(q url.Values) { q.Set("response_mode", "fragment") }, "invalid_request"},
		"not OpenID":         {func(q url.Values) { q.Set("scope", "email") }, "invalid_scope"},
		"silent":             {func(q url.Values) { q.Set("prompt", "none") }, "login_required"},
		"request object":     {func(q url.Values) { q.Set("request", "e30") }, "request_not_supported"},
		"request object URL": {func(q url.Values) { q.Set("request_uri", "http://127.0.0.1") }, "request_uri_not_supported"},
		"a field twice":      {func(q url.Values) { q.Add("nonce", "a"); q.Add("nonce", "b") }, "invalid_request"},
	} {
		q := good.Query()
		c.change(q)
		status, body, answer := w.page(w.issuer + "/authorize?" + q.Encode())
		if status != http.StatusSeeOther || answer.Get("error") != c.code || answer.Get("state") != "s" || answer.Get("iss") != w.issuer || answer.Has("code") {
			t.Errorf("%s: %d %v %s, want %s", name, status, answer, body, c.code)
		}
	}
}

func TestForeignRedirectsAreNeverFollowed(t *testing.T) {
	w := newWorld(t)
	good, err := url.Parse(w.oauth.AuthCodeURL("s", oauth2.S256ChallengeOption(oauth2.GenerateVerifier())))
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"", "https://evil.example/callback", "http://evil.example/callback", "http://127.0.0.1.evil.example/callback",
		"http://127.0.0.1:1@evil.example/callback", "http://localhost:49152/callback", "http://127.0.0.1:49152/callback/", "http://127.0.0.1:49152/other",
		"http://127.0.0.1:49152/callback?x=1", "http://127.0.0.1:49152/callback#x", "http://127.0.0.1:49152/callback#", "https://127.0.0.1:49152/callback",
		"http://127.0.0.2:49152/callback", "http://[::1]:49152/callback", "http://127.0.0.1:49152/%63allback", "javascript:alert(1)", "//evil.example/callback"} {
		q := good.Query()
		q.Set("redirect_uri", to)
		res, err := w.http.Get(w.issuer + "/authorize?" + q.Encode())
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusBadRequest || res.Header.Get("Location") != "" {
			t.Errorf("redirect %q: %d, Location %q", to, res.StatusCode, res.Header.Get("Location"))
		}
	}
	q := good.Query()
	q.Set("client_id", "nobody")
	if status, _, answer := w.page(w.issuer + "/authorize?" + q.Encode()); status != http.StatusBadRequest || len(answer) != 0 {
		t.Errorf("unknown client: %d %v", status, answer)
	}
}

func TestPageIsPlainAndHolds(t *testing.T) {
	w := newWorld(t)
	u := w.oauth.AuthCodeURL("s", oauth2.S256ChallengeOption(oauth2.GenerateVerifier()), consent())
	res, err := w.http.Get(u)
	if err != nil {
		t.Fatal(err)
	}
	csp := res.Header.Get("Content-Security-Policy")
	if !strings.HasPrefix(csp, "default-src 'none'; style-src 'self'; form-action 'self' http://127.0.0.1:49152;") || !strings.Contains(csp, "frame-ancestors 'none'") {
		t.Errorf("policy %q", csp)
	}
	_, body, _ := w.read(res)
	for _, want := range []string{"Lena Fischer", "Support, tier 1", "Team lead", "Omar &lt;b&gt;Haddad", "<html lang=\"en\">", "<h1>"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(body, "<script") || strings.Contains(body, " style=") || strings.Contains(body, "<b>Haddad") {
		t.Error("the page holds script, inline style or unescaped text")
	}
	form := url.Values{"request": {field(t, body)}, "person": {"st-lena"}}
	for _, origin := range []string{"", "null", "http://evil.example", "http://127.0.0.1:49152"} {
		if status, _, answer := w.post("/choose", origin, form); status != http.StatusForbidden || answer.Has("code") {
			t.Errorf("choice from %q: %d", origin, status)
		}
	}
	if status, _, answer := w.post("/choose", w.issuer, form); status != http.StatusSeeOther || !answer.Has("code") {
		t.Errorf("the page's own choice: %d", status)
	}
	if status, _, answer := w.post("/choose", w.issuer, form); status != http.StatusBadRequest || answer.Has("code") {
		t.Errorf("the same choice again: %d", status)
	}
	_, body, _ = w.page(u)
	if status, _, answer := w.post("/choose", w.issuer, url.Values{"request": {field(t, body)}, "cancel": {"1"}}); status != http.StatusSeeOther || answer.Get("error") != "access_denied" {
		t.Errorf("cancel: %d %v", status, answer)
	}
	_, body, _ = w.page(u)
	if status, _, _ := w.post("/choose", w.issuer, url.Values{"request": {field(t, body)}, "person": {"st-mallory"}}); status != http.StatusBadRequest {
		t.Errorf("a person who is not there: %d", status)
	}
}

func TestUserinfoWantsItsOwnAccessToken(t *testing.T) {
	w := newWorld(t)
	code, verifier := w.signIn("st-lena", "n")
	tok, err := w.oauth.Exchange(t.Context(), code, oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	id, _ := tok.Extra("id_token").(string)
	for _, bad := range []string{"", "Bearer ", "Bearer x", "Bearer " + id, "Basic " + tok.AccessToken, "Bearer " + tok.AccessToken[:len(tok.AccessToken)-6] + "AAAAAA"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.issuer+"/userinfo", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", bad)
		res, err := w.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(res.Header.Get("WWW-Authenticate"), "Bearer") {
			t.Errorf("%.20q: %d %q", bad, res.StatusCode, res.Header.Get("WWW-Authenticate"))
		}
	}
}

// ask serves one request without a network, so that time can be made to pass.
func ask(p *devidp.Provider, method, target, remote, host, origin string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(form.Encode()))
	r.RemoteAddr, r.Host = remote, host
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", origin)
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w
}

func TestOnlyThisMachineAndThisNameAreAnswered(t *testing.T) {
	p, err := devidp.New(config("http://127.0.0.1:7002"))
	if err != nil {
		t.Fatal(err)
	}
	const path = "/.well-known/openid-configuration"
	for _, c := range []struct {
		remote, host string
		status       int
	}{
		{"127.0.0.1:5000", "127.0.0.1:7002", http.StatusOK},
		{"[::1]:5000", "127.0.0.1:7002", http.StatusOK},
		{"[::ffff:127.0.0.1]:5000", "127.0.0.1:7002", http.StatusOK},
		{"192.0.2.7:5000", "127.0.0.1:7002", http.StatusForbidden},
		{"10.0.0.1:5000", "127.0.0.1:7002", http.StatusForbidden},
		{"", "127.0.0.1:7002", http.StatusForbidden},
		{"127.0.0.1:5000", "evil.example:7002", http.StatusMisdirectedRequest},
		{"127.0.0.1:5000", "127.0.0.1:7003", http.StatusMisdirectedRequest},
		{"127.0.0.1:5000", "localhost:7002", http.StatusMisdirectedRequest},
	} {
		if got := ask(p, "GET", path, c.remote, c.host, "", nil); got.Code != c.status {
			t.Errorf("from %q to %q: %d, want %d", c.remote, c.host, got.Code, c.status)
		}
	}
}

func TestCodesAndRefreshTokensGrowOld(t *testing.T) {
	const issuer, remote, host = "http://127.0.0.1:7002", "127.0.0.1:5000", "127.0.0.1:7002"
	p, err := devidp.New(config(issuer))
	if err != nil {
		t.Fatal(err)
	}
	begin := func(t *testing.T, wait time.Duration) url.Values {
		t.Helper()
		verifier := oauth2.GenerateVerifier()
		q := url.Values{"client_id": {clientID}, "redirect_uri": {redirect}, "response_type": {"code"}, "scope": {"openid offline_access"}, "prompt": {"consent"},
			"code_challenge": {oauth2.S256ChallengeFromVerifier(verifier)}, "code_challenge_method": {"S256"}}
		page := ask(p, "GET", "/authorize?"+q.Encode(), remote, host, "", nil)
		time.Sleep(wait)
		chosen := ask(p, "POST", "/choose", remote, host, issuer, url.Values{"request": {field(t, page.Body.String())}, "person": {"st-lena"}})
		loc, err := url.Parse(chosen.Header().Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		return url.Values{"grant_type": {"authorization_code"}, "client_id": {clientID}, "code": {loc.Query().Get("code")}, "redirect_uri": {redirect}, "code_verifier": {verifier}}
	}
	synctest.Test(t, func(t *testing.T) {
		for wait, status := range map[time.Duration]int{59 * time.Second: http.StatusOK, 60 * time.Second: http.StatusBadRequest, time.Hour: http.StatusBadRequest} {
			form := begin(t, 0)
			time.Sleep(wait)
			if got := ask(p, "POST", "/token", remote, host, "", form); got.Code != status {
				t.Errorf("code after %v: %d %s, want %d", wait, got.Code, got.Body, status)
			}
		}
		if form := begin(t, 10*time.Minute); form.Get("code") != "" {
			t.Error("a page of ten minutes ago still signs in")
		}
		got := ask(p, "POST", "/token", remote, host, "", begin(t, 0))
		var tok struct {
			Refresh string `json:"refresh_token"`
		}
		if err := json.Unmarshal(got.Body.Bytes(), &tok); err != nil || tok.Refresh == "" {
			t.Fatalf("%s", got.Body)
		}
		time.Sleep(12 * time.Hour)
		got = ask(p, "POST", "/token", remote, host, "", url.Values{"grant_type": {"refresh_token"}, "client_id": {clientID}, "refresh_token": {tok.Refresh}})
		if got.Code != http.StatusBadRequest {
			t.Errorf("refresh token after twelve hours: %d", got.Code)
		}
	})
}
