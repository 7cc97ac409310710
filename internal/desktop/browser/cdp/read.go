package cdp

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

func (c *Client) read() {
	br := bufio.NewReaderSize(c.r, 64<<10)
	for {
		frame, err := nextFrame(br, MaxFrame)
		if err == nil {
			err = c.dispatch(frame)
		}
		if err != nil {
			c.finish(err)
			return
		}
	}
}

// nextFrame reads up to and without the next zero byte. It never holds more than limit bytes and one buffer.
func nextFrame(br *bufio.Reader, limit int) ([]byte, error) {
	var frame []byte
	for {
		part, err := br.ReadSlice(0)
		if len(frame)+len(part) > limit {
			return nil, ErrTooLarge
		}
		frame = append(frame, part...)
		switch {
		case err == nil:
			return frame[:len(frame)-1], nil
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(frame) > 0:
			return nil, fmt.Errorf("%w in the middle of a message", ErrGone)
		case errors.Is(err, io.EOF):
			return nil, ErrGone
		default:
			return nil, fmt.Errorf("%w: %w", ErrGone, err)
		}
	}
}

// dispatch hands one message to whoever waits for it. A message that cannot be understood ends the connection:
// what such a browser says afterwards is not to be trusted either. Its bytes are not put into the error, for they
// may hold what a page shows.
func (c *Client) dispatch(frame []byte) error {
	var m message
	if json.Unmarshal(frame, &m) != nil {
		return ErrMalformed
	}
	switch {
	case m.ID != 0:
		c.mu.Lock()
		ch := c.pending[m.ID]
		delete(c.pending, m.ID)
		c.mu.Unlock()
		if ch != nil { // nil: its caller has given up
			ch <- m
		}
	case m.Method != "":
		c.events.put(Event{SessionID: m.SessionID, Method: m.Method, Params: m.Params})
	case m.Error == nil: // an error without an id answers something unreadable; we send none
		return ErrMalformed
	}
	return nil
}

// queue hands values from many goroutines to one. put never blocks.
type queue[T any] struct {
	mu    sync.Mutex
	more  sync.Cond
	items []T
	ended bool
}

func newQueue[T any]() *queue[T] {
	q := &queue[T]{}
	q.more.L = &q.mu
	return q
}

func (q *queue[T]) put(v T) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.ended {
		q.items = append(q.items, v)
		q.more.Signal()
	}
}

// take waits for the next value. After end it still yields what was put before; then ok is false.
func (q *queue[T]) take() (v T, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.items) == 0 {
		if q.ended {
			return v, false
		}
		q.more.Wait()
	}
	v = q.items[0]
	var zero T
	q.items[0] = zero // a sent message may hold a credential: do not keep it reachable
	q.items = q.items[1:]
	return v, true
}

func (q *queue[T]) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended = true
	q.more.Broadcast()
}
