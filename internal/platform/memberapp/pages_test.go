package memberapp_test

import (
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"stead/internal/api"
	"stead/internal/platform/memberapp"
	"stead/internal/stead"
)

func note(id int64, kind api.NoticeKind, cause string) api.Notice {
	n := api.Notice{ID: id, Kind: kind, AgentName: "Lena Fischer", At: time.Date(2026, 3, 1, 9, int(id), 0, 0, time.UTC), SessionID: string(stead.NewSessionID())}
	reason := "Provider search shows <nothing>"
	n.Reason = &reason
	if kind == api.NoticeKindEnded {
		n.Proof = &api.NoticeProof{Size: 1204000 + id, Root: "7f3a9c02" + strings.Repeat("0", 56), Checkpoint: "haven.example\n1204002\nroot\n\n— haven.example <signed>\n"}
	}
	if cause != "" {
		n.Cause = &cause
	}
	return n
}

// someHistory gives the member notices and visits with every cause and some hostile text.
func someHistory(p *portal) {
	p.with(func() {
		for i, c := range stead.Causes() {
			p.notices = append([]api.Notice{note(int64(2*i+2), api.NoticeKindEnded, string(c)), note(int64(2*i+1), api.NoticeKindStarted, "")}, p.notices...)
		}
		end := time.Date(2026, 3, 1, 9, 10, 0, 0, time.UTC)
		p.visits = []api.Visit{
			{SessionID: "b", AgentName: "Omar Haddad", Reason: "Ticket SUP-4711", StartedAt: end, ExpiresAt: end.Add(20 * time.Minute), Viewed: []string{}, Changed: []string{}},
			{SessionID: "a", AgentName: "Lena <Fischer>", Reason: "Provider search shows nothing", StartedAt: end.Add(-10 * time.Minute), ExpiresAt: end.Add(10 * time.Minute), EndedAt: &end,
				Viewed: []string{"Looked at the dashboard", "Looked at the preferences", "Looked at the dashboard"}, Changed: []string{"Changed the preferences"}},
		}
	})
}

func TestS0_05_SupportGetsTheSameBytesAsTheMember(t *testing.T) {
	p := newPortal(t)
	someHistory(p)
	member := p.asMember("m-000001")
	p.want(p.post("/preferences", member, url.Values{"nickname": {"Addie"}, "zip": {"60601"}, "large": {"yes"}}), http.StatusSeeOther)
	p.want(p.post("/plan/search", member, url.Values{"zip": {"90210"}}), http.StatusSeeOther)
	view, change := asSupport(p.session("read")), asSupport(p.session("read write"))
	paths := []string{"/", "/plan", "/plan?zip=10001", "/plan?zip=nonsense", "/preferences", "/preferences?saved=1", "/support-access", "/nothing-here", "/assets/app.css", "/assets/app.js"}
	for _, path := range paths {
		want := p.get(path, member)
		if got := p.get(path, change); got.body != want.body || got.StatusCode != want.StatusCode {
			t.Errorf("%s: support with permission to change gets other bytes than the member\n%s", path, difference(want.body, got.body))
		}
		got := p.get(path, view)
		if got.StatusCode != want.StatusCode {
			t.Errorf("%s: %d for support, %d for the member", path, got.StatusCode, want.StatusCode)
		}
		for _, line := range strings.Split(difference(want.body, got.body), "\n") {
			known := line == "" || strings.Contains(line, "data-view-only") || line == `- <form class="search" method="post" action="/plan/search">` ||
				line == `- <p><button type="submit">Save</button></p>`
			if !known {
				t.Errorf("%s: view only differs in more than blocked changes: %s", path, line)
			}
		}
		for _, h := range []string{"Content-Security-Policy", "Content-Type", "Cache-Control", "Set-Cookie"} {
			if got.Header.Get(h) != want.Header.Get(h) {
				t.Errorf("%s: %s %q for support, %q for the member", path, h, got.Header.Get(h), want.Header.Get(h))
			}
		}
	}
	// The comparison must be about something: the member's own data is on these pages.
	p.want(p.get("/", view), http.StatusOK, "Hello, Addie", "60601", "90210", `class="large"`, "unread")
	p.want(p.get("/plan", view), http.StatusOK, "Providers near 90210", `<a href="/plan?zip=90210">`)
}

