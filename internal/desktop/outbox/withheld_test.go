package outbox

import (
	"testing"
	"testing/synctest"
	"time"

	"stead/internal/stead"
)

// owing asks once more, as Run does, and returns what is told of it.
func owing(t *testing.T, o *Outbox, l *ledger) stead.Code {
	t.Helper()
	waiting, err := o.prove(t.Context(), l.log)
	if err != nil {
		t.Fatal(err)
	}
	if !waiting {
		return ""
	}
	code, err := o.missing(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// TestALogThatKeepsRecordsOutIsToldAndThenBlocks: also when it lets one in now and then, and when the machine is started
// again; what could not be asked does not count; it is over when all are proven.
func TestALogThatKeepsRecordsOutIsToldAndThenBlocks(t *testing.T) {
	now := time.Unix(1_790_000_000, 0)
	cfg := testConfig()
	cfg.Now = func() time.Time { return now }
	path := newPath(t)
	reopen := func() *Outbox {
		o, err := Open(t.Context(), path, cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = o.Close() })
		return o
	}
	o, l := reopen(), newLedger()
	settled(t, o, l, 2)
	l.log.withhold = true
	appendN(t, o, 5)
	if err := o.Drain(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	if code := owing(t, o, l); code != "" || !o.State().Withheld.IsZero() {
		t.Errorf("at once: %s, %+v", code, o.State())
	}
	since := now
	now = now.Add(10 * time.Hour) // the machine slept, or the platform could not be reached
	if s := o.State(); !s.Withheld.IsZero() || o.MayStart() != nil {
		t.Errorf("nobody asked: %+v, %v", s, o.MayStart())
	}
	now = since.Add(time.Minute)
	if code := owing(t, o, l); code != stead.CodeLogWithheld || !o.State().Withheld.Equal(since) || o.MayStart() != nil {
		t.Errorf("after a minute: %s, %+v, %v", code, o.State(), o.MayStart())
	}
	l.log.set(func() { l.log.withhold = false; delete(l.log.positions, 4) })
	now = since.Add(19 * time.Minute)
	if code := owing(t, o, l); code != stead.CodeLogWithheld || o.State().Receipted != 3 || o.MayStart() != nil {
		t.Errorf("one more is let in: %s, %+v", code, o.State())
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	o = reopen()
	now = since.Add(20 * time.Minute)
	if code := owing(t, o, l); code != stead.CodeLogWithheld || o.State().Blocked != stead.CodeLogWithheld {
		t.Errorf("after twenty: %s, %+v", code, o.State())
	}
	refusesStarts(t, o, stead.CodeLogWithheld)
	l.log.set(func() { l.log.positions[4] = l.log.positions[3] + 1 })
	if err := o.Drain(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	if code := owing(t, o, l); code != "" || o.MayStart() != nil || !o.State().Withheld.IsZero() || o.State().Unreceipted != 0 {
		t.Errorf("they are there: %s, %+v, %v", code, o.State(), o.MayStart())
	}
}

// TestRunTellsOfALogThatKeepsRecordsOut by itself, in its own time.
func TestRunTellsOfALogThatKeepsRecordsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, l := open(t, newPath(t)), newLedger()
		l.log.withhold = true
		appendN(t, o, 3)
		done := make(chan error, 1)
		go func() { done <- o.Run(t.Context(), l, l.log) }()
		time.Sleep(50 * time.Second)
		synctest.Wait()
		if s := o.State(); s.ReceiptError != "" || s.Unreceipted != 3 {
			t.Errorf("before it is told: %+v", s)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if s := o.State(); s.ReceiptError != stead.CodeLogWithheld || s.Blocked != "" {
			t.Errorf("told: %+v", s)
		}
		time.Sleep(20 * time.Minute)
		synctest.Wait()
		if err := o.MayStart(); stead.CodeOf(err) != stead.CodeLogWithheld {
			t.Errorf("blocked: %v", err)
		}
		if err := o.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestNewRecordsAreProvenSoonAlthoughTheLogWasSlow: the pauses of earlier questions are not theirs.
func TestNewRecordsAreProvenSoonAlthoughTheLogWasSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, l := open(t, newPath(t)), newLedger()
		l.log.withhold = true
		done := make(chan error, 1)
		go func() { done <- o.Run(t.Context(), l, l.log) }()
		for range 40 { // two minutes and more in which the log stands still
			appendN(t, o, 1)
			time.Sleep(5 * time.Second)
		}
		appendN(t, o, 1)
		time.Sleep(500 * time.Millisecond) // the log takes its usual time from here on
		l.log.set(func() { l.log.withhold = false })
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if s := o.State(); s.Unreceipted != 0 {
			t.Errorf("%d records wait for their proof", s.Unreceipted)
		}
		if err := o.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
