package outbox

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"
)

// killed runs a child in the role, kills it within the time after its first line, and returns what it printed.
func killed(t *testing.T, role, folder string, within time.Duration) string {
	t.Helper()
	cmd := child(t, role, folder)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var kill *time.Timer
	var said []byte
	for b := make([]byte, 4096); ; {
		n, err := out.Read(b)
		said = append(said, b[:n]...)
		if n > 0 && kill == nil {
			kill = time.AfterFunc(rand.N(within), func() { _ = cmd.Process.Kill() })
		}
		if err != nil {
			_ = cmd.Wait() // it was killed, or ended first
			return string(said)
		}
	}
}

// childRecover recovers the file.
func childRecover(path string) {
	fmt.Println("begins")
	if _, err := Recover(context.Background(), path, testConfig()); err != nil {
		fmt.Println("failed:", err)
	}
	fmt.Println("done")
}

// TestRecoveryKilledAtAnyMoment kills recoveries and lets another one end them.
func TestRecoveryKilledAtAnyMoment(t *testing.T) {
	const rounds = 40
	w := newWreck(t)
	data := w.spoiled(55)
	ended, fresh := 0, 0
	for range rounds {
		path := newPath(t)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		var said string
		for range 2 { // the one that ends it may be killed too
			if said = killed(t, "recover", filepath.Dir(path), 12*time.Millisecond); strings.Contains(said, "failed") {
				t.Fatal(said)
			}
		}
		if strings.Contains(said, "done") {
			ended++
		}
		if o, err := Open(t.Context(), path, testConfig()); err == nil {
			fresh++
			if err := o.Close(); err != nil {
				t.Fatal(err)
			}
		} else if stead.CodeOf(err) != stead.CodeOutboxDamaged {
			t.Fatal(err)
		}
		r, err := Recover(t.Context(), path, testConfig())
		if err != nil || r.Salvaged != 29 {
			t.Fatalf("%+v, %v", r, err)
		}
		o, p := open(t, path), w.platform()
		if err := o.Drain(t.Context(), p); err != nil || p.of[w.epoch].head.Seq != 54 {
			t.Fatalf("the platform has %d, %v", p.of[w.epoch].head.Seq, err)
		}
		w.checkRecovery(t, o, p, r)
		left, err := filepath.Glob(path + ".new-*")
		if err != nil || len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d rounds of two kills: in %d the second ended by itself, in %d a recovery had been complete", rounds, ended, fresh)
}

// childCompact appends and compacts in turn for ever, and prints each record after it was answered.
func childCompact(path string) {
	ctx := context.Background()
	o, err := Open(ctx, path, testConfig())
	for err == nil {
		for range 3 {
			var p Placed
			if p, err = o.Append(ctx, intent()); err != nil {
				break
			}
			fmt.Printf("%d %x\n", p.Seq, p.Leaf)
		}
		err = errors.Join(err, o.change(ctx, o.compact))
	}
	fmt.Println("failed:", err)
}

// TestCompactionKilledAtAnyMoment: every record that was answered is in whichever file has the name.
func TestCompactionKilledAtAnyMoment(t *testing.T) {
	path := newPath(t)
	known := map[uint64]string{}
	var inode os.FileInfo
	swapped := 0
	for round := range 30 {
		said := killed(t, "compact", filepath.Dir(path), 90*time.Millisecond)
		if strings.Contains(said, "failed") {
			t.Fatal(said)
		}
		for line := range strings.Lines(said) {
			var seq uint64
			var leaf string
			if n, err := fmt.Sscanf(line, "%d %s", &seq, &leaf); n == 2 && err == nil && len(leaf) == 64 {
				known[seq] = leaf
			}
		}
		if info, err := os.Stat(path); err != nil {
			t.Fatal(err)
		} else if inode == nil || !os.SameFile(info, inode) {
			inode = info
			swapped++
		}
		o := open(t, path)
		found := map[uint64]string{}
		for _, i := range allPending(t, o) {
			found[i.Seq] = leafHex(i)
		}
		for seq, leaf := range known {
			if found[seq] != leaf {
				t.Fatalf("round %d: record %d is %q, was answered as %s", round, seq, found[seq], leaf)
			}
		}
		known = found
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
		if left, err := filepath.Glob(path + ".new-*"); err != nil || len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	}
	t.Logf("%d records, the file was another one after %d of 30 rounds", len(known), swapped)
	if swapped < 4 {
		t.Error("hardly anything was compacted")
	}
}

// TestTheReserveIsForWhatIsNoStart: a start and an observation share the commit for which the disk has no room.
func TestTheReserveIsForWhatIsNoStart(t *testing.T) {
	o := open(t, newPath(t))
	appendN(t, o, 1)
	group := asked(t, o, intent(), Entry{Kind: audit.SessionObservedEnd})
	w, err := o.place(o.file, group)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.rescue(group, w, syscall.EIO); !errors.Is(err, syscall.EIO) || !reserved(o.path) {
		t.Errorf("another failure of the device: %v", err)
	}
	<-group[0].answered
	<-group[1].answered
	if err := o.rescue(group, w, syscall.ENOSPC); err != nil || reserved(o.path) {
		t.Errorf("%v, reserve %v", err, reserved(o.path))
	}
	start, end := <-group[0].answered, <-group[1].answered
	if stead.CodeOf(start.err) != stead.CodeOutboxFull || end.err != nil || end.placed.Seq != 2 || o.State().Head != 2 {
		t.Errorf("start %+v, observation %+v", start, end)
	}
}

// pour writes n records in large groups.
func pour(t *testing.T, o *Outbox, n int, more ...audit.Text) {
	t.Helper()
	for n > 0 {
		entries := make([]Entry, min(n, groupRecords))
		for i := range entries {
			entries[i] = intent()
			entries[i].Texts = append(entries[i].Texts, more...)
		}
		group := asked(t, o, entries...)
		w, err := o.place(o.file, group)
		if err == nil {
			err = o.file.write(w)
		}
		if err != nil {
			t.Fatal(err)
		}
		o.mu.Lock()
		o.file.wrote(w)
		o.mu.Unlock()
		n -= len(group)
	}
}

// TestCompactionGivesTheRoomBack drains a large file and looks at what stays, and how long an append waits for it.
func TestCompactionGivesTheRoomBack(t *testing.T) {
	path := newPath(t)
	o := open(t, path)
	pour(t, o, 110_000)
	before := size(t, path)
	if o.upkeep(t.Context()); size(t, path) != before {
		t.Fatal("a file full of pending records was compacted")
	}
	given(t, o, 109_000)
	items := allPending(t, o)
	longest := make(chan time.Duration)
	stop, cancel := context.WithCancel(t.Context())
	go func() {
		var most time.Duration
		for stop.Err() == nil {
			began := time.Now()
			if _, err := o.Append(t.Context(), Entry{Kind: audit.SessionObservedEnd}); err != nil {
				t.Error(err)
			}
			most = max(most, time.Since(began))
		}
		longest <- most
	}()
	began := time.Now()
	o.upkeep(t.Context())
	took := time.Since(began)
	cancel()
	waited := <-longest
	after := size(t, path)
	t.Logf("%d MiB became %d KiB in %v; the longest append took %v", before>>20, after>>10, took, waited)
	if after > 20<<20 || waited > 3*time.Second {
		t.Errorf("%d bytes, an append waited %v", after, waited)
	}
	if got := allPending(t, o); len(got) < len(items) || leafHex(got[0]) != leafHex(items[0]) || leafHex(got[len(items)-1]) != leafHex(items[len(items)-1]) {
		t.Errorf("%d pending, %d before", len(got), len(items))
	}
	head := o.State().Head
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	if s := open(t, path).State(); s.Head != head || s.Acknowledged != 109_000 {
		t.Errorf("state %+v", s)
	}
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// TestRunCompacts: nobody has to ask for it.
func TestRunCompacts(t *testing.T) {
	path := newPath(t)
	o, l := open(t, path), newLedger()
	pour(t, o, 6_000, audit.NewText("filling", strings.Repeat("x", 15_000)))
	before := size(t, path)
	if before <= compactAbove {
		t.Fatalf("a file of %d bytes", before)
	}
	go func() { _ = o.Run(t.Context(), l, l.log) }()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := o.WaitDrained(ctx, 6_000); err != nil {
		t.Fatal(err)
	}
	for size(t, path) >= before && ctx.Err() == nil {
		time.Sleep(10 * time.Millisecond)
	}
	if ctx.Err() != nil {
		t.Error("a drained file kept its size")
	}
}
