package browser

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"stead/internal/stead"
)

// launchFake launches a fake browser the way a real one is launched, proof included.
func launchFake(t *testing.T, r *Root, kind string) *Browser {
	t.Helper()
	t.Setenv(fakeVariable, kind)
	b, err := r.launch(t.Context(), "s1", fakeInstalled())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = b.Close(context.Background()) })
	return b
}

// wantNothingLeft closes the browser within limit and looks for its processes and files.
func wantNothingLeft(ctx context.Context, t *testing.T, r *Root, b *Browser, limit time.Duration, others ...int) {
	t.Helper()
	w, err := b.Close(ctx)
	if err != nil || !w.Clean || w.Took > limit {
		t.Errorf("close: %+v, %v", w, err)
	}
	for _, pid := range append(others, b.PID()) {
		if _, exe, ok := identify(pid); ok {
			t.Errorf("process %d (%s) lives", pid, exe)
		}
	}
	if left := sessionFolders(t, r); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

// hurried is a context that is over: whoever closes with it does not ask gently.
func hurried(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func (b *Browser) startChild(t *testing.T, kind string, life time.Duration) (pid int) {
	t.Helper()
	var out struct{ PID int }
	if err := b.client.Call(t.Context(), "", "Fake.child", map[string]any{"kind": kind, "life": life.String()}, &out); err != nil {
		t.Fatal(err)
	}
	return out.PID
}

func TestABrowserInheritsItsPipeAndNothingElse(t *testing.T) {
	planted, err := os.Create(filepath.Join(t.TempDir(), "planted"))
	if err != nil {
		t.Fatal(err)
	}
	defer planted.Close()
	leak(t, planted)
	t.Setenv("SNAP_NAME", "code")
	t.Setenv("SSLKEYLOGFILE", planted.Name())
	r := newRoot(t)
	b := launchFake(t, r, fakeObeys)
	var got struct{ Files, Env, Args []string }
	if err := b.client.Call(t.Context(), "", "Fake.inherited", nil, &got); err != nil {
		t.Fatal(err)
	}
	if want := []string{"0", "1", "2", "3", "4"}; runtime.GOOS != "windows" && !slices.Equal(got.Files, want) {
		t.Errorf("inherited %v, want %v", got.Files, want)
	}
	if runtime.GOOS == "windows" && strings.Contains(strings.Join(got.Files, "\n"), "planted") {
		t.Errorf("inherited %v", got.Files)
	}
	for _, kv := range got.Env {
		if strings.HasPrefix(kv, "SNAP_NAME=") || strings.HasPrefix(kv, "SSLKEYLOGFILE=") {
			t.Errorf("environment has %s", kv)
		}
	}
	if !slices.Contains(got.Env, "BREAKPAD_DUMP_LOCATION="+filepath.Join(b.claim.dir, crashDir)) {
		t.Error("crashes are dumped elsewhere")
	}
	if argv := strings.Join(got.Args, " "); weakens.MatchString(strings.ReplaceAll(argv, b.claim.dir, "")) || !strings.Contains(argv, "--remote-debugging-pipe") {
		t.Errorf("arguments %s", argv)
	}
	wantNothingLeft(t.Context(), t, r, b, closeGrace+time.Second)
}

// However a browser ends or refuses to, nothing of it is left, its children included.
func TestNothingIsLeftOf(t *testing.T) {
	send := func(method string) func(*testing.T, *Browser) {
		return func(_ *testing.T, b *Browser) { b.client.Send("", method, nil) }
	}
	gone := func(t *testing.T, b *Browser) {
		t.Helper()
		b.client.Send("", "Fake.crash", nil)
		select {
		case <-b.proc.exited:
		case <-time.After(5 * time.Second):
			t.Fatal("it did not crash")
		}
	}
	for name, tc := range map[string]struct {
		kind    string
		hurry   bool
		happens func(*testing.T, *Browser)
	}{
		"one that obeys":                {fakeObeys, false, nil},
		"one that does not want to end": {fakeDeaf, false, nil},
		"the same, in a hurry":          {fakeDeaf, true, nil},
		"one that hangs":                {fakeObeys, false, send("Fake.hang")},
		"one that crashed":              {fakeObeys, false, gone},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRoot(t)
			b := launchFake(t, r, tc.kind)
			child := b.startChild(t, fakeMember, 0)
			if _, _, ok := identify(child); !ok {
				t.Fatal("its child does not live")
			}
			if tc.happens != nil {
				tc.happens(t, b)
			}
			ctx := t.Context()
			if tc.hurry {
				ctx = hurried(t)
			}
			wantNothingLeft(ctx, t, r, b, 2*closeGrace+killGrace, child)
		})
	}
}

