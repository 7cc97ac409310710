//go:build linux

package cli

import (
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"stead/internal/stead"
)

// footprint is what this process and its children hold of the system.
type footprint struct {
	descriptors, routines, processes int
	folders                          []string
	heap                             uint64
}

func (s *scene) footprint() (f footprint) {
	s.Helper()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	f.heap, f.routines = m.HeapAlloc, runtime.NumGoroutine()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		s.Fatal(err)
	}
	f.descriptors = len(open)
	for _, dir := range []string{filepath.Join(s.orders.Desk.CacheDir, "sessions"), os.TempDir()} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			s.Fatal(err)
		}
		for _, e := range entries {
			f.folders = append(f.folders, filepath.Join(dir, e.Name()))
		}
	}
	all, err := os.ReadDir("/proc")
	if err != nil {
		s.Fatal(err)
	}
	for _, e := range all {
		cmdline, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if err == nil && strings.Contains(string(cmdline), s.orders.Desk.CacheDir) {
			f.processes++
		}
	}
	return f
}

// rounds is n, unless SOAK says more.
func rounds(t *testing.T, n int) int {
	if more := os.Getenv("SOAK"); more != "" {
		times, err := strconv.Atoi(more)
		if err != nil || times < 1 {
			t.Fatalf("SOAK=%q is no number of rounds' multiple", more)
		}
		return n * times
	}
	return n
}

// TestManySessionsLeaveNothing starts and ends sessions in a row: 10 of them, SOAK times as many. After each one no process
// and no folder is left, and at last no descriptor, no goroutine and no memory more than before.
func TestManySessionsLeaveNothing(t *testing.T) {
	s := newScene(t)
	short, err := os.MkdirTemp("", "st") // a browser's socket lies in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(short) })
	t.Setenv("TMPDIR", short)
	r := s.atDesk(slog.New(slog.DiscardHandler))
	round := func() {
		live, err := r.start(t.Context(), r.target)
		if err != nil {
			t.Fatal(err)
		}
		ctl, err := r.desk.Session()
		if err == nil {
			_, err = ctl.End(t.Context(), stead.CauseAgent)
		}
		if err == nil {
			_, err = r.desk.Client.WriteNote(t.Context(), live.ID, "One of many.")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 3 { // caches and idle connections
		round()
	}
	before, n := s.footprint(), rounds(t, 10)
	began := time.Now()
	for i := range n {
		round()
		if now := s.footprint(); now.processes > 0 || len(now.folders) != len(before.folders) {
			t.Fatalf("after %d sessions: %d processes, folders %v", i+1, now.processes, now.folders)
		}
	}
	var after footprint
	for range 100 { // what idles a moment longer
		if after = s.footprint(); after.descriptors <= before.descriptors+4 && after.routines <= before.routines+8 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Logf("%d sessions in %v: %+v, before %+v", n, time.Since(began).Round(time.Second), after, before)
	if after.descriptors > before.descriptors+4 || after.routines > before.routines+8 { // idle connections come and go
		t.Errorf("held after %d sessions: %+v, before: %+v", n, after, before)
	}
	if grown := int64(after.heap) - int64(before.heap); grown > 2<<20+int64(n)*(10<<10) { // the platform's own caches
		t.Errorf("%d sessions made memory grow by %d bytes", n, grown)
	}
}
