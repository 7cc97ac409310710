package devidp_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"stead/internal/platform/devidp"
	"stead/internal/stead"
)

const (
	clientID = "stead-desktop"
	redirect = "http://127.0.0.1:49152/callback"
	audience = "stead-platform"
)

// world is a running provider and a client of it, as the desktop would be one.
type world struct {
	t      *testing.T
	issuer string
	http   *http.Client // follows no redirects, as a client that reads Location does
	oidc   *oidc.Provider
	oauth  oauth2.Config
}

func config(issuer string) devidp.Config {
	return devidp.Config{Issuer: issuer, AccessTokenAudience: audience,
		People: []devidp.Person{
			{Subject: "st-lena", Name: "Lena Fischer", Email: "lena@support.example", Title: "Support, tier 1", Description: "Helps members of two accounts."},
			{Subject: "st-omar", Name: "Omar <b>Haddad</b>", Email: "omar@support.example", Title: "Team lead"},
		},
		Clients: []devidp.Client{{ID: clientID, Redirect: "http://127.0.0.1/callback"}, {ID: "other", Redirect: "http://127.0.0.1/other"}},
	}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	issuer := "http://" + l.Addr().String()
	p, err := devidp.New(config(issuer))
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(p)
	srv.Listener.Close()
	srv.Listener = l
	srv.Start()
	t.Cleanup(srv.Close)
	op, err := oidc.NewProvider(t.Context(), issuer)
	if err != nil {
		t.Fatal(err)
	}
	return &world{t: t, issuer: issuer, oidc: op,
		http:  &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		oauth: oauth2.Config{ClientID: clientID, RedirectURL: redirect, Endpoint: op.Endpoint(), Scopes: []string{"openid", "profile", "email", "offline_access"}}}
}

var requestField = regexp.MustCompile(`name="request" value="([^"]+)"`)

// page opens an authorization URL and returns status, body and, where it redirects, the answer's parameters.
func (w *world) page(u string) (int, string, url.Values) {
	w.t.Helper()
	res, err := w.http.Get(u)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.read(res)
}

func (w *world) read(res *http.Response) (int, string, url.Values) {
	w.t.Helper()
	defer res.Body.Close()
	var b strings.Builder
	if _, err := copyBody(&b, res); err != nil {
		w.t.Fatal(err)
	}
	loc, err := url.Parse(res.Header.Get("Location"))
	if err != nil {
		w.t.Fatal(err)
	}
	if loc.String() != "" && !strings.HasPrefix(loc.String(), redirect+"?") {
		w.t.Fatalf("redirected to %q", loc)
	}
	return res.StatusCode, b.String(), loc.Query()
}

// post sends a form as the page does.
func (w *world) post(path, origin string, form url.Values) (int, string, url.Values) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.issuer+path, strings.NewReader(form.Encode()))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if origin != "" {
		req.Header.Set("Origin", origin)
	}
	res, err := w.http.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.read(res)
}

// signIn goes through the page as a person and returns the code and its verifier.
func (w *world) signIn(person, nonce string, more ...oauth2.AuthCodeOption) (code, verifier string) {
	w.t.Helper()
	verifier = oauth2.GenerateVerifier()
	opts := append([]oauth2.AuthCodeOption{oauth2.S256ChallengeOption(verifier), oidc.Nonce(nonce)}, more...)
	status, body, _ := w.page(w.oauth.AuthCodeURL("the-state", opts...))
	if status != http.StatusOK {
		w.t.Fatalf("authorize: %d %s", status, body)
	}
	status, body, answer := w.post("/choose", w.issuer, url.Values{"request": {field(w.t, body)}, "person": {person}})
	if status != http.StatusSeeOther {
		w.t.Fatalf("choose: %d %s", status, body)
	}
	if answer.Get("state") != "the-state" || answer.Get("iss") != w.issuer {
		w.t.Fatalf("answer %v: state or iss (RFC 9207) is wrong", answer)
	}
	return answer.Get("code"), verifier
}

func field(t *testing.T, body string) string {
	t.Helper()
	m := requestField.FindStringSubmatch(body)
	if m == nil {
		t.Fatalf("no request field in %s", body)
	}
	return m[1]
}

func consent() oauth2.AuthCodeOption { return oauth2.SetAuthURLParam("prompt", "consent") }

