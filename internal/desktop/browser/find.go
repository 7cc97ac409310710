package browser

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"stead/internal/stead"
)

// Kind is a family member of Chromium, e.g. "chromium".
type Kind string

// The kinds that Find knows.
const (
	Chrome   Kind = "chrome"
	Edge     Kind = "edge"
	Brave    Kind = "brave"
	Chromium Kind = "chromium"
)

// Confinements under which a browser can be installed. Both hide the session's folder from the browser or replace
// it silently, and do not surely pass the pipe on, so a confined browser is named to the person but not used.
const (
	Snap    = "snap"
	Flatpak = "flatpak"
)

// Installed is one browser found on this machine.
type Installed struct {
	Kind        Kind
	Path        string // as found; often a script of the distribution
	Confinement string // "", Snap or Flatpak
	Why         string // why it is not used; "" when it is usable
}

// Usable reports whether a session may run in it.
func (i Installed) Usable() bool { return i.Why == "" }

var commands = [...]struct {
	name string
	kind Kind
}{
	{"google-chrome-stable", Chrome}, {"google-chrome", Chrome},
	{"microsoft-edge-stable", Edge}, {"microsoft-edge", Edge},
	{"brave-browser", Brave}, {"brave", Brave},
	{"chromium", Chromium}, {"chromium-browser", Chromium},
}

// Find lists the browsers that lookPath (exec.LookPath) can find, usable ones first, each program once. When none
// is usable the list is returned with a browser_missing error whose detail names those that were passed over.
func Find(lookPath func(string) (string, error)) ([]Installed, error) {
	var usable, confined []Installed
	var seen []string
	for _, c := range commands {
		path, err := lookPath(c.name)
		if err != nil {
			continue
		}
		if path, err = filepath.Abs(path); err != nil {
			continue
		}
		target, err := filepath.EvalSymlinks(path)
		if err != nil || slices.Contains(seen, target) {
			continue
		}
		seen = append(seen, target)
		found := Installed{Kind: c.kind, Path: path, Confinement: confinement(path, target)}
		if found.Confinement == "" {
			usable = append(usable, found)
			continue
		}
		found.Why = "it is a " + found.Confinement + " and cannot use the session's private folder"
		confined = append(confined, found)
	}
	if len(usable) > 0 {
		return append(usable, confined...), nil
	}
	if len(confined) == 0 {
		return nil, stead.E(stead.CodeBrowserMissing, nil)
	}
	var names []string
	for _, c := range confined {
		names = append(names, c.Path+" is not used: "+c.Why)
	}
	return confined, stead.Errorf(stead.CodeBrowserMissing, "%s", strings.Join(names, "; "))
}

// confinement looks at where the program lies and, if it is a script (Ubuntu's chromium-browser is), at what it
// starts.
func confinement(path, target string) string {
	for _, p := range []string{path, target} {
		switch {
		case strings.HasPrefix(p, "/snap/"), filepath.Base(p) == "snap":
			return Snap
		case strings.Contains(p, "/flatpak/"), filepath.Base(p) == "flatpak":
			return Flatpak
		}
	}
	f, err := os.Open(target)
	if err != nil {
		return ""
	}
	defer f.Close()
	script, err := io.ReadAll(io.LimitReader(f, 64<<10))
	switch {
	case err != nil || !bytes.HasPrefix(script, []byte("#!")):
		return ""
	case bytes.Contains(script, []byte("/snap/bin/")), bytes.Contains(script, []byte("snap run ")):
		return Snap
	case bytes.Contains(script, []byte("flatpak run ")):
		return Flatpak
	}
	return ""
}
