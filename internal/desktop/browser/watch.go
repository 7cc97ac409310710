package browser

import (
	"context"
	"encoding/json"
	"time"

	"stead/internal/desktop/browser/cdp"
)

const (
	settleTime = 500 * time.Millisecond // a page may close just before the next one opens
	askTime    = 300 * time.Millisecond // for the question whether one did
)

// A browser that leaves hungBeats questions in a row unanswered, beatEvery apart, is hung. Half a minute is longer than
// the slowest cold start that was seen (9 s on a loaded machine with a cold disk) and than any system waits before it
// calls a window unresponsive (5 to 10 s), and a member's page is frozen on the screen no longer than that. It is
// counted in beats of our own clock and not in time: while the computer sleeps, and while it is too busy to let
// Stead run, there are no beats, and a ticker that was held up beats once and not once for each that was missed.
const (
	beatEvery = 5 * time.Second
	hungBeats = 6
	hungAfter = hungBeats * beatEvery
)

// watch tells once that the session's browser shows nothing more, and ends with that or with Close.
func (b *Browser) watch() {
	b.work.Go(b.listenForHeart)
	for {
		err := b.until(b.life, func() bool { return b.hung || b.dark() })
		if err == nil {
			err = b.stayedDark(b.life)
		}
		switch {
		case b.life.Err() != nil:
			return
		case err != nil && b.client.Err() == nil: // another page has come
			continue
		case err != nil:
			<-b.client.Drained() // what the browser said of its pages before it went
		}
		b.emit(Event{Kind: Closed, Cause: b.fate()})
		return
	}
}

// fate says how the browser came to show nothing.
func (b *Browser) fate() Cause {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case len(b.ours()) == 0:
		return WindowClosed
	case b.hung && b.client.Err() == nil:
		return BrowserHung
	}
	return BrowserGone
}

// dark reports that no page of the session shows anything. mu is held.
func (b *Browser) dark() bool {
	for _, p := range b.ours() {
		if !p.crashed {
			return false
		}
	}
	return true
}

// stayedDark returns nil when the browser is hung, or when no page has come within the settling time and the browser
// knows of none that shows something.
func (b *Browser) stayedDark(ctx context.Context) error {
	wait, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	if err := b.until(wait, func() bool { return b.hung || !b.dark() }); err == nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.hung {
			return nil
		}
		return context.Canceled // a page
	} else if wait.Err() == nil {
		return err // the pipe closed
	}
	ask, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	var known struct {
		TargetInfos []struct {
			TargetID  string `json:"targetId"`
			Type      string `json:"type"`
			ContextID string `json:"browserContextId"`
		} `json:"targetInfos"`
	}
	if err := b.client.Call(ask, "", "Target.getTargets", nil, &known); err != nil && ask.Err() == nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, t := range known.TargetInfos {
		if t.Type == "page" && t.ContextID == b.contextID && !b.crashedPage(t.TargetID) {
			return context.Canceled
		}
	}
	return nil
}

// crash takes in that a page's renderer died, or that the page was loaded again since.
func (b *Browser) crash(ev cdp.Event) {
	var p struct {
		TargetID string `json:"targetId"`
	}
	if json.Unmarshal(ev.Params, &p) != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, page := range b.pages {
		if page.target == p.TargetID || ev.SessionID != "" && page.session == ev.SessionID {
			page.crashed = ev.Method == "Target.targetCrashed"
			b.touch()
		}
	}
}

// crashedPage reports whether that page is known to have crashed. mu is held.
func (b *Browser) crashedPage(target string) bool {
	for _, p := range b.pages {
		if p.target == target {
			return p.crashed
		}
	}
	return false
}

// listenForHeart asks the browser again and again whether it lives, and notes when it does not say so. A page that
// hangs is none of its business: the browser's own process answers, tells the agent of such a page and closes it when
// asked to, and Stead's window ends the session all the same.
func (b *Browser) listenForHeart() {
	beats := time.NewTicker(beatEvery)
	defer beats.Stop()
	answered := make(chan struct{}, 1)
	missed := -1 // no question is open
	for {
		select {
		case <-b.life.Done():
			return
		case <-b.client.Done():
			return
		case <-answered:
			missed = -1
		case <-beats.C:
			if missed++; missed == 0 {
				pong := b.client.Send("", "Browser.getVersion", nil)
				b.work.Go(func() {
					if pong.Wait(b.life, nil) == nil {
						answered <- struct{}{}
					}
				})
				continue
			}
			if missed < hungBeats {
				continue
			}
			b.mu.Lock()
			b.hung = true
			b.touch()
			b.mu.Unlock()
			return
		}
	}
}
