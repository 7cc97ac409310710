package browser

import (
	"context"
	"slices"
	"strings"
)

// macApp is a bundle: the folder's name, the identifier that does not change with it, and the program inside.
type macApp struct {
	kind              Kind
	folder, id, inner string
}

var macApps = [...]macApp{
	{Chrome, "Google Chrome.app", "com.google.Chrome", "Google Chrome"},
	{Edge, "Microsoft Edge.app", "com.microsoft.edgemac", "Microsoft Edge"},
	{Brave, "Brave Browser.app", "com.brave.Browser", "Brave Browser"},
	{Chromium, "Chromium.app", "org.chromium.Chromium", "Chromium"},
	{Firefox, "Firefox.app", "org.mozilla.firefox", "firefox"},
}

// onMac looks into both folders for applications, and asks Spotlight for the kinds that are in neither.
func (m machine) onMac(ctx context.Context) []Installed {
	var found []Installed
	var wanted []string
	for _, app := range macApps {
		before := len(found)
		for _, folder := range []string{"/Applications/", m.home + "/Applications/"} {
			if f, ok := m.bundle(ctx, folder+app.folder); ok && f.Kind == app.kind {
				found = append(found, f)
			}
		}
		if len(found) == before {
			wanted = append(wanted, `kMDItemCFBundleIdentifier == "`+app.id+`"`)
		}
	}
	for _, path := range m.spotlight(ctx, wanted) {
		f, ok := m.bundle(ctx, path)
		if ok && !slices.ContainsFunc(found, func(o Installed) bool { return o.Path == f.Path }) {
			found = append(found, f)
		}
	}
	return found
}

// spotlight may be off or busy: then it finds nothing, within runLimit. What lies on a disk image goes away with it,
// and what macOS runs from a random place of its own ("translocated") cannot be named in an allow rule.
func (m machine) spotlight(ctx context.Context, wanted []string) []string {
	if len(wanted) == 0 {
		return nil
	}
	out, err := m.run(ctx, "/usr/bin/mdfind", strings.Join(wanted, " || "))
	if err != nil {
		return nil
	}
	var paths []string
	for _, path := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		if strings.HasSuffix(path, ".app") && !strings.HasPrefix(path, "/Volumes/") &&
			!strings.Contains(path, "/AppTranslocation/") && !strings.Contains(path, "/.Trash/") {
			paths = append(paths, path)
		}
	}
	return paths
}

// bundle reads an application's Info.plist; the identifier in it, not the folder's name, says what it is.
func (m machine) bundle(ctx context.Context, path string) (Installed, bool) {
	info, err := m.propertyList(ctx, path+"/Contents/Info.plist")
	if err != nil {
		return Installed{}, false // most are not installed
	}
	id, _ := info["CFBundleIdentifier"].(string)
	name, _ := info["CFBundleExecutable"].(string)
	version, _ := info["CFBundleShortVersionString"].(string)
	for _, app := range macApps {
		program := path + "/Contents/MacOS/" + name
		if app.id == id && name != "" && !strings.Contains(name, "/") && m.isFile(program) {
			return Installed{Kind: app.kind, Path: program, Version: version}, true
		}
	}
	return Installed{}, false
}

// appVersion is that of the application around a program, "" when there is none.
func (m machine) appVersion(ctx context.Context, program string) string {
	app, _, ok := strings.Cut(program, "/Contents/MacOS/")
	if !ok {
		return ""
	}
	f, _ := m.bundle(ctx, app)
	return f.Version
}

func macKind(program string) Kind {
	for _, app := range macApps {
		if app.inner == program {
			return app.kind
		}
	}
	return ""
}
