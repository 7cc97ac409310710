package outbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"stead/internal/audit"
	"stead/internal/stead"
)

// childSpace works on a disk of 24 MiB until it is full and beyond.
func childSpace(path string) {
	ctx := context.Background()
	fail := func(what string, err error) { fmt.Println(what, err); os.Exit(5) }
	o, err := Open(ctx, path, testConfig())
	if err != nil {
		fail("open:", err)
	}
	if !reserved(path) {
		fail("open:", errors.New("there is no reserve"))
	}
	o.freeOn = func(string) (uint64, error) { return 0, errors.New("unknown") } // what is refused early is tested elsewhere
	ballast(fail)
	refused := fillUp(o, fail)
	if !reserved(path) {
		fail("a start took", errors.New("the reserve"))
	}
	head := o.State().Head
	for n := range 500 {
		if _, err := o.Append(ctx, Entry{Kind: audit.SessionObservedEnd}); err != nil {
			fail(fmt.Sprint("observation ", n, ":"), err)
		}
	}
	if got := o.State().Head - head; reserved(path) || got != 500 {
		fail("after 500 observations:", fmt.Errorf("reserve %v, %d records", reserved(path), got))
	}
	if _, err := o.Append(ctx, intent()); stead.CodeOf(err) != stead.CodeOutboxFull {
		fail("a start on the reserve:", err)
	}
	o.upkeep(ctx)
	if reserved(path) {
		fail("upkeep:", errors.New("it took the reserve back from a full disk"))
	}
	if err := os.Remove("ballast"); err != nil {
		fail("remove:", err)
	}
	o.upkeep(ctx)
	if _, err := o.Append(ctx, intent()); err != nil || !reserved(path) {
		fail("a start with room again:", err)
	}
	l := newLedger()
	if err := errors.Join(o.Drain(ctx, l), o.Close()); err != nil || l.head.Seq != head+501 {
		fail("drain:", fmt.Errorf("%d arrived: %w", l.head.Seq, err))
	}
	fmt.Printf("full after %d starts were refused, all arrived\n", refused)
}

// ballast fills the disk to the last byte.
func ballast(fail func(string, error)) {
	f, err := os.Create("ballast")
	if err != nil {
		fail("ballast:", err)
	}
	for b := make([]byte, 4096); err == nil; {
		_, err = f.Write(b)
	}
	if !errors.Is(err, syscall.ENOSPC) || f.Close() != nil {
		fail("ballast:", err)
	}
}

// fillUp appends starts until three were refused.
func fillUp(o *Outbox, fail func(string, error)) (refused int) {
	for range 10_000 {
		_, err := o.Append(context.Background(), intent())
		switch {
		case err == nil:
		case stead.CodeOf(err) == stead.CodeOutboxWrite && errors.Is(err, syscall.ENOSPC):
			refused++
		default:
			fail("a start on a full disk:", err)
		}
		if refused == 3 {
			return refused
		}
	}
	fail("fill:", errors.New("the disk is never full"))
	return 0
}

// TestReserveOnAFullDisk fills a file system of its own, which a name space of the child's makes possible without any
// right.
func TestReserveOnAFullDisk(t *testing.T) {
	if out, err := exec.Command("unshare", "-Urm", "true").CombinedOutput(); err != nil {
		// Some containers forbid name spaces to everybody; then nobody but root can make a small disk, and a limit of
		// the process is another error than a full disk.
		t.Skipf("no user name space here: %v %s", err, out)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	cmd := child(t, "space", folder)
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		t.Fatal(err)
	}
	cmd.Path = unshare
	cmd.Args = []string{"unshare", "-Urm", "sh", "-c", `mount -t tmpfs -o size=24m tmpfs "$1" && cd "$1" && exec "$2"`, "sh", filepath.Clean(folder), exe}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "all arrived") {
		t.Errorf("%v: %s", err, out)
	}
}
