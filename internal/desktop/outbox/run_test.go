package outbox

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"stead/internal/stead"
)

// run runs the outbox until the function it returns is called.
func run(t *testing.T, o *Outbox, p Platform, l Log) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		if err := o.Run(ctx, p, l); err != nil {
			t.Error(err)
		}
	})
	return func() { cancel(); done.Wait() }
}

// until waits up to ten seconds for a state.
func until(t *testing.T, o *Outbox, what string, reached func(State) bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !reached(o.State()); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not %s: %+v", what, o.State())
		}
	}
}

// TestRunProves what the log takes a while to hold, and says its head before it sends anything.
func TestRunProves(t *testing.T) {
	o, l := open(t, newPath(t)), newLedger()
	l.log.withhold = true
	appendN(t, o, 3)
	stop := run(t, o, l, l.log)
	defer stop()
	until(t, o, "acknowledged", func(s State) bool { return s.Unreceipted == 3 })
	l.set(func() {
		if l.heads != 1 {
			t.Errorf("%d heads", l.heads)
		}
	})
	time.Sleep(50 * time.Millisecond)
	l.log.set(func() { l.log.withhold = false })
	until(t, o, "receipted", func(s State) bool { return s.Receipted == 3 })
	appendN(t, o, 2)
	until(t, o, "receipted", func(s State) bool { return s.Receipted == 5 })
}

// TestRunHealsARestore by itself: the platform is away, comes back set back to a backup, and two people declare it.
func TestRunHealsARestore(t *testing.T) {
	o, l := open(t, newPath(t)), newLedger()
	stop := run(t, o, l, l.log)
	defer stop()
	appendN(t, o, 10)
	until(t, o, "receipted", func(s State) bool { return s.Receipted == 10 })
	l.log.set(func() { l.log.withhold = true })
	placed := appendN(t, o, 3)
	until(t, o, "acknowledged", func(s State) bool { return s.Acknowledged == 13 })
	away := stead.E(stead.CodeUnreachable, nil)
	l.set(func() { l.refuse = away })
	l.log.set(func() { l.log.refuse = away })
	if _, err := o.Append(t.Context(), end()); err != nil {
		t.Fatal(err)
	}
	until(t, o, "failing", func(s State) bool { return s.LastError == stead.CodeUnreachable })
	l.set(func() {
		kept, lost := setBack(l, 7, 3)
		l.bridges, l.refuse = true, nil
		l.log.set(func() { l.log.refuse, l.log.withhold = nil, false })
		l.log.tell(restored(kept, lost, "bob", "alice"))
	})
	o.Kick()
	until(t, o, "receipted", func(s State) bool { return s.Receipted == 14 && s.Blocked == "" })
	l.log.set(func() {
		for _, p := range placed {
			if at := l.log.positions[p.Seq]; at < 1 || l.log.leaves[at] != p.Leaf {
				t.Errorf("record %d was acknowledged and is lost", p.Seq)
			}
		}
	})
}

