package browser

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"sync"

	"stead/internal/desktop/browser/cdp"
)

// Fence says where a session's browser goes. An entry is an origin, "https://pay.example", or that of every host below
// one, "https://*.pay.example". What a page loads into itself (pictures, scripts, data) comes from anywhere; what it
// shows, in a window or in a frame, comes from inside.
type Fence struct {
	Origins []string // the member app's own; empty for that of the visit's address
	Pages   []string // further ones that a window may show: its sign-in and payment
	Frames  []string // further ones that a frame in a page may show
}

// guard decides on each request of the session's browser. Before Open, when it knows no fence, nothing may be shown and
// nothing changed. It is safe for concurrent use.
type guard struct {
	mu        sync.Mutex
	fence     Fence
	mayChange bool
	downloads bool
	words     GuardText
	windows   map[string]string // the address that a window shows, by its target, which is its main frame as well
	told      map[string]int64  // when a window was told something last
}

func newGuard() *guard {
	return &guard{windows: map[string]string{}, told: map[string]int64{}, words: GuardText{}.orEnglish()}
}

// verdict is what becomes of a request.
type verdict int

const (
	goesOn  verdict = iota
	stopped         // it fails
	stays           // its page stays as it is
	outside         // a page says that it is outside the fence
)

// request is one as the browser asks about it.
type request struct {
	method, address string
	kind            string // resource type, as the protocol calls it
	main            bool   // the document of a window
}

// set is called by Open, once.
func (g *guard) set(v Visit) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fence, g.mayChange, g.downloads, g.words = v.Fence, v.MayChange, v.Downloads, v.Guard.orEnglish()
	if len(g.fence.Origins) == 0 {
		g.fence.Origins = []string{originOf(v.URL)}
	}
}

func (g *guard) decide(r request) verdict {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r.kind == "Document" {
		web := strings.HasPrefix(r.address, "http:") || strings.HasPrefix(r.address, "https:")
		switch {
		case r.main && (!web || !g.shows(r.address, g.fence.Pages)):
			return outside
		case !r.main && web && !g.shows(r.address, append(g.fence.Pages[:len(g.fence.Pages):len(g.fence.Pages)], g.fence.Frames...)):
			return outside
		}
	}
	switch r.method {
	case "GET", "HEAD", "OPTIONS":
		return goesOn
	}
	switch {
	case g.mayChange:
		return goesOn
	case r.kind == "Document":
		return stays
	}
	return stopped
}

// shows reports whether an address is the member app's or one of the others. mu is held.
func (g *guard) shows(address string, others []string) bool {
	return listed(address, g.fence.Origins) || listed(address, others)
}

// own reports whether an address is the member app's.
func (g *guard) own(address string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return listed(address, g.fence.Origins)
}

// misplaced reports whether a window shows what no request was asked for: a page of the browser or of the disk. What
// came over the web was decided on before.
func (g *guard) misplaced(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return true
	}
	switch u.Scheme {
	case "", "http", "https", "chrome-error":
		return false
	case "about":
		return u.Opaque != "blank" && u.Opaque != "srcdoc"
	case "blob":
		g.mu.Lock()
		defer g.mu.Unlock()
		return !g.shows(u.Opaque, g.fence.Pages)
	}
	return true
}

// pausedKinds are the kinds of requests that can change something or show something. The others are read by their
// nature: to pause them costs time and decides nothing.
func (g *guard) pausedKinds() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mayChange {
		return []string{"Document"}
	}
	return []string{"Document", "XHR", "Fetch", "Ping", "CSPViolationReport", "Other"}
}

// fetchParams asks for the requests that need a decision.
func (g *guard) fetchParams() map[string]any {
	var patterns []map[string]any
	for _, kind := range g.pausedKinds() {
		patterns = append(patterns, map[string]any{"urlPattern": "*", "resourceType": kind})
	}
	return map[string]any{"patterns": patterns}
}

// window keeps what a window shows.
func (g *guard) window(target, address string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.windows[target] = address
}

func (g *guard) gone(target string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.windows, target)
	delete(g.told, target)
}

func (g *guard) isMain(frame string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, ok := g.windows[frame]
	return ok
}

// isEmpty reports whether a window has shown nothing so far.
func (g *guard) isEmpty(target string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	address := g.windows[target]
	return address == "" || address == ":" || address == "about:blank"
}

func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Scheme + "://" + u.Host)
}

