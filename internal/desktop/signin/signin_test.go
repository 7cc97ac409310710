package signin

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"stead/internal/stead"
)

// aesSealer seals as the vault does, with a key of the test's.
type aesSealer struct{ aead cipher.AEAD }

func newSealer(t *testing.T, key byte) aesSealer {
	t.Helper()
	block, err := aes.NewCipher(bytes.Repeat([]byte{key}, 32))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		t.Fatal(err)
	}
	return aesSealer{aead}
}

func (s aesSealer) Seal(plain, aad []byte) []byte { return s.aead.Seal(nil, nil, plain, aad) }

func (s aesSealer) Open(sealed, aad []byte) ([]byte, error) {
	return s.aead.Open(nil, nil, sealed, aad)
}

// page is what the agent's browser shows in the end.
type page struct {
	status int
	header http.Header
	text   string
}

// tab is a browser that goes where it is sent and reports its last page.
type tab chan page

func (b tab) open(address string) error {
	resp, err := http.Get(address)
	if err != nil {
		return nil // the desktop's opener would not know either
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	b <- page{resp.StatusCode, resp.Header, string(text)}
	return nil
}

type scene struct {
	*SignIn
	idp *idp
	tab tab
}

func stage(t *testing.T) scene {
	t.Helper()
	p := newIDP(t)
	return p.desk(t, filepath.Join(t.TempDir(), "data", "sign-in"))
}

// desk is a desktop with that file.
func (p *idp) desk(t *testing.T, file string) scene {
	t.Helper()
	b := make(tab, 10)
	s := Open(Config{Issuer: p.server.URL, ClientID: testClient, File: file, Sealer: newSealer(t, 1), OpenBrowser: b.open})
	t.Cleanup(func() { _ = s.Close() })
	return scene{s, p, b}
}

func (s scene) begin(t *testing.T) {
	t.Helper()
	if err := s.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (s scene) token(t *testing.T) string {
	t.Helper()
	token, err := s.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// age makes the access token that is held run out in left.
func (s scene) age(left time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held.expiry = time.Now().Add(left)
}

func (s scene) stored(t *testing.T) string {
	t.Helper()
	token, err := s.file.load()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func wantCode(t *testing.T, err error, code stead.Code, detail string) {
	t.Helper()
	var e *stead.Error
	if !errors.As(err, &e) || e.Code != code || !strings.Contains(e.Detail, detail) {
		t.Errorf("got %v, want %s with %q", err, code, detail)
	}
	if err != nil && (strings.Contains(err.Error(), "refresh-") || strings.Contains(err.Error(), "access-") || strings.Contains(err.Error(), "code-")) {
		t.Errorf("a secret is in the error: %v", err)
	}
}

func TestBeginSignsIn(t *testing.T) {
	s := stage(t)
	if s.SignedIn() {
		t.Error("signed in before")
	}
	_, err := s.Token(t.Context())
	wantCode(t, err, stead.CodeSignInRequired, "")
	s.begin(t)

	last := <-s.tab
	if last.status != http.StatusOK || !strings.Contains(last.text, "You are signed in. Go back to Stead.") {
		t.Errorf("last page: %d %s", last.status, last.text)
	}
	policy := last.header.Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "default-src 'none';") || strings.Contains(policy, "unsafe") || strings.Contains(last.text, "<script") {
		t.Errorf("page with policy %q: %s", policy, last.text)
	}
	if got := s.token(t); !strings.HasPrefix(got, "access-") || !s.SignedIn() {
		t.Errorf("token %q, signed in %v", got, s.SignedIn())
	}
	if s.idp.refreshes() != 0 {
		t.Error("a fresh token was refreshed")
	}
	if _, err := http.Get(s.idp.asked[0].Get("redirect_uri")); err == nil {
		t.Error("the callback still listens")
	}
}

func TestFileIsSealedPrivateAndBound(t *testing.T) {
	s := stage(t)
	s.begin(t)
	refresh := s.idp.good()[0]
	raw, err := os.ReadFile(s.cfg.File)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(s.cfg.File)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(raw, []byte(refresh)) || info.Mode().Perm() != 0o600 || s.stored(t) != refresh {
		t.Errorf("file: mode %o, holds %q", info.Mode().Perm(), s.stored(t))
	}
	entries, err := os.ReadDir(filepath.Dir(s.cfg.File))
	if err != nil || len(entries) != 1 {
		t.Errorf("left beside it: %v %v", entries, err)
	}
	other := sealedFile{path: s.cfg.File, sealer: s.cfg.Sealer, aad: binding("https://elsewhere.example", testClient)}
	if _, err := other.load(); !errors.Is(err, errDamaged) {
		t.Errorf("another issuer opened it: %v", err)
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	s := stage(t)
	s.begin(t)
	out := fmt.Sprintf("%v %+v %#v %v %s", s.SignIn, s.SignIn, s.SignIn, s.held, s.held)
	if strings.Contains(out, "refresh-") || strings.Contains(out, "access-") || !strings.Contains(out, "[redacted]") {
		t.Errorf("printed %s", out)
	}
}

func TestUnusableConfigurationIsNamed(t *testing.T) {
	good := Config{Issuer: "https://id.example.org", ClientID: "c", File: "f", Sealer: newSealer(t, 1)}
	if err := good.flaw(); err != nil {
		t.Error(err)
	}
	for _, issuer := range []string{"http://id.example.org", "http://localhost.example.org", "ftp://localhost", "https://", "https://u:p@id.example.org",
		"https://id.example.org?tenant=1", "https://id.example.org#x", ""} {
		bad := good
		bad.Issuer = issuer
		s := Open(bad)
		_, err := s.Token(t.Context())
		wantCode(t, err, stead.CodeConfigInvalid, "issuer")
		wantCode(t, s.Begin(t.Context()), stead.CodeConfigInvalid, "issuer")
	}
	for _, issuer := range []string{"http://localhost:1", "http://127.0.0.1:1/op", "http://[::1]:1", "http://platform.localhost:1", "https://id.example.org/t"} {
		fine := good
		fine.Issuer = issuer
		if err := fine.flaw(); err != nil {
			t.Errorf("%s: %v", issuer, err)
		}
	}
}

func TestAnswersThatAreNotTaken(t *testing.T) {
	for name, c := range map[string]struct {
		set    func(*idp)
		detail string
	}{
		"nonce":             {func(p *idp) { p.claims = func(c map[string]any) { c["nonce"] = "another" } }, "another sign-in"},
		"no nonce":          {func(p *idp) { p.claims = func(c map[string]any) { delete(c, "nonce") } }, "another sign-in"},
		"audience":          {func(p *idp) { p.claims = func(c map[string]any) { c["aud"] = "another" } }, "does not hold"},
		"two audiences":     {func(p *idp) { p.claims = func(c map[string]any) { c["aud"] = []string{testClient, "another"} } }, "another program"},
		"azp":               {func(p *idp) { p.claims = func(c map[string]any) { c["azp"] = "another" } }, "another program"},
		"issuer in token":   {func(p *idp) { p.claims = func(c map[string]any) { c["iss"] = "https://other.example" } }, "does not hold"},
		"expired":           {func(p *idp) { p.claims = func(c map[string]any) { c["exp"] = 1 } }, "clock"},
		"at_hash":           {func(p *idp) { p.claims = func(c map[string]any) { c["at_hash"] = "AAAA" } }, "another access token"},
		"no ID token":       {func(p *idp) { p.response = func(r map[string]any) { delete(r, "id_token") } }, "no ID token"},
		"bent signature":    {func(p *idp) { p.response = bend }, "does not hold"},
		"token type":        {func(p *idp) { p.response = func(r map[string]any) { r["token_type"] = "DPoP" } }, "kind of token"},
		"issuer":            {func(p *idp) { p.answer = func(q url.Values) { q.Set("iss", "https://other.example") } }, "another sign-in provider"},
		"announced issuer":  {func(p *idp) { p.answer = func(q url.Values) { q.Del("iss") } }, "another sign-in provider"},
		"denied":            {func(p *idp) { p.answer = deny("access_denied") }, "it was refused"},
		"other error":       {func(p *idp) { p.answer = deny("login_required") }, "login_required"},
		"text as error":     {func(p *idp) { p.answer = deny("call +1 555 0100") }, "refused: other"},
		"no code":           {func(p *idp) { p.answer = func(q url.Values) { q.Del("code") } }, "no code"},
		"used code":         {func(p *idp) { p.answer = func(q url.Values) { q.Set("code", "code-used") } }, "invalid_grant"},
		"discovered issuer": {func(p *idp) { p.describe = func(d map[string]any) { d["issuer"] = "https://other.example" } }, "another name"},
		"unsafe endpoint":   {func(p *idp) { p.describe = func(d map[string]any) { d["token_endpoint"] = "http://other.example/t" } }, "not safe"},
		"no endpoint":       {func(p *idp) { p.describe = func(d map[string]any) { delete(d, "jwks_uri") } }, "not safe"},
	} {
		t.Run(name, func(t *testing.T) {
			s := stage(t)
			c.set(s.idp)
			wantCode(t, s.Begin(t.Context()), stead.CodeSignInFailed, c.detail)
			if s.SignedIn() || s.file.exists() {
				t.Error("it was kept")
			}
			if name == "discovered issuer" || name == "unsafe endpoint" || name == "no endpoint" {
				return // the browser was never opened
			}
			if last := <-s.tab; last.status != http.StatusBadRequest || !strings.Contains(last.text, "did not complete") {
				t.Errorf("last page: %d %s", last.status, last.text)
			}
		})
	}
}

func bend(r map[string]any) {
	raw := []byte(r["id_token"].(string))
	dot := bytes.LastIndexByte(raw, '.')
	raw[dot+1] = map[bool]byte{true: 'B', false: 'A'}[raw[dot+1] == 'A']
	r["id_token"] = string(raw)
}

func deny(code string) func(url.Values) {
	return func(q url.Values) {
		q.Del("code")
		q.Set("error", code)
		q.Set("error_description", "refresh-looking text")
	}
}

func TestAStoppedSignInIsNotAdopted(t *testing.T) {
	s := stage(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.adopt(ctx, &grant{access: "a", refresh: "r", expiry: time.Now().Add(time.Hour)}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if s.SignedIn() || s.file.exists() {
		t.Error("it was kept")
	}
}

func TestIssuerInAnswerIsNotNeededWhereItIsNotAnnounced(t *testing.T) {
	s := stage(t)
	s.idp.describe = func(d map[string]any) { delete(d, "authorization_response_iss_parameter_supported") }
	s.idp.answer = func(q url.Values) { q.Del("iss") }
	s.begin(t)
}

func TestFailedBeginKeepsTheEarlierSignIn(t *testing.T) {
	s := stage(t)
	s.begin(t)
	before := s.token(t)
	s.idp.answer = deny("access_denied")
	wantCode(t, s.Begin(t.Context()), stead.CodeSignInFailed, "refused")
	if s.token(t) != before || !slices.Contains(s.idp.good(), s.stored(t)) {
		t.Error("the earlier sign-in is gone")
	}
}

func TestBeginWithoutProviderOrBrowser(t *testing.T) {
	s := stage(t)
	s.cfg.OpenBrowser = func(address string) error { return fmt.Errorf("cannot open %s", address) }
	err := s.Begin(t.Context())
	wantCode(t, err, stead.CodeSignInFailed, "browser could not be opened")
	if strings.Contains(err.Error(), "state=") {
		t.Errorf("the address is in %v", err)
	}
	s.idp.server.Close()
	wantCode(t, s.Begin(t.Context()), stead.CodeUnreachable, "127.0.0.1")
}

func TestCodeIsNotCarriedToARedirect(t *testing.T) {
	s := stage(t)
	s.idp.hijack = func(w http.ResponseWriter, _ string) bool {
		w.Header().Set("Location", s.idp.server.URL+"/token")
		w.WriteHeader(http.StatusTemporaryRedirect)
		return true
	}
	wantCode(t, s.Begin(t.Context()), stead.CodeUnreachable, "")
	if n := s.idp.requests(); n != 1 {
		t.Errorf("%d token requests", n)
	}
}

func TestSignOutForgetsAndRevokes(t *testing.T) {
	for _, restart := range []bool{false, true} {
		s := stage(t)
		s.begin(t)
		refresh := s.stored(t)
		if restart {
			s = s.idp.desk(t, s.cfg.File)
		}
		if err := s.SignOut(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s.SignedIn() || s.file.exists() || !slices.Equal(s.idp.revoked, []string{refresh}) {
			t.Errorf("signed in %v, file %v, revoked %d", s.SignedIn(), s.file.exists(), len(s.idp.revoked))
		}
		_, err := s.Token(t.Context())
		wantCode(t, err, stead.CodeSignInRequired, "")
		if err := s.SignOut(t.Context()); err != nil {
			t.Errorf("a second time: %v", err)
		}
	}
}

func TestSignOutNeedsNoProvider(t *testing.T) {
	s := stage(t)
	s.begin(t)
	s.idp.server.Close()
	if err := s.SignOut(t.Context()); err != nil || s.SignedIn() || s.file.exists() {
		t.Errorf("%v, signed in %v", err, s.SignedIn())
	}
}

func TestSignOutStopsARunningRefresh(t *testing.T) {
	s := stage(t)
	s.begin(t)
	s.age(0)
	asked, release := make(chan struct{}), make(chan struct{})
	s.idp.hijack = func(http.ResponseWriter, string) bool { close(asked); <-release; return false }
	got := make(chan error, 1)
	go func() { _, err := s.Token(context.Background()); got <- err }()
	<-asked
	err := s.SignOut(t.Context())
	close(release)
	if err != nil || s.SignedIn() || s.file.exists() {
		t.Errorf("%v, signed in %v", err, s.SignedIn())
	}
	wantCode(t, <-got, stead.CodeSignInRequired, "")
	s.idp.server.Close() // waits for the request that was cut off
	if s.SignedIn() || s.file.exists() {
		t.Error("the refresh signed in again")
	}
}
