package browser

import (
	"strings"
	"testing"

	"stead/internal/stead"
)

func states(all []stead.Check) string {
	var list []string
	for _, c := range all {
		list = append(list, c.Name+" "+string(c.State))
	}
	return strings.Join(list, ", ")
}

func TestChecks(t *testing.T) {
	files := func(more tree) tree {
		all := tree{"/usr/bin/google-chrome": "x", "/etc/opt/chrome/policies/managed/a.json": `{"RemoteDebuggingAllowed": false, "IncognitoModeAvailability": 1}`}
		for name, content := range more {
			all[name] = content
		}
		return all
	}
	for name, tc := range map[string]struct {
		m    machine
		want string
	}{
		"nothing there":            {linuxMachine(tree{}), "browser.found failed"},
		"good":                     {linuxMachine(tree{"/usr/bin/chromium": "x"}), "browser.found ok"},
		"the only one is managed":  {linuxMachine(files(nil)), "browser.found ok, browser.fallback warning, browser.policy failed"},
		"Firefox alone":            {linuxMachine(tree{"/usr/bin/firefox": "x"}), "browser.found failed, browser.fallback warning"},
		"Firefox in a snap":        {linuxMachine(tree{"/snap/bin/firefox": "x"}), "browser.found failed"},
		"another one is free":      {linuxMachine(files(tree{"/usr/bin/chromium": "y"})), "browser.found ok, browser.policy warning"},
		"a broken file":            {linuxMachine(tree{"/usr/bin/chromium": "x", "/etc/chromium/policies/managed/a.json": "{"}), "browser.found ok, browser.policy warning"},
		"led into another folder":  {windowsMachine(tree{`D:\brave.exe`: "x"}, hives{`HKCU64` + appPaths + `brave.exe|`: `D:\brave.exe`, `HKLM64\SOFTWARE\Policies\BraveSoftware\Brave|UserDataDir`: "x"}), "browser.found failed, browser.policy warning"},
		"a cache that stays there": {linuxMachine(tree{"/usr/bin/chromium": "x", "/etc/chromium/policies/managed/a.json": `{"DiskCacheDir": "/c"}`}), "browser.found ok, browser.policy warning"},
	} {
		t.Run(name, func(t *testing.T) {
			all := checks(tc.m.find(t.Context(), Choice{}))
			if got := states(all); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
			for _, c := range all {
				if c.What == "" || c.Why == "" || c.State == stead.CheckFailed && c.Do == "" || c.Do != "" && !strings.HasSuffix(c.Do, ".") {
					t.Errorf("%+v", c)
				}
			}
		})
	}
}

func TestNamed(t *testing.T) {
	i := Installed{Kind: Chromium, Path: "/usr/bin/chromium"}
	if !i.Named("chromium") || !i.Named("/usr/bin/chromium") || i.Named("chrome") || i.Named("") {
		t.Error("it does not know its names")
	}
}
