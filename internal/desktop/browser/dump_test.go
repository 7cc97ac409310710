//go:build linux

package browser

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A dump holds what a page had in memory, so it must lie where it is wiped. A real browser's page crashes here.
func TestADumpOfACrashedPageIsWipedWithTheRest(t *testing.T) {
	app := newMemberApp(t)
	r := newRoot(t)
	ownPlaces(t)
	b := launch(t, r)
	if err := b.Open(t.Context(), app.visit("/")); err != nil {
		t.Fatal(err)
	}
	crashed := false
	for _, pid := range processes() {
		args, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
		if f := statFields(pid); len(f) > 2 && f[2] == strconv.Itoa(b.PID()) && bytes.Contains(args, []byte("--type=renderer")) {
			crashed = syscall.Kill(pid, syscall.SIGSEGV) == nil || crashed
		}
	}
	if !crashed {
		t.Fatal("no page to crash")
	}
	dumps := func(dir string) (list []string) {
		_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".dmp") {
				list = append(list, path)
			}
			return nil // what vanishes meanwhile is no dump
		})
		return list
	}
	for deadline := time.Now().Add(20 * time.Second); len(dumps(r.dir)) == 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no dump below the session's folder, so this test shows nothing")
		}
	}
	if w, err := b.Close(t.Context()); err != nil || !w.Clean {
		t.Fatalf("%+v, %v", w, err)
	}
	for _, place := range []string{r.dir, os.Getenv("HOME"), os.TempDir()} {
		if found := dumps(place); len(found) > 0 {
			t.Errorf("left %v", found)
		}
	}
	if left := sessionFolders(t, r); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}
