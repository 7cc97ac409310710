//go:build linux || darwin

package browser

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// inherited lists the descriptors that came with this process: its own are all closed on exec, and none of those that
// came can be, or they would not have.
func inherited() []string {
	var list []string
	for fd := range 1024 {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			list = append(list, fmt.Sprint(fd))
		}
	}
	return list
}

// leak makes the file one that children inherit, as those are that came from whoever started Stead.
func leak(t *testing.T, f *os.File) {
	t.Helper()
	if _, err := unix.FcntlInt(f.Fd(), unix.F_SETFD, 0); err != nil {
		t.Fatal(err)
	}
}

func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// canMoveOpenFolders says whether a folder can be moved while somebody has a file in it open.
const canMoveOpenFolders = true

// obstruct puts something into dir that cannot be removed until release is called.
func obstruct(t *testing.T, dir string) (release func()) {
	t.Helper()
	if os.Geteuid() == 0 {
		t.Fatal("run this test as an ordinary user: root removes everything (build/test.sh does)")
	}
	stuck := filepath.Join(dir, "stuck")
	if err := os.MkdirAll(filepath.Join(stuck, "file"), 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(stuck) // by handle, for it may be moved
	if err == nil {
		err = f.Chmod(0o500)
	}
	if err != nil {
		t.Fatal(err)
	}
	release = sync.OnceFunc(func() {
		if err := f.Chmod(0o700); err != nil {
			t.Error(err)
		}
		f.Close()
	})
	t.Cleanup(release)
	return release
}