// listed reports whether an address is of one of the origins.
func listed(address string, origins []string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return false
	}
	scheme, host := strings.ToLower(u.Scheme), bare(strings.ToLower(u.Scheme), strings.ToLower(u.Host))
	return slices.ContainsFunc(origins, func(o string) bool {
		s, h, ok := strings.Cut(strings.ToLower(o), "://")
		if !ok || s != scheme {
			return false
		}
		h = bare(s, h)
		if below, many := strings.CutPrefix(h, "*."); many {
			return strings.HasSuffix(host, "."+below)
		}
		return h == host
	})
}

// bare is a host without the port that its scheme implies.
func bare(scheme, host string) string {
	switch scheme {
	case "http":
		return strings.TrimSuffix(host, ":80")
	case "https":
		return strings.TrimSuffix(host, ":443")
	}
	return host
}

// onGuarded is the guard's part of onEvent; like it, it waits for nothing.
func (b *Browser) onGuarded(ev cdp.Event) {
	switch ev.Method {
	case "Fetch.requestPaused":
		b.onPaused(ev)
	case "Target.targetCreated", "Target.targetInfoChanged", "Target.attachedToTarget", "Target.targetDestroyed":
		b.onTarget(ev)
	case "Network.requestWillBeSent", "Network.responseReceived", "Network.loadingFailed":
		b.onNetwork(ev)
	case "Browser.downloadProgress":
		b.onDownload(ev)
	}
}

// onPaused answers a request that waits for it.
func (b *Browser) onPaused(ev cdp.Event) {
	var p struct {
		RequestID string `json:"requestId"`
		NetworkID string `json:"networkId"`
		FrameID   string `json:"frameId"`
		Type      string `json:"resourceType"`
		Request   struct {
			URL    string `json:"url"`
			Method string `json:"method"`
		} `json:"request"`
	}
	if json.Unmarshal(ev.Params, &p) != nil {
		return // it waits for ever: nothing reaches anybody
	}
	r := request{method: p.Request.Method, address: p.Request.URL, kind: p.Type, main: b.guard.isMain(p.FrameID)}
	id := map[string]any{"requestId": p.RequestID}
	what := b.guard.decide(r)
	if what != goesOn {
		b.observer.stopped(first(p.NetworkID, p.RequestID), r)
	}
	switch what {
	case goesOn:
		b.observer.paused(p.NetworkID, r)
		b.client.Send(ev.SessionID, "Fetch.continueRequest", id)
	case stopped:
		b.client.Send(ev.SessionID, "Fetch.failRequest", map[string]any{"requestId": p.RequestID, "errorReason": "BlockedByClient"})
		b.say(p.FrameID, b.guard.text().ViewOnly)
	case stays:
		b.client.Send(ev.SessionID, "Fetch.fulfillRequest", map[string]any{"requestId": p.RequestID, "responseCode": 204})
		b.closeEmpty(p.FrameID)
		b.say(p.FrameID, b.guard.text().ViewOnly)
	case outside:
		b.client.Send(ev.SessionID, "Fetch.fulfillRequest", b.guard.refusal(p.RequestID, r.address))
	}
}

// onTarget keeps what is a window, undresses workers and frames of what gets around the guard, and leads windows back
// that show what is no page of the web.
func (b *Browser) onTarget(ev cdp.Event) {
	var p struct {
		SessionID  string `json:"sessionId"`
		TargetID   string `json:"targetId"`
		TargetInfo struct {
			TargetID  string `json:"targetId"`
			Type      string `json:"type"`
			URL       string `json:"url"`
			ContextID string `json:"browserContextId"`
		} `json:"targetInfo"`
	}
	if json.Unmarshal(ev.Params, &p) != nil {
		return
	}
	t := p.TargetInfo
	switch {
	case ev.Method == "Target.targetDestroyed":
		b.guard.gone(p.TargetID)
		return
	case t.Type == "page":
		b.guard.window(t.TargetID, t.URL)
	case ev.Method == "Target.attachedToTarget":
		b.enter(p.SessionID, t.Type)
		return
	}
	if ev.Method == "Target.targetInfoChanged" && t.Type == "page" {
		b.leadBack(t.TargetID, t.URL)
	}
}

// leadBack takes a window of the session away from an address that is not of the web.
func (b *Browser) leadBack(target, address string) {
	if !b.guard.misplaced(address) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.ours() {
		if p.target == target {
			b.client.Send(p.session, "Page.navigate", map[string]any{"url": insteadOf(address)})
		}
	}
}

// closeEmpty closes a window that was opened for a request that was stopped: it has nothing to show.
func (b *Browser) closeEmpty(frame string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	ours := b.ours()
	for _, p := range ours {
		if p.target == frame && len(ours) > 1 && b.guard.isEmpty(frame) {
			b.client.Send("", "Target.closeTarget", target(p))
		}
	}
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
