package browser

import (
	"bufio"
	"bytes"
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Versions are read from files, never by starting the browser: that takes seconds on a cold disk, and on Windows
// opens a window.

var versionPattern = regexp.MustCompile(`[0-9]+(\.[0-9]+){1,3}`)

// described fills what the program's own folder tells, on Windows and Linux.
func (m machine) described(f Installed) Installed {
	if m.system == "windows" {
		f.Version = m.windowsVersion(f)
		return f
	}
	target, err := m.files.EvalSymlinks(f.Path)
	if err != nil {
		return f
	}
	f.Confinement = confinementOf(f.Path, target, m.script(target))
	f.Version = m.linuxVersion(f.Kind, target, f.Confinement)
	return f
}

// linuxVersion asks the file that Firefox brings, the one of a snap, and then the list of the package manager.
func (m machine) linuxVersion(kind Kind, target, confinement string) string {
	switch confinement {
	case Snap:
		return m.snapVersion(kind)
	case Flatpak:
		return "" // no file outside of its repository tells
	}
	if v := m.iniVersion(target); v != "" {
		return v
	}
	if started := m.startedBy(m.script(target)); started != "" {
		if v := m.iniVersion(started); v != "" {
			return v
		}
	}
	return cmp.Or(m.dpkgVersion(target), m.pacmanVersion(target))
}

// iniVersion reads application.ini, which lies beside Firefox's program on each system but macOS.
func (m machine) iniVersion(program string) string {
	raw, err := m.files.ReadFile(m.join(m.folder(program), "application.ini"))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(raw)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "Version="); ok {
			return v
		}
	}
	return ""
}

// snapVersion goes by the snap's name, which is the kind's.
func (m machine) snapVersion(kind Kind) string {
	raw, err := m.files.ReadFile("/snap/" + string(kind) + "/current/meta/snap.yaml")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(raw)) {
		if v, ok := strings.CutPrefix(line, "version:"); ok {
			return strings.Trim(strings.TrimSpace(v), `'"`)
		}
	}
	return ""
}

// debPackages are the packages of Debian and its kin that bring a browser.
var debPackages = []string{
	"google-chrome-stable", "google-chrome-beta", "google-chrome-unstable", "microsoft-edge-stable", "microsoft-edge-beta",
	"brave-browser", "chromium", "chromium-browser", "firefox", "firefox-esr",
}

// dpkgVersion is the version of the package that owns the program, without what the distribution adds to it.
func (m machine) dpkgVersion(target string) string {
	owner := slices.IndexFunc(debPackages, func(name string) bool {
		list, err := m.files.ReadFile("/var/lib/dpkg/info/" + name + ".list")
		return err == nil && bytes.Contains(append(list, '\n'), []byte("\n"+target+"\n"))
	})
	if owner < 0 {
		return ""
	}
	status, err := m.files.ReadFile("/var/lib/dpkg/status")
	if err != nil {
		return ""
	}
	inside := false
	for lines := bufio.NewScanner(bytes.NewReader(status)); lines.Scan(); {
		if name, ok := strings.CutPrefix(lines.Text(), "Package: "); ok {
			inside = name == debPackages[owner]
		}
		if v, ok := strings.CutPrefix(lines.Text(), "Version: "); ok && inside {
			return versionPattern.FindString(v[strings.IndexByte(v, ':')+1:]) // without the epoch
		}
	}
	return ""
}

// pacmanVersion is that of a package of Arch and its kin, which carries it in its folder's name.
func (m machine) pacmanVersion(target string) string {
	name := m.base(target)
	entries, err := m.files.List("/var/lib/pacman/local")
	if err != nil {
		return ""
	}
	for _, entry := range entries {
		if rest, ok := strings.CutPrefix(entry, name+"-"); ok && rest != "" && rest[0] >= '0' && rest[0] <= '9' {
			return versionPattern.FindString(rest)
		}
	}
	return ""
}

// newest is the highest of the names that are versions, "" if none is.
func newest(names []string) string {
	best := ""
	for _, name := range names {
		if versionPattern.FindString(name) == name && name != "" && (best == "" || compareVersions(name, best) > 0) {
			best = name
		}
	}
	return best
}

func compareVersions(a, b string) int {
	return slices.Compare(versionNumbers(a), versionNumbers(b))
}

func versionNumbers(v string) []int {
	var numbers []int
	for _, part := range strings.Split(v, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return numbers
		}
		numbers = append(numbers, n)
	}
	return numbers
}
