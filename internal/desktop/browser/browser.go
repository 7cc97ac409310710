package browser

import (
	"context"
	"encoding/json"
	"sync"

	"stead/internal/desktop/browser/cdp"
	"stead/internal/stead"
)

// EventKind says what happened in a session's browser.
type EventKind string

// What Events tells.
const (
	EndClicked EventKind = "end_clicked" // a person pressed End in the banner
	Closed     EventKind = "closed"      // the session's last page is gone; nothing follows
)

// Cause says how a browser came to be closed.
type Cause string

// The causes of Closed.
const (
	WindowClosed Cause = "window_closed" // the last page was closed
	BrowserGone  Cause = "browser_gone"  // the program ended or was killed with pages open, or all its pages crashed
	BrowserHung  Cause = "browser_hung"  // the program lives and has not answered for hungAfter
)

// Event is one thing that happened in the session's browser without Stead having asked for it.
type Event struct {
	Kind  EventKind
	Cause Cause // of Closed
}

// Browser is one session's browser, from its launch until Close. It is safe for concurrent use.
type Browser struct {
	with   Installed
	claim  *claim
	proc   *process
	client *cdp.Client

	guard    *guard
	observer *observer

	mu        sync.Mutex
	changed   chan struct{}  // closed and replaced whenever something below changes
	agent     string         // its user agent; "" before it was proved
	contextID string         // our in-memory context; "" before it is made
	settled   bool           // windows of other contexts are closed from here on
	pages     []*page        // living pages of all contexts, oldest first
	hung      bool           // the browser does not answer any more
	dress     *dress         // what each page of ours wears; nil before Open
	answers   map[string]int // HTTP status of main documents by loader, while somebody asks for it, else nil
	refused   bool           // the browser said that a policy forbids control
	lastWords string         // its newest line on stderr before it was proved
	proved    bool

	heard  chan struct{} // closed when all of its stderr was read
	events chan Event
	life   context.Context // over when Close begins
	stop   context.CancelFunc
	work   sync.WaitGroup

	closeOnce sync.Once
	wiped     Wipe
	wipeErr   error
}

type page struct {
	target, session, context string
	crashed                  bool // its renderer is gone: it shows nothing until it is loaded again
}

func newBrowser(c *claim) *Browser {
	b := &Browser{
		claim:   c,
		changed: make(chan struct{}),
		heard:   make(chan struct{}),
		events:  make(chan Event, 16),
	}
	b.guard = newGuard()
	b.observer = newObserver(b.guard.own)
	b.life, b.stop = context.WithCancel(context.Background())
	return b
}

// Mode is stead.ModePipe.
func (b *Browser) Mode() stead.Mode { return stead.ModePipe }

// PID is the browser's main process.
func (b *Browser) PID() int { return b.proc.pid }

// Events tells what happens in the browser. It is closed by Close, which itself causes no event. Closed comes at
// most once, within a second of the last page's end.
func (b *Browser) Events() <-chan Event { return b.events }

// until waits until ready, which is called with mu held, reports true. It fails when ctx is over or the pipe closed.
func (b *Browser) until(ctx context.Context, ready func() bool) error {
	for {
		b.mu.Lock()
		ok, changed := ready(), b.changed
		b.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-b.client.Done():
			return b.client.Err()
		}
	}
}

// touch wakes whoever waits in until. mu is held.
func (b *Browser) touch() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// ours lists the living pages of the session's context, oldest first. mu is held.
func (b *Browser) ours() []*page {
	var list []*page
	for _, p := range b.pages {
		if b.contextID != "" && p.context == b.contextID {
			list = append(list, p)
		}
	}
	return list
}

// onEvent runs on the client's event goroutine. It sends and never waits for an answer: a pop-up that was opened
// without an opener answers nothing before it is resumed, so waiting there would hang it for ever.
func (b *Browser) onEvent(ev cdp.Event) {
	b.onGuarded(ev)
	var p struct {
		SessionID  string `json:"sessionId"`
		TargetID   string `json:"targetId"`
		TargetInfo struct {
			TargetID  string `json:"targetId"`
			Type      string `json:"type"`
			ContextID string `json:"browserContextId"`
		} `json:"targetInfo"`
		Name      string `json:"name"`
		RequestID string `json:"requestId"`
		LoaderID  string `json:"loaderId"`
		Type      string `json:"type"`
		Response  struct {
			Status int `json:"status"`
		} `json:"response"`
	}
	switch ev.Method {
	case "Target.targetCrashed", "Inspector.targetReloadedAfterCrash":
		b.crash(ev)
		return
	case "Target.attachedToTarget", "Target.targetDestroyed", "Target.detachedFromTarget",
		"Runtime.bindingCalled", "Network.responseReceived":
		if json.Unmarshal(ev.Params, &p) != nil {
			return
		}
	default:
		return
	}
	switch ev.Method {
	case "Target.attachedToTarget":
		if p.TargetInfo.Type == "page" {
			b.attached(&page{target: p.TargetInfo.TargetID, session: p.SessionID, context: p.TargetInfo.ContextID})
		}
	case "Target.targetDestroyed", "Target.detachedFromTarget":
		b.left(p.TargetID, p.SessionID)
	case "Runtime.bindingCalled":
		if p.Name == binding && b.isOurs(ev.SessionID) {
			b.emit(Event{Kind: EndClicked})
		}
	case "Network.responseReceived":
		if p.Type == "Document" && p.RequestID == p.LoaderID {
			b.mu.Lock()
			if b.answers != nil {
				b.answers[p.LoaderID] = p.Response.Status
				b.touch()
			}
			b.mu.Unlock()
		}
	}
}

// attached takes in a new page, which is paused unless it was there before us.
func (b *Browser) attached(p *page) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.settled && p.context != b.contextID { // e.g. Ctrl+N, which opens the on-disk context
		b.client.Send("", "Target.closeTarget", target(p))
		return
	}
	b.pages = append(b.pages, p)
	b.client.Send(p.session, "Page.enable", nil)
	b.client.Send(p.session, "Inspector.enable", nil)
	if b.dress != nil && p.context == b.contextID {
		b.guard.put(b.client, p.session)
		b.dress.put(b.client, p)
	}
	b.client.Send(p.session, "Runtime.runIfWaitingForDebugger", nil)
	b.touch()
}

func (b *Browser) left(targetID, sessionID string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, p := range b.pages {
		if p.target == targetID || sessionID != "" && p.session == sessionID {
			b.pages = append(b.pages[:i:i], b.pages[i+1:]...)
			b.touch()
			return
		}
	}
}

func (b *Browser) isOurs(sessionID string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.ours() {
		if p.session == sessionID {
			return true
		}
	}
	return false
}

// emit never blocks and always keeps a place for Closed: a person who presses End twenty times says it once.
func (b *Browser) emit(ev Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.life.Err() != nil {
		return
	}
	if ev.Kind == Closed || len(b.events) < cap(b.events)-1 {
		b.events <- ev
	}
}

func target(p *page) map[string]any { return map[string]any{"targetId": p.target} }
