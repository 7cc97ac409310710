package browser

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"stead/internal/stead"
)

// row is what a test compares of an Installed.
type row struct {
	kind                 Kind
	path                 string
	version, confinement string
	usable               bool
}

func rows(found []Installed) []row {
	var all []row
	for _, f := range found {
		all = append(all, row{f.Kind, f.Path, f.Version, f.Confinement, f.Usable()})
	}
	return all
}

func wantRows(t *testing.T, found []Installed, want []row) {
	t.Helper()
	got := rows(found)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	for _, f := range found {
		if f.Rank == "" || (f.Why == "") != (f.Confinement == "") {
			t.Errorf("%s: rank %q, why %q", f.Path, f.Rank, f.Why)
		}
	}
}

func linuxMachine(files tree) machine {
	return machine{
		system: "linux", home: "/home/ada", files: files, keys: hives{}, run: noProgram,
		getenv: variables(map[string]string{"PATH": "/usr/local/bin:/usr/bin:.:/snap/bin", "XDG_DATA_DIRS": "/usr/share:relative:/var/lib/flatpak/exports/share"}),
	}
}

func entry(exec string) string { return "[Desktop Entry]\nType=Application\nExec=" + exec + "\n" }

func TestFindOnLinux(t *testing.T) {
	found, err := linuxMachine(tree{
		"/usr/bin/google-chrome":               "-> /usr/bin/google-chrome-stable",
		"/usr/bin/google-chrome-stable":        "-> /opt/google/chrome/google-chrome",
		"/opt/google/chrome/google-chrome":     "#!/bin/bash\nexec -a \"$0\" \"$HERE/chrome\" \"$@\"\n",
		"/usr/bin/chromium":                    "#!/bin/sh\nexec $LIBDIR/$APPNAME $CHROMIUM_FLAGS \"$@\"\n",
		"/usr/bin/chromium-browser":            "#!/bin/sh\nif true; then\nexec /snap/bin/chromium \"$@\"\nfi\n",
		"/usr/bin/snap":                        "\x7fELF",
		"/snap/bin/brave":                      "-> /usr/bin/snap",
		"/snap/bin/firefox":                    "-> /usr/bin/snap",
		"/snap/firefox/current/meta/snap.yaml": "name: firefox\nversion: '151.0-2'\nsummary: x\n",
		"/usr/bin/flatpak":                     "\x7fELF",
		"/usr/bin/firefox-esr":                 "-> /usr/lib/firefox-esr/firefox-esr",
		"/usr/lib/firefox-esr/firefox-esr":     "\x7fELF",
		"/usr/lib/firefox-esr/application.ini": "[App]\nName=Firefox\nVersion=153.7.0\n",
		"/usr/bin/firefox":                     "#!/bin/sh\n[ -x x ] && exec \"$FIREFOX.real\" \"$@\"\nexec firefox-esr \"$@\"\n",
		"./brave":                              "\x7fELF",
		"/usr/bin/microsoft-edge":              "data:not a program",

		"/usr/share/applications/chrome.desktop":          entry(`/usr/bin/google-chrome-stable %U`),
		"/usr/share/applications/app.desktop":             entry(`/opt/google/chrome/google-chrome --profile-directory=Default --app-id=x`),
		"/usr/share/applications/firefox_firefox.desktop": entry(`env BAMF_DESKTOP_FILE_HINT=/x /snap/bin/firefox %u`),
		"/usr/share/applications/editor.desktop":          entry(`/usr/bin/chromium-editor %U`),
		"/home/ada/.local/share/applications/b.desktop":   "[Other]\nExec=/usr/bin/none\n" + entry(`env A=1 "/opt/brave/brave-browser" %U`),
		"/opt/brave/brave-browser":                        "\x7fELF",
		"/var/lib/flatpak/exports/share/applications/org.chromium.Chromium.desktop": entry(
			`/usr/bin/flatpak run --branch=stable --command=chromium --file-forwarding org.chromium.Chromium @@u %U @@`),
		"/var/lib/flatpak/exports/share/applications/com.microsoft.Edge.desktop": entry(`/usr/bin/flatpak run com.microsoft.Edge`),

		"/var/lib/dpkg/info/google-chrome-stable.list": "/.\n/opt/google/chrome/google-chrome\n",
		"/var/lib/dpkg/info/chromium.list":             "/.\n/usr/bin/chromium\n/usr/bin/chromium-browser-x\n",
		"/var/lib/dpkg/status": "Package: chromium-common\nVersion: 1.2\n\nPackage: chromium\nStatus: install ok\nVersion: 1:156.0.8078.79-1~deb12u1\n\n" +
			"Package: google-chrome-stable\nVersion: 155.0.1.2-1\n",
	}).find(t.Context(), Choice{})
	if err != nil {
		t.Fatal(err)
	}
	wantRows(t, found, []row{
		{Chrome, "/usr/bin/google-chrome-stable", "155.0.1.2", "", true},
		{Chromium, "/usr/bin/chromium", "156.0.8078.79", "", true},
		{Brave, "/opt/brave/brave-browser", "", "", true},
		{Brave, "/snap/bin/brave", "", Snap, false},
		{Chromium, "/usr/bin/chromium-browser", "", Snap, false},
		{Edge, "/usr/bin/flatpak", "", Flatpak, false},
		{Chromium, "/usr/bin/flatpak", "", Flatpak, false},
		{Firefox, "/usr/bin/firefox-esr", "153.7.0", "", false},
		{Firefox, "/snap/bin/firefox", "151.0-2", Snap, false},
	})
}

