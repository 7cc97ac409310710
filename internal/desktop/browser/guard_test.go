package browser

import (
	"encoding/base64"
	"strings"
	"testing"
)

func TestTheGuardDecides(t *testing.T) {
	view, change, unopened := newGuard(), newGuard(), newGuard()
	v := Visit{URL: "https://portal.example/start", Fence: Fence{Pages: []string{"https://*.pay.example", "https://id.example:8443"}, Frames: []string{"https://maps.example"}}}
	view.set(v)
	v.MayChange = true
	change.set(v)
	for _, c := range []struct {
		g      *guard
		r      request
		wanted verdict
	}{
		{view, request{"GET", "https://portal.example/plan", "Document", true}, goesOn},
		{view, request{"GET", "https://PORTAL.example:443/plan", "Document", true}, goesOn},
		{view, request{"GET", "http://portal.example/plan", "Document", true}, outside},
		{view, request{"GET", "https://portal.example:8443/plan", "Document", true}, outside},
		{view, request{"GET", "https://portal.example.evil.example/", "Document", true}, outside},
		{view, request{"GET", "https://eu.pay.example/x", "Document", true}, goesOn},
		{view, request{"GET", "https://pay.example/x", "Document", true}, outside},
		{view, request{"GET", "https://evilpay.example/x", "Document", true}, outside},
		{view, request{"GET", "https://id.example:8443/x", "Document", true}, goesOn},
		{view, request{"GET", "https://maps.example/x", "Document", true}, outside},
		{view, request{"GET", "https://maps.example/x", "Document", false}, goesOn},
		{view, request{"GET", "https://eu.pay.example/x", "Document", false}, goesOn},
		{view, request{"GET", "https://evil.example/x", "Document", false}, outside},
		{view, request{"GET", "chrome-extension://pdf/index.html", "Document", false}, goesOn},
		{view, request{"GET", "file:///etc/passwd", "Document", true}, outside},
		{view, request{"GET", "https://anywhere.example/x.json", "XHR", false}, goesOn},
		{view, request{"POST", "https://portal.example/plan", "Document", true}, stays},
		{view, request{"POST", "https://evil.example/plan", "Document", true}, outside},
		{view, request{"POST", "https://portal.example/plan", "Fetch", false}, stopped},
		{view, request{"POST", "https://anywhere.example/plan", "Ping", false}, stopped},
		{view, request{"PROPFIND", "https://portal.example/plan", "XHR", false}, stopped},
		{view, request{"get", "https://portal.example/plan", "XHR", false}, stopped}, // no browser sends it; nor do we guess
		{view, request{"OPTIONS", "https://portal.example/plan", "XHR", false}, goesOn},
		{change, request{"POST", "https://portal.example/plan", "Document", true}, goesOn},
		{change, request{"POST", "https://evil.example/plan", "Document", true}, outside},
		{change, request{"DELETE", "https://portal.example/plan", "Fetch", false}, goesOn},
		{unopened, request{"GET", "https://portal.example/plan", "Document", true}, outside},
		{unopened, request{"POST", "https://portal.example/plan", "Fetch", false}, stopped},
	} {
		if got := c.g.decide(c.r); got != c.wanted {
			t.Errorf("%+v: %d, want %d", c.r, got, c.wanted)
		}
	}
}

func TestWhatAWindowMustNotShow(t *testing.T) {
	g := newGuard()
	g.set(Visit{URL: "https://portal.example/start"})
	for address, misplaced := range map[string]bool{
		"": false, "about:blank": false, "https://anywhere.example": false, "chrome-error://chromewebdata/": false,
		"blob:https://portal.example/1-2": false, "blob:https://evil.example/1-2": true, "blob:null/1": true,
		"about:version": true, "chrome://settings/": true, "file:///etc/passwd": true, "view-source:https://portal.example/": true,
		"data:text/html,x": true, "devtools://devtools/x": true, "chrome-extension://x/y": true,
	} {
		if g.misplaced(address) != misplaced {
			t.Errorf("%s: want %v", address, misplaced)
		}
	}
	for address, want := range map[string]string{"chrome://newtab/": "about:blank", "chrome://new-tab-page/": "about:blank",
		"chrome://settings": "https://session.invalid/chrome", "file:///etc/passwd": "https://session.invalid/file"} {
		if got := insteadOf(address); got != want {
			t.Errorf("instead of %s: %s", address, got)
		}
	}
}

// What a window opens is said in full: a page that claims less would be wrong where the member signs in or pays.
func TestARefusalNamesEveryHostThatOpens(t *testing.T) {
	g := newGuard()
	g.set(Visit{URL: "https://portal.example/start", Fence: Fence{Pages: []string{"https://*.pay.example", "https://portal.example"}, Frames: []string{"https://maps.example"}}})
	body, _ := g.refusal("1", "https://evil.example/secret?x=1")["body"].(string)
	page, err := base64.StdEncoding.DecodeString(body)
	if err != nil || !strings.Contains(string(page), "opens portal.example, *.pay.example and nothing else") ||
		!strings.Contains(string(page), "evil.example is outside") || strings.Contains(string(page), "secret") {
		t.Errorf("%v: %s", err, page)
	}
}
