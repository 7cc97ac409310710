package browser

import (
	"encoding/json"
	"strings"
	"sync"
	"time"

	"stead/internal/audit"
	"stead/internal/desktop/browser/cdp"
	"stead/internal/stead"
)

const (
	maxWaiting   = 500 // requests whose answers are waited for
	maxListed    = 4 * audit.MaxObserved
	maxPerMinute = 300 // different lines: a page cannot fill the outbox, and what is beyond is counted
)

// observer turns what the browser asks of the member app into actions. It is safe for concurrent use.
type observer struct {
	own    func(address string) bool
	now    func() time.Time
	plenty chan struct{}

	mu      sync.Mutex
	waiting map[string]request  // without an answer so far, by the browser's id of the request
	over    map[string]struct{} // stopped ones, of which more may be heard
	list    []audit.ObservedAction
	place   map[audit.ObservedAction]int // in list, by the action without its count
	assets  int64
	dropped int64
	minute  time.Time // when counting began
	lines   int       // since then
}

func newObserver(own func(string) bool) *observer {
	return &observer{own: own, now: time.Now, plenty: make(chan struct{}, 1),
		waiting: map[string]request{}, over: map[string]struct{}{}, place: map[audit.ObservedAction]int{}}
}

// assets are what a page is made of. They are counted, not listed.
var assets = map[string]bool{"Image": true, "Stylesheet": true, "Script": true, "Font": true, "Media": true, "Manifest": true, "TextTrack": true}

// icon reports whether an address is that of a site's icon, which the protocol has no kind for.
func icon(address string) bool {
	at := stead.PathOf(address)
	return strings.HasSuffix(at, ".ico") || strings.HasSuffix(at, ".svg") || strings.HasSuffix(at, ".png")
}

// sent notes a request. One that is known already comes again after a redirect, with the status of that.
func (o *observer) sent(id string, r request, redirected int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if before, ok := o.waiting[id]; ok && redirected != 0 {
		o.finish(id, before, redirected, false)
	} else if ok {
		return
	}
	o.await(id, r)
}

// paused notes a request of which nothing else may be heard: its page can be gone.
func (o *observer) paused(id string, r request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, ok := o.waiting[id]; !ok {
		o.await(id, r)
	}
}

// await waits for an answer, unless too many are waited for. mu is held.
func (o *observer) await(id string, r request) {
	if _, ok := o.over[id]; ok || !o.own(r.address) {
		return
	}
	if id == "" || len(o.waiting) >= maxWaiting {
		o.finish(id, r, 0, false)
		return
	}
	o.waiting[id] = r
}

// answered notes the status of an answer, 0 when there was none.
func (o *observer) answered(id string, status int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if r, ok := o.waiting[id]; ok {
		o.finish(id, r, status, false)
	}
}

// stopped notes a request that was not let through.
func (o *observer) stopped(id string, r request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.over) >= maxWaiting {
		clear(o.over)
	}
	o.over[id] = struct{}{}
	if o.own(r.address) {
		o.finish(id, r, 0, true)
	}
}

// finish lists or counts a request. mu is held.
func (o *observer) finish(id string, r request, status int, stopped bool) {
	delete(o.waiting, id)
	if r.method == "GET" && (assets[r.kind] || r.kind == "Other" && icon(r.address)) {
		o.assets++
		return
	}
	a := audit.ObservedAction{Method: r.method[:min(len(r.method), 10)], Origin: originOf(r.address), Path: stead.PathOf(r.address), Status: status, Stopped: stopped}
	if i, ok := o.place[a]; ok {
		o.list[i].Count++
		return
	}
	if now := o.now(); now.Sub(o.minute) >= time.Minute {
		o.minute, o.lines = now, 0
	}
	if o.lines >= maxPerMinute || len(o.list) >= maxListed {
		o.dropped++
		return
	}
	o.lines++
	o.place[a] = len(o.list)
	a.Count = 1
	o.list = append(o.list, a)
	if len(o.list) >= audit.MaxObserved {
		select {
		case o.plenty <- struct{}{}:
		default:
		}
	}
}

// take hands out what was seen, a record's worth at a time. rest lists what is still waiting for an answer as well.
func (o *observer) take(rest bool) audit.Observed {
	o.mu.Lock()
	defer o.mu.Unlock()
	if rest {
		for id, r := range o.waiting {
			o.finish(id, r, 0, false)
		}
	}
	n := min(len(o.list), audit.MaxObserved)
	out := audit.Observed{Actions: o.list[:n:n], Assets: o.assets, Dropped: o.dropped}
	o.list, o.assets, o.dropped = append([]audit.ObservedAction(nil), o.list[n:]...), 0, 0
	clear(o.place)
	for i, a := range o.list {
		a.Count = 0
		o.place[a] = i
	}
	return out
}

// Observed returns what the session's browser asked of the member app since the last call, a record's worth; it is
// Empty when there is nothing more. After Close it also has the requests that were never answered.
func (b *Browser) Observed() audit.Observed { return b.observer.take(b.life.Err() != nil) }

// Plenty says that there is a record's worth of observations.
func (b *Browser) Plenty() <-chan struct{} { return b.observer.plenty }

// onNetwork follows a request of the session from its sending to its answer.
func (b *Browser) onNetwork(ev cdp.Event) {
	var p struct {
		RequestID string `json:"requestId"`
		Type      string `json:"type"`
		Request   struct {
			URL    string `json:"url"`
			Method string `json:"method"`
		} `json:"request"`
		Redirect *answer `json:"redirectResponse"`
		Response answer  `json:"response"`
	}
	if json.Unmarshal(ev.Params, &p) != nil {
		return
	}
	switch ev.Method {
	case "Network.requestWillBeSent":
		redirected := 0
		if p.Redirect != nil {
			redirected = p.Redirect.Status
		}
		b.observer.sent(p.RequestID, request{method: p.Request.Method, address: p.Request.URL, kind: p.Type}, redirected)
	case "Network.responseReceived":
		b.observer.answered(p.RequestID, p.Response.Status)
	case "Network.loadingFailed":
		b.observer.answered(p.RequestID, 0)
	}
}

type answer struct {
	Status int `json:"status"`
}
