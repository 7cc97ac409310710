package desktop

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"stead/internal/api"
	"stead/internal/audit"
	"stead/internal/stead"
)

// server is a platform and its sign-in provider, as far as a desk without a session speaks to them. Whoever is chosen
// at the moment signs in.
type server struct {
	*testing.T
	*httptest.Server
	key ed25519.PrivateKey

	mu       sync.Mutex
	chosen   string
	nonces   map[string]string // code to nonce
	people   map[string]string // code, refresh token or access token to person
	refused  map[string]bool   // whose refresh tokens are revoked
	aliases  map[string]stead.Pseudonym
	deviceID string         // what an enrolment answers
	next     map[string]int // by epoch, the sequence that is wanted
	logKey   ed25519.PrivateKey
	records  []audit.Record // in the order of arrival
	senders  []string       // whose tokens brought them
	ends     []string       // requests to end a session
	held     bool           // records are answered with an error
	entered  chan struct{}  // while not nil, /v1/me reports here and waits for release
	release  chan struct{}
}

func newServer(t *testing.T) *server {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{T: t, key: key, chosen: "st-ada", nonces: map[string]string{}, people: map[string]string{}, refused: map[string]bool{},
		aliases:  map[string]stead.Pseudonym{"st-ada": stead.NewPseudonym(), "st-bea": stead.NewPseudonym()},
		deviceID: "00112233445566778899aabbccddeeff", next: map[string]int{}, logKey: key}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", s.discovery)
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "1", Algorithm: "EdDSA", Use: "sig"}}})
	})
	mux.HandleFunc("GET /authorize", s.authorize)
	mux.HandleFunc("POST /token", s.token)
	mux.HandleFunc("GET /v1/version", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, api.Version{API: "v1", Issuer: s.URL, ClientID: "stead", Instance: strings.Repeat("ab", 16), ServerTime: time.Now()})
	})
	mux.HandleFunc("GET /v1/me", s.me)
	mux.HandleFunc("POST /v1/devices", func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		reply(w, http.StatusOK, api.Enrolled{DeviceID: s.deviceID})
	})
	mux.HandleFunc("POST /v1/audit/{device}/{epoch}", s.take)
	mux.HandleFunc("POST /v1/audit/{device}/{epoch}/head", func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		reply(w, http.StatusOK, api.RecordAck{NextSeq: int64(max(s.next[r.PathValue("epoch")], 1))})
	})
	s.serveLog(mux)
	mux.HandleFunc("POST /v1/sessions/{id}/end", func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ends = append(s.ends, s.person(r)+" "+r.PathValue("id"))
		cause := "stead_closed"
		reply(w, http.StatusOK, api.Session{ID: r.PathValue("id"), State: "ended", Cause: &cause})
	})
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func (s *server) discovery(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, map[string]any{"issuer": s.URL, "authorization_endpoint": s.URL + "/authorize", "token_endpoint": s.URL + "/token",
		"jwks_uri": s.URL + "/keys", "id_token_signing_alg_values_supported": []string{"EdDSA"}})
}

func (s *server) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	code := "code-" + rand.Text()
	s.mu.Lock()
	s.nonces[code], s.people[code] = q.Get("nonce"), s.chosen
	s.mu.Unlock()
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {code}, "state": {q.Get("state")}}.Encode(), http.StatusSeeOther)
}

// token gives tokens so short-lived that each request needs a fresh one.
func (s *server) token(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	s.mu.Lock()
	defer s.mu.Unlock()
	code := r.PostForm.Get("code")
	who := s.people[code+r.PostForm.Get("refresh_token")]
	if code == "" && s.refused[who] {
		reply(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant"})
		return
	}
	out := map[string]any{"access_token": "access-" + rand.Text(), "refresh_token": "refresh-" + rand.Text(), "token_type": "Bearer", "expires_in": 30}
	s.people[out["access_token"].(string)], s.people[out["refresh_token"].(string)] = who, who
	if code != "" {
		out["id_token"] = s.identity(who, s.nonces[code])
	}
	reply(w, http.StatusOK, out)
}

func (s *server) identity(who, nonce string) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: jose.JSONWebKey{Key: s.key, KeyID: "1"}}, nil)
	if err != nil {
		s.Error(err)
		return ""
	}
	claims, err := json.Marshal(map[string]any{"iss": s.URL, "sub": who, "aud": "stead", "nonce": nonce,
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix()})
	if err != nil {
		s.Error(err)
	}
	object, err := signer.Sign(claims)
	if err != nil {
		s.Error(err)
		return ""
	}
	text, err := object.CompactSerialize()
	if err != nil {
		s.Error(err)
	}
	return text
}

