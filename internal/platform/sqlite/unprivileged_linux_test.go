package sqlite

import (
	"os"
	"runtime"
	"syscall"
	"testing"
)

// unprivileged runs f as somebody for whom mode bits count. Root ignores them, so there f runs on a thread whose
// file access is that of the user nobody (setfsuid(2)), to whom the folder is given.
func unprivileged(t *testing.T, folder string, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		f()
		return
	}
	const nobody = 65534
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if err := os.Chown(folder+"/"+file.Name(), nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(folder, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	// The folders above belong to the test and may be walked through for as long as it takes.
	for up := folder; len(up) > len(os.TempDir()); up = up[:lastSlash(up)] {
		if info, err := os.Stat(up); err == nil && up != folder {
			_ = os.Chmod(up, info.Mode().Perm()|0o011)
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if err := syscall.Setfsuid(nobody); err != nil {
			t.Error(err)
			return
		}
		f()
	}()
	<-done
}

func lastSlash(path string) int {
	i := len(path) - 1
	for i > 0 && path[i] != '/' {
		i--
	}
	return i
}
