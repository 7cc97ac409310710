// Package cdp speaks the Chrome DevTools Protocol with a browser over two files: JSON messages, each ended by a
// zero byte, as Chromium's --remote-debugging-pipe defines it. It knows frames, calls and events and nothing of
// any single method.
package cdp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// MaxFrame is the largest message taken from the browser, in bytes. A screenshot of a large display fits.
const MaxFrame = 64 << 20

// CallTimeout is the deadline of a Call whose context has none that is nearer.
const CallTimeout = 10 * time.Second

// The reasons why a Client ends, as Err and every unanswered call report them.
var (
	ErrClosed    = errors.New("cdp: closed on this side")
	ErrGone      = errors.New("cdp: the browser closed the pipe")
	ErrTooLarge  = errors.New("cdp: a message exceeds the limit")
	ErrMalformed = errors.New("cdp: a message is not what the protocol says")
)

// Error is the browser's own refusal of one method.
type Error struct {
	Method  string
	Code    int
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("cdp: %s: %s (%d)", e.Method, e.Message, e.Code) }

// Event is one notification. SessionID is empty for those of the browser itself.
type Event struct {
	SessionID string
	Method    string
	Params    json.RawMessage
}

// Client is one connection. It is safe for concurrent use.
//
// Nothing that its user does can hold up the reading side: replies go to channels with room for them, events and
// outgoing messages wait in queues without a bound. A browser that is not read from stops working.
type Client struct {
	r io.ReadCloser
	w io.WriteCloser

	out    *queue[[]byte]
	events *queue[Event]

	mu      sync.Mutex
	nextID  int64
	pending map[int64]chan message
	err     error

	done      chan struct{}
	drained   chan struct{}
	finishOne sync.Once
	work      sync.WaitGroup
}

// New starts a client that reads the browser's messages from r and writes to w, and owns both. onEvent gets every
// event in order, on one goroutine of its own: it may use the client, but not Close it.
func New(r io.ReadCloser, w io.WriteCloser, onEvent func(Event)) *Client {
	c := &Client{
		r: r, w: w,
		out: newQueue[[]byte](), events: newQueue[Event](),
		pending: make(map[int64]chan message),
		done:    make(chan struct{}),
		drained: make(chan struct{}),
	}
	c.work.Go(c.read)
	c.work.Go(c.write)
	c.work.Go(func() {
		defer close(c.drained)
		for ev, ok := c.events.take(); ok; ev, ok = c.events.take() {
			onEvent(ev)
		}
	})
	return c
}

type message struct {
	ID        int64           `json:"id,omitempty"`
	SessionID string          `json:"sessionId,omitempty"`
	Method    string          `json:"method,omitempty"`
	Params    json.RawMessage `json:"params,omitempty"`
	Result    json.RawMessage `json:"result,omitempty"`
	Error     *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

// Reply is the answer to a message that was sent, to be waited for once or not at all.
type Reply struct {
	c      *Client
	id     int64
	method string
	ch     chan message
	err    error
}

// Send queues one message and returns at once. Messages leave in the order of the Send calls, which is what makes
// it safe to configure a paused page and resume it without waiting in between. params may be nil.
func (c *Client) Send(sessionID, method string, params any) *Reply {
	rep := &Reply{c: c, method: method}
	var raw json.RawMessage
	if params != nil {
		var err error
		if raw, err = json.Marshal(params); err != nil {
			rep.err = fmt.Errorf("cdp: %s: %w", method, err)
			return rep
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		rep.err = c.err
		return rep
	}
	c.nextID++
	frame, err := json.Marshal(message{ID: c.nextID, SessionID: sessionID, Method: method, Params: raw})
	if err != nil {
		rep.err = fmt.Errorf("cdp: %s: %w", method, err)
		return rep
	}
	rep.id, rep.ch = c.nextID, make(chan message, 1)
	c.pending[rep.id] = rep.ch
	c.out.put(append(frame, 0))
	return rep
}

// Wait returns when the answer is there and decoded into out (nil to ignore it), ctx is over or the client has
// ended. The browser's refusal is an *Error.
func (rep *Reply) Wait(ctx context.Context, out any) error {
	if rep.err != nil {
		return rep.err
	}
	select {
	case m := <-rep.ch:
		return rep.decode(m, out)
	case <-ctx.Done():
		rep.c.forget(rep.id)
		return fmt.Errorf("cdp: %s: %w", rep.method, ctx.Err())
	case <-rep.c.done:
	}
	select {
	case m := <-rep.ch: // it came just before the end
		return rep.decode(m, out)
	default:
		return fmt.Errorf("cdp: %s: %w", rep.method, rep.c.Err())
	}
}

func (rep *Reply) decode(m message, out any) error {
	if m.Error != nil {
		return &Error{Method: rep.method, Code: m.Error.Code, Message: m.Error.Message}
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(m.Result, out); err != nil {
		return fmt.Errorf("cdp: %s: result: %w", rep.method, err)
	}
	return nil
}

// Call is Send and Wait, with CallTimeout where ctx gives more.
func (c *Client) Call(ctx context.Context, sessionID, method string, params, out any) error {
	ctx, cancel := context.WithTimeout(ctx, CallTimeout)
	defer cancel()
	return c.Send(sessionID, method, params).Wait(ctx, out)
}

// Done is closed when the client has ended, for whichever reason.
func (c *Client) Done() <-chan struct{} { return c.done }

// Drained is closed after Done, when onEvent has returned from the last event that came before the end.
func (c *Client) Drained() <-chan struct{} { return c.drained }

// Err says why the client has ended; nil while it lives.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close ends the client, closes both files and returns when its goroutines are gone. It may be called more than
// once, but not from onEvent.
func (c *Client) Close() {
	c.finish(ErrClosed)
	c.work.Wait()
}

func (c *Client) finish(why error) {
	c.finishOne.Do(func() {
		c.mu.Lock()
		c.err = why
		clear(c.pending)
		c.mu.Unlock()
		close(c.done)
		c.out.end()
		c.events.end()
		c.w.Close()
		c.r.Close()
	})
}

func (c *Client) forget(id int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.pending, id)
}

func (c *Client) write() {
	for frame, ok := c.out.take(); ok; frame, ok = c.out.take() {
		if _, err := c.w.Write(frame); err != nil {
			c.finish(fmt.Errorf("%w: %w", ErrGone, err))
			return
		}
	}
}