// difference lists the lines that only one of two pages has.
func difference(want, got string) string {
	var out []string
	only := func(sign, a, b string) {
		have := map[string]int{}
		for l := range strings.SplitSeq(b, "\n") {
			have[l]++
		}
		for l := range strings.SplitSeq(a, "\n") {
			if have[l]--; have[l] < 0 && strings.TrimSpace(l) != "" {
				out = append(out, sign+" "+l)
			}
		}
	}
	only("-", want, got)
	only("+", got, want)
	return strings.Join(out, "\n")
}

func TestS2_05_NoticesStayUnreadUntilTheMemberOpensThem(t *testing.T) {
	p := newPortal(t)
	p.with(func() {
		p.notices = []api.Notice{note(2, api.NoticeKindEnded, "agent"), note(1, api.NoticeKindStarted, "")}
	})
	member := p.asMember("m-000001")
	for _, scope := range []string{"read", "read write"} {
		support := asSupport(p.session(scope))
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			r := p.do(method, "/notices", support, nil)
			p.want(r, http.StatusForbidden)
			if strings.Contains(r.body, "Lena Fischer") || strings.Contains(r.body, "Provider search") {
				t.Error("support reads the member's notices")
			}
		}
		p.want(p.get("/notices", support), http.StatusForbidden, "Notices are for the member", `data-unread="2"`, `class="dot"`)
		for _, path := range []string{"/notices/", "/Notices", "/notices?x=1", "//notices", "/./notices", "/notices%00", "/notices;x", "/x/../notices"} {
			if r := p.get(path, support); strings.Contains(r.body, "Lena Fischer") {
				t.Errorf("%s: support reads the member's notices", path)
			}
		}
	}
	if n := p.count("/v1/app/members/m-000001/notices/read"); n != 0 {
		t.Errorf("marked read %d times from support sessions", n)
	}
	for _, path := range []string{"/", "/plan", "/preferences", "/support-access"} {
		p.want(p.get(path, member), http.StatusOK, `data-unread="2"`, `class="dot"`, "2 unread")
	}
	p.do(http.MethodHead, "/notices", member, nil)
	p.want(p.get("/", member), http.StatusOK, `class="dot"`)
	r := p.get("/notices", member)
	p.want(r, http.StatusOK, "Lena Fischer of support opened your account", "is no longer in your account", "Support ended the visit.", "Provider search shows &lt;nothing&gt;", `<span class="tag">New</span>`, `data-unread="0"`,
		"Proof reference: 1,204,002 · 7f3a9c02…", "— haven.example &lt;signed&gt;")
	if strings.Count(r.body, "Proof reference") != 1 {
		t.Error("a notice from before anything was signed has a reference")
	}
	if strings.Contains(r.body, `class="dot"`) {
		t.Error("the dot is still there on the notices page")
	}
	if r := p.get("/", member); strings.Contains(r.body, `class="dot"`) {
		t.Error("the dot is still there after the member opened the notices")
	}
	if r := p.get("/notices", member); strings.Contains(r.body, ">New<") {
		t.Error("a notice is new twice")
	}
}

func TestViewOnlySessionCannotChangeAnything(t *testing.T) {
	p := newPortal(t)
	member, support := p.asMember("m-000001"), asSupport(p.session("read"))
	before := p.get("/preferences", member).body
	p.want(p.get("/preferences", support), http.StatusOK, "View only: support can look at this page, but cannot change anything here.", `<button type="submit" disabled aria-describedby="view-only">Save</button>`)
	form := url.Values{"nickname": {"Hacked"}, "zip": {"10001"}, "paperless": {"yes"}}
	p.want(p.post("/preferences", support, form), http.StatusForbidden, "View only")
	p.want(p.post("/plan/search", support, form), http.StatusForbidden, "View only")
	p.want(p.get("/plan?zip=10001", support), http.StatusOK, "Providers near 10001")
	for _, method := range []string{"PUT", "PATCH", "DELETE", "OPTIONS", "MADE-UP-METHOD"} {
		p.want(p.do(method, "/preferences", support, form), http.StatusForbidden)
	}
	p.want(p.post("/signin", support, url.Values{"member": {"m-000002"}}), http.StatusForbidden)
	p.want(p.post("/signout", support+"; "+member, nil), http.StatusForbidden)
	if after := p.get("/preferences", member).body; after != before {
		t.Errorf("a view-only session changed something:\n%s", difference(before, after))
	}
	if r := p.get("/plan", member); strings.Contains(r.body, "Searched before") {
		t.Error("a view-only search was remembered")
	}
}

