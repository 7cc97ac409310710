package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stead/internal/desktop/browser"
	"stead/internal/stead"
)

// onlyPrograms makes a machine on which no other programs are found than these scripts.
func onlyPrograms(t *testing.T, scripts map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, script := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
	t.Setenv("XDG_DATA_HOME", dir)
	t.Setenv("XDG_DATA_DIRS", dir)
}

func needOrdinaryUser(t *testing.T) {
	t.Helper()
	if os.Geteuid() == 0 {
		t.Fatal("this test needs an ordinary user: for root the doctor finds that no browser may run; build/test.sh runs it as one")
	}
}

func diagnose(t *testing.T, args ...string) (code int, d diagnosis, errOut string) {
	t.Helper()
	code, out, errOut := command(t, append([]string{"doctor", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(out), &d); err != nil {
		t.Fatalf("%q: %v (%s)", out, err, errOut)
	}
	if d.OK != (code == exitOK) {
		t.Errorf("ok is %v, and the exit code %d", d.OK, code)
	}
	return code, d, errOut
}

func TestDoctorWithoutABrowser(t *testing.T) {
	onlyPrograms(t, nil)
	code, d, _ := diagnose(t)
	last := d.Checks[len(d.Checks)-1]
	if code != exitFailed || d.Browsers == nil || len(d.Browsers) != 0 || last.Name != "browser.found" || last.State != stead.CheckFailed || last.Do == "" {
		t.Errorf("exit code %d, %+v", code, d)
	}
	if code, out, errOut := command(t, "doctor"); code != exitFailed || !strings.Contains(out, "what to do: Install") || strings.Count(errOut, "\n") != 1 {
		t.Errorf("exit code %d, a person reads %q and %q", code, out, errOut)
	}
}

func TestDoctorAsksABrowserForItsVersion(t *testing.T) {
	needOrdinaryUser(t)
	onlyPrograms(t, map[string]string{"brave": `[ "$*" = --version ] && echo "Brave Browser 156.1.80.1 unknown"`, "firefox": "exit 1"})
	code, d, _ := diagnose(t)
	if code != exitOK || len(d.Browsers) != 2 || d.Browsers[0].Kind != browser.Brave || d.Browsers[0].Version != "156.1.80.1" ||
		d.Browsers[1].Kind != browser.Firefox || d.Browsers[1].Version != "" || d.Browsers[0].Rank == d.Browsers[1].Rank {
		t.Errorf("exit code %d, %+v", code, d)
	}
	if _, out, _ := command(t, "doctor"); !strings.Contains(out, "  1. brave 156.1.80.1  ") || !strings.Contains(out, "  2. firefox (unknown version)  ") {
		t.Errorf("a person reads %q", out)
	}
}

func TestDoctorTriesTheBrowser(t *testing.T) {
	needOrdinaryUser(t)
	cache := t.TempDir()
	code, d, errOut := diagnose(t, "--try-browser", "--browser", "chromium", "--cache", cache)
	last := d.Checks[len(d.Checks)-1]
	if code != exitOK || last.Name != "browser.try" || last.State != stead.CheckOK {
		t.Fatalf("exit code %d, %+v", code, d)
	}
	if !strings.Contains(errOut, "starting /") || !strings.Contains(errOut, "nothing is left of it") {
		t.Errorf("the progress is %q", errOut)
	}
	if left, err := os.ReadDir(filepath.Join(cache, "sessions")); err != nil || len(left) != 1 || left[0].Name() != ".lock" {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestDoctorTriesABrowserThatDoesNotStart(t *testing.T) {
	needOrdinaryUser(t)
	onlyPrograms(t, map[string]string{"chromium": "exit 1"})
	cache := t.TempDir()
	code, d, _ := diagnose(t, "--try-browser", "--cache", cache)
	if last := d.Checks[len(d.Checks)-1]; code != exitFailed || last.Name != "browser.try" || last.State != stead.CheckFailed {
		t.Errorf("exit code %d, %+v", code, d)
	}
}

func TestDoctorRefusesWhatMakesNoSense(t *testing.T) {
	onlyPrograms(t, map[string]string{"chromium": "exit 1"})
	for want, args := range map[int][]string{exitUsage: {"doctor", "--browser", "chrome"}, exitMachine: {"doctor", "--try-browser", "--browser", "chrome", "--cache", t.TempDir()}} {
		code, _, errOut := command(t, args...)
		if code != want || !strings.Contains(errOut, "--browser") || strings.Count(errOut, "\n") != 1 {
			t.Errorf("%v: exit code %d, %q", args, code, errOut)
		}
	}
}

func TestHelpPrintsSheets(t *testing.T) {
	for name, sheet := range topics {
		code, out, errOut := command(t, "help", name)
		if code != exitOK || out != sheet() || out == "" || errOut != "" {
			t.Errorf("help %s: exit code %d, %q, %q", name, code, out, errOut)
		}
	}
	if code, out, _ := command(t, "help", "doctor"); code != exitOK || !strings.Contains(out, "--try-browser") {
		t.Errorf("help of a command: exit code %d, %q", code, out)
	}
}
