package session

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"stead/internal/audit"
)

// Observer is a Browser that tells what was asked of the member app in it. One without tells nothing, and the platform
// misses it.
type Observer interface {
	// Observed returns what was seen since the last call, a record's worth; Empty when there is no more. It goes on
	// after the browser's Close.
	Observed() audit.Observed
	// Plenty says that there is a record's worth.
	Plenty() <-chan struct{}
}

const (
	// noteInterval is how long an observed action waits for its record.
	noteInterval = 5 * time.Second
	// noteLimit is how long they may take, and how long an end waits for the last ones.
	noteLimit = 5 * time.Second
)

// notebook records what the session's browser observes, beside the watcher: a slow disk holds up no end.
type notebook struct {
	c       *Control
	r       *run
	from    Observer // nil when the browser tells nothing
	unsaved int64    // requests that could not be recorded
	stop    context.CancelFunc
	writing sync.WaitGroup
}

// newNotebook begins to record until close.
func (c *Control) newNotebook(r *run) *notebook {
	n := &notebook{c: c, r: r}
	n.from, _ = r.browser.(Observer)
	ctx, stop := context.WithCancel(context.Background())
	n.stop = stop
	if n.from != nil {
		n.writing.Go(func() { n.run(ctx) })
	}
	return n
}

func (n *notebook) run(ctx context.Context) {
	ticks := time.NewTicker(noteInterval)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		case <-n.from.Plenty():
		}
		n.write()
	}
}

// write records what was observed. What cannot be recorded is counted, and the next record says so.
func (n *notebook) write() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(n.c.life), noteLimit)
	defer cancel()
	for {
		o := n.from.Observed()
		if o.Empty() && n.unsaved == 0 {
			return
		}
		o.Dropped += n.unsaved
		err := n.c.record(ctx, audit.SessionObserved, n.r.ask.Subject, n.r.intent, n.r.id, o.Body())
		if err != nil {
			n.unsaved = o.Dropped
			for _, a := range o.Actions {
				n.unsaved += a.Count
			}
			n.c.Log.Error("what the browser observed could not be recorded", "session", n.r.id, "actions", n.unsaved, "err", err)
			return
		}
		n.unsaved = 0
	}
}

// close records the rest, of a browser that is closed.
func (n *notebook) close() {
	n.stop()
	n.writing.Wait()
	if n.from != nil && n.r.id != "" {
		n.write()
	}
}

// mayChange reports whether a session's scope lets it change something.
func mayChange(scope string) bool { return slices.Contains(strings.Fields(scope), "write") }

// list is what an optional list of the contract holds.
func list(optional *[]string) []string {
	if optional == nil {
		return nil
	}
	return *optional
}
