package httpapi_test

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"stead/internal/api"
	"stead/internal/stead"

	"stead/internal/platform/authority"
	"stead/internal/platform/casework"
	"stead/internal/platform/erasure"
	"stead/internal/platform/httpapi"
	"stead/internal/platform/keys"
	"stead/internal/platform/ledger"
	"stead/internal/platform/sqlite"
	"stead/internal/platform/staff"
	"stead/internal/platform/store"
)

// bearers is a TokenVerifier that takes a staff id for a token.
type bearers struct{}

func (bearers) Verify(_ context.Context, raw string) (staff.Identity, error) {
	if raw == "broken" {
		return staff.Identity{}, errors.New("a secret detail of the machine")
	}
	if raw == "forged" {
		return staff.Identity{}, stead.E(stead.CodeSignInRequired, nil)
	}
	return staff.Identity{Issuer: "https://idp.test", Subject: raw, Email: raw + "@stead.test", Name: raw}, nil
}

type server struct {
	testing.TB
	handler http.Handler
	store   store.Store
	office  *staff.Office

	ring      *keys.Ring
	ledger    *ledger.Ledger
	authority *authority.Authority
	sequencer *ledger.Sequencer
	trust     httpapi.Config // what the log's routes were given
}

func newServer(t testing.TB) *server {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	st, err := sqlite.Open(t.Context(), filepath.Join(dir, "platform.db"))
	must(err)
	t.Cleanup(func() { _ = st.Close() })
	ring, err := keys.Open(t.Context(), st, filepath.Join(dir, "kek"))
	must(err)
	led, err := ledger.Open(t.Context(), st, ring)
	must(err)
	log := slog.New(slog.DiscardHandler)
	auth := authority.New(authority.Config{Store: st, Ledger: led, Keys: ring, Issuer: "https://platform.test", ReadOnly: true, Log: log,
		App: authority.App{Audience: "https://portal.test", StartURL: "https://portal.test/", CookieName: "__Host-stead"}})
	office := &staff.Office{Store: st, Ledger: led}
	c := httpapi.Config{Store: st, Ledger: led, Authority: auth, Office: office, Desk: &casework.Desk{Store: st, Ledger: led},
		Erasure: &erasure.Office{Store: st, Ledger: led, List: filepath.Join(dir, "erased"), Marks: ring, Log: log},
		Tokens:  bearers{}, Apps: map[string][32]byte{"portal": httpapi.HashSecret("s3cret")}, ClientID: "stead", Issuer: "https://idp.test", Version: "test", Log: log,
		Origin: "platform.test", RecoveryKeys: []string{"a recovery key"}, OutboxKey: []byte("an outbox key")}
	h, err := httpapi.New(c)
	must(err)
	return &server{TB: t, handler: h, store: st, office: office, ring: ring, ledger: led, authority: auth, trust: c,
		sequencer: ledger.NewSequencer(st, c.Origin, func() crypto.Signer { return ring.Current().Signer }, log)}
}

func (s *server) staff(change func(*stead.Staff)) {
	s.Helper()
	p := stead.Staff{ID: "st-lena", Name: "Lena Ortiz", Email: "lena@stead.test", Role: stead.RoleSupport, Tier: 1, Privilege: true,
		Scope: stead.Scope{Accounts: []stead.AccountID{"acme"}}, Pseudonym: stead.NewPseudonym()}
	if change != nil {
		change(&p)
	}
	err := s.store.Update(s.Context(), func(tx store.Tx) error { return tx.PutStaff(p, "https://idp.test", string(p.ID)) })
	if err != nil {
		s.Fatal(err)
	}
}