// person is whose token a request carries. The caller holds mu.
func (s *server) person(r *http.Request) string {
	return s.people[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
}

func (s *server) me(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	who, entered, release := s.person(r), s.entered, s.release
	s.mu.Unlock()
	if entered != nil {
		entered <- struct{}{}
		<-release
	}
	reply(w, http.StatusOK, api.Me{ID: who, Pseudonym: s.aliases[who].String()})
}

func (s *server) take(w http.ResponseWriter, r *http.Request) {
	var b api.RecordBatch
	if err := json.NewDecoder(r.Body).Decode(&b); err != nil {
		s.Error(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held {
		reply(w, http.StatusServiceUnavailable, nil)
		return
	}
	for _, item := range b.Records {
		rec, err := audit.Decode(item.Envelope)
		if err != nil {
			s.Error(err)
		}
		s.records, s.senders = append(s.records, rec), append(s.senders, s.person(r))
	}
	next := b.FirstSeq + int64(len(b.Records))
	s.next[r.PathValue("epoch")] = int(next)
	reply(w, http.StatusOK, api.RecordAck{NextSeq: next})
}

const logOrigin = "log.stead.test"

// serveLog serves a log that is still empty, so that nothing is ever proven.
func (s *server) serveLog(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/log/trust", func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		vkey, err := audit.LogKey(logOrigin, s.logKey.Public().(ed25519.PublicKey))
		if err != nil {
			s.Error(err)
		}
		reply(w, http.StatusOK, map[string]any{"origin": logOrigin, "log_keys": []string{vkey}, "recovery_keys": []string{}})
	})
	mux.HandleFunc("GET /v1/log/statements", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]any{"statements": []string{}})
	})
	mux.HandleFunc("GET /v1/audit/{device}/{epoch}/positions", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]any{"first": 1, "positions": []int64{}})
	})
	mux.HandleFunc("GET /log/checkpoint", func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		signed, err := audit.SignCheckpoint(s.logKey, audit.Checkpoint{Origin: logOrigin, Root: sha256.Sum256(nil)})
		if err != nil {
			s.Error(err)
		}
		_, _ = w.Write(signed)
	})
}

func (s *server) choose(who string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.chosen = who
}

// revoke makes the provider forget a person's sign-in.
func (s *server) revoke(who string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused[who] = true
}

// holdMe makes the answers of /v1/me wait until the function it returns is called; each reports in the channel first.
func (s *server) holdMe() (entered <-chan struct{}, release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	in, out := make(chan struct{}, 8), make(chan struct{})
	s.entered, s.release = in, out
	return in, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.entered = nil
		close(out)
	}
}

// holdRecords makes the platform refuse records until the function it returns is called.
func (s *server) holdRecords() (release func()) {
	set := func(to bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.held = to
	}
	set(true)
	return func() { set(false) }
}

func (s *server) received() []audit.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]audit.Record(nil), s.records...)
}

// installation is one data folder with its keyring entries.
type installation struct {
	s    *server
	dir  string
	code func(context.Context) (string, error)
	open func(url string) error // the agent's browser, when it is not simply following redirects
}

func (s *server) installation() *installation {
	return &installation{s: s, dir: s.TempDir(), code: func(context.Context) (string, error) { return "code", nil }}
}

func (i *installation) desk() *Desk {
	i.s.Helper()
	browse := func(address string) error {
		if i.open != nil {
			if err := i.open(address); err != nil {
				return err
			}
		}
		resp, err := http.Get(address)
		if err == nil {
			_ = resp.Body.Close()
		}
		return err
	}
	d, err := Open(i.s.Context(), Config{PlatformURL: i.s.URL, DataDir: i.dir, CacheDir: filepath.Join(i.dir, "cache"), Keyring: "stead-test-" + filepath.Base(filepath.Dir(i.dir)),
		DeviceName: "test", EnrolmentCode: i.code, OpenBrowser: browse, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		i.s.Fatal(err)
	}
	i.s.Cleanup(func() { _ = d.Close(context.Background()) })
	return d
}

// begin signs the chosen person in and expects them to be ready.
func (i *installation) begin(d *Desk) {
	i.s.Helper()
	if stage, me, err := d.Begin(i.s.Context()); err != nil || stage != StageReady || me == nil || me.ID != i.s.chosen {
		i.s.Errorf("stage %s, %+v, %v", stage, me, err)
	}
}