func TestSignInWithGoOIDC(t *testing.T) {
	w := newWorld(t)
	code, verifier := w.signIn("st-lena", "n-1", consent())
	// The endpoint's style is left to x/oauth2 to find out: it tries Basic first, which must not use the code up.
	tok, err := w.oauth.Exchange(t.Context(), code, oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := tok.Extra("id_token").(string)
	id, err := w.oidc.Verifier(&oidc.Config{ClientID: clientID}).Verify(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := id.VerifyAccessToken(tok.AccessToken); err != nil {
		t.Errorf("at_hash: %v", err)
	}
	var c struct {
		Sub, Email, Name, Nonce string
		AuthTime                int64 `json:"auth_time"`
		EmailVerified           bool  `json:"email_verified"`
	}
	if err := id.Claims(&c); err != nil {
		t.Fatal(err)
	}
	if c.Sub != "st-lena" || c.Email != "lena@support.example" || c.Name != "Lena Fischer" || c.Nonce != "n-1" || c.AuthTime == 0 || !c.EmailVerified {
		t.Errorf("ID token %+v", c)
	}
	info, err := w.oidc.UserInfo(t.Context(), oauth2.StaticTokenSource(tok))
	if err != nil {
		t.Fatal(err)
	}
	if info.Subject != "st-lena" || info.Email != "lena@support.example" || !info.EmailVerified {
		t.Errorf("userinfo %+v", info)
	}
	if tok.RefreshToken == "" || tok.TokenType != "Bearer" || tok.Extra("scope") != "openid profile email offline_access" {
		t.Errorf("token answer: refresh %t, type %q, scope %v", tok.RefreshToken != "", tok.TokenType, tok.Extra("scope"))
	}
}

// The platform knows nothing of this provider but its discovery document and JWKS.
func TestAccessTokenIsVerifiedByTheKeySet(t *testing.T) {
	w := newWorld(t)
	code, verifier := w.signIn("st-omar", "n")
	tok, err := w.oauth.Exchange(t.Context(), code, oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	access, err := w.oidc.Verifier(&oidc.Config{ClientID: audience}).Verify(t.Context(), tok.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := access.Claims(&c); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{"iss": w.issuer, "sub": "st-omar", "client_id": clientID, "email": "omar@support.example", "scope": "openid profile email"} {
		if c[name] != want {
			t.Errorf("claim %s: %v, want %v", name, c[name], want)
		}
	}
	if life := access.Expiry.Sub(access.IssuedAt); life.Minutes() != 10 {
		t.Errorf("access token lives %v, want 10 minutes", life)
	}
	if c["jti"] == "" || c["jti"] == nil {
		t.Error("jti is missing")
	}
	if h := header(t, tok.AccessToken); h["typ"] != "at+jwt" {
		t.Errorf("header %v, want at+jwt (RFC 9068)", h)
	}
	if _, err := w.oidc.Verifier(&oidc.Config{ClientID: clientID}).Verify(t.Context(), tok.AccessToken); err == nil {
		t.Error("an access token passes as an ID token")
	}
	if tok.RefreshToken != "" {
		t.Error("a refresh token without prompt=consent")
	}
}

func TestNewRefusesWhatWouldLeaveTheMachine(t *testing.T) {
	good := config("http://127.0.0.1:7002")
	if _, err := devidp.New(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*devidp.Config){
		"foreign issuer":    func(c *devidp.Config) { c.Issuer = "http://sign-in.example:7002" },
		"any address":       func(c *devidp.Config) { c.Issuer = "http://0.0.0.0:7002" },
		"issuer with path":  func(c *devidp.Config) { c.Issuer = "http://127.0.0.1:7002/" },
		"no port":           func(c *devidp.Config) { c.Issuer = "http://127.0.0.1" },
		"foreign redirect":  func(c *devidp.Config) { c.Clients = []devidp.Client{{ID: "x", Redirect: "http://192.0.2.1/cb"}} },
		"redirect by name":  func(c *devidp.Config) { c.Clients = []devidp.Client{{ID: "x", Redirect: "http://localhost/cb"}} },
		"nobody":            func(c *devidp.Config) { c.People = nil },
		"one person twice":  func(c *devidp.Config) { c.People = append(c.People[:1:1], c.People[0]) },
		"no audience":       func(c *devidp.Config) { c.AccessTokenAudience = "" },
		"no client":         func(c *devidp.Config) { c.Clients = nil },
		"redirect with app": func(c *devidp.Config) { c.Clients = []devidp.Client{{ID: "x", Redirect: "stead://cb"}} },
	} {
		cfg := good
		change(&cfg)
		if _, err := devidp.New(cfg); stead.CodeOf(err) != stead.CodeConfigInvalid {
			t.Errorf("%s: %v, want config_invalid", name, err)
		}
	}
}

// exchange is the token request by hand, so that each field can be wrong.
func (w *world) exchange(form url.Values) (int, string) {
	w.t.Helper()
	status, body, _ := w.post("/token", "", form)
	return status, body
}

func (w *world) refresh(ctx context.Context, token string) (*oauth2.Token, error) {
	return w.oauth.TokenSource(ctx, &oauth2.Token{RefreshToken: token}).Token()
}
