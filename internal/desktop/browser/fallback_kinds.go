package browser

import "path/filepath"

// Firefox has no pipe: it can only be opened by LaunchPrivate.
const Firefox Kind = "firefox"

// Pipe reports whether this browser can be controlled: Chromium's family can, unless it is confined.
func (i Installed) Pipe() bool { return i.Kind != Firefox && i.Confinement == "" }

// findPrivate lists the browsers that a one-time page can open, those of Chromium's family first. What is confined
// cannot use the session's folder and is left out.
func findPrivate(lookPath func(string) (string, error)) []Installed {
	found, _ := Find(lookPath) // that none has a pipe is why somebody asks
	var list []Installed
	for _, i := range found {
		if i.Usable() && i.Kind != Firefox {
			list = append(list, i)
		}
	}
	for _, name := range []string{"firefox", "firefox-esr"} {
		path, err := lookPath(name)
		if err != nil {
			continue
		}
		target, err := filepath.EvalSymlinks(path)
		if err == nil && filepath.IsAbs(path) && confinement(path, target) == "" {
			return append(list, Installed{Kind: Firefox, Path: path})
		}
	}
	return list
}
