//go:build linux

package browser

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stead/internal/stead"
)

// programs makes a folder of them.
func programs(t *testing.T, scripts map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, script := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// A script in place of the browser shows what a machine's policies and accidents do. %s is what it does.
func TestLaunchGivesUpAndUndoes(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Fatal("run this test as an ordinary user: Launch refuses root before anything else (build/test.sh does)")
	}
	const obeys = `sleep 0.3; for id in 1 2 3 4 5 6 7; do printf '{"id":'$id',"result":{}}\0' >&4; sleep 0.1; done
`
	for name, tc := range map[string]struct {
		script string
		code   stead.Code
		cause  string
		limit  time.Duration
	}{
		"policy forbids the pipe": {
			"echo 'DevTools remote debugging is disallowed by the system admin.' >&2; exec sleep 60",
			stead.CodeBrowserPolicy, "disallowed", 2 * time.Second,
		},
		"ends at once":     {"echo 'no display' >&2; exit 1", stead.CodeBrowserSilent, "no display", 2 * time.Second},
		"talks nonsense":   {`sleep 0.3; printf 'hello\0' >&4; exec sleep 60`, stead.CodeBrowserSilent, "protocol", 2 * time.Second},
		"ignores requests": {"trap '' TERM; exec sleep 60", stead.CodeBrowserSilent, "deadline", 12 * time.Second},
		"attaches nothing": {
			`ln -s host-$$ profile/SingletonLock; ` + obeys + `exec sleep 60`,
			stead.CodeBrowserSilent, "session's window", 12 * time.Second,
		},
		"uses another folder": {obeys + "exec sleep 60", stead.CodeBrowserSilent, "session's folder", 12 * time.Second},
		"folder of another": {
			`ln -s host-1 profile/SingletonLock; ` + obeys + `exec sleep 60`,
			stead.CodeBrowserSilent, `its lock names "host-1"`, 8 * time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := programs(t, map[string]string{"chromium": "#!/bin/sh\n" + tc.script + "\n"})
			r := newRoot(t)
			ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
			defer cancel()
			begin := time.Now()
			b, err := r.launch(ctx, "s1", Installed{Kind: Chromium, Path: filepath.Join(dir, "chromium")})
			if b != nil || stead.CodeOf(err) != tc.code || !strings.Contains(fmt.Sprint(err), tc.cause) {
				t.Errorf("got %v, %v", b, err)
			}
			if took := time.Since(begin); took > tc.limit {
				t.Errorf("took %v", took)
			}
			if left := sessionFolders(t, r); len(left) > 0 {
				t.Errorf("left %v", left)
			}
			if stray := naming(r.dir); len(stray) > 0 {
				t.Errorf("processes left: %v (of %s)", stray, dir)
			}
		})
	}
}

func TestLaunchTriesTheNextBrowser(t *testing.T) {
	needBrowser(t)
	for name, script := range map[string]string{
		"after a policy":           "echo 'DevTools remote debugging is disallowed by the system admin.' >&2\nexec sleep 60",
		"after one that is broken": "exit 1",
	} {
		t.Run(name, func(t *testing.T) {
			dir := programs(t, map[string]string{"google-chrome": "#!/bin/sh\n" + script + "\n"})
			t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
			b := launch(t, newRoot(t))
			if strings.HasPrefix(b.claim.rec.Exe, dir) || b.claim.rec.Exe == "" || b.with.Kind == Chrome {
				t.Errorf("runs %s, %+v", b.claim.rec.Exe, b.with)
			}
		})
	}
}

// A person must learn of each browser that was tried, and what was wrong with it.
func TestLaunchNamesEachBrowserThatFailed(t *testing.T) {
	needBrowser(t)
	dir := programs(t, map[string]string{
		"google-chrome": "#!/bin/sh\nexit 1\n",
		"chromium":      "#!/bin/sh\necho 'DevTools remote debugging is disallowed by the system admin.' >&2\nexec sleep 60\n",
	})
	t.Setenv("PATH", dir+":/bin") // sleep
	t.Setenv("XDG_DATA_DIRS", dir)
	r := newRoot(t)
	r.Choice = Choice{Forbid: []string{"/bin/chromium", "/bin/firefox"}}
	b, err := r.Launch(t.Context(), "s1")
	if b != nil || stead.CodeOf(err) != stead.CodeBrowserPolicy || !strings.Contains(said(err), dir+"/google-chrome;") ||
		!strings.Contains(said(err), dir+"/chromium: it says that RemoteDebuggingAllowed is false") {
		t.Errorf("a person reads %q", said(err))
	}
}

func TestLaunchRefusesAnIdThatIsNoFolderName(t *testing.T) {
	r := newRoot(t)
	for _, id := range []string{"", ".", "..", "../x", "a/b", ".lock", strings.Repeat("x", 65)} {
		if c, err := r.claim(t.Context(), id, time.Now()); err == nil {
			t.Errorf("%q was taken: %s", id, c.dir)
		}
	}
}

func TestLaunchRefusesTheSameSessionTwice(t *testing.T) {
	r := newRoot(t)
	c, err := r.claim(t.Context(), "s1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer c.release()
	if _, err := r.claim(t.Context(), "s1", time.Now()); err == nil {
		t.Error("taken twice")
	}
	if _, err := os.Stat(filepath.Join(c.dir, recordName)); err != nil {
		t.Error("the refused claim removed the first one's record: ", err)
	}
}
