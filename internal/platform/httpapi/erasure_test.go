package httpapi_test

import (
	"strings"
	"testing"

	"stead/internal/stead"
)

func TestErasureAndHoldAtTheEdge(t *testing.T) {
	s := newServer(t)
	s.staff(func(p *stead.Staff) { p.ID, p.Role, p.Pseudonym = "st-lead", stead.RoleLead, stead.NewPseudonym() })
	s.staff(func(p *stead.Staff) { p.ID, p.Role, p.Pseudonym = "st-sam", stead.RoleSuperadmin, stead.NewPseudonym() })
	s.members(stead.Member{ID: "m-far", Account: "birch", Branch: "birch-north", Name: "Far Away", Email: "far@members.test"},
		stead.Member{ID: "m-near", Account: "acme", Branch: "acme-west", Name: "Near By", Email: "near@members.test"})
	why := `{"reason":"asked for by letter"}`
	for _, what := range []string{"/erasure", "/hold", "/hold/release"} {
		s.want(s.do("POST", "/v1/members/m-near"+what, "st-lead", why), 403, stead.CodeRoleForbidden)
		s.want(s.do("POST", "/v1/members/m-near"+what, "st-sam", `{"reason":""}`), 400, stead.CodeBadRequest)
		s.want(s.do("POST", "/v1/members/m-near"+what, "st-sam", `{"reason":"  "}`), 400, stead.CodeBadRequest)
		far, nobody := s.do("POST", "/v1/members/m-far"+what, "st-sam", why), s.do("POST", "/v1/members/m-nobody"+what, "st-sam", why)
		s.want(far, 404, stead.CodeMemberNotFound)
		if far.body != nobody.body {
			t.Errorf("%s\n%s", far.body, nobody.body)
		}
	}
	first := s.do("POST", "/v1/members/m-near/hold", "st-sam", why)
	again := s.do("POST", "/v1/members/m-near/hold", "st-sam", why)
	if first.status != 200 || !strings.Contains(first.body, `"placed_by":"st-sam"`) || again.body != first.body {
		t.Errorf("hold: %d %s, again %s", first.status, first.body, again.body)
	}
	s.want(s.do("POST", "/v1/members/m-near/erasure", "st-sam", why), 409, stead.CodeLegalHold)
	if a := s.do("POST", "/v1/members/m-near/hold/release", "st-sam", why); a.status != 204 {
		t.Errorf("release: %d %s", a.status, a.body)
	}
	first = s.do("POST", "/v1/members/m-near/erasure", "st-sam", why)
	again = s.do("POST", "/v1/members/m-near/erasure", "st-sam", why)
	if first.status != 200 || !strings.Contains(first.body, "erased_at") || again.body != first.body {
		t.Errorf("erasure: %d %s, again %s", first.status, first.body, again.body)
	}
	if a := s.do("GET", "/v1/members?q=near", "st-sam", ""); strings.Contains(a.body, "m-near") {
		t.Errorf("search: %s", a.body)
	}
	a := s.do("GET", "/v1/trail", "st-sam", "")
	for _, want := range []string{`"texts.erased"`, `"hold.placed"`, `"hold.released"`, `"texts_state":"ok"`, `"reason":"asked for by letter"`, `"by":"staff"`} {
		if !strings.Contains(a.body, want) {
			t.Errorf("the trail has no %s: %s", want, a.body)
		}
	}
	if strings.Contains(a.body, "Near By") || strings.Contains(a.body, "near@") {
		t.Errorf("the trail still names who was erased: %s", a.body)
	}
}
