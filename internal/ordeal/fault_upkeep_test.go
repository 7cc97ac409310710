//go:build linux && !race

package ordeal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stead/internal/audit"

	"stead/internal/desktop/outbox"
)

// deviceRecovers recovers a damaged outbox, twice if need be, and writes a record to the one that took its place.
func deviceRecovers(o orders) {
	ctx := context.Background()
	for range 2 {
		_, err := outbox.Recover(ctx, o.Path, o.config())
		if err == nil {
			break
		}
		sayRefused("recover", err)
	}
	box, err := outbox.Open(ctx, o.Path, o.config())
	if err != nil {
		sayRefused("open", err)
		say("done")
		return
	}
	if p, err := box.Append(ctx, ending()); err != nil {
		sayRefused("append", err)
	} else {
		sayPlaced(p)
	}
	if err := box.Close(); err != nil {
		sayRefused("close", err)
	}
	say("done")
}

// putCopy puts a copy into a folder of its own, and into the orders.
func (o *orders) putCopy(t *testing.T, data []byte) (folder string, err error) {
	t.Helper()
	folder, err = os.MkdirTemp(t.TempDir(), "")
	o.Path = filepath.Join(folder, "outbox.db")
	return folder, errors.Join(err, os.WriteFile(o.Path, data, 0o600))
}

// TestEveryFaultOfARecovery fails each call of a recovery once. Recovering again without the fault then saves the same
// records, the evidence is there once and unchanged, and what was answered meanwhile is in its place.
func TestEveryFaultOfARecovery(t *testing.T) {
	t.Parallel()
	rng := chance(t)
	w, err := newWreck(t, newBackend(t), "wreck with faults")
	if err != nil {
		t.Fatal(err)
	}
	data := bytes.Clone(w.sound)
	for seq := range w.sealed { // every copy of one record, so that something is missing and something is stranded
		for at := bytes.Index(data, w.sealed[seq]); seq == wreckHeld+5 && at >= 0; at = bytes.Index(data, w.sealed[seq]) {
			data[at+40] ^= 1
		}
	}
	strike := func(f fault) (int, error) {
		o := w.orders
		folder, err := o.putCopy(t, data)
		if err != nil {
			return 0, err
		}
		defer func() { _ = os.RemoveAll(folder) }()
		o.Role = "recover faults"
		said, calls, err := f.run(t, o, folder)
		if err == nil {
			err = o.recoveredFrom(t.Context(), said, data)
		}
		if err != nil {
			err = fmt.Errorf("%w; before: %s", err, said)
		}
		return calls, err
	}
	runs := everyFault(t, rng, 3, strike)
	t.Logf("%d faults (%v), and each time the same was saved", sum(t, runs, "openat", "pwrite64", "fdatasync", "fsync", "linkat", "renameat", "fallocate", "mkdirat", "fchmodat"), runs)
}

// recoveredFrom recovers again and looks at what is there then.
func (o orders) recoveredFrom(ctx context.Context, said string, data []byte) error {
	r, err := outbox.Recover(ctx, o.Path, o.config())
	if err != nil {
		return fmt.Errorf("without the fault: %w", err)
	}
	folder := filepath.Join(filepath.Dir(o.Path), "evidence")
	kept, err := os.ReadFile(filepath.Join(folder, r.Evidence))
	files, err2 := os.ReadDir(folder)
	if err = errors.Join(err, err2); err != nil || !bytes.Equal(kept, data) || len(files) != 1 {
		return fmt.Errorf("%d files of evidence, the one named has %d bytes for %d: %w", len(files), len(kept), len(data), err)
	}
	if want := fmt.Sprint(wreckHeld + 5); r.Missing != want || r.Salvaged < wreckUnsent-1 {
		return fmt.Errorf("%d salvaged, %q missing, want %s", r.Salvaged, r.Missing, want)
	}
	box, err := outbox.Open(ctx, o.Path, o.config())
	if err != nil {
		return err
	}
	known := memory{}
	for _, line := range strings.Split(said, "\n") {
		if p, ok := readPlaced(line); ok {
			known[p.seq] = p.leaf
		}
	}
	h, err := look(ctx, box)
	if err == nil {
		err = h.holds(known, known)
	}
	if err == nil && (!h.state.Recovering || h.state.Salvaged != r.Salvaged) {
		err = fmt.Errorf("%+v after %+v", h.state, r)
	}
	return errors.Join(err, box.Close())
}

