package publish_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"stead/internal/platform/publish"
)

// objects is a store of one object, of which others hold the keys.
type objects struct {
	*httptest.Server
	mu     sync.Mutex
	held   string // "" when there is none
	puts   int
	closed bool // to readers
	deaf   bool // takes what is put and keeps what it has
}

func newObjects(t *testing.T) *objects {
	t.Helper()
	o := &objects{}
	o.Server = httptest.NewServer(o)
	t.Cleanup(o.Close)
	return o
}

func (o *objects) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case r.Method == http.MethodPut:
		body, _ := io.ReadAll(r.Body)
		o.puts++
		if !o.deaf {
			o.held = string(body)
		}
	case o.closed || r.URL.Path != "/read":
		w.WriteHeader(http.StatusForbidden)
	case o.held == "":
		w.WriteHeader(http.StatusNotFound)
	default:
		_, _ = io.WriteString(w, o.held)
	}
}

func (o *objects) set(change func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change()
}

func (o *objects) config(t *testing.T) publish.Config {
	return publish.Config{URLs: []publish.Address{{Put: o.URL + "/write?secret", Read: o.URL + "/read?secret"}}, People: people(t)}
}

// TestACopyThatIsTakenAwayOrSetBackIsMissed at an address, also after a restart, and then brought again.
func TestACopyThatIsTakenAwayOrSetBackIsMissed(t *testing.T) {
	o, h := newObjects(t), fresh(t)
	h.grow(2)
	p, stop := h.publish(o.config(t))
	h.until(p, "the first", at(2))
	early := o.held
	h.grow(3)
	h.until(p, "the second", at(5))
	stop()
	for name, c := range map[string]struct{ held, says string }{
		"set back": {early, "it was set back"},
		"gone":     {"", "is gone"},
	} {
		before := h.log.count(c.says)
		o.set(func() { o.held = c.held })
		p, stop = h.publish(o.config(t))
		h.grow(1)
		h.until(p, name, func(s publish.State) bool { return s.Problem == "" && s.Size > 0 })
		stop()
		if o.held != h.newest() || h.log.count(c.says) != before+1 || strings.Contains(strings.Join(h.log.lines, ""), "secret") {
			t.Errorf("%s: %v", name, h.log.lines)
		}
	}
}

// TestAnAddressThatForgetsIsNotDeliveredTo: what was taken and cannot be read back is not there.
func TestAnAddressThatForgetsIsNotDeliveredTo(t *testing.T) {
	o, h := newObjects(t), fresh(t)
	h.grow(2)
	o.set(func() { o.deaf = true })
	p, stop := h.publish(o.config(t))
	h.until(p, "it keeps nothing", func(s publish.State) bool { return strings.Contains(s.Problem, "serves another one, or none") })
	stop()
	o.set(func() { o.deaf, o.closed = false, true })
	p, _ = h.publish(o.config(t))
	h.until(p, "it cannot be read where it should be", func(s publish.State) bool { return strings.Contains(s.Problem, "cannot be read back") })
	o.set(func() { o.closed = false })
	h.until(p, "it works", at(2))
}

// TestALogThatWasSetBackDoesNotCoverItsTraceAtAnAddress, unless two people declared it, which is good for one time.
func TestALogThatWasSetBackDoesNotCoverItsTraceAtAnAddress(t *testing.T) {
	o, h := newObjects(t), fresh(t)
	h.grow(3)
	backup := h.copyOf()
	p, stop := h.publish(o.config(t))
	h.grow(4)
	h.until(p, "the last", at(7))
	stop()
	lost, puts := o.held, o.puts

	back := newHouse(t, backup)
	p, stop = back.publish(o.config(t))
	back.until(p, "set back", contradicts)
	stop()
	if o.held != lost || o.puts != puts || back.log.count("ALARM") != 1 {
		t.Errorf("the trace was covered: %d, %v", o.puts, back.log.lines)
	}
	back.declare(7)
	p, stop = back.publish(o.config(t))
	back.until(p, "declared", at(3))
	back.grow(3)
	back.until(p, "gone on", at(6))
	stop()
	again := newHouse(t, back.copyOf())
	p, stop = back.publish(o.config(t))
	back.grow(1)
	back.until(p, "7 once more", at(7))
	stop()
	p, _ = again.publish(o.config(t))
	again.until(p, "set back again, with the restore spent", contradicts)
}