func TestS2_07_ChangesWithPermissionAreReal(t *testing.T) {
	p := newPortal(t)
	support := asSupport(p.session("read write"))
	p.want(p.post("/preferences", support, url.Values{"nickname": {"Addie"}, "zip": {"60601"}, "paperless": {"yes"}}), http.StatusSeeOther)
	r := p.post("/plan/search", support, url.Values{"zip": {"90210"}})
	if r.Header.Get("Location") != "/plan?zip=90210" {
		t.Errorf("search leads to %q", r.Header.Get("Location"))
	}
	if err := p.app.Close(); err != nil {
		t.Fatal(err)
	}
	// In the member's own sign-in, and after a restart.
	again := newPortal(t, func(c *memberapp.Config) { c.DataFile = p.cfg.DataFile })
	member := again.asMember("m-000001")
	again.want(again.get("/preferences", member), http.StatusOK, `value="Addie"`, `value="60601"`, `name="paperless" value="yes" checked`)
	again.want(again.get("/", member), http.StatusOK, "Hello, Addie", "Your last search: providers near 90210")
	if info, err := os.Stat(p.cfg.DataFile); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("data file %v %v, want mode 0600", info.Mode(), err)
	}
}

func TestMemberTextsNeverUseOurWords(t *testing.T) {
	p := newPortal(t)
	someHistory(p)
	p.with(func() { p.notices = append(p.notices, note(99, api.NoticeKindEnded, "something_new")) })
	member, view := p.asMember("m-000001"), asSupport(p.session("read"))
	forbidden := regexp.MustCompile(`(?i)imperson|elevat|supersed|heartbeat|agent_|_lost|not_opened|browser_closed|something_new`)
	for _, path := range []string{"/", "/plan", "/plan?zip=x", "/preferences", "/preferences?saved=1", "/support-access", "/notices", "/signin", "/nothing", "/assets/app.js"} {
		for _, cookies := range []string{member, view, "", "__Host-stead=junk"} {
			if found := forbidden.FindString(p.get(path, cookies).body); found != "" {
				t.Errorf("%s says %q", path, found)
			}
		}
	}
	for _, path := range []string{"/preferences", "/plan/search", "/signin", "/signout", "/nothing"} {
		if found := forbidden.FindString(p.post(path, view, url.Values{"zip": {"x"}}).body); found != "" {
			t.Errorf("POST %s says %q", path, found)
		}
	}
	for _, a := range p.await(10) {
		if found := forbidden.FindString(a.Words); found != "" {
			t.Errorf("report of %s says %q", a.Path, found)
		}
	}
	p.want(p.get("/support-access", member), http.StatusOK, "Lena &lt;Fischer&gt;", "Looked at the dashboard (2 times)", "Changed the preferences", "Nothing.", "Now", "555-0100")
}

