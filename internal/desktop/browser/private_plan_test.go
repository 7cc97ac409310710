package browser

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const oneTime = "http://127.0.0.1:4711/nonce"

func TestPlanPrivate(t *testing.T) {
	environ := []string{"HOME=/home/lena", "DISPLAY=:0", "XDG_CONFIG_HOME=/home/lena/.config", "XDG_CACHE_HOME=/c", "XDG_DATA_HOME=/d", "XDG_STATE_HOME=/s",
		"XDG_RUNTIME_DIR=/run/user/1", "MOZ_LOG=all:5", "MOZ_CRASHREPORTER=1", "SNAP_NAME=firefox", "SNAP_INSTANCE_NAME=firefox", "XRE_PROFILE_PATH=/p",
		"SSLKEYLOGFILE=/tmp/keys", "TMPDIR=/tmp", "LD_PRELOAD=x.so"}
	xdg := []string{"XDG_CONFIG_HOME=/s/1/xdg/config", "XDG_CACHE_HOME=/s/1/xdg/cache", "XDG_DATA_HOME=/s/1/xdg/data", "XDG_STATE_HOME=/s/1/xdg/state"}
	onWindows := []string{`XDG_CONFIG_HOME=C:\s\1\xdg\config`, `XDG_CACHE_HOME=C:\s\1\xdg\cache`, `XDG_DATA_HOME=C:\s\1\xdg\data`, `XDG_STATE_HOME=C:\s\1\xdg\state`}
	kept := []string{"HOME=/home/lena", "DISPLAY=:0", "XDG_RUNTIME_DIR=/run/user/1"}
	for _, c := range []struct {
		name, goos string
		with       Installed
		want       Plan
	}{
		{"Firefox", "linux", Installed{Kind: Firefox, Path: "/usr/bin/firefox"}, Plan{
			Path: "/usr/bin/firefox", Dir: "/s/1",
			Args: []string{"-profile", "/s/1/profile", "-no-remote", "-new-instance", "-private-window", oneTime},
			Env:  slices.Concat(kept, xdg, []string{"TMPDIR=/s/1/tmp", "MOZ_CRASHREPORTER_DISABLE=1"})}},
		{"Firefox on Windows", "windows", Installed{Kind: Firefox, Path: "firefox.exe"}, Plan{
			Path: "firefox.exe", Dir: `C:\s\1`,
			Args: []string{"-profile", `C:\s\1\profile`, "-no-remote", "-new-instance", "-wait-for-browser", "-private-window", oneTime},
			Env:  slices.Concat(kept, onWindows, []string{`TMPDIR=C:\s\1\tmp`, "MOZ_CRASHREPORTER_DISABLE=1"})}},
		{"Chromium", "linux", Installed{Kind: Chromium, Path: "/usr/bin/chromium"}, Plan{
			Path: "/usr/bin/chromium", Dir: "/s/1",
			Args: []string{"--user-data-dir=/s/1/profile", "--no-first-run", "--no-default-browser-check", "--disable-search-engine-choice-screen",
				"--disable-sync", "--disable-extensions", "--disable-background-mode", "--disable-default-apps", "--disable-breakpad",
				"--password-store=basic", "--incognito", oneTime},
			Env: slices.Concat(kept, []string{"TMPDIR=/tmp"}, xdg, []string{"BREAKPAD_DUMP_LOCATION=/s/1/crash"})}},
	} {
		got := PlanPrivate(System{OS: c.goos, Environ: environ}, c.with, c.want.Dir, oneTime)
		if got.Path != c.want.Path || got.Dir != c.want.Dir || !slices.Equal(got.Args, c.want.Args) || !slices.Equal(got.Env, c.want.Env) {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
	}
}

// TestSeedPrivate: settings that the browsers can read, downloads inside, and the agent's looks by link only.
func TestSeedPrivate(t *testing.T) {
	dir, home := t.TempDir(), t.TempDir()
	if err := os.Mkdir(filepath.Join(home, "gtk-3.0"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := seedPrivate(dir, home); err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	var p struct {
		Download struct {
			Dir string `json:"default_directory"`
		} `json:"download"`
		Credentials *bool `json:"credentials_enable_service"`
	}
	if err := json.Unmarshal([]byte(read("profile/Default/Preferences")), &p); err != nil || p.Download.Dir != filepath.Join(dir, "downloads") ||
		p.Credentials == nil || *p.Credentials {
		t.Errorf("%+v %v", p, err)
	}
	for _, line := range []string{`user_pref("browser.download.dir", "` + filepath.Join(dir, "downloads") + `");`, `user_pref("browser.download.folderList", 2);`,
		`user_pref("browser.aboutwelcome.enabled", false);`, `user_pref("termsofuse.bypassNotification", true);`} {
		if !strings.Contains(read("profile/user.js"), line+"\n") {
			t.Errorf("user.js lacks %s", line)
		}
	}
	if link, err := os.Readlink(filepath.Join(dir, "xdg/config/gtk-3.0")); err != nil || link != filepath.Join(home, "gtk-3.0") {
		t.Errorf("%q, %v", link, err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "xdg/config/dconf")); err == nil {
		t.Error("a link to nothing")
	}
	if err := emptyFolder(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(home, "gtk-3.0")); err != nil {
		t.Error("the wipe followed the link into the agent's own settings: ", err)
	}
}
