package memberapp_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"stead/internal/api"
	"stead/internal/stead"
	"stead/internal/token"
)

const (
	issuer   = "http://platform.localhost:7000"
	audience = "haven-portal"
	appID    = "haven"
	secret   = "s3cret-of-the-app"
)

// fakePlatform answers the app half of the contract through the generated routes, with real keys. The other half
// panics: an app has no business there.
type fakePlatform struct {
	api.StrictServerInterface
	t   *testing.T
	url string
	srv *httptest.Server

	mu         sync.Mutex
	signing    token.Key
	public     token.Public
	live       map[string]api.Introspection // by token
	handoffs   handoffs
	notices    []api.Notice
	visits     []api.Visit
	actions    []api.ActionReport
	counts     map[string]int // of requests, by path
	delay      time.Duration  // before each introspection is answered
	answer     func(string)   // called before an introspection is answered
	actionCode int            // answered instead of taking actions
	refuse     func(api.ActionReport) bool
	stall      chan struct{} // actions wait for it
	onNotices  func()        // called before notices are answered
}

func newPlatform(t *testing.T) *fakePlatform {
	t.Helper()
	f := &fakePlatform{t: t, public: token.Public{}, live: map[string]api.Introspection{}, counts: map[string]int{}}
	f.rotate("k1")
	mux := http.NewServeMux()
	h := api.HandlerFromMux(api.NewStrictHandler(f, nil), mux)
	f.srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.counts[r.URL.Path]++
		f.mu.Unlock()
		if id, pw, ok := r.BasicAuth(); r.URL.Path != "/.well-known/jwks.json" && (!ok || id != appID || pw != secret) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	}))
	f.url = f.srv.URL
	t.Cleanup(f.srv.Close)
	return f
}

// rotate makes a new signing key; the old ones stay published.
func (f *fakePlatform) rotate(id string) {
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		f.t.Fatal(err)
	}
	f.with(func() {
		f.signing = token.Key{ID: id, Signer: priv}
		f.public[id] = pub
	})
}

// with holds the lock.
func (f *fakePlatform) with(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

// session starts a live session and returns its token.
func (f *fakePlatform) session(scope string, change ...func(*stead.Session)) string {
	f.t.Helper()
	now := time.Now()
	s := stead.Session{ID: stead.NewSessionID(), Agent: "st-lena", Member: "m-000001", Account: "acme", Scope: scope,
		StartedAt: now, ExpiresAt: now.Add(stead.SessionTTL)}
	for _, c := range change {
		c(&s)
	}
	return f.open(s, issuer, audience)
}

func (f *fakePlatform) open(s stead.Session, iss, aud string) string {
	f.t.Helper()
	raw, err := token.Issue(f.signing, iss, aud, string(stead.NewSessionID()), s)
	if err != nil {
		f.t.Fatal(err)
	}
	sub, sid, account, scope, exp := string(s.Member), string(s.ID), string(s.Account), s.Scope, s.ExpiresAt.Unix()
	f.with(func() {
		f.live[raw] = api.Introspection{Active: true, Iss: &iss, Sub: &sub, Aud: &aud, Act: &api.Actor{Sub: string(s.Agent)},
			Sid: &sid, Account: &account, Scope: &scope, Exp: &exp}
	})
	return raw
}

// slowNotices lets notices take a while, and something happen meanwhile.
func (f *fakePlatform) slowNotices(d time.Duration, meanwhile func()) {
	f.with(func() {
		f.onNotices = func() {
			meanwhile()
			time.Sleep(d)
		}
	})
}

// end revokes a session. The platform may go on telling whose it was.
func (f *fakePlatform) end(raw string) {
	f.with(func() {
		in := f.live[raw]
		in.Active = false
		f.live[raw] = in
	})
}

func (f *fakePlatform) count(path string) (n int) {
	f.with(func() { n = f.counts[path] })
	return n
}

func (f *fakePlatform) reported() (out []api.ActionReport) {
	f.with(func() { out = append(out, f.actions...) })
	return out
}

// await polls until n actions are there.
func (f *fakePlatform) await(n int) []api.ActionReport {
	f.t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if got := f.reported(); len(got) >= n {
			return got
		}
	}
	f.t.Fatalf("%d actions reported, want %d: %+v", len(f.reported()), n, f.reported())
	return nil
}

func (f *fakePlatform) GetJwks(context.Context, api.GetJwksRequestObject) (api.GetJwksResponseObject, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var set api.JWKS
	for id, k := range f.public {
		j := token.ToJWK(id, k)
		set.Keys = append(set.Keys, struct {
			Alg string `json:"alg"`
			Crv string `json:"crv"`
			Kid string `json:"kid"`
			Kty string `json:"kty"`
			Use string `json:"use"`
			X   string `json:"x"`
		}{j.Alg, j.Curve, j.ID, j.KeyType, j.Use, j.X})
	}
	return api.GetJwks200JSONResponse(set), nil
}

func (f *fakePlatform) Introspect(_ context.Context, r api.IntrospectRequestObject) (api.IntrospectResponseObject, error) {
	var in api.Introspection
	var delay time.Duration
	var hook func(string)
	f.with(func() { in, delay, hook = f.live[r.Body.Token], f.delay, f.answer })
	time.Sleep(delay)
	if hook != nil {
		hook(r.Body.Token)
	}
	return api.Introspect200JSONResponse(in), nil
}

func (f *fakePlatform) ReportActions(ctx context.Context, r api.ReportActionsRequestObject) (api.ReportActionsResponseObject, error) {
	var stall chan struct{}
	f.with(func() { stall = f.stall })
	if stall != nil {
		select {
		case <-stall:
		case <-ctx.Done():
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.actionCode != 0 {
		return api.ReportActionsdefaultApplicationProblemPlusJSONResponse{StatusCode: f.actionCode}, nil
	}
	for _, a := range r.Body.Actions {
		if f.refuse != nil && f.refuse(a) {
			return api.ReportActionsdefaultApplicationProblemPlusJSONResponse{StatusCode: http.StatusBadRequest}, nil
		}
	}
	f.actions = append(f.actions, r.Body.Actions...)
	return api.ReportActions204Response{}, nil
}

func (f *fakePlatform) ListNotices(_ context.Context, r api.ListNoticesRequestObject) (api.ListNoticesResponseObject, error) {
	var hook func()
	f.with(func() { hook = f.onNotices })
	if hook != nil {
		hook()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	p := api.NoticePage{Items: []api.Notice{}}
	if r.MemberID == "m-000001" {
		p.Items = append(p.Items, f.notices...)
	}
	for _, n := range p.Items {
		if !n.Read {
			p.Unread++
		}
	}
	return api.ListNotices200JSONResponse(p), nil
}

func (f *fakePlatform) MarkNoticesRead(_ context.Context, r api.MarkNoticesReadRequestObject) (api.MarkNoticesReadResponseObject, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.notices {
		if f.notices[i].ID <= r.Body.UpTo {
			f.notices[i].Read = true
		}
	}
	return api.MarkNoticesRead204Response{}, nil
}

func (f *fakePlatform) ListMemberSessions(_ context.Context, _ api.ListMemberSessionsRequestObject) (api.ListMemberSessionsResponseObject, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return api.ListMemberSessions200JSONResponse{Items: append([]api.Visit{}, f.visits...)}, nil
}
