package memberapp

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"stead/internal/api"
)

const (
	queueLimit = 300 // reports that may wait; beyond that, support is shown nothing more
	batchLimit = 100 // the contract's
	firstPause = 100 * time.Millisecond
	longPause  = 2 * time.Second
)

// Why a report is not, or not surely, with the platform.
var (
	errNotSent     = errors.New("the report was not sent")
	errUnconfirmed = errors.New("the report was sent, but not confirmed")
)

// entry is a report on its way.
type entry struct {
	report api.ActionReport
	tried  bool       // it may have arrived
	done   chan error // of one who waits; nil otherwise
}

// reporter delivers reports in order, one batch at a time, again and again until the platform takes them. The ids
// make repetition harmless. It is safe for concurrent use.
type reporter struct {
	send func(context.Context, []api.ActionReport) error
	log  *slog.Logger

	mu      sync.Mutex
	queue   []*entry
	closing bool

	wake   chan struct{}
	cancel context.CancelFunc
	ended  chan struct{}
}

// newReporter starts delivering; close ends it.
func newReporter(send func(context.Context, []api.ActionReport) error, log *slog.Logger) *reporter {
	ctx, cancel := context.WithCancel(context.Background())
	r := &reporter{send: send, log: log, wake: make(chan struct{}, 1), cancel: cancel, ended: make(chan struct{})}
	go r.run(ctx)
	return r
}

// add queues a report. errNotSent: there is no room, or the app is closing.
func (r *reporter) add(rep api.ActionReport) error { return r.push(&entry{report: rep}, queueLimit) }

// follow queues a report about an earlier one. It always finds room: without it the earlier one would be untrue.
func (r *reporter) follow(rep api.ActionReport) {
	if err := r.push(&entry{report: rep}, 2*queueLimit); err != nil {
		r.log.Error("outcome not reported", "session", rep.SessionID, "path", rep.Path, "error", err)
	}
}

// accepted queues a report and waits until the platform has taken it, and with it all before it. After errNotSent
// the platform does not know of it; after errUnconfirmed it may, or may still hear of it.
func (r *reporter) accepted(ctx context.Context, rep api.ActionReport) error {
	e := &entry{report: rep, done: make(chan error, 1)}
	if err := r.push(e, queueLimit); err != nil {
		return err
	}
	select {
	case err := <-e.done:
		return err
	case <-ctx.Done():
		return r.withdraw(e)
	}
}

func (r *reporter) push(e *entry, limit int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing || len(r.queue) >= limit {
		return errNotSent
	}
	r.queue = append(r.queue, e)
	r.knock()
	return nil
}

func (r *reporter) knock() {
	select {
	case r.wake <- struct{}{}:
	default: // it is awake, or will be
	}
}

// withdraw takes back what was never sent.
func (r *reporter) withdraw(e *entry) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.Index(r.queue, e)
	switch {
	case i < 0:
		return <-e.done // it was settled just now
	case e.tried:
		return errUnconfirmed
	}
	r.queue = slices.Delete(r.queue, i, i+1)
	return errNotSent
}

// run is the reporter's one goroutine.
func (r *reporter) run(ctx context.Context) {
	defer close(r.ended)
	pause, single := firstPause, 0
	for {
		batch, closing := r.next(single > 0)
		if len(batch) == 0 {
			if closing || !r.sleep(ctx, r.wake, nil) {
				return
			}
			continue
		}
		err := r.send(ctx, reportsOf(batch))
		switch {
		case err == nil:
			r.settle(batch, nil)
			pause, single = firstPause, max(0, single-1)
		case errors.Is(err, errRefused) && len(batch) > 1:
			single = len(batch) // one of them is at fault: find it by sending them one by one
		case errors.Is(err, errRefused):
			r.log.Error("action report refused", "session", batch[0].report.SessionID, "path", batch[0].report.Path, "error", err)
			r.settle(batch, err)
			single = max(0, single-1)
		default:
			r.log.Warn("action reports not delivered yet", "waiting", len(batch), "error", err)
			t := time.NewTimer(pause)
			ok := r.sleep(ctx, nil, t.C)
			t.Stop()
			if !ok {
				return
			}
			pause = min(2*pause, longPause)
		}
	}
}

// sleep waits for a knock or a timer. It answers false when the time to flush is over.
func (r *reporter) sleep(ctx context.Context, wake <-chan struct{}, timer <-chan time.Time) bool {
	select {
	case <-wake:
		return true
	case <-timer:
		return true
	case <-ctx.Done():
		return false
	}
}

func (r *reporter) next(single bool) ([]*entry, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := min(len(r.queue), batchLimit)
	if single {
		n = min(n, 1)
	}
	batch := slices.Clone(r.queue[:n])
	for _, e := range batch {
		e.tried = true
	}
	return batch, r.closing
}

func reportsOf(batch []*entry) []api.ActionReport {
	out := make([]api.ActionReport, len(batch))
	for i, e := range batch {
		out[i] = e.report
	}
	return out
}

// settle removes a batch from the head of the queue: only run takes tried entries away.
func (r *reporter) settle(batch []*entry, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queue = slices.Delete(r.queue, 0, len(batch))
	for _, e := range batch {
		if e.done != nil {
			e.done <- err
		}
	}
}

// close stops taking reports, delivers the rest for as long as grace and answers how many could not be delivered.
func (r *reporter) close(grace time.Duration) int {
	r.mu.Lock()
	r.closing = true
	r.knock()
	r.mu.Unlock()
	t := time.AfterFunc(grace, r.cancel)
	<-r.ended
	t.Stop()
	r.cancel()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.queue {
		if e.done != nil {
			e.done <- errUnconfirmed
		}
	}
	return len(r.queue)
}
