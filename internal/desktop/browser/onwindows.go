package browser

import (
	"cmp"
	"slices"
	"strings"
)

// windowsPrograms are the names under App Paths, in the order in which they are preferred.
var windowsPrograms = [...]string{"msedge.exe", "chrome.exe", "brave.exe", "firefox.exe"}

// usualFolders are those that the installers take, below each of the folders for programs.
var usualFolders = [...]string{
	`Microsoft\Edge\Application\msedge.exe`, `Google\Chrome\Application\chrome.exe`,
	`BraveSoftware\Brave-Browser\Application\brave.exe`, `Chromium\Application\chrome.exe`, `Mozilla Firefox\firefox.exe`,
}

// onWindows looks at App Paths and StartMenuInternet, of the user before those of the machine, and then into the
// usual folders.
func (m machine) onWindows() []Installed {
	var found []Installed
	var seen []string
	add := func(command string) {
		path := programOf(command)
		kind := windowsKind(path)
		if kind == "" || slices.Contains(seen, strings.ToLower(path)) || !m.isFile(path) {
			return
		}
		seen = append(seen, strings.ToLower(path))
		f := Installed{Kind: kind, Path: path}
		if strings.Contains(strings.ToLower(path), `\windowsapps\`) {
			f.Confinement = Store
		}
		f.Version = m.windowsVersion(f)
		found = append(found, f)
	}
	for _, hive := range []string{hkcu, hklm} {
		for _, view := range views {
			for _, name := range windowsPrograms {
				add(m.value(key{hive, view, `SOFTWARE\Microsoft\Windows\CurrentVersion\App Paths\` + name}, ""))
			}
			clients := key{hive, view, `SOFTWARE\Clients\StartMenuInternet`}
			names, err := m.keys.Subkeys(clients)
			if err != nil {
				continue // it is the same in most views, and need not be there
			}
			for _, name := range names {
				add(m.value(clients.sub(name+`\shell\open\command`), ""))
			}
		}
	}
	for _, variable := range []string{"ProgramFiles", "ProgramW6432", "ProgramFiles(x86)", "LocalAppData"} {
		if folder := m.getenv(variable); folder != "" {
			for _, program := range usualFolders {
				add(m.join(folder, program))
			}
		}
	}
	if local := m.getenv("LocalAppData"); local != "" {
		add(local + `\Microsoft\WindowsApps\firefox.exe`)
	}
	return found
}

// value is "" when there is none.
func (m machine) value(k key, name string) string {
	v, err := m.keys.Value(k, name)
	if err != nil {
		return ""
	}
	return v
}

// programOf takes the program out of a command line: "C:\…\x.exe" --flag, or the same without quotes.
func programOf(command string) string {
	command = strings.TrimSpace(command)
	if quoted, ok := strings.CutPrefix(command, `"`); ok {
		program, _, _ := strings.Cut(quoted, `"`)
		return program
	}
	if i := strings.Index(strings.ToLower(command), ".exe"); i >= 0 {
		return command[:i+len(".exe")]
	}
	return command
}

// windowsKind goes by the program's name, and for chrome.exe, which Chromium has too, by its folder. Only a path with
// a drive or a share is one.
func windowsKind(path string) Kind {
	lower := strings.ToLower(path)
	if !strings.Contains(lower, `:\`) && !strings.HasPrefix(lower, `\\`) {
		return ""
	}
	switch lower[strings.LastIndex(lower, `\`)+1:] {
	case "msedge.exe":
		return Edge
	case "brave.exe":
		return Brave
	case "firefox.exe":
		return Firefox
	case "chrome.exe":
		if strings.Contains(lower, `\chromium\`) {
			return Chromium
		}
		return Chrome
	}
	return ""
}

// beacons are the keys in which a browser leaves the version that ran last.
var beacons = map[Kind]string{
	Chrome: `Software\Google\Chrome\BLBeacon`, Edge: `Software\Microsoft\Edge\BLBeacon`,
	Brave: `Software\BraveSoftware\Brave-Browser\BLBeacon`, Chromium: `Software\Chromium\BLBeacon`,
}

// windowsVersion is the folder beside the program that is named after it, or what the browser left in the registry.
func (m machine) windowsVersion(f Installed) string {
	if f.Kind == Firefox {
		return m.iniVersion(f.Path)
	}
	names, err := m.files.List(m.folder(f.Path))
	if err != nil {
		names = nil // the registry may know
	}
	return cmp.Or(newest(names), m.value(key{hkcu, 64, beacons[f.Kind]}, "version"))
}
