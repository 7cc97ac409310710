package browser

import (
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/windows"
)

// inherited lists the paths of the files whose handles this process has. It is called before it opens any.
func inherited() []string {
	var list []string
	for h := windows.Handle(4); h < 8192; h += 4 {
		if kind, err := windows.GetFileType(h); err != nil || kind != windows.FILE_TYPE_DISK {
			continue
		}
		name := make([]uint16, windows.MAX_LONG_PATH)
		if n, err := windows.GetFinalPathNameByHandle(h, &name[0], uint32(len(name)), 0); err == nil {
			list = append(list, windows.UTF16ToString(name[:n]))
		}
	}
	return list
}

// leak makes the file one that children may inherit.
func leak(t *testing.T, f *os.File) {
	t.Helper()
	if err := windows.SetHandleInformation(windows.Handle(f.Fd()), windows.HANDLE_FLAG_INHERIT, windows.HANDLE_FLAG_INHERIT); err != nil {
		t.Fatal(err)
	}
}

// ownGroup is nothing: no process leaves its job.
func ownGroup() *syscall.SysProcAttr { return nil }

// canMoveOpenFolders says whether a folder can be moved while somebody has a file in it open.
const canMoveOpenFolders = false

// obstruct puts a file into dir that cannot be removed until release is called: it is open, as a scanner has it.
func obstruct(t *testing.T, dir string) (release func()) {
	t.Helper()
	stuck := filepath.Join(dir, "stuck")
	if err := os.MkdirAll(stuck, 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(stuck, "file"))
	if err != nil {
		t.Fatal(err)
	}
	release = sync.OnceFunc(func() { f.Close() })
	t.Cleanup(release)
	return release
}
