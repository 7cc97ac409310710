package storetest

import (
	"context"
	"errors"
	"sync"
	"time"

	"stead/internal/platform/store"
)

var transactionTests = []test{
	{"an error rolls back and is returned", func(h *harness) {
		boom := errors.New("boom")
		err := h.Update(h.Context(), func(tx store.Tx) error {
			h.ok(tx.SetValue("a", "1"))
			return boom
		})
		h.want(err, boom)
		h.view(func(tx store.Tx) { _, err = tx.Value("a") })
		h.want(err, store.ErrNotFound)
	}},
	{"a panic rolls back and frees the writer", func(h *harness) {
		func() {
			defer func() { _ = recover() }()
			_ = h.Update(h.Context(), func(tx store.Tx) error {
				h.ok(tx.SetValue("a", "1"))
				panic("boom")
			})
		}()
		h.update(func(tx store.Tx) {
			_, err := tx.Value("a")
			h.want(err, store.ErrNotFound)
		})
	}},
	{"a cancelled update is not there", func(h *harness) {
		ctx, cancel := context.WithCancel(h.Context())
		err := h.Update(ctx, func(tx store.Tx) error {
			h.ok(tx.SetValue("a", "1"))
			cancel()
			return nil
		})
		h.want(err, context.Canceled)
		h.view(func(tx store.Tx) { _, err = tx.Value("a") })
		h.want(err, store.ErrNotFound)
	}},
	{"what was committed is there after reopening", func(h *harness) {
		h.people()
		h.update(func(tx store.Tx) { h.ok(tx.SetValue("a", "1")) })
		h.reopen()
		h.view(func(tx store.Tx) {
			same(h, "value", must(tx.Value("a"))(h), "1")
			same(h, "members", must(tx.CountMembers())(h), len(cast()))
			same(h, "found", len(h.find(tx, "jose", everybody)), 2)
		})
	}},
	{"a view changes nothing", func(h *harness) {
		err := h.View(h.Context(), func(tx store.Tx) error { return tx.SetValue("a", "1") })
		if err == nil {
			h.Fatal("a view wrote")
		}
	}},
	{"a view sees one state", func(h *harness) {
		h.view(func(tx store.Tx) {
			_, err := tx.Value("a")
			h.want(err, store.ErrNotFound)
			h.update(func(tx store.Tx) { h.ok(tx.SetValue("a", "1")) })
			_, err = tx.Value("a")
			h.want(err, store.ErrNotFound)
		})
	}},
	{"a transaction is useless afterwards", func(h *harness) {
		var kept store.Tx
		h.update(func(tx store.Tx) { kept = tx })
		if err := kept.SetValue("a", "1"); err == nil {
			h.Fatal("wrote through a finished transaction")
		}
	}},
	{"now stands still, in whole milliseconds of UTC", func(h *harness) {
		var earlier time.Time
		h.view(func(tx store.Tx) {
			earlier = tx.Now()
			time.Sleep(3 * time.Millisecond)
			same(h, "now", tx.Now(), earlier)
			same(h, "zone", earlier.Location(), time.UTC)
			same(h, "rest", earlier.Nanosecond()%int(time.Millisecond), 0)
			if d := time.Since(earlier).Abs(); d > time.Minute {
				h.Errorf("the database's clock is %v away from ours, on one machine", d)
			}
		})
		h.update(func(tx store.Tx) {
			if !tx.Now().After(earlier) {
				h.Errorf("a later transaction is at %v, not after %v", tx.Now(), earlier)
			}
		})
	}},
	{"updates do not get lost", func(h *harness) {
		const callers, rounds = 8, 10
		ctx := background(h)
		var wg sync.WaitGroup
		for range callers {
			wg.Go(func() {
				for range rounds {
					err := h.Update(ctx, func(tx store.Tx) error {
						v, err := tx.Value("n")
						if err != nil && !errors.Is(err, store.ErrNotFound) {
							return err
						}
						return tx.SetValue("n", v+"x")
					})
					if err != nil {
						h.Errorf("update: %v", err)
					}
				}
			})
		}
		wg.Wait()
		h.view(func(tx store.Tx) { same(h, "updates", len(must(tx.Value("n"))(h)), callers*rounds) })
	}},
	{"close waits for what runs and refuses what comes", closeWaits},
}

func closeWaits(h *harness) {
	inside, leave := make(chan struct{}), make(chan struct{})
	updated, closed := make(chan error, 1), make(chan error, 1)
	ctx := background(h)
	go func() {
		updated <- h.Update(ctx, func(tx store.Tx) error {
			close(inside)
			<-leave
			return tx.SetValue("a", "1")
		})
	}()
	<-inside
	s := h.Store
	go func() { closed <- s.Close() }()
	select {
	case err := <-closed:
		h.Fatalf("closed while an update was running: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(leave)
	h.ok(<-updated)
	h.ok(<-closed)
	if err := s.View(ctx, func(store.Tx) error { return nil }); err == nil {
		h.Error("a closed store answered")
	}
	h.ok(s.Close()) // once more does nothing
	h.Store = h.open(h.T)
	h.view(func(tx store.Tx) { same(h, "value", must(tx.Value("a"))(h), "1") })
}