func (s *server) members(list ...stead.Member) {
	s.Helper()
	err := s.store.Update(s.Context(), func(tx store.Tx) error {
		for _, m := range list {
			m.Level, m.Pseudonym = stead.LevelMember, stead.NewPseudonym()
			if err := errors.Join(tx.PutAccount(m.Account, "Account"), tx.PutBranch(m.Branch, m.Account, "Branch"), tx.PutMember(m, "")); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.Fatal(err)
	}
}

type answer struct {
	status  int
	problem api.Problem
	body    string
	header  http.Header
}

func (s *server) do(method, path, auth, body string) answer {
	s.Helper()
	r := httptest.NewRequestWithContext(s.Context(), method, path, strings.NewReader(body))
	if strings.HasPrefix(auth, "portal:") {
		r.SetBasicAuth("portal", strings.TrimPrefix(auth, "portal:"))
	} else if auth != "" {
		r.Header.Set("Authorization", "Bearer "+auth)
	}
	if strings.HasPrefix(body, "{") {
		r.Header.Set("Content-Type", "application/json")
	} else if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Header.Set("Idempotency-Key", stead.NewEventID().String())
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	raw, err := io.ReadAll(w.Body)
	if err != nil {
		s.Fatal(err)
	}
	a := answer{status: w.Code, body: string(raw), header: w.Header()}
	if strings.HasPrefix(w.Header().Get("Content-Type"), "application/problem+json") {
		if err := json.Unmarshal(raw, &a.problem); err != nil {
			s.Fatalf("%s %s: %v", method, path, err)
		}
	}
	return a
}

func (s *server) want(a answer, status int, code stead.Code) {
	s.Helper()
	if a.status != status || stead.Code(a.problem.Code) != code {
		s.Errorf("got %d %q (%s), want %d %q", a.status, a.problem.Code, a.body, status, code)
	}
	if code != "" && (a.problem.Title != code.Sentence() || a.problem.Hint != code.Hint() || a.problem.Status != status) {
		s.Errorf("the problem does not explain itself: %+v", a.problem)
	}
}

// TestContractListsTheCodes holds the document's list of codes to the table of the edge, both ways.
func TestContractListsTheCodes(t *testing.T) {
	doc, err := api.GetSpec()
	if err != nil {
		t.Fatal(err)
	}
	inDocument := map[stead.Code]bool{}
	for _, v := range doc.Components.Schemas["ProblemCode"].Value.Enum {
		c := stead.Code(v.(string))
		inDocument[c] = true
		if _, wire := httpapi.Status(c); !wire || !c.Known() {
			t.Errorf("%s is in the document and the platform never answers it", c)
		}
	}
	for _, c := range stead.Codes() {
		if _, wire := httpapi.Status(c); wire && !inDocument[c] {
			t.Errorf("the platform answers %s and the document does not know it", c)
		}
	}
}

// TestEveryRouteIsServedAndGuarded asks every operation of the document without credentials.
func TestEveryRouteIsServedAndGuarded(t *testing.T) {
	s := newServer(t)
	doc, err := api.GetSpec()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			n++
			a := s.do(method, strings.NewReplacer("{member_id}", "m-1", "{session_id}", string(stead.NewSessionID()),
				"{device_id}", strings.Repeat("a", 32), "{epoch}", strings.Repeat("b", 32)).Replace(path), "", "")
			switch {
			case slices.Contains(op.Tags, "public"):
				if a.status != http.StatusOK {
					t.Errorf("%s %s: %d", method, path, a.status)
				}
			case slices.Contains(op.Tags, "app"):
				s.want(a, http.StatusUnauthorized, stead.CodeAppUnauthorized)
			default:
				s.want(a, http.StatusUnauthorized, stead.CodeSignInRequired)
			}
		}
	}
	if n < 20 {
		t.Errorf("only %d operations in the document", n)
	}
}

func TestRequestsOutsideTheContract(t *testing.T) {
	s := newServer(t)
	s.staff(nil)
	s.want(s.do("GET", "/v1/nothing", "st-lena", ""), 404, stead.CodeRouteNotFound)
	s.want(s.do("DELETE", "/v1/me", "st-lena", ""), 405, stead.CodeMethodNotAllowed)
	s.want(s.do("GET", "/v1/members", "st-lena", ""), 400, stead.CodeBadRequest)
	s.want(s.do("GET", "/v1/members?q=", "st-lena", ""), 400, stead.CodeBadRequest)
	s.want(s.do("GET", "/v1/members?q=a&limit=0", "st-lena", ""), 400, stead.CodeBadRequest)
	s.want(s.do("GET", "/v1/members?q=a&limit=101", "st-lena", ""), 400, stead.CodeBadRequest)
	s.want(s.do("GET", "/v1/members?q=a&cursor=%00", "st-lena", ""), 400, stead.CodeBadRequest)
	s.want(s.do("POST", "/v1/sessions", "st-lena", `{"member_id":`), 400, stead.CodeBadRequest)
	s.want(s.do("POST", "/v1/sessions", "st-lena", `{"member_id":"m-1"}`), 400, stead.CodeBadRequest)
	s.want(s.do("POST", "/v1/setup", "st-lena", `{"code":"`+strings.Repeat("x", 17<<20)+`"}`), 413, stead.CodeTooLarge)
	if a := s.do("GET", "/v1/me", "st-lena", ""); a.status != 200 || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("me: %d %v", a.status, a.header)
	}
}

