//go:build linux && !race

package ordeal

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"stead/internal/audit"

	"stead/internal/desktop/outbox"
	"stead/internal/platform"
)

const platformKills = 52

// platformUntilKilled serves the platform and writes records of its own, so that the sequencer always has news.
func platformUntilKilled(o orders) {
	ctx := context.Background()
	p, err := platform.Open(ctx, platformConfig(o.Path, o.Issuer))
	if err != nil {
		childFails("open", err)
	}
	l, err := net.Listen("tcp", o.Listen)
	if err != nil {
		childFails("listen", err)
	}
	say("serving")
	go func() {
		for {
			if _, _, err := p.Office.IssueEnrolmentCode(ctx); err != nil {
				childFails("write", err)
			}
			time.Sleep(2 * time.Millisecond)
		}
	}()
	childFails("serve", http.Serve(l, p.Handler))
}

// TestKill9OfThePlatform kills a platform under load. Each time its ledger proves itself, and the device never takes
// for delivered what the platform does not hold.
func TestKill9OfThePlatform(t *testing.T) {
	t.Parallel()
	rng := chance(t)
	b := newBackend(t)
	o := b.enrol("of a killed platform")
	o.Path, o.Listen = filepath.Join(t.TempDir(), "outbox.db"), b.server.Listener.Addr().String()
	b.end()
	box, err := outbox.Open(t.Context(), o.Path, o.config())
	if err != nil {
		t.Fatal(err)
	}
	known := memory{}
	var mu sync.Mutex
	ctx, stop := context.WithCancel(t.Context())
	var work sync.WaitGroup
	work.Go(func() {
		if err := box.Run(ctx, o.client(), o.log()); err != nil {
			t.Error(err)
		}
	})
	for range 4 {
		work.Go(func() {
			for ctx.Err() == nil {
				p, err := box.Append(context.WithoutCancel(ctx), intent())
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				known[p.Seq] = leafHex(p.Leaf)
				mu.Unlock()
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
	held := 0
	opening := 200 * time.Millisecond
	for round := range platformKills * soak {
		delay := time.Duration(rng.Int64N(int64(200 * time.Millisecond)))
		when := moments()[round%len(moments())]
		if when == starting {
			delay = time.Duration(rng.Int64N(int64(opening) * 3 / 2))
		}
		opening = killPlatform(t, b, o, box, delay, when, opening)
		ledger, proof, err := proven(t.Context(), b.file())
		list := ledger[string(o.Device)]
		if err != nil && !errors.Is(err, audit.ErrNothingSigned) {
			t.Fatalf("round %d: %v", round, err)
		}
		mu.Lock()
		if err := exactlyOnce(list, within(known, len(list))); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		mu.Unlock()
		if _, err := justified(t.Context(), box, list); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if acked := box.State().Acknowledged; acked > uint64(len(list)) || len(list) < held {
			t.Fatalf("round %d: the device counts %d as delivered, the ledger holds %d, and held %d before (%+v)", round, acked, len(list), held, proof)
		}
		held = len(list)
	}
	stop()
	work.Wait()
	delivered, forgotten := held, box.State().Receipted
	b.begin()
	o.Platform = b.server.URL
	if err := errors.Join(box.Drain(t.Context(), o.client()), box.Close()); err != nil {
		t.Fatal(err)
	}
	b.end()
	ledger, proof, err := proven(t.Context(), b.file())
	list := ledger[string(o.Device)]
	if err == nil {
		err = exactlyOnce(list, known)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d kills, of the device's %d records %d delivered and %d proven and forgotten meanwhile, %d records in the log", platformKills*soak,
		len(list), delivered, forgotten, proof.Checkpoint.Size)
	if delivered == 0 || forgotten == 0 {
		t.Error("nothing was delivered, or nothing proven, between the kills")
	}
}

// moment is from when on the time until a kill is counted.
type moment string

const (
	starting moment = "since it was started"
	serving  moment = "since it serves"
	taking   moment = "since it took a batch"
)

func moments() []moment { return []moment{starting, serving, taking, serving} }

// killPlatform runs the platform once and kills it the given time after the moment. It returns how long opening takes.
func killPlatform(t *testing.T, b *backend, o orders, box *outbox.Outbox, delay time.Duration, when moment, opening time.Duration) time.Duration {
	t.Helper()
	cmd := child(t, orders{Role: "platform", Path: b.dir, Issuer: b.issuer, Listen: o.Listen})
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := func() { _ = cmd.Process.Kill() }
	if when == starting {
		defer time.AfterFunc(delay, kill).Stop()
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if lines.Text() != "serving" {
			kill()
			t.Fatalf("the platform says: %s", lines.Text())
		}
		opening = (opening + time.Since(began)) / 2
		box.Kick()
		if when == taking {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			_ = box.WaitDrained(ctx, box.State().Acknowledged+1) // where it takes none for so long, it is killed all the same
			cancel()
		}
		if when != starting {
			defer time.AfterFunc(delay, kill).Stop()
		}
	}
	_ = cmd.Wait() // it was killed
	return opening
}

// within is what is known of the first n records.
func within(known memory, n int) memory {
	some := memory{}
	for seq, leaf := range known {
		if seq <= uint64(n) {
			some[seq] = leaf
		}
	}
	return some
}
