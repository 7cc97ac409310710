package memberapp_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"stead/internal/api"
)

func TestS1_06_EveryRequestIsReportedInOrderWithItsSession(t *testing.T) {
	p := newPortal(t)
	raw := p.session("read write")
	sid, agent := *p.live[raw].Sid, p.live[raw].Act.Sub
	s := asSupport(raw)
	p.get("/", s)
	p.get("/plan", s)
	p.get("/plan?zip=10001", s)
	p.get("/plan?zip=x", s)
	p.post("/plan/search", s, url.Values{"zip": {"10001"}})
	p.post("/plan/search", s, url.Values{"zip": {"x"}})
	p.get("/preferences", s)
	p.post("/preferences", s, url.Values{"zip": {"60601"}})
	p.do(http.MethodPost, "/preferences", s, url.Values{"zip": {"60601"}}, func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") })
	p.get("/notices", s)
	p.get("/support-access", s)
	p.get("/secret/address?with=query", s)
	p.do("DELETE", "/preferences", s, nil)
	p.post("/signout", s, nil)
	p.get("/assets/app.css", s)
	p.get("/favicon.ico", s)
	p.get("/healthz", s)
	got := p.await(14)
	wantActions(t, got,
		"GET / OK: Looked at the dashboard",
		"GET /plan OK: Looked at the plan and its providers",
		"GET /plan OK: Searched for providers near a zip code",
		"GET /plan Bad Request: Tried to search for providers, which failed",
		"POST /plan/search Accepted: Searched for providers and saved the zip code",
		"POST /plan/search Bad Request: Tried to save a zip code, which failed",
		"GET /preferences OK: Looked at the preferences",
		"POST /preferences Accepted: Changed the preferences",
		"POST /preferences Forbidden: Tried to change the preferences, from another site",
		"GET /notices Forbidden: Tried to open the notices, which support cannot do",
		"GET /support-access OK: Looked at the list of support visits",
		"GET /* Not Found: Opened an address that is not there, which failed",
		"DELETE /* Forbidden: Tried something that is not there, which support cannot do",
		"POST /signout Forbidden: Tried to sign out, which support cannot do")
	ids := map[string]bool{}
	for i, a := range got {
		if a.SessionID != sid {
			t.Errorf("%s reported for session %s, want %s", a.Path, a.SessionID, sid)
		}
		if i > 0 && a.At.Before(got[i-1].At) {
			t.Errorf("%s is older than the one before it", a.Path)
		}
		ids[a.ID.String()] = true
	}
	if len(ids) != len(got) {
		t.Errorf("%d ids for %d actions", len(ids), len(got))
	}
	// The portal's own log names both, member and agent; of queries it says nothing.
	log := p.log.String()
	if n := strings.Count(log, "sub=m-000001 act="+agent+" session="+sid); n != len(got) {
		t.Errorf("%d lines of the log name member, agent and session, want %d\n%s", n, len(got), log)
	}
	if strings.Contains(log, "10001") || strings.Contains(log, "secret/address") {
		t.Error("the log tells what was looked for")
	}
}

func TestViewOnlyRefusalsAreReported(t *testing.T) {
	p := newPortal(t)
	s := asSupport(p.session("read"))
	p.post("/preferences", s, url.Values{"zip": {"60601"}})
	p.post("/plan/search", s, url.Values{"zip": {"60601"}})
	wantActions(t, p.await(2), "POST /preferences Forbidden: Tried to change the preferences, which needs your permission",
		"POST /plan/search Forbidden: Tried to save a zip code, which needs your permission")
}

func TestReadsAreReportedWithinASecond(t *testing.T) {
	p := newPortal(t)
	s := asSupport(p.session("read"))
	p.get("/", s)
	begin := time.Now()
	p.await(1)
	if d := time.Since(begin); d > time.Second {
		t.Errorf("reported after %v", d)
	}
}

func TestMembersOwnRequestsAreNotReported(t *testing.T) {
	p := newPortal(t)
	member := p.asMember("m-000001")
	p.get("/", member)
	p.post("/preferences", member, url.Values{"zip": {"60601"}})
	if err := p.app.Close(); err != nil {
		t.Fatal(err)
	}
	if n := p.count("/v1/app/actions"); n != 0 || len(p.reported()) != 0 {
		t.Errorf("%d reports of the member's own doings", n)
	}
}

func TestS2_07_ChangeWaitsForItsReport(t *testing.T) {
	t.Parallel()
	p := newPortal(t)
	member, s := p.asMember("m-000001"), asSupport(p.session("read write"))
	before := p.get("/preferences", member).body
	for _, code := range []int{http.StatusInternalServerError, http.StatusUnauthorized} {
		p.with(func() { p.actionCode = code })
		p.want(p.post("/preferences", s, url.Values{"zip": {"60601"}, "nickname": {"Not so"}}), http.StatusServiceUnavailable, "the record cannot be written")
		if after := p.get("/preferences", member).body; after != before {
			t.Fatalf("changed although its report was answered %d", code)
		}
		p.with(func() { p.actionCode = 0 })
		got := p.await(2)
		wantActions(t, got[len(got)-2:], "POST /preferences Accepted: Changed the preferences",
			"POST /preferences Service Unavailable: Tried to change the preferences, which was not done")
		p.with(func() { p.actions = nil })
	}
	p.with(func() { p.refuse = func(a api.ActionReport) bool { return a.Path == "/preferences" } })
	p.want(p.post("/preferences", s, url.Values{"zip": {"60601"}}), http.StatusServiceUnavailable)
	if after := p.get("/preferences", member).body; after != before {
		t.Error("changed although its report was refused")
	}
}

// The report is on its way while the session ends: what was asked before that does not count any more.
func TestSessionThatEndsWhileAChangeWaitsChangesNothing(t *testing.T) {
	p := newPortal(t)
	member, raw := p.asMember("m-000001"), p.session("read write")
	before := p.get("/preferences", member).body
	stall := make(chan struct{})
	p.with(func() { p.stall = stall })
	time.AfterFunc(700*time.Millisecond, func() { p.end(raw); close(stall) })
	r := p.post("/preferences", asSupport(raw), url.Values{"zip": {"60601"}})
	p.want(r, http.StatusUnauthorized, "This support session is over")
	if after := p.get("/preferences", member).body; after != before {
		t.Error("an ended session changed something")
	}
	wantActions(t, p.await(2), "POST /preferences Accepted: Changed the preferences",
		"POST /preferences Unauthorized: Tried to change the preferences, which was not done")
}

func TestReportsSurviveAnUnreachablePlatformInOrder(t *testing.T) {
	p := newPortal(t)
	s := asSupport(p.session("read"))
	p.with(func() { p.actionCode = http.StatusBadGateway })
	var want []string
	for range 120 { // more than one batch
		p.get("/plan", s)
		p.get("/", s)
		want = append(want, "/plan", "/")
	}
	if len(p.reported()) != 0 {
		t.Fatal("the platform took reports it refused")
	}
	p.with(func() { p.actionCode = 0 })
	if err := p.app.Close(); err != nil { // flushes
		t.Fatal(err)
	}
	var got []string
	for _, a := range p.reported() {
		got = append(got, a.Path)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%d reports arrived, want %d in order: %v", len(got), len(want), got)
	}
}

func TestOneRefusedReportDoesNotHoldTheOthersBack(t *testing.T) {
	p := newPortal(t)
	s := asSupport(p.session("read"))
	p.with(func() { p.actionCode = http.StatusBadGateway })
	for _, path := range []string{"/", "/plan", "/preferences", "/support-access"} {
		p.get(path, s)
	}
	p.with(func() { p.actionCode = 0; p.refuse = func(a api.ActionReport) bool { return a.Path == "/plan" } })
	p.get("/", s)
	got := p.await(4)
	wantActions(t, got, "GET / OK: Looked at the dashboard", "GET /preferences OK: Looked at the preferences",
		"GET /support-access OK: Looked at the list of support visits", "GET / OK: Looked at the dashboard")
	if !strings.Contains(p.log.String(), "action report refused") {
		t.Error("the loss is not in the log")
	}
}

func TestNothingIsShownThatCannotBeReported(t *testing.T) {
	p := newPortal(t)
	s := asSupport(p.session("read"))
	p.with(func() { p.actionCode = http.StatusBadGateway })
	var full reply
	for range 320 {
		if full = p.get("/nothing", s); full.StatusCode != http.StatusNotFound {
			break
		}
	}
	p.want(full, http.StatusServiceUnavailable, "the record cannot be written")
	r := p.get("/preferences", s)
	p.want(r, http.StatusServiceUnavailable)
	p.wantNothingOf(r)
	p.want(p.get("/preferences", p.asMember("m-000001")), http.StatusOK)
}

// The session ends after the platform was asked, while the page is being made, and the answer is too old by then.
func TestEndDuringARequestIsNoticedBeforeTheAnswerLeaves(t *testing.T) {
	p := newPortal(t)
	raw := p.session("read")
	var asked atomic.Int32
	p.with(func() {
		p.answer = func(string) {
			if asked.Add(1) == 1 {
				time.Sleep(300 * time.Millisecond) // the answer is yes, and 300 ms old when it arrives
			}
		}
	})
	p.slowNotices(400*time.Millisecond, func() { p.end(raw) })
	r := p.get("/preferences", asSupport(raw))
	p.want(r, http.StatusUnauthorized, "This support session is over")
	p.wantNothingOf(r)
	if asked.Load() < 2 {
		t.Error("the platform was asked once only")
	}
}

func TestCloseSaysWhatIsLost(t *testing.T) {
	t.Parallel()
	p := newPortal(t)
	s := asSupport(p.session("read"))
	p.with(func() { p.actionCode = http.StatusBadGateway })
	p.get("/", s)
	begin := time.Now()
	err := p.app.Close()
	if err == nil || !regexp.MustCompile(`1 action reports? `).MatchString(err.Error()) {
		t.Errorf("close: %v, want one lost report", err)
	}
	if d := time.Since(begin); d > 8*time.Second {
		t.Errorf("close took %v", d)
	}
}