const (
	bloated   = 64 << 20 // bytes from which on a file that is nearly empty is written anew
	bigText   = 15_000   // four of them in a record
	bloatHeld = 7        // records that a bloated outbox still holds
)

// deviceCompacts lets Run compact a bloated outbox; it tries again after a failure.
func deviceCompacts(o orders) {
	ctx := context.Background()
	box, err := outbox.Open(ctx, o.Path, o.config())
	if err != nil {
		sayRefused("open", err)
		say("done")
		return
	}
	running, cancel := context.WithTimeout(ctx, 3*time.Second)
	ended := make(chan error, 1)
	go func() { ended <- box.Run(running, o.client(), nil) }()
	for running.Err() == nil && !o.compacted() {
		time.Sleep(20 * time.Millisecond)
		box.Kick()
	}
	cancel()
	must("run", <-ended)
	say("compacted %t", o.compacted())
	if err := box.Close(); err != nil {
		sayRefused("close", err)
	}
	say("done")
}

func (o orders) compacted() bool {
	info, err := os.Stat(o.Path)
	return err == nil && info.Size() < bloated/2
}

// bloat makes an outbox whose file is large and nearly empty: the platform's log has almost all of it.
func bloat(t *testing.T, o orders) (data []byte, err error) {
	t.Helper()
	box, err := outbox.Open(t.Context(), o.Path, o.config())
	if err != nil {
		return nil, err
	}
	e := ending()
	e.Texts = nil
	for _, name := range []string{"reason", "member_name", "message", "note"} {
		e.Texts = append(e.Texts, audit.NewText(name, strings.Repeat("x", bigText)))
	}
	for n := 0; n < bloated/bigText/4*5/4 && err == nil; n++ {
		_, err = box.Append(t.Context(), e)
	}
	if err == nil {
		err = box.Drain(t.Context(), o.client())
	}
	// Nobody kicks Run here: it would compact the file as soon as it is proven.
	running, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- box.Run(running, o.client(), o.log()) }()
	for box.State().Unreceipted > 0 && running.Err() == nil {
		time.Sleep(20 * time.Millisecond)
	}
	cancel()
	err = errors.Join(err, <-ended)
	for n := 0; n < bloatHeld && err == nil; n++ {
		_, err = box.Append(t.Context(), ending())
	}
	if err == nil {
		err = box.Drain(t.Context(), o.client())
	}
	if err = errors.Join(err, box.Close()); err != nil {
		return nil, err
	}
	return os.ReadFile(o.Path)
}

// TestEveryFaultOfACompaction fails each call once while a file is written anew. Whatever came of it, the outbox is whole
// and holds what it held.
func TestEveryFaultOfACompaction(t *testing.T) {
	t.Parallel()
	rng := chance(t)
	b := newBackend(t)
	o := b.enrol("bloated")
	o.Path = filepath.Join(t.TempDir(), "outbox.db")
	data, err := bloat(t, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(data) <= bloated {
		t.Fatalf("a file of %d bytes", len(data))
	}
	strike := func(f fault) (int, error) {
		o := o
		folder, err := o.putCopy(t, data)
		if err != nil {
			return 0, err
		}
		defer func() { _ = os.RemoveAll(folder) }()
		o.Role = "compact faults"
		said, calls, err := f.run(t, o, folder)
		if err == nil {
			err = o.stillHolds(t.Context())
		}
		if err == nil && !strings.Contains(said, "compacted true") && !strings.Contains(said, "refused open") {
			err = errors.New("it was never compacted")
		}
		if err != nil {
			err = fmt.Errorf("%w; before: %s", err, said)
		}
		return calls, err
	}
	runs := everyFault(t, rng, 2, strike)
	t.Logf("%d faults (%v), and each time the outbox was whole", sum(t, runs, "openat", "pwrite64", "fdatasync", "renameat"), runs)
}

func (o orders) stillHolds(ctx context.Context) error {
	box, err := outbox.Open(ctx, o.Path, o.config())
	if err != nil {
		return fmt.Errorf("without the fault: %w", err)
	}
	gone, err := receiptsOf(ctx, box)
	s := box.State()
	if err == nil && (s.Head != gone.last+bloatHeld || s.Unreceipted != bloatHeld || s.Pending != 0) {
		err = fmt.Errorf("%+v", s)
	}
	if err = errors.Join(err, box.Close()); err != nil {
		return err
	}
	return o.intact(ctx, s)
}
