package httpapi_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"stead/internal/api"
	"stead/internal/stead"
)

func TestDevicesAndRevocationAtTheEdge(t *testing.T) {
	s := newServer(t)
	s.staff(nil)
	for _, r := range []stead.Role{stead.RoleLead, stead.RoleAuditor, stead.RoleSuperadmin} {
		s.staff(func(p *stead.Staff) {
			p.ID, p.Role, p.Pseudonym = stead.StaffID("st-"+string(r)), r, stead.NewPseudonym()
		})
	}
	d := s.enrolled(1)
	s.grow(d, 3)
	s.want(s.do("GET", "/v1/devices", "st-lena", ""), 403, stead.CodeRoleForbidden)
	for _, who := range []string{"st-lead", "st-auditor", "st-superadmin"} {
		var page api.DevicePage
		a := s.do("GET", "/v1/devices", who, "")
		if err := json.Unmarshal([]byte(a.body), &page); err != nil || a.status != 200 || len(page.Items) != 1 {
			t.Fatalf("%s: %d %s", who, a.status, a.body)
		}
		if row := page.Items[0]; row.ID != string(d.id) || row.Name != "laptop" || row.Held != 3 || row.Claimed != 3 || row.Pending != 0 || row.SeenAt == nil || row.RevokedAt != nil || *row.Epoch != d.epoch.String() {
			t.Errorf("%+v", row)
		}
	}
	revoke := func(device, who, body string) answer { return s.do("POST", "/v1/devices/"+device+"/revoke", who, body) }
	for _, who := range []string{"st-lena", "st-auditor"} {
		s.want(revoke(string(d.id), who, `{"why":"lost"}`), 403, stead.CodeRoleForbidden)
	}
	for _, body := range []string{"", "{}", `{"why":""}`, `{"why":"bored"}`} {
		s.want(revoke(string(d.id), "st-lead", body), 400, stead.CodeBadRequest)
	}
	s.want(revoke("nobody", "st-lead", `{"why":"lost"}`), 400, stead.CodeBadRequest)
	s.want(revoke(strings.Repeat("e", 32), "st-lead", `{"why":"lost"}`), 403, stead.CodeDeviceUnknown)
	first := revoke(string(d.id), "st-lead", `{"why":"lost"}`)
	if second := revoke(string(d.id), "st-superadmin", `{"why":"stolen"}`); first.status != 200 || second.body != first.body {
		t.Errorf("%d %s, then %s", first.status, first.body, second.body)
	}
	if a := s.do("GET", "/v1/trail", "st-auditor", ""); strings.Count(a.body, `"device.revoked"`) != 1 || !strings.Contains(a.body, `"why":"lost"`) {
		t.Errorf("want one record of it: %s", a.body)
	}
	s.grow(d, 2)
	if a := s.do("GET", "/v1/trail?limit=1", "st-auditor", ""); !strings.Contains(a.body, `"doubt":"late_untrusted"`) {
		t.Errorf("%s", a.body)
	}
	if a := s.do("GET", "/v1/devices", "st-lead", ""); !strings.Contains(a.body, `"revoked_at"`) || !strings.Contains(a.body, `"held":5`) {
		t.Errorf("%s", a.body)
	}
}

// TestAHeartbeatMayCarryAHead: with or without a body, and held to the document when there is one.
func TestAHeartbeatMayCarryAHead(t *testing.T) {
	s := newServer(t)
	s.staff(nil)
	path := "/v1/sessions/" + string(stead.NewSessionID()) + "/heartbeat"
	good := `{"epoch":"` + strings.Repeat("a", 32) + `","seq":0,"leaf":"` + base64.StdEncoding.EncodeToString(make([]byte, 32)) + `","signature":"AAAA"}`
	for _, body := range []string{"", good} {
		s.want(s.do("POST", path, "st-lena", body), 404, stead.CodeSessionNotFound) // it came through
	}
	for _, body := range []string{"{}", strings.Replace(good, `"seq":0`, `"seq":-1`, 1), strings.Replace(good, "aaaa", "AAAA", 1), strings.Replace(good, `"signature":"AAAA"`, `"x":1`, 1),
		strings.Replace(good, "AAAAAAAA", "", 1)} {
		s.want(s.do("POST", path, "st-lena", body), 400, stead.CodeBadRequest)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, http.NoBody) // as the window sends it
	r.Header.Set("Authorization", "Bearer st-lena")
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	if s.handler.ServeHTTP(w, r); w.Code != 404 {
		t.Errorf("an empty body that says it is JSON: %d %s", w.Code, w.Body)
	}
}