func TestWhoIsAsking(t *testing.T) {
	s := newServer(t)
	s.staff(nil)
	s.want(s.do("GET", "/v1/me", "forged", ""), 401, stead.CodeSignInRequired)
	s.want(s.do("GET", "/v1/me", "st-stranger", ""), 403, stead.CodeNotStaff)
	a := s.do("GET", "/v1/me", "broken", "")
	s.want(a, 500, stead.CodeInternal)
	if strings.Contains(a.body, "secret detail") {
		t.Error("the cause of an internal error left the platform")
	}
	s.staff(func(p *stead.Staff) { p.Disabled = true })
	s.want(s.do("GET", "/v1/me", "st-lena", ""), 403, stead.CodeStaffDisabled)
	s.want(s.do("POST", "/v1/introspect", "portal:wrong", "token=x"), 401, stead.CodeAppUnauthorized)
	if a := s.do("POST", "/v1/introspect", "portal:s3cret", "token=x"); a.status != 200 || strings.TrimSpace(a.body) != `{"active":false}` {
		t.Errorf("introspection of nonsense: %d %s", a.status, a.body)
	}
}

// TestOutsideTheScopeNobodyExists_S2_01: the answers about a member of another branch and about nobody are the same
// to the byte.
func TestOutsideTheScopeNobodyExists_S2_01(t *testing.T) {
	s := newServer(t)
	s.staff(nil)
	s.members(stead.Member{ID: "m-far", Account: "birch", Branch: "birch-north", Name: "Far Away", Email: "far@members.test"},
		stead.Member{ID: "m-near", Account: "acme", Branch: "acme-west", Name: "Near By", Email: "near@members.test"})
	far, nobody := s.do("GET", "/v1/members/m-far", "st-lena", ""), s.do("GET", "/v1/members/m-nobody", "st-lena", "")
	s.want(far, 404, stead.CodeMemberNotFound)
	if far.body != nobody.body {
		t.Errorf("%s\n%s", far.body, nobody.body)
	}
	if a := s.do("GET", "/v1/members?q=members.test", "st-lena", ""); !strings.Contains(a.body, "m-near") || strings.Contains(a.body, "m-far") {
		t.Errorf("search: %s", a.body)
	}
	if a := s.do("GET", "/v1/members/m-near", "st-lena", ""); a.status != 200 || !strings.Contains(a.body, `"allowed":true`) {
		t.Errorf("profile: %s", a.body)
	}
}

func TestFirstSuperadmin(t *testing.T) {
	s := newServer(t)
	code, err := s.office.SetupCode(t.Context())
	if err != nil || code == "" {
		t.Fatal(code, err)
	}
	s.want(s.do("POST", "/v1/setup", "st-first", `{"code":"WRONG"}`), 403, stead.CodeSetupInvalid)
	if a := s.do("POST", "/v1/setup", "st-first", `{"code":"`+strings.ToLower(code)+`"}`); a.status != 200 || !strings.Contains(a.body, `"superadmin"`) {
		t.Fatalf("claim: %d %s", a.status, a.body)
	}
	if a := s.do("GET", "/v1/me", "st-first", ""); a.status != 200 {
		t.Errorf("the new superadmin is not known: %s", a.body)
	}
	s.want(s.do("POST", "/v1/setup", "st-second", `{"code":"`+code+`"}`), 403, stead.CodeSetupInvalid)
	if again, err := s.office.SetupCode(t.Context()); again != "" || err != nil {
		t.Errorf("a second code was made: %q %v", again, err)
	}
}

func TestRolesAtTheEdge(t *testing.T) {
	s := newServer(t)
	s.staff(nil)
	s.staff(func(p *stead.Staff) { p.ID, p.Role, p.Pseudonym = "st-audit", stead.RoleAuditor, stead.NewPseudonym() })
	s.staff(func(p *stead.Staff) { p.ID, p.Role, p.Pseudonym = "st-lead", stead.RoleLead, stead.NewPseudonym() })
	s.want(s.do("POST", "/v1/enrolment-codes", "st-lena", ""), 403, stead.CodeRoleForbidden)
	s.want(s.do("GET", "/v1/members?q=a", "st-audit", ""), 403, stead.CodeRoleForbidden)
	s.want(s.do("GET", "/v1/members/m-1", "st-audit", ""), 403, stead.CodeRoleForbidden)
	if a := s.do("POST", "/v1/enrolment-codes", "st-lead", ""); a.status != 200 {
		t.Errorf("lead: %s", a.body)
	}
	// A support agent's trail holds their own records; an auditor reads everybody's.
	s.do("GET", "/v1/members?q=a", "st-lead", "")
	if a := s.do("GET", "/v1/trail", "st-lena", ""); strings.Contains(a.body, "member.searched") {
		t.Errorf("support reads a colleague's records: %s", a.body)
	}
	if a := s.do("GET", "/v1/trail", "st-audit", ""); !strings.Contains(a.body, "member.searched") {
		t.Errorf("the auditor reads nothing: %s", a.body)
	}
}
