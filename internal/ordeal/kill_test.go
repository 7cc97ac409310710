//go:build linux && !race

package ordeal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"stead/internal/desktop/outbox"
)

const (
	killedDevices = 10
	killsOfOne    = 36 // rounds; in some the child is faster and closes by itself
)

// deviceUntilKilled opens the outbox, appends from four goroutines and drains to the platform, and prints each record
// after it was answered.
func deviceUntilKilled(o orders) {
	ctx := context.Background()
	box, err := outbox.Open(ctx, o.Path, o.config())
	if err != nil {
		childFails("open", err)
	}
	say("open")
	go func() {
		if err := box.Run(ctx, o.client(), o.log()); err != nil {
			childFails("run", err)
		}
	}()
	over := time.NewTimer(o.Life)
	if o.Life == 0 {
		over.Stop()
	}
	failed := make(chan error, 1)
	for n := range uint64(4) {
		rng := rand.New(rand.NewPCG(o.Seed, n))
		go func() {
			for {
				p, err := box.Append(ctx, intent())
				if err != nil {
					select {
					case failed <- err:
					default:
					}
					return
				}
				sayPlaced(p)
				time.Sleep(time.Duration(rng.IntN(4000)) * time.Microsecond)
			}
		}()
	}
	select {
	case err := <-failed:
		childFails("append", err)
	case <-over.C:
		if err := box.Close(); err != nil {
			childFails("close", err)
		}
	}
}

// victim is one device that is killed again and again.
type victim struct {
	*testing.T
	orders  orders
	rng     *rand.Rand
	known   memory
	opening time.Duration // how long a child takes until its outbox is open, as seen last
	phases  map[string]int
	looked  int      // how often between was called
	proven  receipts // as they were in the end
}

// TestKill9 kills a device that appends and drains: while it starts and creates or opens its outbox, while it works,
// and while it closes. Each time it begins again on the same file. In the end each record that was ever answered is at
// the platform once, in its place, and the ledger proves itself.
func TestKill9(t *testing.T) {
	t.Parallel()
	rng := chance(t)
	b := newBackend(t)
	var group errgroup.Group
	group.SetLimit(2)
	victims := make([]*victim, killedDevices)
	for n := range victims {
		v := &victim{T: t, orders: b.enrol(fmt.Sprintf("killed %d", n)), rng: rand.New(rand.NewPCG(rng.Uint64(), 0)),
			known: memory{}, opening: 50 * time.Millisecond, phases: map[string]int{}}
		v.orders.Path = filepath.Join(t.TempDir(), "outbox.db")
		victims[n] = v
		group.Go(func() error {
			for range killsOfOne * soak {
				if err := v.round(); err != nil {
					return err
				}
				if v.rng.IntN(3) == 0 {
					if err := v.between(); err != nil {
						return err
					}
				}
			}
			return v.settle()
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	b.end()
	ledger, _, err := proven(t.Context(), b.file())
	if err != nil {
		t.Fatal(err)
	}
	records, lookedAt, forgotten, phases := 0, 0, uint64(0), map[string]int{}
	for _, v := range victims {
		list := ledger[string(v.orders.Device)]
		if err := exactlyOnce(list, v.known); err != nil {
			t.Errorf("%s: %v", v.orders.Key, err)
		}
		if err := v.proven.agree(list); err != nil {
			t.Errorf("%s: %v", v.orders.Key, err)
		}
		records, forgotten, lookedAt = records+len(list), forgotten+v.proven.last, lookedAt+v.looked
		for phase, n := range v.phases {
			phases[phase] += n
		}
	}
	kills := phases["opening"] + phases["working"]
	t.Logf("%d kills (%v), %d records at the platform, none lost and none twice; %d of them forgotten, as %d looks found never before the log had them",
		kills, phases, records, forgotten, lookedAt)
	if kills < 300 || phases["opening"] < 30 || forgotten == 0 {
		t.Errorf("only %d kills: %v; %d records proven", kills, phases, forgotten)
	}
}

// round runs the child once and kills it at some moment.
func (v *victim) round() error {
	o := v.orders
	o.Role, o.Seed = "device", v.rng.Uint64()
	onStart := v.rng.IntN(3) == 0
	delay := time.Duration(v.rng.Int64N(int64(60 * time.Millisecond)))
	if onStart {
		delay = time.Duration(v.rng.Int64N(int64(v.opening) * 3 / 2))
	} else if v.rng.IntN(6) == 0 {
		o.Life = delay * 9 / 10 // it closes just then
	}
	cmd := child(v.T, o)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	kill := func() { _ = cmd.Process.Kill() }
	if onStart {
		defer time.AfterFunc(delay, kill).Stop()
	}
	phase := "opening"
	for lines := bufio.NewScanner(out); lines.Scan(); {
		line := lines.Text()
		switch p, ok := readPlaced(line); {
		case ok:
			if v.known[p.seq] != "" {
				kill()
				return fmt.Errorf("%s: sequence %d was given twice", o.Key, p.seq)
			}
			v.known[p.seq] = p.leaf
		case line == "open":
			v.opening, phase = (v.opening+time.Since(began))/2, "working"
			if !onStart {
				defer time.AfterFunc(delay, kill).Stop()
			}
		case strings.HasPrefix(line, "failed"):
			_ = cmd.Wait()
			return fmt.Errorf("%s: the child says: %s", o.Key, line)
		}
	}
	if err := cmd.Wait(); err == nil {
		phase = "closed by itself"
	} else if cmd.ProcessState.Exited() {
		return fmt.Errorf("%s: the child ended with %v", o.Key, err)
	}
	v.phases[phase]++
	return nil
}

// between opens the outbox after a kill and asks the platform whether its log has what the outbox no longer holds.
func (v *victim) between() error {
	box, err := outbox.Open(v.Context(), v.orders.Path, v.orders.config())
	if err != nil {
		return err
	}
	r, err := receiptsOf(v.Context(), box)
	if err == nil {
		err = r.inLog(v.Context(), v.orders)
	}
	v.looked++
	return errors.Join(err, box.Close())
}

// settle opens the outbox for the last time and drains it.
func (v *victim) settle() error {
	box, err := outbox.Open(v.Context(), v.orders.Path, v.orders.config())
	if err != nil {
		return err
	}
	h, err := look(v.Context(), box)
	if err == nil {
		err = h.holds(v.known, v.known)
	}
	if err == nil {
		err = box.Drain(v.Context(), v.orders.client())
	}
	state := box.State()
	if err == nil && state.Pending > 0 {
		err = fmt.Errorf("%+v after the last drain", state)
	}
	if err == nil {
		v.proven, err = receiptsOf(v.Context(), box)
	}
	if err = errors.Join(err, box.Close()); err == nil {
		err = v.orders.intact(v.Context(), state)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", v.orders.Key, err)
	}
	return nil
}
