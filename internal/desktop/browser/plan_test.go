package browser

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestPlanLaunch(t *testing.T) {
	got := PlanLaunch(Installed{Kind: Chromium, Path: "/usr/bin/chromium"}, "/cache/sessions/s1", []string{
		"HOME=/home/ada", "DISPLAY=:0", "DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus",
		"LD_LIBRARY_PATH=/tmp/.mount/lib", "LD_PRELOAD=x.so", "GTK_PATH=/tmp/.mount/gtk", "SSLKEYLOGFILE=/tmp/keys",
		"CHROME_CONFIG_HOME=/x", "CHROME_USER_DATA_DIR=/x", "BREAKPAD_DUMP_LOCATION=/x", "STEAD_DATA=/x",
		"APPIMAGE=/x", "GDK_PIXBUF_MODULE_FILE=/x", "=odd", "odd",
	})
	want := Plan{
		Path: "/usr/bin/chromium",
		Args: []string{
			"--user-data-dir=/cache/sessions/s1/profile",
			"--remote-debugging-pipe",
			"--no-first-run",
			"--no-default-browser-check",
			"--disable-search-engine-choice-screen",
			"--disable-sync",
			"--disable-extensions",
			"--disable-background-mode",
			"--disable-default-apps",
			"--disable-breakpad",
			"--password-store=basic",
			"--no-startup-window",
		},
		Env: []string{
			"HOME=/home/ada", "DISPLAY=:0", "DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus",
			"BREAKPAD_DUMP_LOCATION=/cache/sessions/s1/crash",
		},
		Dir: "/cache/sessions/s1",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// The list above is easily copied from a failing run; these never are right, whatever the list says.
func TestPlanNeverWeakensTheBrowser(t *testing.T) {
	for _, kind := range []Kind{Chrome, Edge, Brave, Chromium} {
		for _, arg := range PlanLaunch(Installed{Kind: kind, Path: "/b"}, "/d", nil).Args {
			for _, never := range []string{
				"sandbox", "debugging-port", "debugging-address", "site-isolation", "site-per-process", "web-security",
				"popup-blocking", "phishing", "enable-automation", "certificate", "load-extension",
			} {
				if strings.Contains(arg, never) {
					t.Errorf("%s: %s", kind, arg)
				}
			}
			if dir, ok := strings.CutPrefix(arg, "--user-data-dir="); ok && !filepath.IsAbs(dir) {
				t.Errorf("relative folder %s", dir)
			}
		}
	}
}

func TestPreferencesAreJSON(t *testing.T) {
	if !json.Valid([]byte(preferences)) {
		t.Error("Chromium would ignore them silently")
	}
}
