package browser

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
)

// commands are the names of browsers on a PATH. Of two names for one program the first is taken.
var commands = [...]struct {
	name string
	kind Kind
}{
	{"google-chrome-stable", Chrome}, {"google-chrome", Chrome},
	{"microsoft-edge-stable", Edge}, {"microsoft-edge", Edge},
	{"brave-browser-stable", Brave}, {"brave-browser", Brave}, {"brave", Brave},
	{"chromium", Chromium}, {"chromium-browser", Chromium},
	{"firefox-esr", Firefox}, {"firefox", Firefox},
}

// packaged are the names by which Flatpak and macOS know them, e.g. in a desktop file.
var packaged = map[string]Kind{
	"com.google.Chrome": Chrome, "com.microsoft.Edge": Edge, "com.brave.Browser": Brave,
	"org.chromium.Chromium": Chromium, "org.mozilla.firefox": Firefox,
}

// onLinux looks along PATH and then at the desktop files, which name programs outside of it.
func (m machine) onLinux() []Installed {
	var found []Installed
	var seen []string
	add := func(kind Kind, path, confinement string) {
		target, err := m.files.EvalSymlinks(path)
		if err != nil {
			return
		}
		script := m.script(target)
		if confinement == "" {
			confinement = confinementOf(path, target, script)
		}
		names := []string{target, m.startedBy(script)}
		if confinement != "" {
			names = []string{string(kind) + " of " + confinement} // they all are /usr/bin/snap or /usr/bin/flatpak
		}
		if slices.ContainsFunc(names, func(n string) bool { return n != "" && slices.Contains(seen, n) }) {
			return
		}
		seen = append(seen, names...)
		found = append(found, Installed{Kind: kind, Path: path, Confinement: confinement, Version: m.linuxVersion(kind, target, confinement)})
	}
	for _, c := range commands {
		if path, ok := m.lookPath(c.name); ok {
			add(c.kind, path, "")
		}
	}
	for _, file := range m.desktopFiles() {
		if kind, path, confinement := m.desktopEntry(file); kind != "" {
			add(kind, path, confinement)
		}
	}
	return found
}

// desktopFiles follows the XDG Base Directory specification 0.8: the user's folder goes before the system's.
func (m machine) desktopFiles() []string {
	home := m.getenv("XDG_DATA_HOME")
	if home == "" && m.home != "" {
		home = m.home + "/.local/share"
	}
	system := m.getenv("XDG_DATA_DIRS")
	if system == "" {
		system = "/usr/local/share:/usr/share"
	}
	var all []string
	for _, dir := range append([]string{home}, strings.Split(system, ":")...) {
		if !strings.HasPrefix(dir, "/") {
			continue // relative ones are to be ignored
		}
		dir = strings.TrimRight(dir, "/") + "/applications"
		names, err := m.files.List(dir)
		if err != nil {
			continue // most of these folders do not exist
		}
		for _, name := range names {
			if strings.HasSuffix(name, ".desktop") {
				all = append(all, dir+"/"+name)
			}
		}
	}
	return all
}

// desktopEntry tells which browser a desktop file starts, kind "" if none. For a flatpak path is flatpak itself.
func (m machine) desktopEntry(file string) (kind Kind, path, confinement string) {
	raw, err := m.files.ReadFile(file)
	if err != nil {
		return "", "", ""
	}
	words := execWords(string(raw))
	for len(words) > 0 && (words[0] == "env" || words[0] == "/usr/bin/env" || strings.Contains(words[0], "=")) {
		words = words[1:]
	}
	if len(words) == 0 {
		return "", "", ""
	}
	if m.base(words[0]) == "flatpak" {
		for _, word := range words[1:] {
			if kind := packaged[word]; kind != "" {
				path, ok := m.program(words[0])
				if !ok {
					return "", "", ""
				}
				return kind, path, Flatpak
			}
		}
		return "", "", ""
	}
	kind = m.kindOf(words[0])
	path, ok := m.program(words[0])
	if kind == "" || !ok {
		return "", "", ""
	}
	return kind, path, ""
}

// program makes a command of a desktop file absolute.
func (m machine) program(name string) (string, bool) {
	if strings.HasPrefix(name, "/") {
		return name, m.isFile(name)
	}
	return m.lookPath(name)
}

// execWords splits the Exec line of a desktop file's main group. Quoting is rare there and no browser's program has a
// space in its path on Linux.
func execWords(text string) []string {
	group := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			group = line
		}
		if command, ok := strings.CutPrefix(line, "Exec="); ok && group == "[Desktop Entry]" {
			return strings.Fields(strings.ReplaceAll(command, `"`, ""))
		}
	}
	return nil
}

// kindOf tells the kind by the name of the program, "" if it is none.
func (m machine) kindOf(path string) Kind {
	base := m.base(path)
	if m.system == "windows" {
		return windowsKind(path)
	}
	for _, c := range commands {
		if base == c.name {
			return c.kind
		}
	}
	if m.system == "darwin" {
		return macKind(base)
	}
	switch base { // the programs behind the commands
	case "chrome":
		return Chrome
	case "msedge":
		return Edge
	}
	return ""
}

// script is what a program says if it is one, "" if it is not or cannot be read.
func (m machine) script(target string) string {
	raw, err := m.files.ReadFile(target)
	if err != nil || !bytes.HasPrefix(raw, []byte("#!")) {
		return ""
	}
	return string(raw)
}

// execLine is a line of a script that hands over to another program without a variable in its name.
var execLine = regexp.MustCompile(`(?m)^\s*exec\s+"?([A-Za-z0-9_./+-]+)"?\s`)

// startedBy is the program that a script hands over to, "" when it does not say.
func (m machine) startedBy(script string) string {
	named := execLine.FindStringSubmatch(script)
	if named == nil {
		return ""
	}
	path, ok := m.program(named[1])
	if !ok {
		return ""
	}
	target, err := m.files.EvalSymlinks(path)
	if err != nil {
		return ""
	}
	return target
}

// confinementOf looks at where the program lies and, if it is a script (Ubuntu's chromium-browser is), at what it
// starts.
func confinementOf(path, target, script string) string {
	for _, p := range []string{path, target} {
		switch {
		case strings.HasPrefix(p, "/snap/"), strings.HasPrefix(p, "/var/lib/snapd/"), strings.HasSuffix(p, "/snap"):
			return Snap
		case strings.Contains(p, "/flatpak/"), strings.HasSuffix(p, "/flatpak"):
			return Flatpak
		}
	}
	switch {
	case strings.Contains(script, "/snap/bin/"), strings.Contains(script, "snap run "):
		return Snap
	case strings.Contains(script, "flatpak run "):
		return Flatpak
	}
	return ""
}
