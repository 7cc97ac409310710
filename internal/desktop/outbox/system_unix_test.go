//go:build unix

package outbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"stead/internal/stead"
)

// childFull fills a file up to a limit of the system, drains it while it is full, and goes on with a higher limit.
func childFull(path string) {
	signal.Ignore(syscall.SIGXFSZ) // so that writing too far is an error, as on a full disk
	ctx, l := context.Background(), newLedger()
	fail := func(what string, err error) { fmt.Println(what, err); os.Exit(5) }
	o, err := Open(ctx, path, testConfig())
	if err != nil {
		fail("open:", err)
	}
	limit(256 << 10)
	acked, refused := 0, 0
	for refused < 3 {
		_, err := o.Append(ctx, intent())
		switch {
		case err == nil && refused == 0:
			acked++
		case stead.CodeOf(err) == stead.CodeOutboxWrite && errors.Is(err, syscall.EFBIG):
			refused++
		default:
			fail("append to a full file:", err)
		}
	}
	if n := o.State().Head; n != uint64(acked) {
		fail("head:", fmt.Errorf("%d after %d answers", n, acked))
	}
	if err := o.Drain(ctx, l); err != nil || int(l.head.Seq) != acked || o.State().Pending != 0 {
		fail("drain while full:", err)
	}
	if _, err := o.prove(ctx, l.log); err != nil || o.State().Receipted != uint64(acked) {
		fail("receipts while full:", err)
	}
	if _, err := o.Append(ctx, intent()); err != nil {
		fail("append into the freed pages:", err)
	}
	limit(64 << 20)
	for range 500 {
		if _, err := o.Append(ctx, intent()); err != nil {
			fail("append with room again:", err)
		}
	}
	if err := errors.Join(o.Drain(ctx, l), o.Close()); err != nil {
		fail("drain:", err)
	}
	fmt.Printf("acked=%d head=%d\n", acked, l.head.Seq)
}

func limit(size uint64) {
	l := syscall.Rlimit{Cur: size, Max: 64 << 20}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &l); err != nil {
		fmt.Println("limit:", err)
		os.Exit(5)
	}
}

func TestFullDiskRefusesAndRecovers(t *testing.T) {
	path := newPath(t)
	out, err := child(t, "full", filepath.Dir(path)).CombinedOutput()
	var acked, head int
	if n, _ := fmt.Sscanf(string(out), "acked=%d head=%d", &acked, &head); err != nil || n != 2 {
		t.Fatalf("%v: %s", err, out)
	}
	if acked < 20 || head != acked+501 {
		t.Errorf("%d answered until it was full, %d arrived", acked, head)
	}
	if s := open(t, path).State(); s.Head != uint64(head) || s.Pending != 0 {
		t.Errorf("state %+v", s)
	}
}

// TestReadOnlyFolder opens, as somebody who is not root, an outbox that is not there and one that is, in a folder
// that cannot be written.
func TestReadOnlyFolder(t *testing.T) {
	// t.TempDir is the runner's alone; the child needs to get in.
	root, err := os.MkdirTemp("", "outbox-readonly-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(root, "data"), 0o700); _ = os.RemoveAll(root) })
	exe := copyOfThisBinary(t, root)
	folder := filepath.Join(root, "data")
	empty, path := filepath.Join(root, "empty"), filepath.Join(folder, childFile)
	if err := errors.Join(os.Chmod(root, 0o755), os.Mkdir(folder, 0o755), os.Mkdir(empty, 0o555)); err != nil {
		t.Fatal(err)
	}
	o, err := Open(t.Context(), path, testConfig())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(o.Close(), os.Chmod(path, 0o666), os.Chmod(folder, 0o555)); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{folder, empty} {
		cmd := child(t, "open", p)
		cmd.Path, cmd.Args = exe, []string{exe}
		if os.Geteuid() == 0 { // whom no bit stops
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		}
		out, err := cmd.CombinedOutput()
		if want := "code=" + string(stead.CodeDataReadOnly) + "\n"; err != nil || string(out) != want {
			t.Errorf("%s: %v, printed %q, want %q", p, err, out, want)
		}
	}
}

func copyOfThisBinary(t *testing.T, folder string) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(exe)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	to := filepath.Join(folder, "child")
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); errors.Join(err, out.Close()) != nil {
		t.Fatal(err)
	}
	return to
}
