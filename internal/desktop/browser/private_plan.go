package browser

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Further folders of a session whose browser is not controlled. They take what it would leave in the agent's own.
const (
	tempDir   = "tmp"
	configDir = "xdg/config"
	cacheDir  = "xdg/cache"
	dataDir   = "xdg/data"
	stateDir  = "xdg/state"
)

// privateDirs are made before the start, in this order.
var privateDirs = []string{profileDir + "/Default", crashDir, downloadDir, tempDir, configDir, cacheDir, dataDir, stateDir}

// PlanPrivate plans the start of b, which nothing will control, in the session's folder dir: a private window that opens
// address. Arguments can be read by others, so address must be of no use to whoever comes second.
func PlanPrivate(s System, b Installed, dir, address string) Plan {
	env := slices.DeleteFunc(cleanEnv(s.OS, s.Environ), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.Contains([]string{"XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"}, name) ||
			strings.HasPrefix(name, "MOZ_") || strings.HasPrefix(name, "SNAP") || strings.HasPrefix(name, "XRE_")
	})
	at := func(name, sub string) string {
		return name + "=" + join(s.OS, append([]string{dir}, strings.Split(sub, "/")...)...)
	}
	env = append(env, at("XDG_CONFIG_HOME", configDir), at("XDG_CACHE_HOME", cacheDir), at("XDG_DATA_HOME", dataDir), at("XDG_STATE_HOME", stateDir))
	p := Plan{Path: b.Path, Dir: dir, Group: ProcessGroup}
	if s.OS == "windows" {
		p.Group = Job
	}
	if b.Kind != Firefox {
		p.Args = slices.DeleteFunc(PlanLaunch(s, b, dir).Args, func(arg string) bool {
			return strings.HasPrefix(arg, "--remote-debugging-") || arg == "--no-startup-window"
		})
		p.Args = append(p.Args, "--incognito", address)
		p.Env = append(env, at("BREAKPAD_DUMP_LOCATION", crashDir))
		return p
	}
	p.Args = []string{"-profile", join(s.OS, dir, profileDir), "-no-remote", "-new-instance"}
	if s.OS == "windows" {
		p.Args = append(p.Args, "-wait-for-browser") // firefox.exe is a launcher, and would be gone at once
	}
	p.Args = append(p.Args, "-private-window", address)
	// Its crash helper lies outside the process group. With its folder among its arguments, it is found all the same.
	env = slices.DeleteFunc(env, func(kv string) bool { return strings.HasPrefix(kv, "TMPDIR=") })
	p.Env = append(env, at("TMPDIR", tempDir), "MOZ_CRASHREPORTER_DISABLE=1")
	return p
}

// seedPrivate makes the folders and lays in the settings. home is the agent's folder of settings, of which the looks
// (fonts, contrast, size) are taken over by link; "" for none.
func seedPrivate(dir, home string) error {
	for _, sub := range privateDirs {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return err
		}
	}
	downloads := filepath.Join(dir, downloadDir)
	for name, content := range map[string]string{
		profileDir + "/Default/Preferences": preferences(downloads),
		profileDir + "/user.js":             firefoxPreferences(downloads),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	for _, looks := range []string{"gtk-3.0", "gtk-4.0", "fontconfig", "dconf"} {
		own := filepath.Join(home, looks)
		if _, err := os.Stat(own); home == "" || err != nil {
			continue
		}
		if err := os.Symlink(own, filepath.Join(dir, configDir, looks)); err != nil {
			return err
		}
	}
	return nil
}

// firefoxPreferences make a fresh profile open the address alone, keep nothing and report to nobody. None of them
// switches a protection off.
func firefoxPreferences(downloads string) string {
	var b strings.Builder
	set := func(name string, value any) {
		text, err := json.Marshal(value)
		if err != nil {
			panic(err) // texts, numbers and booleans always marshal
		}
		fmt.Fprintf(&b, "user_pref(%q, %s);\n", name, text)
	}
	for _, off := range []string{
		"app.normandy.enabled", "app.shield.optoutstudies.enabled", "app.update.enabled", "browser.aboutwelcome.enabled", "browser.cache.disk.enable",
		"browser.formfill.enable", "browser.search.suggest.enabled", "browser.sessionstore.resume_from_crash", "browser.shell.checkDefaultBrowser",
		"browser.tabs.crashReporting.sendReport", "browser.tabs.warnOnClose", "browser.uitour.enabled", "datareporting.healthreport.uploadEnabled",
		"datareporting.policy.dataSubmissionEnabled", "extensions.formautofill.addresses.enabled", "extensions.formautofill.creditCards.enabled",
		"identity.fxaccounts.enabled", "network.predictor.enabled", "network.prefetch-next", "signon.rememberSignons",
		"toolkit.telemetry.enabled", "toolkit.telemetry.unified",
	} {
		set(off, false)
	}
	for _, on := range []string{"browser.download.useDownloadDir", "datareporting.policy.dataSubmissionPolicyBypassNotification",
		"network.dns.disablePrefetch", "termsofuse.bypassNotification"} {
		set(on, true)
	}
	set("browser.download.dir", downloads)
	set("browser.download.folderList", 2) // the folder above
	set("browser.sessionstore.privacy_level", 2)
	set("browser.startup.homepage_override.mstone", "ignore")
	set("browser.startup.page", 0)
	return b.String()
}
