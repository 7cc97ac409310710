package signin

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	testClient = "stead-desktop"
	testAgent  = "ada"
)

// idp is an OpenID provider that lets everybody in at once and insists on everything the standards ask of the client. What
// the client does wrong fails the test.
type idp struct {
	t      *testing.T
	server *httptest.Server
	key    *ecdsa.PrivateKey

	mu       sync.Mutex
	codes    map[string]url.Values // code to the request it answers
	refresh  map[string]bool       // every refresh token given, to whether it is still good
	revoked  []string
	asked    []url.Values // authorization requests
	tokens   int          // refreshes answered with a token
	attempts int          // token requests of any kind

	// How this provider behaves; set before it is asked.
	describe func(map[string]any)                   // changes the discovery document
	answer   func(url.Values)                       // changes the authorization response
	claims   func(map[string]any)                   // changes the ID token
	response func(map[string]any)                   // changes the token response
	hijack   func(http.ResponseWriter, string) bool // answers a token request itself; told the grant type
	life     time.Duration
}

func newIDP(t *testing.T) *idp {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := &idp{t: t, key: key, codes: map[string]url.Values{}, refresh: map[string]bool{}, life: time.Hour,
		describe: func(map[string]any) {}, answer: func(url.Values) {}, claims: func(map[string]any) {}, response: func(map[string]any) {},
		hijack: func(http.ResponseWriter, string) bool { return false }}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", p.discovery)
	mux.HandleFunc("GET /keys", p.keys)
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /token", p.token)
	mux.HandleFunc("POST /revoke", p.revoke)
	p.server = httptest.NewServer(mux)
	t.Cleanup(p.server.Close)
	return p
}

func (p *idp) discovery(w http.ResponseWriter, _ *http.Request) {
	issuer := p.server.URL
	d := map[string]any{
		"issuer": issuer, "authorization_endpoint": issuer + "/authorize", "token_endpoint": issuer + "/token", "jwks_uri": issuer + "/keys",
		"revocation_endpoint": issuer + "/revoke", "authorization_response_iss_parameter_supported": true,
		"id_token_signing_alg_values_supported": []string{"ES256"},
	}
	p.describe(d)
	reply(w, http.StatusOK, d)
}

func (p *idp) keys(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: p.key.Public(), KeyID: "1", Algorithm: "ES256", Use: "sig"}}})
}

func (p *idp) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	back, err := url.Parse(q.Get("redirect_uri"))
	scopes := strings.Fields(q.Get("scope"))
	slices.Sort(scopes)
	challenge, _ := base64.RawURLEncoding.DecodeString(q.Get("code_challenge"))
	switch {
	case err != nil || back.Scheme != "http" || back.Hostname() != "127.0.0.1" || back.Port() == "" || back.Path != "/callback":
		p.t.Errorf("redirect_uri is %q", q.Get("redirect_uri"))
	case q.Get("response_type") != "code" || q.Get("client_id") != testClient || q.Get("prompt") != "consent":
		p.t.Errorf("authorization request %v", q)
	case !slices.Equal(scopes, []string{"email", "offline_access", "openid", "profile"}):
		p.t.Errorf("scopes %v", scopes)
	case q.Get("code_challenge_method") != "S256" || len(challenge) != sha256.Size:
		p.t.Errorf("PKCE %q %q", q.Get("code_challenge_method"), q.Get("code_challenge"))
	case len(q.Get("state")) < 20 || len(q.Get("nonce")) < 20 || q.Get("state") == q.Get("nonce"):
		p.t.Errorf("state %q, nonce %q", q.Get("state"), q.Get("nonce"))
	default:
		code := "code-" + rand.Text()
		p.mu.Lock()
		p.codes[code] = q
		p.asked = append(p.asked, q)
		p.mu.Unlock()
		out := url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {p.server.URL}}
		p.answer(out)
		back.RawQuery = out.Encode()
		http.Redirect(w, r, back.String(), http.StatusSeeOther)
		return
	}
	http.Error(w, "bad request", http.StatusBadRequest)
}

func (p *idp) token(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	form := r.PostForm
	p.mu.Lock()
	p.attempts++
	p.mu.Unlock()
	if p.hijack(w, form.Get("grant_type")) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.Header.Get("Authorization") != "" || form.Get("client_id") != testClient {
		p.t.Error("a public client must name itself in the form, and only there")
	}
	var nonce string
	switch form.Get("grant_type") {
	case "authorization_code":
		asked, ok := p.codes[form.Get("code")]
		delete(p.codes, form.Get("code"))
		sum := sha256.Sum256([]byte(form.Get("code_verifier")))
		switch {
		case !ok:
			reply(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant"})
			return
		case base64.RawURLEncoding.EncodeToString(sum[:]) != asked.Get("code_challenge"):
			p.t.Error("the verifier does not fit the challenge")
		case form.Get("redirect_uri") != asked.Get("redirect_uri"):
			p.t.Error("the redirect URI has changed")
		}
		nonce = asked.Get("nonce")
	case "refresh_token":
		if !p.refresh[form.Get("refresh_token")] {
			clear(p.refresh) // reuse: the whole family ends
			reply(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant", "error_description": form.Get("refresh_token")})
			return
		}
		p.refresh[form.Get("refresh_token")] = false
		p.tokens++
	default:
		p.t.Errorf("grant type %q", form.Get("grant_type"))
	}
	p.give(w, nonce)
}

// give answers with tokens. The caller holds mu.
func (p *idp) give(w http.ResponseWriter, nonce string) {
	out := map[string]any{"access_token": "access-" + rand.Text(), "token_type": "Bearer", "expires_in": int(p.life.Seconds()),
		"refresh_token": "refresh-" + rand.Text()}
	if nonce != "" {
		claims := map[string]any{"iss": p.server.URL, "sub": testAgent, "aud": testClient, "nonce": nonce,
			"iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix()}
		p.claims(claims)
		out["id_token"] = p.sign(claims)
	}
	p.response(out)
	if refresh, ok := out["refresh_token"].(string); ok {
		p.refresh[refresh] = true
	}
	reply(w, http.StatusOK, out)
}

func (p *idp) sign(claims map[string]any) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: p.key, KeyID: "1"}}, nil)
	if err != nil {
		p.t.Error(err)
		return ""
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		p.t.Error(err)
	}
	object, err := signer.Sign(payload)
	if err != nil {
		p.t.Error(err)
		return ""
	}
	text, err := object.CompactSerialize()
	if err != nil {
		p.t.Error(err)
	}
	return text
}

func (p *idp) revoke(_ http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.PostForm.Get("client_id") != testClient {
		p.t.Error("revocation without client_id")
	}
	p.refresh[r.PostForm.Get("token")] = false
	p.revoked = append(p.revoked, r.PostForm.Get("token"))
}

// good returns the refresh tokens that would still be taken.
func (p *idp) good() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []string
	for token, ok := range maps.All(p.refresh) {
		if ok {
			out = append(out, token)
		}
	}
	return out
}

func (p *idp) refreshes() int { p.mu.Lock(); defer p.mu.Unlock(); return p.tokens }
func (p *idp) requests() int  { p.mu.Lock(); defer p.mu.Unlock(); return p.attempts }

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