func TestFindOnArch(t *testing.T) {
	found, err := linuxMachine(tree{
		"/usr/bin/chromium": "\x7fELF", "/var/lib/pacman/local/chromium-156.0.1.2-1/desc": "x", "/var/lib/pacman/local/chromium-docs-1/desc": "x",
	}).find(t.Context(), Choice{})
	if err != nil {
		t.Fatal(err)
	}
	wantRows(t, found, []row{{Chromium, "/usr/bin/chromium", "156.0.1.2", "", true}})
}

func windowsMachine(files tree, keys hives) machine {
	return machine{
		system: "windows", home: `C:\Users\ada`, files: files, keys: keys, run: noProgram,
		getenv: variables(map[string]string{
			"ProgramFiles": `C:\Program Files`, "ProgramFiles(x86)": `C:\Program Files (x86)`, "LocalAppData": `C:\Users\ada\AppData\Local`,
		}),
	}
}

const (
	appPaths = `\SOFTWARE\Microsoft\Windows\CurrentVersion\App Paths\`
	clients  = `\SOFTWARE\Clients\StartMenuInternet\`
)

func TestFindOnWindows(t *testing.T) {
	const edge = `C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe`
	found, err := windowsMachine(tree{
		edge: "MZ", `C:\Program Files (x86)\Microsoft\Edge\Application\99.0.1.2\x`: "", `C:\Program Files (x86)\Microsoft\Edge\Application\156.0.3000.1\x`: "",
		`C:\Users\ada\AppData\Local\Google\Chrome\Application\chrome.exe`: "MZ",
		`D:\Brave\brave.exe`: "MZ",
		`C:\Users\ada\AppData\Local\Chromium\Application\chrome.exe`:   "MZ",
		`C:\Program Files\Mozilla Firefox\firefox.exe`:                 "MZ",
		`C:\Program Files\Mozilla Firefox\application.ini`:             "[App]\nVersion=150.0.1\n",
		`C:\Users\ada\AppData\Local\Microsoft\WindowsApps\firefox.exe`: "",
		`C:\Program Files\Internet Explorer\iexplore.exe`:              "MZ",
	}, hives{
		`HKLM32` + appPaths + `msedge.exe|`:                                 edge,
		`HKLM64` + clients + `Microsoft Edge\shell\open\command|`:           `"` + strings.ToUpper(edge) + `"`,
		`HKCU64` + appPaths + `chrome.exe|`:                                 `"C:\Users\ada\AppData\Local\Google\Chrome\Application\chrome.exe"`,
		`HKCU64` + clients + `Brave\shell\open\command|`:                    `D:\Brave\brave.exe --single-argument %1`,
		`HKCU64\Software\BraveSoftware\Brave-Browser\BLBeacon|version`:      "155.1.2.3",
		`HKLM64` + clients + `IEXPLORE.EXE\shell\open\command|`:             `C:\Program Files\Internet Explorer\iexplore.exe`,
		`HKLM64` + clients + `Firefox-308046B0AF4A39CB\shell\open\command|`: `"C:\Program Files\Mozilla Firefox\firefox.exe"`,
		`HKLM64` + appPaths + `brave.exe|`:                                  `C:\gone\brave.exe`,
		`HKCU32` + appPaths + `firefox.exe|`:                                `firefox.exe`,
	}).find(t.Context(), Choice{})
	if err != nil {
		t.Fatal(err)
	}
	wantRows(t, found, []row{
		{Edge, edge, "156.0.3000.1", "", true},
		{Chrome, `C:\Users\ada\AppData\Local\Google\Chrome\Application\chrome.exe`, "", "", true},
		{Brave, `D:\Brave\brave.exe`, "155.1.2.3", "", true},
		{Chromium, `C:\Users\ada\AppData\Local\Chromium\Application\chrome.exe`, "", "", true},
		{Firefox, `C:\Program Files\Mozilla Firefox\firefox.exe`, "150.0.1", "", false},
		{Firefox, `C:\Users\ada\AppData\Local\Microsoft\WindowsApps\firefox.exe`, "", Store, false},
	})
}

func plist(pairs ...string) string {
	s := `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0"><dict>`
	for i := 0; i < len(pairs); i += 2 {
		s += "\n\t<key>" + pairs[i] + "</key>" + pairs[i+1]
	}
	return s + "\n</dict></plist>"
}