func TestHostileInputIsRefusedAndEscaped(t *testing.T) {
	p := newPortal(t)
	member := p.asMember("m-000001")
	before := p.get("/plan", member).body
	for _, zip := range []string{"", "1", "1234", "123456", "8020a", "<script>alert(1)</script>", "'; DROP TABLE profile;--", "80202\x00", "٨٠٢٠٢", "-0202", "8020２",
		"%00", "80 02", "../..", strings.Repeat("9", 8000)} {
		get := p.get("/plan?zip="+url.QueryEscape(zip), member)
		p.want(get, http.StatusBadRequest, "A zip code has five digits")
		post := p.post("/plan/search", member, url.Values{"zip": {zip}})
		p.want(post, http.StatusBadRequest, "A zip code has five digits")
		set := p.post("/preferences", member, url.Values{"zip": {zip}, "nickname": {"Ada"}})
		p.want(set, http.StatusBadRequest, "A zip code has five digits")
		for _, r := range []reply{get, post, set} {
			if strings.Contains(r.body, "<script>alert") || (len(zip) > 6 && strings.Contains(r.body, zip)) {
				t.Errorf("%.20q comes back on the page", zip)
			}
		}
	}
	for _, name := range []string{strings.Repeat("a", 41), "two\nlines", "bell\x07", "\xff\xfe"} {
		p.want(p.post("/preferences", member, url.Values{"zip": {"80202"}, "nickname": {name}}), http.StatusBadRequest, "At most 40 characters")
	}
	p.want(p.post("/preferences", member, url.Values{"zip": {"80202"}, "x": {strings.Repeat("a", 20000)}}), http.StatusBadRequest)
	if after := p.get("/plan", member).body; after != before {
		t.Errorf("refused input changed the page:\n%s", difference(before, after))
	}
	p.want(p.post("/preferences", member, url.Values{"zip": {" 80202 "}, "nickname": {`"><img src=x>`}}), http.StatusSeeOther)
	p.want(p.get("/", member), http.StatusOK, "Hello, &#34;&gt;&lt;img src=x&gt;")
	p.want(p.get("/signin?q="+url.QueryEscape(`"><b>`), ""), http.StatusOK, "begins like that")
	p.want(p.get("/signin?q=bo@", ""), http.StatusOK, "Bo &lt;i&gt;Lund", "Birch &amp; Sons")
}

func TestFormsOfOtherSitesChangeNothing(t *testing.T) {
	p := newPortal(t)
	form := url.Values{"zip": {"10001"}, "nickname": {"x"}, "member": {"m-000001"}}
	for _, who := range []string{p.asMember("m-000001"), asSupport(p.session("read write"))} {
		before := p.get("/preferences", who).body
		for _, origin := range []string{"", "null", "http://evil.example", "http://portal.localhost", "https://" + strings.TrimPrefix(p.base, "http://"), p.base + ".evil.example"} {
			for _, path := range []string{"/preferences", "/plan/search"} {
				r := p.do(http.MethodPost, path, who, form, func(r *http.Request) { r.Header.Set("Origin", origin) })
				p.want(r, http.StatusForbidden)
			}
		}
		if after := p.get("/preferences", who).body; after != before {
			t.Error("another site's form changed something")
		}
	}
	r := p.do(http.MethodPost, "/signin", "", form, func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") })
	if p.want(r, http.StatusForbidden); len(r.Cookies()) != 0 {
		t.Error("another site signed somebody in")
	}
}

func TestEveryAnswerCarriesThePolicy(t *testing.T) {
	p := newPortal(t)
	member := p.asMember("m-000001")
	inline := regexp.MustCompile(`<script>|<style|\sstyle=|\son[a-z]+=|javascript:|https?://`)
	for _, path := range []string{"/", "/plan", "/preferences", "/notices", "/support-access", "/signin", "/nothing", "/assets/app.css", "/assets/app.js", "/healthz"} {
		for _, cookies := range []string{member, asSupport(p.session("read")), "__Host-stead=x", ""} {
			r := p.get(path, cookies)
			csp := r.Header.Get("Content-Security-Policy")
			if !strings.HasPrefix(csp, "default-src 'none'; script-src 'self'; style-src 'self';") || !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "unsafe") {
				t.Errorf("%s: policy %q", path, csp)
			}
			if r.Header.Get("X-Content-Type-Options") != "nosniff" || r.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: headers %v", path, r.Header)
			}
			if found := inline.FindString(r.body); found != "" && !strings.HasPrefix(path, "/assets/") {
				t.Errorf("%s holds %q, which the policy would block", path, found)
			}
		}
	}
}
