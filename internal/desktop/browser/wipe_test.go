package browser

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stead/internal/stead"
)

// claimed is a session's folder with a file in it that resists until release is called.
func claimed(t *testing.T, r *Root) (c *claim, release func()) {
	t.Helper()
	c, err := r.claim(t.Context(), "s1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.dir, "goes"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return c, obstruct(t, c.dir)
}

func TestAWipeTriesAgainUntilTheFileGoes(t *testing.T) {
	for _, after := range []time.Duration{30 * time.Millisecond, 3 * time.Second, 9 * time.Second} {
		r := newRoot(t)
		synctest.Test(t, func(t *testing.T) {
			c, release := claimed(t, r)
			time.AfterFunc(after, release)
			w, err := c.wipe(t.Context())
			if err != nil || !w.Clean || w.Took < after || w.Took > after+time.Second {
				t.Errorf("released after %v: %+v, %v", after, w, err)
			}
			if left := sessionFolders(t, r); len(left) > 0 {
				t.Errorf("left %v", left)
			}
		})
	}
}

func TestWhatResistsIsReportedAndGoesAtALaterStart(t *testing.T) {
	r := newRoot(t)
	synctest.Test(t, func(t *testing.T) {
		c, release := claimed(t, r)
		const limit = 10 * time.Second
		w, err := c.wipeWithin(t.Context(), limit)
		if w.Clean || stead.CodeOf(err) != stead.CodeBrowserLeft || w.Took < limit || w.Took > limit+time.Second {
			t.Fatalf("%+v, %v", w, err)
		}
		for _, p := range w.Left {
			if _, err := os.Lstat(p); err != nil || strings.HasSuffix(p, "goes") {
				t.Errorf("says that %s is left: %v", p, err)
			}
		}
		stuck := func(when string) {
			t.Helper()
			begin := time.Now()
			swept, err := r.Sweep(t.Context())
			if stead.CodeOf(err) != stead.CodeBrowserLeft || len(swept) != 1 || swept[0].ID != "s1" || swept[0].Wipe.Clean ||
				time.Since(begin) > sweepLimit+time.Second {
				t.Errorf("%s: swept %+v, %v", when, swept, err)
			}
		}
		stuck("at the next start")
		stuck("at the one after")
		release()
		if swept, err := r.Sweep(t.Context()); err != nil || len(swept) != 1 || swept[0].ID != "s1" || !swept[0].Wipe.Clean {
			t.Errorf("released: swept %+v, %v", swept, err)
		}
		if left := sessionFolders(t, r); len(left) > 0 {
			t.Errorf("left %v", left)
		}
	})
}

// Where the folder can be moved, the session's name is free again.
func TestTheTrashLiesBesideTheSessions(t *testing.T) {
	r := newRoot(t)
	synctest.Test(t, func(t *testing.T) {
		for range 2 {
			c, _ := claimed(t, r)
			w, err := c.wipe(context.Background())
			if w.Clean || err == nil {
				t.Fatalf("%+v, %v", w, err)
			}
			if !canMoveOpenFolders {
				return
			}
			for _, p := range w.Left {
				if !strings.HasPrefix(p, filepath.Join(r.dir, trashDir)+string(filepath.Separator)) {
					t.Errorf("left %s", p)
				}
			}
		}
		if entries, err := os.ReadDir(filepath.Join(r.dir, trashDir)); err != nil || len(entries) != 2 {
			t.Errorf("%v, %v", entries, err)
		}
	})
}

func TestRemoveLimits(t *testing.T) {
	for system, want := range map[string]time.Duration{"linux": 10 * time.Second, "darwin": 10 * time.Second, "windows": time.Minute} {
		if got := removeLimit(system); got != want {
			t.Errorf("%s: %v", system, got)
		}
	}
}

func TestRetryBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var at []time.Duration
		err := retry(t.Context(), 10*time.Second, func() error {
			at = append(at, time.Since(begin))
			return os.ErrPermission
		})
		if err == nil || len(at) < 10 || len(at) > 20 || at[1] != 20*time.Millisecond || at[len(at)-1]-at[len(at)-2] != time.Second {
			t.Errorf("%v, tried at %v", err, at)
		}
	})
}

func TestSameInstallation(t *testing.T) {
	const (
		mac = "/Applications/Google Chrome.app/Contents/"
		win = `C:\Program Files\Google\Chrome\Application\`
	)
	for _, tc := range []struct {
		system, exe, recorded string
		same                  bool
	}{
		{"linux", "/usr/lib/chromium/chrome_crashpad_handler", "/usr/lib/chromium/chromium", true},
		{"linux", "/usr/lib/chromium-b/chrome_crashpad_handler", "/usr/lib/chromium/chromium", false},
		{"linux", "/usr/bin/bash", "/chromium", false},
		{"linux", "/usr/lib/chromium/chromium", "", false},
		{"linux", "", "/usr/lib/chromium/chromium", false},
		{"darwin", mac + "Frameworks/Google Chrome Framework.framework/Versions/1/Helpers/chrome_crashpad_handler", mac + "MacOS/Google Chrome", true},
		{"darwin", "/Applications/Other.app/Contents/MacOS/Other", mac + "MacOS/Google Chrome", false},
		{"windows", `c:\program files\google\chrome\application\156.0.0.0\elevated.exe`, win + "chrome.exe", true},
		{"windows", `C:\Windows\System32\cmd.exe`, win + "chrome.exe", false},
	} {
		if got := sameInstallation(tc.system, tc.exe, tc.recorded); got != tc.same {
			t.Errorf("%+v: %v", tc, got)
		}
	}
}

func TestWhichArgumentsNameAFolder(t *testing.T) {
	for args, want := range map[string]bool{
		"chrome\x00--user-data-dir=/c/s1/profile\x00":                       true,
		"firefox\x00-profile\x00/c/s1/profile":                              true,
		"chrome\x00/c/s1/downloads/bill.pdf\x00":                            false, // the agent's own, for what was downloaded
		"chrome\x00file:///c/s1/downloads/a.pdf\x00/c/s1/profile/Crash\x00": true,
		"chrome\x00--user-data-dir=/c/s11/profile\x00":                      false,
		"": false,
	} {
		if named(args, "/c/s1", "/") != want {
			t.Errorf("%q: want %v", args, want)
		}
	}
}
