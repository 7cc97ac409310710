package sqlite

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"stead/internal/platform/store"
	"stead/internal/stead"
)

func wantCode(t *testing.T, err error, code stead.Code) {
	t.Helper()
	if got := stead.CodeOf(err); got != code {
		t.Errorf("got code %q (%v), want %q", got, err, code)
	}
}

func TestOpenMakesPrivateFiles(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("files have no mode bits there; the profile folder's access list protects them")
	}
	folder := t.TempDir()
	path := filepath.Join(folder, "stead.db")
	s := open(t, path)
	err := s.Update(t.Context(), func(tx store.Tx) error { return tx.SetValue("a", "1") })
	if err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(folder)
	if err != nil || len(files) < 4 { // the data, its log and index, the lock
		t.Fatalf("files: %v, %v", files, err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", f.Name(), info.Mode(), err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	open(t, path)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("a file open to others stayed so: %v, %v", info.Mode(), err)
	}
}

func TestOpenIsDurableAndChecked(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "stead.db"))
	for name, p := range map[string]*pool{"writer": s.writer, "reader": s.readers} {
		c, err := p.take(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000"} {
			var got string
			if err := c.conn.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
				t.Errorf("%s: %s is %q (%v), want %q", name, pragma, got, err, want)
			}
		}
		p.put(c)
	}
}

func TestOpenTakesAnyFolderName(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "a?mode=memory&x#y 100%25 é")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "stead.db")
	s := open(t, path)
	if err := s.Update(t.Context(), func(tx store.Tx) error { return tx.SetValue("a", "1") }); err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		t.Errorf("the data is not where it was asked for: %v", err)
	}
}

func TestOpenRefusesWhatCannotBeWritten(t *testing.T) {
	t.Run("missing folder", func(t *testing.T) {
		_, err := Open(t.Context(), filepath.Join(t.TempDir(), "none", "stead.db"))
		wantCode(t, err, stead.CodeDataReadOnly)
	})
	t.Run("a folder in the file's place", func(t *testing.T) {
		_, err := Open(t.Context(), t.TempDir())
		wantCode(t, err, stead.CodeDataReadOnly)
	})
	ready := func(t *testing.T) (folder, path string) {
		folder = t.TempDir()
		path = filepath.Join(folder, "stead.db")
		if err := open(t, path).Close(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Chmod(folder, 0o700) })
		return folder, path
	}
	chmod := func(t *testing.T, path string, mode os.FileMode) {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("empty read-only folder", func(t *testing.T) {
		folder := t.TempDir()
		chmod(t, folder, 0o500)
		unprivileged(t, folder, func() {
			_, err := Open(t.Context(), filepath.Join(folder, "stead.db"))
			wantCode(t, err, stead.CodeDataReadOnly)
		})
	})
	t.Run("read-only folder with data", func(t *testing.T) {
		folder, path := ready(t)
		chmod(t, folder, 0o500)
		unprivileged(t, folder, func() {
			_, err := Open(t.Context(), path)
			wantCode(t, err, stead.CodeDataReadOnly)
		})
	})
	t.Run("read-only file", func(t *testing.T) {
		folder, path := ready(t)
		chmod(t, path, 0o400)
		unprivileged(t, folder, func() {
			_, err := Open(t.Context(), path)
			wantCode(t, err, stead.CodeDataReadOnly)
		})
	})
}

func TestOpenLeavesNewerDataAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stead.db")
	s := open(t, path)
	c, err := s.writer.take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.conn.ExecContext(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)"); err != nil {
		t.Fatal(err)
	}
	s.writer.put(c)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), path)
	wantCode(t, err, stead.CodeDataNewer)
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file changed: %v", err)
	}
}

func TestOpenOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stead.db")
	s := open(t, path)
	_, err := Open(t.Context(), path)
	wantCode(t, err, stead.CodeAlreadyRunning)
	_, err = Open(t.Context(), path) // the first refusal must not have taken the mark away
	wantCode(t, err, stead.CodeAlreadyRunning)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, path)
}

func TestOpenIsQuiet(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, stderr := os.Stdout, os.Stderr
	os.Stdout, os.Stderr = w, w
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "stead.db"))
	os.Stdout, os.Stderr = stdout, stderr
	_ = w.Close()
	if err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	if said, _ := io.ReadAll(r); len(said) > 0 {
		t.Errorf("opening printed %q", said)
	}
}

// TestMain becomes the other process of the two tests below when it is started with a file to write to.
func TestMain(m *testing.M) {
	if path := os.Getenv("STEAD_TEST_WRITE_TO"); path != "" {
		fmt.Println(writeOn(path))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// writeOn commits one number after the other and says each when it is committed, until it is killed.
func writeOn(path string) error {
	s, err := Open(context.Background(), path)
	if err != nil {
		return err
	}
	for n := 1; ; n++ {
		err := s.Update(context.Background(), func(tx store.Tx) error { return tx.SetValue("n", fmt.Sprint(n)) })
		if err != nil {
			return err
		}
		fmt.Println(n)
	}
}

func TestAnotherProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stead.db")
	other := exec.Command(os.Args[0])
	other.Env = append(os.Environ(), "STEAD_TEST_WRITE_TO="+path)
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	said := func(n int) (last string) {
		for i := 0; i < n && lines.Scan(); i++ {
			last = lines.Text()
		}
		return last
	}
	if said(20) != "20" {
		t.Fatal("the other process does not write")
	}
	_, err = Open(t.Context(), path)
	wantCode(t, err, stead.CodeAlreadyRunning)

	// Killed in the middle, it has lost nothing that it said was committed, and the file is free at once.
	if err := other.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	last := said(1 << 30)
	_ = other.Wait()
	began := time.Now()
	s := open(t, path)
	if d := time.Since(began); d > 10*time.Second {
		t.Errorf("opening after a crash took %v", d)
	}
	var n, want int
	err = s.View(t.Context(), func(tx store.Tx) error {
		v, err := tx.Value("n")
		_, _ = fmt.Sscan(v, &n)
		return err
	})
	_, _ = fmt.Sscan(strings.TrimSpace(last), &want)
	if err != nil || want < 20 || n < want {
		t.Errorf("after the crash: %d (%v), but %d was said to be committed", n, err, want)
	}
}