func appInfo(id, program, version string) string {
	return plist("CFBundleDocumentTypes", "<array><dict><key>a</key><true/></dict></array>", "CFBundleIdentifier", "<string>"+id+"</string>",
		"CFBundleExecutable", "<string>"+program+"</string>", "CFBundleShortVersionString", "<string>"+version+"</string>", "BuiltAt", "<date>2026-01-01T00:00:00Z</date>")
}

// macMachine is one on which plutil translates what a test says it translates, and Spotlight finds the paths.
func macMachine(files tree, binary map[string]string, spotlight ...string) machine {
	return machine{
		system: "darwin", user: "ada", home: "/Users/ada", files: files, keys: hives{}, getenv: variables(nil),
		run: func(ctx context.Context, program string, args ...string) ([]byte, error) {
			if program == "/usr/bin/mdfind" {
				return []byte(strings.Join(spotlight, "\n") + "\n"), nil
			}
			if xml, ok := binary[args[len(args)-1]]; ok && program == "/usr/bin/plutil" {
				return []byte(xml), nil
			}
			return noProgram(ctx, program)
		},
	}
}

func TestFindOnMac(t *testing.T) {
	const chrome = "/Applications/Google Chrome.app/Contents/"
	found, err := macMachine(tree{
		chrome + "Info.plist": "bplist00…", chrome + "MacOS/Google Chrome": "x",
		"/Users/ada/Applications/Microsoft Edge.app/Contents/Info.plist":           appInfo("com.microsoft.edgemac", "Microsoft Edge", "156.1"),
		"/Users/ada/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge": "x",
		"/Applications/Chromium.app/Contents/Info.plist":                           appInfo("org.example.Other", "Chromium", "1"), // only named so
		"/Applications/Chromium.app/Contents/MacOS/Chromium":                       "x",
		"/Applications/Firefox.app/Contents/Info.plist":                            appInfo("org.mozilla.firefox", "firefox", "151.0"),
		"/Applications/Firefox.app/Contents/MacOS/firefox":                         "x",
		"/opt/Brave.app/Contents/Info.plist":                                       appInfo("com.brave.Browser", "Brave Browser", "1.80"),
		"/opt/Brave.app/Contents/MacOS/Brave Browser":                              "x",
		"/Volumes/Chromium/Chromium.app/Contents/Info.plist":                       appInfo("org.chromium.Chromium", "Chromium", "156"),
		"/Volumes/Chromium/Chromium.app/Contents/MacOS/Chromium":                   "x",
	}, map[string]string{chrome + "Info.plist": appInfo("com.google.Chrome", "Google Chrome", "156.0.8078.79")},
		"/opt/Brave.app", "/Volumes/Chromium/Chromium.app", "/private/var/folders/x/AppTranslocation/y/d/Chromium.app", "/Users/ada/.Trash/Chromium.app",
	).find(t.Context(), Choice{})
	if err != nil {
		t.Fatal(err)
	}
	wantRows(t, found, []row{
		{Chrome, chrome + "MacOS/Google Chrome", "156.0.8078.79", "", true},
		{Edge, "/Users/ada/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge", "156.1", "", true},
		{Brave, "/opt/Brave.app/Contents/MacOS/Brave Browser", "1.80", "", true},
		{Firefox, "/Applications/Firefox.app/Contents/MacOS/firefox", "151.0", "", false},
	})
}