func TestALaunchThatFailsLeavesNothing(t *testing.T) {
	for _, kind := range []string{fakeMute, fakeLeaves} {
		t.Run(kind, func(t *testing.T) {
			t.Setenv(fakeVariable, kind)
			r := newRoot(t)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if b, err := r.launch(ctx, "s1", fakeInstalled()); b != nil || stead.CodeOf(err) != stead.CodeBrowserSilent {
				t.Errorf("got %v, %v", b, err)
			}
			if left, stray := sessionFolders(t, r), naming(r.dir); len(left)+len(stray) > 0 {
				t.Errorf("left %v and processes %v", left, stray)
			}
		})
	}
}

// What left the browser's group is waited for, since it may still write, and ended if it stays.
func TestNoChildOfABrowserWritesAfterTheWipe(t *testing.T) {
	for name, life := range map[string]time.Duration{"short": 400 * time.Millisecond, "long": fakeLife} {
		t.Run(name, func(t *testing.T) {
			r := newRoot(t)
			b := launchFake(t, r, fakeObeys)
			child := b.startChild(t, fakeStray, life)
			wantNothingLeft(t.Context(), t, r, b, closeGrace+strayLimit+time.Second, child)
		})
	}
}

// startStead starts a Stead of its own with a fake browser, which the test must kill.
func startStead(t *testing.T, r *Root, browserIs string) (own *os.Process, browserPID int) {
	t.Helper()
	cmd := fakeCommand(t, fakeStead, r.dir, browserIs)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if _, scanErr := fmt.Sscanf(line, "pid: %d", &browserPID); err != nil || scanErr != nil {
		t.Fatalf("it said %q, %v", line, err)
	}
	return cmd.Process, browserPID
}

func fakeCommand(t *testing.T, kind string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append(os.Environ(), fakeVariable+"="+kind)
	return cmd
}

// dies reports whether the process is gone within the limit.
func dies(pid int, limit time.Duration) bool {
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if _, _, ok := identify(pid); !ok {
			return true
		}
	}
	return false
}

func TestABrowserEndsWithItsKilledStead(t *testing.T) {
	r := newRoot(t)
	own, pid := startStead(t, r, fakeObeys)
	if swept, err := r.Sweep(t.Context()); err != nil || len(swept) != 0 {
		t.Fatalf("a second Stead swept %+v, %v", swept, err)
	}
	if _, _, ok := identify(pid); !ok {
		t.Fatal("the browser does not live")
	}
	if err := own.Kill(); err != nil {
		t.Fatal(err)
	}
	if !dies(pid, 5*time.Second) { // a fake that is built for finding races takes a second to exit
		t.Error("the browser lives after its Stead was killed")
	}
	if swept, err := r.Sweep(t.Context()); err != nil || len(swept) != 1 || swept[0].ID != "s1" || swept[0].Killed || !swept[0].Wipe.Clean {
		t.Errorf("swept %+v, %v", swept, err)
	}
}

// A browser that ignores the end of its pipe outlives its Stead where there is no job; the next start ends it.
func TestSweepEndsABrowserThatOutlivedItsStead(t *testing.T) {
	r := newRoot(t)
	own, pid := startStead(t, r, fakeDeaf)
	if err := own.Kill(); err != nil {
		t.Fatal(err)
	}
	outlived := !dies(pid, 500*time.Millisecond)
	if outlived != (runtime.GOOS != "windows") {
		t.Errorf("outlived its Stead: %v", outlived)
	}
	swept, err := r.Sweep(t.Context())
	if err != nil || len(swept) != 1 || swept[0].Killed != outlived || !swept[0].Wipe.Clean {
		t.Errorf("swept %+v, %v", swept, err)
	}
	if !dies(pid, 2*time.Second) {
		t.Error("the browser lives")
	}
}
