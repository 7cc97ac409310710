package browser

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"stead/internal/stead"
)

// Kind is a make of browser, e.g. "chromium".
type Kind string

// The kinds that Find knows. All but Firefox are of the Chromium family.
const (
	Chrome   Kind = "chrome"
	Edge     Kind = "edge"
	Brave    Kind = "brave"
	Chromium Kind = "chromium"
	Firefox  Kind = "firefox"
)

// Confinements under which a browser can be installed. All of them hide the session's folder from the browser or
// replace it silently, and do not surely pass the pipe on, so a confined browser is named to the person but not used.
const (
	Snap    = "snap"
	Flatpak = "flatpak"
	Store   = "store" // a package of the Microsoft Store, whose AppData is another
)

// Installed is one browser found on this machine.
type Installed struct {
	Kind        Kind     `json:"kind"`
	Path        string   `json:"path"`    // as found; on Linux often a script of the distribution
	Version     string   `json:"version"` // "" when no file tells it
	Confinement string   `json:"confinement,omitempty"`
	Why         string   `json:"refused,omitempty"` // why it is not used at all; "" when nothing speaks against it
	Rank        string   `json:"rank"`              // why it stands where it stands in the list
	Policies    []Policy `json:"policies,omitempty"`
}

// Pipe reports whether the browser can be controlled over a pipe: one of the Chromium family, and not confined.
func (i Installed) Pipe() bool { return i.Kind != Firefox && i.Confinement == "" }

// Usable reports whether Launch tries it.
func (i Installed) Usable() bool { return i.Why == "" && i.Pipe() }

// Choice is what the settings of this machine say about browsers. A browser is named by its kind or its path.
type Choice struct {
	Pin    string   // the only one to use; "" leaves it open. A path need not be one that Find would find
	Forbid []string // never used, not even when pinned
}

// Find lists the browsers of this machine, the one to use first, each program once, with the policies that manage
// it. It starts no browser. When Launch can use none the list comes with an error that names each one passed over
// and why: browser_policy if a policy of the machine is the reason for one, else browser_missing.
func Find(ctx context.Context, choice Choice) ([]Installed, error) {
	return thisMachine().find(ctx, choice)
}

func (m machine) find(ctx context.Context, choice Choice) ([]Installed, error) {
	var found []Installed
	switch m.system {
	case "windows":
		found = m.onWindows()
	case "darwin":
		found = m.onMac(ctx)
	default:
		found = m.onLinux()
	}
	found = m.addPinned(ctx, found, choice.Pin)
	for i := range found {
		f := &found[i]
		f.Policies = m.policies(ctx, f.Kind, f.Path)
		f.Why = cmp.Or(choice.refuses(*f, m.system), confined(*f), redirected(f.Policies))
		f.Rank = m.reason(*f)
	}
	slices.SortStableFunc(found, func(a, b Installed) int { return m.class(a) - m.class(b) })
	return found, m.noneUsable(found, choice)
}

// addPinned adds a pinned program that Find itself did not come across.
func (m machine) addPinned(ctx context.Context, found []Installed, pin string) []Installed {
	known := slices.ContainsFunc(found, func(f Installed) bool { return f.is(pin, m.system) })
	if known || !strings.Contains(pin, m.separator()) || !m.isFile(pin) {
		return found
	}
	kind := m.kindOf(pin)
	if kind == "" {
		return found // what it is decides how it is started
	}
	f := Installed{Kind: kind, Path: pin}
	if m.system == "darwin" {
		f.Version = m.appVersion(ctx, pin)
	} else {
		f = m.described(f)
	}
	return append(found, f)
}

// is reports whether a setting's word names this browser.
func (i Installed) is(name, system string) bool {
	if system == "windows" {
		return strings.EqualFold(name, string(i.Kind)) || strings.EqualFold(name, i.Path)
	}
	return name == string(i.Kind) || name == i.Path
}

func (c Choice) refuses(f Installed, system string) string {
	if slices.ContainsFunc(c.Forbid, func(name string) bool { return f.is(name, system) }) {
		return "Stead's settings forbid it"
	}
	if c.Pin != "" && !f.is(c.Pin, system) {
		return "Stead's settings allow " + c.Pin + " only"
	}
	return ""
}

func confined(f Installed) string {
	if f.Confinement == "" {
		return ""
	}
	return "it is a " + f.Confinement + " package and cannot use the session's private folder"
}

// Classes of browsers, best first. Within a class they stay as they were found.
const (
	classEdge = iota // on Windows
	classPipe
	classManaged // of which a policy says that it will not obey
	classConfined
	classFirefox
	classConfinedFirefox
	classRefused
)

func (m machine) class(f Installed) int {
	switch {
	case f.Why != "" && f.Why != confined(f):
		return classRefused
	case f.Kind == Firefox && f.Confinement != "":
		return classConfinedFirefox
	case f.Kind == Firefox:
		return classFirefox
	case f.Confinement != "":
		return classConfined
	case len(forbidding(f.Policies)) > 0:
		return classManaged
	case f.Kind == Edge && m.system == "windows":
		return classEdge
	}
	return classPipe
}

func (m machine) reason(f Installed) string {
	return [...]string{
		classEdge:            "first on Windows: it signs in to the company by itself, also in a fresh folder",
		classPipe:            "of the Chromium family and not confined: Stead controls it over a pipe",
		classManaged:         "after the other unconfined ones: a policy seems to forbid that Stead controls it",
		classConfined:        "after all unconfined ones of the Chromium family: it is confined",
		classFirefox:         "after the Chromium family: it cannot be controlled over a pipe",
		classConfinedFirefox: "after Firefox that is not confined: it is, and cannot be controlled over a pipe",
		classRefused:         "last: it is not used at all",
	}[m.class(f)]
}

// noneUsable is nil when Launch has something to try.
func (m machine) noneUsable(found []Installed, choice Choice) error {
	code := stead.CodeBrowserMissing
	var names []string
	if choice.Pin != "" && !slices.ContainsFunc(found, func(f Installed) bool { return f.is(choice.Pin, m.system) }) {
		names = append(names, "Stead's settings allow "+choice.Pin+" only, which is not on this machine")
	}
	for _, f := range found {
		if f.Usable() {
			return nil
		}
		why := cmp.Or(f.Why, "it cannot be controlled over a pipe")
		names = append(names, fmt.Sprintf("%s is not used: %s", f.Path, why))
		if f.Why != "" && f.Why == redirected(f.Policies) {
			code = stead.CodeBrowserPolicy
		}
	}
	if len(names) == 0 {
		return stead.E(code, nil)
	}
	return stead.Errorf(code, "%s", strings.Join(names, "; "))
}
