package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"stead/internal/desktop/outbox"
)

// openOutbox is how long an outbox full of records takes to open, and how much memory.
func openOutbox(ctx context.Context, b bench) ([]row, error) {
	d, err := makeDevice()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(b.folder, "outbox.db")
	o, err := outbox.Open(ctx, path, d.config)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(fill(ctx, o, b.size.pending), o.Close()); err != nil {
		return nil, err
	}
	peak := 0.0
	once := func() (float64, error) {
		runtime.GC()
		watch := watchHeap()
		began := time.Now()
		o, err := outbox.Open(ctx, path, d.config)
		took := time.Since(began).Seconds()
		peak = max(peak, watch())
		if err != nil {
			return 0, err
		}
		return took, o.Close()
	}
	warm, err := medians(ctx, min(b.size.rounds, 5), once)
	if err != nil {
		return nil, err
	}
	pending := fmt.Sprintf("s, %d pending", b.size.pending)
	rows := []row{row{Name: "outbox.open", Value: warm[0], Unit: pending}.atMost(1),
		row{Name: "outbox.heap", Value: peak, Unit: fmt.Sprintf("MiB, %d pending", b.size.pending)}.atMost(64)}
	if !forget(path) {
		_, _ = fmt.Fprintln(b.progress, "outbox.open.cold is left out: only root can empty the system's cache")
		return rows, nil
	}
	cold, err := once()
	if err != nil {
		return nil, err
	}
	return append(rows, row{Name: "outbox.open.cold", Value: cold, Unit: pending}), nil
}

// fill appends so many records, with enough callers to share flushes.
func fill(ctx context.Context, o *outbox.Outbox, records int) error {
	const writers = 128
	var all sync.WaitGroup
	var left atomic.Int64
	left.Store(int64(records))
	e, errs := entry(), make([]error, writers)
	for i := range writers {
		all.Go(func() {
			for errs[i] == nil && left.Add(-1) >= 0 {
				_, errs[i] = o.Append(ctx, e)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// watchHeap looks at the heap until the function it returns is called, which answers how much the heap grew at most, in
// MiB.
func watchHeap() func() float64 {
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse
	}
	before := heap()
	most := before
	ended := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				most = max(most, heap())
			case <-ended:
				most = max(most, heap())
				return
			}
		}
	})
	return func() float64 {
		close(ended)
		watcher.Wait()
		return float64(most-before) / (1 << 20)
	}
}