func TestFindNamesWhatItPassesOver(t *testing.T) {
	found, err := linuxMachine(tree{
		"/usr/bin/chromium": "#!/bin/sh\nexec /snap/bin/chromium\n", "/usr/bin/firefox": "\x7fELF",
	}).find(t.Context(), Choice{})
	if stead.CodeOf(err) != stead.CodeBrowserMissing || len(found) != 2 ||
		!strings.Contains(err.Error(), "/usr/bin/chromium is not used: it is a snap") || !strings.Contains(err.Error(), "/usr/bin/firefox is not used: it cannot be controlled") {
		t.Errorf("got %+v, %v", found, err)
	}
}

func TestFindWithoutAnyBrowser(t *testing.T) {
	for _, m := range []machine{linuxMachine(tree{}), windowsMachine(tree{}, hives{}), macMachine(tree{}, nil)} {
		if found, err := m.find(t.Context(), Choice{}); stead.CodeOf(err) != stead.CodeBrowserMissing || found != nil {
			t.Errorf("%s: got %+v, %v", m.system, found, err)
		}
	}
}

func TestChoice(t *testing.T) {
	files := tree{
		"/usr/bin/google-chrome": "\x7fELF", "/usr/bin/chromium": "\x7fELF2", "/usr/bin/firefox": "\x7fELF3", "/opt/company/chromium": "\x7fELF4", "/opt/company/tool": "x",
	}
	for name, tc := range map[string]struct {
		choice  Choice
		first   string
		refused int
		says    string
	}{
		"nothing chosen":      {Choice{}, "/usr/bin/google-chrome", 0, ""},
		"a kind forbidden":    {Choice{Forbid: []string{"chrome"}}, "/usr/bin/chromium", 1, ""},
		"a path forbidden":    {Choice{Forbid: []string{"/usr/bin/chromium"}}, "/usr/bin/google-chrome", 1, ""},
		"a kind pinned":       {Choice{Pin: "chromium"}, "/usr/bin/chromium", 2, ""},
		"a path pinned":       {Choice{Pin: "/opt/company/chromium"}, "/opt/company/chromium", 3, ""},
		"pinned and not here": {Choice{Pin: "edge"}, "/usr/bin/google-chrome", 3, "allow edge only, which is not on this machine"},
		"pinned no browser":   {Choice{Pin: "/opt/company/tool"}, "/usr/bin/google-chrome", 3, "allow /opt/company/tool only, which is not on this machine"},
		"pinned, forbidden":   {Choice{Pin: "chrome", Forbid: []string{"chrome"}}, "/usr/bin/google-chrome", 3, "google-chrome is not used: Stead's settings forbid it"},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := linuxMachine(files).find(t.Context(), tc.choice)
			refused := 0
			for _, f := range found {
				if f.Why != "" {
					refused++
				}
			}
			if refused != tc.refused || found[0].Path != tc.first {
				t.Errorf("%d refused in %+v", refused, found)
			}
			if tc.says == "" && err != nil || tc.says != "" && (stead.CodeOf(err) != stead.CodeBrowserMissing || !strings.Contains(err.Error(), tc.says)) {
				t.Errorf("got %v", err)
			}
		})
	}
}