func TestHeadIsSaidAfterSilenceAndFailure(t *testing.T) {
	o, l := open(t, newPath(t)), newLedger()
	for _, c := range []struct {
		contact contact
		heads   int
	}{
		{contact{}, 1}, {contact{at: time.Now()}, 0}, {contact{at: time.Now(), failed: true}, 1},
		{contact{at: time.Now().Add(-headEvery)}, 1}, {contact{at: time.Now().Add(-time.Minute)}, 0},
	} {
		o.contact, l.heads = c.contact, 0
		if err := o.Drain(t.Context(), l); err != nil || l.heads != c.heads {
			t.Errorf("%+v: %d heads, %v", c, l.heads, err)
		}
	}
	appendN(t, o, 1)
	if err := o.Drain(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	o.contact, l.heads = contact{at: time.Now().Add(-headCareful)}, 0 // and not everything is proven
	if err := o.Drain(t.Context(), l); err != nil || l.heads != 1 {
		t.Errorf("%d heads, %v", l.heads, err)
	}
}

// paused is a refusal that asks to be left alone.
type paused time.Duration

func (p paused) Error() string             { return "later" }
func (p paused) Unwrap() error             { return stead.E(stead.CodeUnreachable, nil) }
func (p paused) RetryAfter() time.Duration { return time.Duration(p) }

// TestPausesGrowAndAreKept: what the platform asks for is waited at least, whatever is appended; a kick ends it.
func TestPausesGrowAndAreKept(t *testing.T) {
	wake, kick := make(chan struct{}, 1), make(chan struct{}, 1)
	var pauses []time.Duration
	tries := 0
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	repeat(ctx, wake, kick, func() (time.Duration, error) {
		if tries++; tries > 12 {
			cancel()
			return 0, nil
		}
		nudge(kick)
		return 0, paused(time.Minute)
	}, func(p time.Duration) { pauses = append(pauses, p) })
	for _, p := range pauses {
		if p < time.Minute || p > time.Minute+firstCeiling { // a kick begins the pauses anew
			t.Errorf("paused %s", p)
		}
	}
	if len(pauses) != 12 {
		t.Errorf("%d pauses", len(pauses))
	}
	if got := retryAfter(errors.Join(errors.New("x"), paused(100*time.Hour))); got != lastRequest {
		t.Errorf("asked for %s", got)
	}
	if got := retryAfter(paused(-time.Hour)); got != 0 {
		t.Errorf("asked for %s", got)
	}

	o, l := open(t, newPath(t)), newLedger()
	l.refuse, l.calls = paused(time.Hour), make(chan struct{}, 1)
	stop := run(t, o, l, l.log)
	defer stop()
	<-l.calls
	until(t, o, "waiting", func(s State) bool { return time.Until(s.NextTry) > 59*time.Minute })
	appendN(t, o, 1)
	select {
	case <-l.calls:
		t.Error("it came back before the time")
	case <-time.After(100 * time.Millisecond):
	}
	l.set(func() { l.refuse = nil })
	o.Kick()
	until(t, o, "acknowledged", func(s State) bool { return s.Acknowledged == 1 })
}

// TestPausesDouble without a kick, and have full jitter.
func TestPausesDouble(t *testing.T) {
	wake := make(chan struct{}, 1)
	var pauses []time.Duration
	tries := 0
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	repeat(ctx, wake, nil, func() (time.Duration, error) {
		if tries++; tries > 200 {
			cancel()
		}
		nudge(wake) // something is appended all the time
		return 0, errors.New("away")
	}, func(p time.Duration) { pauses = append(pauses, p) })
	if longest := slices.Max(pauses); longest < lastCeiling*8/10 || longest > lastCeiling {
		t.Errorf("the longest was %s", longest)
	}
	if shortest := slices.Min(pauses[20:]); shortest > lastCeiling/10 {
		t.Errorf("the shortest was %s", shortest)
	}
	if pauses[0] > firstCeiling || pauses[1] > 2*firstCeiling {
		t.Errorf("began with %s", pauses[:2])
	}
}

func TestLimitsRefuseStartsOnly(t *testing.T) {
	o := open(t, newPath(t))
	appendN(t, o, 1)
	free, asked := uint64(1<<40), ""
	o.freeOn = func(folder string) (uint64, error) { asked = folder; return free, nil }
	set := func(head uint64) {
		if err := o.change(t.Context(), func(f *file) error { f.receipted.Seq = f.head.Seq - head; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	free = fullDisk - 1
	refusesStarts(t, o, stead.CodeOutboxFull)
	if s := o.State(); !s.LowDisk || s.Alarm || asked == "" {
		t.Errorf("%+v", s)
	}
	free = lowDisk - 1
	appendN(t, o, 1)
	if s := o.State(); !s.LowDisk {
		t.Errorf("%+v", s)
	}
	free = lowDisk
	if s := o.State(); s.LowDisk {
		t.Errorf("%+v", s)
	}
	o.freeOn = func(string) (uint64, error) { return 0, errors.New("no such call") }
	appendN(t, o, 1)
	o.freeOn = freeOn
	set(AlarmHeld)
	appendN(t, o, 1)
	if s := o.State(); !s.Alarm {
		t.Errorf("%+v", s)
	}
	set(MaxHeld)
	refusesStarts(t, o, stead.CodeOutboxFull)
	set(10)
	if s := o.State(); s.Alarm {
		t.Errorf("%+v", s)
	}
}

func TestFreeSpaceIsTheDisks(t *testing.T) {
	if n, err := freeOn(t.TempDir()); err != nil || n < 1<<20 || n > 1<<60 {
		t.Errorf("%d bytes, %v", n, err)
	}
	if _, err := freeOn("/no/such/folder"); err == nil {
		t.Error("of no folder")
	}
}
