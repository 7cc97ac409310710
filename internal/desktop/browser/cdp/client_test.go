package cdp

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// peer is the browser's end of a client under test.
type peer struct {
	t  *testing.T
	r  *bufio.Reader
	w  io.WriteCloser
	rc io.Closer
}

func connect(t *testing.T, onEvent func(Event)) (*Client, *peer) {
	t.Helper()
	inR, inW := io.Pipe()   // browser reads
	outR, outW := io.Pipe() // browser writes
	c := New(outR, inW, onEvent)
	t.Cleanup(c.Close)
	return c, &peer{t: t, r: bufio.NewReader(inR), w: outW, rc: inR}
}

func (p *peer) next() message {
	p.t.Helper()
	frame, err := nextFrame(p.r, MaxFrame)
	if err != nil {
		p.t.Errorf("peer: %v", err)
		return message{}
	}
	var m message
	if err := json.Unmarshal(frame, &m); err != nil {
		p.t.Errorf("peer: %v", err)
	}
	return m
}

func (p *peer) say(s string) {
	// The pipe may be closed by the very thing under test.
	_, _ = io.WriteString(p.w, s+"\x00")
}

func noEvents(Event) {}

func TestCallCarriesParamsAndDecodesTheResult(t *testing.T) {
	c, p := connect(t, noEvents)
	go func() {
		m := p.next()
		if m.Method != "Storage.setCookies" || m.SessionID != "S" || string(m.Params) != `{"a":1}` {
			t.Errorf("sent %+v", m)
		}
		p.say(fmt.Sprintf(`{"id":%d,"result":{"product":"x"}}`, m.ID))
	}()
	var out struct{ Product string }
	if err := c.Call(t.Context(), "S", "Storage.setCookies", map[string]int{"a": 1}, &out); err != nil || out.Product != "x" {
		t.Fatalf("got %+v, %v", out, err)
	}
}

func TestRefusalIsAnError(t *testing.T) {
	c, p := connect(t, noEvents)
	go func() {
		p.say(fmt.Sprintf(`{"id":%d,"error":{"code":-32000,"message":"no such target"}}`, p.next().ID))
	}()
	var refused *Error
	err := c.Call(t.Context(), "", "Target.closeTarget", nil, nil)
	if !errors.As(err, &refused) || refused.Code != -32000 || refused.Method != "Target.closeTarget" {
		t.Fatalf("got %v", err)
	}
}

func TestRepliesFindTheirCallersInAnyOrder(t *testing.T) {
	c, p := connect(t, noEvents)
	first := c.Send("", "A", nil)
	second := c.Send("", "B", nil)
	a, b := p.next(), p.next()
	if a.Method != "A" || b.Method != "B" {
		t.Fatalf("sent in the order %s, %s", a.Method, b.Method)
	}
	p.say(fmt.Sprintf(`{"id":%d,"result":"b"}`, b.ID))
	p.say(fmt.Sprintf(`{"id":%d,"result":"a"}`, a.ID))
	var gotA, gotB string
	if err := errors.Join(first.Wait(t.Context(), &gotA), second.Wait(t.Context(), &gotB)); err != nil || gotA != "a" || gotB != "b" {
		t.Fatalf("got %q, %q, %v", gotA, gotB, err)
	}
}

// A handler that does not return must not keep a reply from its caller, nor the browser from writing.
func TestABlockedHandlerDoesNotBlockReplies(t *testing.T) {
	release, seen := make(chan struct{}), make(chan string, 2000)
	c, p := connect(t, func(ev Event) { <-release; seen <- ev.Method })
	for i := range 1000 {
		p.say(fmt.Sprintf(`{"method":"E%d","params":{}}`, i))
	}
	go func() { p.say(fmt.Sprintf(`{"id":%d,"result":{}}`, p.next().ID)) }()
	if err := c.Call(t.Context(), "", "Browser.getVersion", nil, nil); err != nil {
		t.Fatal(err)
	}
	close(release)
	for i := range 1000 {
		if got := <-seen; got != fmt.Sprintf("E%d", i) {
			t.Fatalf("event %d is %s", i, got)
		}
	}
}

func TestAHandlerMayCall(t *testing.T) {
	answered := make(chan error, 1)
	var c *Client
	ready := make(chan struct{})
	c, p := connect(t, func(Event) { <-ready; answered <- c.Call(context.Background(), "", "Page.enable", nil, nil) })
	close(ready)
	p.say(`{"method":"Target.attachedToTarget","params":{}}`)
	p.say(fmt.Sprintf(`{"id":%d,"result":{}}`, p.next().ID))
	if err := <-answered; err != nil {
		t.Fatal(err)
	}
}

func TestACallHasItsOwnDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := connect(t, noEvents)
		go p.next() // read and never answered
		start := time.Now()
		err := c.Call(context.Background(), "", "Input.dispatchMouseEvent", nil, nil)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != CallTimeout {
			t.Fatalf("%v after %v", err, time.Since(start))
		}
		c.mu.Lock()
		left := len(c.pending)
		c.mu.Unlock()
		if left != 0 {
			t.Fatalf("%d calls still remembered", left)
		}
		p.say(`{"id":1,"result":{}}`) // too late: ignored
		synctest.Wait()
		if c.Err() != nil {
			t.Fatalf("a late reply ended the client: %v", c.Err())
		}
	})
}

// A browser that has stopped reading must hold up neither Send nor Close.
func TestABrowserThatDoesNotReadBlocksNobody(t *testing.T) {
	inR, inW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer inR.Close()
	outR, outW := io.Pipe()
	defer outW.Close()
	c := New(outR, inW, noEvents)
	big := strings.Repeat("x", 1<<20)
	var last *Reply
	for range 8 {
		last = c.Send("", "M", big)
	}
	c.Close()
	if err := last.Wait(t.Context(), nil); !errors.Is(err, ErrClosed) {
		t.Fatalf("got %v", err)
	}
}

func TestWhatEndsAClient(t *testing.T) {
	for name, tc := range map[string]struct {
		say  string
		want error
	}{
		"not JSON":                {"hello\x00", ErrMalformed},
		"empty frame":             {"\x00", ErrMalformed},
		"an array":                {"[]\x00", ErrMalformed},
		"neither reply nor event": {"{}\x00", ErrMalformed},
		"id of a wrong type":      {`{"id":"1"}` + "\x00", ErrMalformed},
		"nothing":                 {"", ErrGone},
		"half a message":          {`{"id":1,"res`, ErrGone},
	} {
		t.Run(name, func(t *testing.T) {
			c, p := connect(t, noEvents)
			waiting := make(chan error, 1)
			go func() { waiting <- c.Call(t.Context(), "", "M", nil, nil) }()
			p.next()
			_, _ = io.WriteString(p.w, tc.say)
			p.w.Close()
			if err := <-waiting; !errors.Is(err, tc.want) {
				t.Errorf("the waiting call got %v, want %v", err, tc.want)
			}
			<-c.Done()
			if !errors.Is(c.Err(), tc.want) {
				t.Errorf("ended with %v, want %v", c.Err(), tc.want)
			}
			if err := c.Call(t.Context(), "", "M", nil, nil); !errors.Is(err, tc.want) {
				t.Errorf("a later call got %v, want %v", err, tc.want)
			}
		})
	}
}

func TestTheFrameLimitHoldsToTheByte(t *testing.T) {
	frame := func(n int) *bufio.Reader {
		return bufio.NewReaderSize(bytes.NewReader(append(bytes.Repeat([]byte{'x'}, n), 0)), 16)
	}
	if got, err := nextFrame(frame(99), 100); err != nil || len(got) != 99 {
		t.Errorf("99 and the end byte: %d, %v", len(got), err)
	}
	if _, err := nextFrame(frame(100), 100); !errors.Is(err, ErrTooLarge) {
		t.Errorf("100 and the end byte: %v", err)
	}
}

func TestAnEndlessFrameEndsTheClient(t *testing.T) {
	c, p := connect(t, noEvents)
	chunk := strings.Repeat("x", 1<<20)
	written := 0
	for ; written < 2*MaxFrame; written += len(chunk) {
		if _, err := io.WriteString(p.w, chunk); err != nil {
			break
		}
	}
	if written > MaxFrame+len(chunk) {
		t.Errorf("took %d bytes", written)
	}
	<-c.Done()
	if !errors.Is(c.Err(), ErrTooLarge) {
		t.Errorf("ended with %v", c.Err())
	}
}

func TestCloseReleasesAllCallersAndRepeats(t *testing.T) {
	c, p := connect(t, noEvents)
	var wg sync.WaitGroup
	errs := make(chan error, 10)
	for range 10 {
		wg.Go(func() { errs <- c.Call(context.Background(), "", "M", nil, nil) })
	}
	p.next()
	c.Close()
	c.Close()
	wg.Wait()
	for range 10 {
		if err := <-errs; !errors.Is(err, ErrClosed) {
			t.Errorf("got %v", err)
		}
	}
}

func TestParamsThatAreNotJSONAreRefusedBeforeTheWire(t *testing.T) {
	c, _ := connect(t, noEvents)
	if err := c.Call(t.Context(), "", "M", func() {}, nil); err == nil || c.Err() != nil {
		t.Fatalf("got %v, client %v", err, c.Err())
	}
}
