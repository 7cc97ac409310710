//go:build linux

package browser

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"stead/internal/stead"
)

// The rule in the sheet must fit the process that really runs, behind the script of a distribution.
func TestSheetRuleFitsTheRealProcess(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	r, err := OpenRoot(filepath.Join(os.Getenv("HOME"), ".cache", "stead", "sessions"))
	if err != nil {
		t.Fatal(err)
	}
	b := launch(t, r)
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(b.PID()) + "/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	command := string(bytes.ReplaceAll(raw, []byte{0}, []byte{' '}))
	t.Log(command)
	for _, part := range []string{"--user-data-dir=", "/.cache/stead/sessions/", "--remote-debugging-pipe"} {
		if !strings.Contains(command, part) || !strings.Contains(Sheet(), part) {
			t.Errorf("%q is not in both", part)
		}
	}
	if parent := statFields(b.PID())[1]; parent != strconv.Itoa(os.Getpid()) {
		t.Errorf("its parent is %s, and not this process", parent)
	}
}

func TestTry(t *testing.T) {
	needBrowser(t)
	ownPlaces(t)
	r := newRoot(t)
	found, checks := Examine(t.Context(), Choice{})
	if len(found) == 0 || found[0].Version == "" || checks[0].State != stead.CheckOK || checks[1].State != stead.CheckOK {
		t.Fatalf("got %+v, %+v", found, checks)
	}
	var steps []string
	c := r.Try(t.Context(), found[0], func(step string) { steps = append(steps, step) })
	t.Log(c.What)
	if c.State != stead.CheckOK || len(steps) != 4 || !strings.Contains(steps[3], "nothing is left") {
		t.Errorf("got %+v after %q", c, steps)
	}
	wantNoTrace(t, r)
}

func TestTryOfABrowserThatDoesNotObey(t *testing.T) {
	needBrowser(t)
	ownPlaces(t)
	r := newRoot(t)
	dir := programs(t, map[string]string{"chromium": "#!/bin/sh\necho 'no display' >&2\nexit 1\n"})
	c := r.Try(t.Context(), Installed{Kind: Chromium, Path: dir + "/chromium"}, func(string) {})
	if c.State != stead.CheckFailed || !strings.Contains(c.What, dir) || c.Do == "" {
		t.Errorf("got %+v", c)
	}
	wantNoTrace(t, r)
}

// Every browser that is found first is managed: the doctor must call that a failure, and say which policy it is.
func TestDoctorUnderAPolicy(t *testing.T) {
	if !withPolicies(t, map[string]string{company: `{"RemoteDebuggingAllowed": false}`}) {
		return
	}
	_, checks := Examine(t.Context(), Choice{Pin: string(Chromium)})
	last := checks[len(checks)-1]
	if last.State != stead.CheckFailed || !strings.Contains(last.What, "RemoteDebuggingAllowed=false in "+asSeen) || !strings.Contains(last.Do, "set it to true") {
		t.Errorf("got %+v", checks)
	}
}
