package browser

import (
	"path/filepath"
	"slices"
	"strings"
)

// Plan is one start of a browser, as a value: what PlanLaunch decides and nothing has done yet.
type Plan struct {
	Path string   // the program
	Args []string // without the program's name
	Env  []string
	Dir  string // working directory: the session's folder
}

// What lies where in a session's folder.
const (
	profileDir = "profile"
	crashDir   = "crash"

	downloadDir = "downloads"
	lockName    = "lock"
	recordName  = "session.json"
)

// PlanLaunch plans the start of b in the session's folder dir, an absolute path. Its arguments are the shortest set
// that works: none switches a protection of the browser off, for a person works with members' data in it. It is
// controlled by file descriptors 3 and 4 only, never by a TCP port, which any user of the machine could read.
func PlanLaunch(b Installed, dir string, environ []string) Plan {
	return Plan{
		Path: b.Path,
		Args: []string{
			"--user-data-dir=" + filepath.Join(dir, profileDir),
			"--remote-debugging-pipe",
			"--no-first-run",
			"--no-default-browser-check",
			"--disable-search-engine-choice-screen",
			"--disable-sync",
			"--disable-extensions",
			"--disable-background-mode",
			"--disable-default-apps",
			"--disable-breakpad",
			"--password-store=basic", // no keyring prompt, which would hold up the first paint for ever
			"about:blank",
		},
		// The switches do not move the crash database out of the home folder; this variable does.
		Env: append(cleanEnv(environ), "BREAKPAD_DUMP_LOCATION="+filepath.Join(dir, crashDir)),
		Dir: dir,
	}
}

// unwanted variables change what the browser loads, where it writes, or make it write its TLS keys to a file.
// The session bus stays: screen readers and file dialogs need it.
var unwanted = []string{
	"BREAKPAD_DUMP_LOCATION", "CHROME_CONFIG_HOME", "CHROME_LOG_FILE", "CHROME_USER_DATA_DIR", "CHROME_WRAPPER",
	"CHROMIUM_FLAGS", "CHROMIUM_USER_FLAGS", "GIO_EXTRA_MODULES", "GIO_MODULE_DIR", "GOTRACEBACK",
	"GSETTINGS_SCHEMA_DIR", "GTK_EXE_PREFIX", "GTK_MODULES", "GTK_PATH", "SSLKEYLOGFILE",
}

// unwantedPrefixes are those of the loader, of our own settings, of AppImage and of GTK's bundled modules.
var unwantedPrefixes = []string{"LD_", "STEAD_", "APPIMAGE", "APPDIR", "GDK_PIXBUF_"}

func cleanEnv(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(kv string) bool {
		name, _, ok := strings.Cut(kv, "=")
		return !ok || name == "" || slices.Contains(unwanted, name) ||
			slices.ContainsFunc(unwantedPrefixes, func(p string) bool { return strings.HasPrefix(name, p) })
	})
}

// preferences are laid into the fresh profile before the start: nothing is saved or suggested, and no page is
// rendered ahead of its visit, where it would have no banner.
const preferences = `{
  "autofill": {"credit_card_enabled": false, "profile_enabled": false},
  "credentials_enable_service": false,
  "net": {"network_prediction_options": 2},
  "profile": {"password_manager_enabled": false},
  "search": {"suggest_enabled": false},
  "signin": {"allowed": false, "allowed_on_next_startup": false}
}
`
