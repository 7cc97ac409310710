package browser

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"stead/internal/stead"
)

func TestOpenRootIsPrivateAndAbsolute(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("sessions", 0o755); err != nil {
		t.Fatal(err)
	}
	r, err := OpenRoot("sessions")
	if err != nil || !filepath.IsAbs(r.dir) {
		t.Fatalf("%+v, %v", r, err)
	}
	if info, err := os.Stat(r.dir); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := os.WriteFile("file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenRoot("file/sessions"); stead.CodeOf(err) != stead.CodeDataReadOnly {
		t.Errorf("below a file: %v", err)
	}
}

func TestSweepLeavesALivingSessionAlone(t *testing.T) {
	r := newRoot(t)
	living, err := r.claim(t.Context(), "living", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	dead, err := r.claim(t.Context(), "dead", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	dead.release()                                                           // as the end of its process does
	if err := os.MkdirAll(filepath.Join(r.dir, "half"), 0o700); err != nil { // its lock was removed, then the power went
		t.Fatal(err)
	}
	other, err := OpenRoot(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	swept, err := other.Sweep(t.Context())
	if err != nil || len(swept) != 2 || swept[0].ID != "dead" || swept[1].ID != "half" || !swept[0].Wipe.Clean {
		t.Fatalf("swept %+v, %v", swept, err)
	}
	if _, err := os.Stat(filepath.Join(living.dir, recordName)); err != nil {
		t.Error(err)
	}
	living.release()
	if swept, err = other.Sweep(t.Context()); err != nil || len(swept) != 1 || swept[0].ID != "living" {
		t.Errorf("swept %+v, %v", swept, err)
	}
}

func TestSweepKillsOnlyTheVeryProcess(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*record)
		killed bool
	}{
		"as recorded":           {func(*record) {}, true},
		"another start":         {func(r *record) { r.Start += "0" }, false},
		"no start":              {func(r *record) { r.Start = "" }, false},
		"another program":       {func(r *record) { r.Exe = "/usr/bin/true" }, false},
		"unproved, not naming":  {func(r *record) { r.Exe = "" }, false},
		"no process, 0 is ours": {func(r *record) { r.PID = 0 }, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRoot(t)
			pid, ended := startStray(t, fakeMember)
			c, err := r.claim(t.Context(), "s1", time.Now())
			if err != nil {
				t.Fatal(err)
			}
			c.rec.PID = pid
			c.rec.Start, c.rec.Exe, _ = identify(c.rec.PID)
			tc.change(&c.rec)
			if err := c.write(); err != nil {
				t.Fatal(err)
			}
			c.release()
			swept, err := r.Sweep(t.Context())
			if err != nil || len(swept) != 1 || swept[0].Killed != tc.killed || !swept[0].Wipe.Clean {
				t.Fatalf("swept %+v, %v", swept, err)
			}
			select {
			case <-ended:
				if !tc.killed {
					t.Error("a stranger was killed")
				}
			case <-time.After(300 * time.Millisecond):
				if tc.killed {
					t.Error("still alive")
				}
			}
		})
	}
}

func TestSweepWithADamagedRecord(t *testing.T) {
	r := newRoot(t)
	c, err := r.claim(t.Context(), "s1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.dir, recordName), []byte(`{"pid": 1, "socket": "/etc"`), 0o600); err != nil {
		t.Fatal(err)
	}
	c.release()
	if swept, err := r.Sweep(t.Context()); err != nil || len(swept) != 1 || swept[0].Killed || !swept[0].Wipe.Clean {
		t.Fatalf("swept %+v, %v", swept, err)
	}
}

// A record's word about a folder elsewhere counts only if a browser can have made it.
func TestSweepRemovesNoForeignFolder(t *testing.T) {
	for name, removed := range map[string]bool{"org.chromium.Chromium.AbC123": true, "com.google.Chrome.AbC123": true, "precious": false, "org.chromium.Chromium": false} {
		outside := filepath.Join(t.TempDir(), name)
		if err := os.Mkdir(outside, 0o700); err != nil {
			t.Fatal(err)
		}
		r := newRoot(t)
		c, err := r.claim(t.Context(), "s1", time.Now())
		if err == nil {
			c.rec.Socket = outside
			err = c.write()
		}
		if err != nil {
			t.Fatal(err)
		}
		c.release()
		if swept, err := r.Sweep(t.Context()); err != nil || !swept[0].Wipe.Clean {
			t.Fatalf("swept %+v, %v", swept, err)
		}
		if _, err := os.Stat(outside); os.IsNotExist(err) != removed {
			t.Errorf("%s: removed is not %v", name, removed)
		}
	}
}

// startStray starts a process that leads a group of its own, as a browser or a helper of one would.
func startStray(t *testing.T, kind string, args ...string) (pid int, ended chan struct{}) {
	t.Helper()
	cmd := fakeCommand(t, kind, args...)
	cmd.SysProcAttr = ownGroup()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended = make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
	return cmd.Process.Pid, ended
}

func TestWipeWaitsForTheBrowsersHelpers(t *testing.T) {
	r := newRoot(t)
	c, err := r.claim(t.Context(), "s1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	_, ended := startStray(t, fakeStray, c.dir+string(filepath.Separator), "300ms")
	if w, err := c.wipe(t.Context()); err != nil || !w.Clean {
		t.Fatalf("%+v, %v", w, err)
	}
	<-ended
	if left := sessionFolders(t, r); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestWipeKillsAHelperThatStaysAndNoStranger(t *testing.T) {
	for name, killed := range map[string]bool{"helper": true, "stranger": false} {
		t.Run(name, func(t *testing.T) {
			r := newRoot(t)
			c, err := r.claim(t.Context(), "s1", time.Now())
			if err != nil {
				t.Fatal(err)
			}
			pid, ended := startStray(t, fakeStray, c.dir+string(filepath.Separator), "60s")
			_, helper, _ := identify(pid)
			c.rec.Exe = filepath.Join(filepath.Dir(helper), "chromium")
			if !killed {
				c.rec.Exe = filepath.Join(t.TempDir(), "chromium")
			}
			if w, err := c.wipe(t.Context()); err != nil || !w.Clean {
				t.Fatalf("%+v, %v", w, err)
			}
			select {
			case <-ended:
				if !killed {
					t.Error("a stranger was killed")
				}
			case <-time.After(300 * time.Millisecond):
				if killed {
					t.Error("the helper lives")
				}
			}
		})
	}
}

// Two Steads make, sweep and wipe at the same time, in the same root; each checks that its own were left alone.
func TestTwoSteadsDoNotSweepEachOther(t *testing.T) {
	r := newRoot(t)
	var said [2]strings.Builder
	var cmds [2]*exec.Cmd
	for i := range cmds {
		cmds[i] = fakeCommand(t, fakeChurn, r.dir, "n"+strconv.Itoa(i)+"-")
		cmds[i].Stdout = &said[i]
		if err := cmds[i].Start(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range cmds {
		if err := cmds[i].Wait(); err != nil {
			t.Errorf("%v: %s", err, said[i].String())
		}
	}
	if left := sessionFolders(t, r); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}
