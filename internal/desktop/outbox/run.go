package outbox

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"stead/internal/stead"
)

// The back-off between tries that failed: full jitter below a ceiling that doubles, after what the platform asked for.
const (
	firstCeiling = time.Second
	lastCeiling  = 5 * time.Minute
	lastRequest  = time.Hour // no platform may ask for more
)

// How long to wait for a log that does not hold yet what was acknowledged. It takes up to a second as a rule.
const (
	firstProof = 250 * time.Millisecond
	lastProof  = 30 * time.Second
)

// Run sends whatever is appended and has the log prove it, and after a failure tries again and again with growing
// pauses, until ctx ends or the outbox is closed. There is no last try and no record too old to be sent. Without a log
// nothing is proven, and every record stays; with one, the outbox must have been opened with a Trust, or Run returns
// an error at once.
func (o *Outbox) Run(ctx context.Context, p Platform, l Log) error {
	if l != nil && o.pins == nil {
		return errors.New("outbox: receipts need the keys of Config.Trust")
	}
	if !o.adopt() {
		return nil
	}
	defer o.owned.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(o.life, cancel)()
	var both sync.WaitGroup
	both.Go(func() { o.sending(ctx, p) })
	if l != nil {
		both.Go(func() { o.proving(ctx, l) })
	}
	both.Wait()
	return nil
}

// adopt makes Close wait for the caller, unless it already began.
func (o *Outbox) adopt() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.closed {
		o.owned.Add(1)
	}
	return !o.closed
}

// Kick makes Run try at once and begin its pauses anew: the network came back, or a person is waiting.
func (o *Outbox) Kick() {
	nudge(o.kick)
	nudge(o.recheck)
}

func (o *Outbox) sending(ctx context.Context, p Platform) {
	repeat(ctx, o.wake, o.kick, func() (time.Duration, error) {
		err := o.Drain(ctx, p)
		o.upkeep(ctx)
		return headEvery, err
	}, func(pause time.Duration) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.nextTry = time.Now().Add(pause)
	})
}

func (o *Outbox) proving(ctx context.Context, l Log) {
	pause, known := firstProof, uint64(0)
	repeat(ctx, o.doubt, o.recheck, func() (time.Duration, error) {
		waiting, err := o.prove(ctx, l)
		if acked := o.State().Acknowledged; acked != known { // what is new has its own second
			pause, known = firstProof, acked
		}
		code := stead.CodeOf(err)
		if err == nil && waiting {
			if code, err = o.missing(ctx); err != nil {
				code = stead.CodeOf(err)
			}
		}
		o.mu.Lock()
		o.unproven = code
		o.mu.Unlock()
		if err != nil || !waiting {
			pause = firstProof
			return headEvery, err
		}
		again := pause
		pause = min(2*pause, lastProof)
		return again, nil
	}, func(time.Duration) {})
}

// repeat calls work at once, whenever one of the channels has a token, and when the time it returned has passed. After
// an error the time is drawn, and failed is told; what asks to be left alone for a while is woken by kick only, which
// also begins the pauses anew.
func repeat(ctx context.Context, wake, kick <-chan struct{}, work func() (time.Duration, error), failed func(pause time.Duration)) {
	ceiling := firstCeiling
	for ctx.Err() == nil {
		pause, err := work()
		woken := wake
		if err == nil {
			ceiling = firstCeiling
		} else {
			asked := retryAfter(err)
			if asked > 0 {
				woken = nil
			}
			pause = asked + rand.N(ceiling) //nolint:gosec // G404: it spreads devices out in time and guards nothing
			ceiling = min(2*ceiling, lastCeiling)
			failed(pause)
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-woken:
		case <-timer.C:
		case <-kick:
			ceiling = firstCeiling
		}
		timer.Stop()
	}
}

// retryAfter is how long the platform asked to be left alone, 0 as a rule.
func retryAfter(err error) time.Duration {
	var asks interface{ RetryAfter() time.Duration }
	if !errors.As(err, &asks) {
		return 0
	}
	return min(max(asks.RetryAfter(), 0), lastRequest)
}
