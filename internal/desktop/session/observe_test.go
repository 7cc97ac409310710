package session_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"stead/internal/api"
	"stead/internal/audit"
	"stead/internal/stead"
	"stead/internal/token"

	"stead/internal/desktop/session"
)

// watching is a browser that observes what it is told to.
type watching struct {
	session.Browser
	mu     sync.Mutex
	next   []audit.Observed
	plenty chan struct{}
}

func (w *watching) Observed() audit.Observed {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.next) == 0 {
		return audit.Observed{}
	}
	o := w.next[0]
	w.next = w.next[1:]
	return o
}

func (w *watching) Plenty() <-chan struct{} { return w.plenty }

func (w *watching) see(paths ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range paths {
		w.next = append(w.next, audit.Observed{Actions: []audit.ObservedAction{{Method: "GET", Origin: "https://portal.test", Path: p, Status: 200, Count: 2}}})
	}
}

// observed lists the records of that kind, by what they say.
func (d *desk) observed() (said []audit.Body) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range d.records {
		if e.Kind == audit.SessionObserved {
			said = append(said, e.Body)
		}
	}
	return said
}

func startWatching(t *testing.T, d *desk) (*session.Control, *watching) {
	t.Helper()
	w := &watching{plenty: make(chan struct{}, 1)}
	d.wrap = func(b session.Browser) session.Browser { w.Browser = b; return w }
	c := d.control()
	if _, err := c.Start(t.Context(), ask("ada")); err != nil {
		t.Fatal(err)
	}
	return c, w
}

func TestWhatTheBrowserObservesIsRecordedBeforeTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		c, w := startWatching(t, d)
		w.see("/a")
		time.Sleep(4 * time.Second)
		synctest.Wait()
		if n := len(d.observed()); n != 0 {
			t.Fatalf("%d records after four seconds", n)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := len(d.observed()); n != 1 {
			t.Fatalf("%d records after six seconds", n)
		}
		w.see("/b", "/c")
		w.plenty <- struct{}{}
		synctest.Wait()
		if n := len(d.observed()); n != 3 {
			t.Fatalf("%d records when there was plenty", n)
		}
		w.see("/d")
		if _, err := c.End(t.Context(), stead.CauseAgent); err != nil {
			t.Fatal(err)
		}
		story := d.story()
		last := slices.Index(story, "append "+string(audit.SessionObservedEnd))
		if last < 1 || story[last-1] != "append "+string(audit.SessionObserved) || slices.Index(story, "close") > last {
			t.Errorf("the end went %q", story)
		}
		said := d.observed()
		got, err := audit.ReadObserved(said[len(said)-1])
		if err != nil || len(got.Actions) != 1 || got.Actions[0].Path != "/d" {
			t.Errorf("the last one says %+v, %v", got, err)
		}
		if _, err := c.End(t.Context(), stead.CauseAgent); stead.CodeOf(err) != stead.CodeSessionNotFound {
			t.Errorf("a second end: %v", err)
		}
	})
}

func TestWhatCouldNotBeRecordedIsCountedInTheNextRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		c, w := startWatching(t, d)
		d.breakStep("append "+string(audit.SessionObserved), errors.New("the disk is full"))
		w.see("/a")
		time.Sleep(6 * time.Second)
		synctest.Wait()
		d.breakStep("append "+string(audit.SessionObserved), nil)
		if _, err := c.End(t.Context(), stead.CauseAgent); err != nil {
			t.Fatal(err)
		}
		said := d.observed()
		if len(said) != 1 || said[0]["dropped"] != int64(2) {
			t.Errorf("recorded %v", said)
		}
	})
}

func TestTheBrowserIsToldWhereToStayAndWhatItMay(t *testing.T) {
	d := newDesk(t)
	origins, frames, kept := []string{"https://portal.test", "https://api.test"}, []string{"https://maps.test"}, api.OpenedDownloadsSession
	d.opened.Origins, d.opened.OtherFrames, d.opened.Downloads = &origins, &frames, &kept
	c := d.control()
	if _, err := c.Start(t.Context(), ask("ada")); err != nil {
		t.Fatal(err)
	}
	v := d.browsers[0].visit
	if !slices.Equal(v.Fence.Origins, origins) || len(v.Fence.Pages) != 0 || !slices.Equal(v.Fence.Frames, frames) || !v.Downloads || v.MayChange {
		t.Errorf("opened with %+v", v)
	}
	if _, err := c.End(t.Context(), stead.CauseAgent); err != nil {
		t.Fatal(err)
	}
	d.lie = func(desc *token.Descriptor) { desc.Scope = "read write" }
	d.opened.Downloads = nil
	if _, err := c.Start(t.Context(), ask("ada")); err != nil {
		t.Fatal(err)
	}
	if v := d.browsers[1].visit; !v.MayChange || v.Downloads {
		t.Errorf("opened with %+v", v)
	}
}
