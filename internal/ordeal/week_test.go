//go:build linux && !race

package ordeal

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"stead/internal/stead"

	"stead/internal/desktop/client"
	"stead/internal/desktop/outbox"
)

// giveUp is when the device stops waiting for an answer here; in the product it waits ten times as long.
const giveUp = 1500 * time.Millisecond

// TestWeekOffline writes a week's records without a platform, over restarts and with a clock that jumps, and drains
// them through a proxy that plays pranks. In the end the platform holds each record once and in order.
func TestWeekOffline(t *testing.T) {
	t.Parallel()
	rng := chance(t)
	records := 20_000
	if os.Getenv("SIZE") == "full" {
		records = 100_000
	}
	b := newBackend(t)
	o := b.enrol("a week offline")
	o.Path = filepath.Join(t.TempDir(), "outbox.db")
	known, offline := memory{}, time.Now()
	for day := range 7 {
		writeOffline(t, o, known, records*(day+1)/7-len(known), jumpingClock(day, rng.Uint64()))
	}
	wrote := time.Since(offline)

	p := newPranks(t, b.server.URL, rand.New(rand.NewPCG(rng.Uint64(), 0)))
	hc := p.Client()
	hc.Timeout = giveUp
	platform, err := client.New(p.URL, bearer(b.token), hc)
	if err != nil {
		t.Fatal(err)
	}
	box, err := outbox.Open(t.Context(), o.Path, o.config())
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	drainAll(t, box, platform, platform.Log(o.Device))
	took := time.Since(began)
	if err := box.Close(); err != nil {
		t.Fatal(err)
	}
	b.end()
	ledger, proof, err := proven(t.Context(), b.file())
	list := ledger[string(o.Device)]
	if err == nil {
		err = exactlyOnce(list, known)
	}
	if err != nil || len(list) != len(known) {
		t.Fatalf("%d of %d arrived: %v", len(list), len(known), err)
	}
	t.Logf("%d records written in %s over seven openings (%.0f/s), drained in %s through %v (%.0f/s), %d in the log",
		len(known), wrote.Round(time.Millisecond), float64(len(known))/wrote.Seconds(), took.Round(time.Millisecond), p.played,
		float64(len(known))/took.Seconds(), proof.Checkpoint.Size)
	if len(known) != records || len(p.played) < len(p.list) {
		t.Errorf("%d records, and not every prank was played", len(known))
	}
}

// writeOffline opens the outbox for a day, appends from eight goroutines, and closes it.
func writeOffline(t *testing.T, o orders, known memory, records int, clock func() time.Time) {
	t.Helper()
	cfg := o.config()
	cfg.Now = clock
	box, err := outbox.Open(t.Context(), o.Path, cfg)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var callers sync.WaitGroup
	tickets := make(chan struct{}, records)
	for range records {
		tickets <- struct{}{}
	}
	close(tickets)
	for range 8 {
		callers.Go(func() {
			for range tickets {
				p, err := box.Append(t.Context(), intent())
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				known[p.Seq] = leafHex(p.Leaf)
				mu.Unlock()
			}
		})
	}
	callers.Wait()
	if err := box.Close(); err != nil {
		t.Fatal(err)
	}
}

// jumpingClock is a machine's clock on that day, which somebody sets to and fro by up to two days.
func jumpingClock(day int, seed uint64) func() time.Time {
	var mu sync.Mutex
	rng := rand.New(rand.NewPCG(seed, 0))
	skew := time.Duration(0)
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		if rng.IntN(100) == 0 {
			skew = time.Duration(rng.Int64N(int64(96*time.Hour))) - 48*time.Hour
		}
		return time.Now().Add(time.Duration(day-7)*24*time.Hour + skew)
	}
}

// drainAll lets Run drain until nothing is pending and everything is proven. Whenever it waits after a failure, somebody with patience left
// kicks it, or the test would take as long as the pauses.
func drainAll(t *testing.T, box *outbox.Outbox, platform outbox.Platform, log outbox.Log) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	var run sync.WaitGroup
	run.Go(func() {
		if err := box.Run(ctx, platform, log); err != nil {
			t.Error(err)
			cancel()
		}
	})
	failures := map[stead.Code]int{} // as often as somebody looked
	look := time.NewTicker(25 * time.Millisecond)
	defer look.Stop()
	for s := box.State(); (s.Pending > 0 || s.Unreceipted > 0) && ctx.Err() == nil; s = box.State() {
		if s.LastError != "" || s.ReceiptError != "" {
			failures[s.LastError]++
			failures[s.ReceiptError]++
			box.Kick()
			if fatal(s.LastError) || fatal(s.ReceiptError) {
				break
			}
		}
		<-look.C
	}
	err := ctx.Err()
	cancel()
	run.Wait()
	if err != nil {
		t.Fatalf("%+v: %v", box.State(), errors.Join(err, box.Close()))
	}
	t.Logf("the outbox named as its last error: %v", failures)
	for code := range failures {
		if fatal(code) {
			t.Errorf("a drain ended with %s", code)
		}
	}
}

// fatal reports whether the platform refused what a sound device sent.
func fatal(code stead.Code) bool {
	return code == stead.CodeChainFork || code == stead.CodeChainGap || code == stead.CodeRecordInvalid || code == stead.CodeLogForked
}
