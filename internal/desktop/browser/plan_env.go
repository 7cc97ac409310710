package browser

import (
	"slices"
	"strings"
)

// unwanted variables change what the browser loads, where it writes, or whom it takes itself for, or make it write
// its TLS keys to a file. The session bus stays: screen readers and file dialogs need it.
var unwanted = []string{
	"BREAKPAD_DUMP_LOCATION", "CHROME_CONFIG_HOME", "CHROME_CRASHPAD_PIPE_NAME", "CHROME_LOG_FILE", "CHROME_USER_DATA_DIR",
	"CHROME_WRAPPER", "CHROMIUM_FLAGS", "CHROMIUM_USER_FLAGS", "GIO_EXTRA_MODULES", "GIO_MODULE_DIR", "GOTRACEBACK",
	"GSETTINGS_SCHEMA_DIR", "GTK_EXE_PREFIX", "GTK_MODULES", "GTK_PATH", "SNAP", "SSLKEYLOGFILE",
	"__CFBundleIdentifier", // macOS: our own
	"__COMPAT_LAYER",       // Windows: Edge answers it by starting a copy of itself, without our handles
}

// unwantedPrefixes are those of the loaders, of our own settings, of AppImage, of snaps and of GTK's bundled modules.
var unwantedPrefixes = []string{"LD_", "DYLD_", "STEAD_", "APPIMAGE", "APPDIR", "SNAP_", "GDK_PIXBUF_"}

// cleanEnv is environ without what a browser of ours must not see. On Windows names have no case, and those that
// begin with "=" are the working directories of drives, which only a shell wants.
func cleanEnv(system string, environ []string) []string {
	same, begins := func(a, b string) bool { return a == b }, strings.HasPrefix
	if system == "windows" {
		same = strings.EqualFold
		begins = func(s, prefix string) bool {
			return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
		}
	}
	return slices.DeleteFunc(slices.Clone(environ), func(kv string) bool {
		name, _, ok := strings.Cut(kv, "=")
		return !ok || name == "" ||
			slices.ContainsFunc(unwanted, func(u string) bool { return same(name, u) }) ||
			slices.ContainsFunc(unwantedPrefixes, func(p string) bool { return begins(name, p) })
	})
}
