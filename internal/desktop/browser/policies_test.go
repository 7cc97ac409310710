package browser

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"stead/internal/stead"
)

// brief is what a test compares of a Policy.
func brief(all []Policy) []string {
	var list []string
	for _, p := range all {
		list = append(list, string(p.Effect)+": "+p.Name+"="+p.Value+" in "+p.Source)
	}
	return list
}

func wantPolicies(t *testing.T, m machine, kind Kind, path string, want ...string) {
	t.Helper()
	all := m.policies(t.Context(), kind, path)
	if got := brief(all); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	for _, p := range all {
		if p.Means == "" || p.Level == "" || (p.Do == "") != (p.Effect == Harmless || p.Effect == Leaves) {
			t.Errorf("%+v", p)
		}
	}
}

func TestPoliciesOnLinux(t *testing.T) {
	m := linuxMachine(tree{
		"/etc/opt/chrome/policies/managed/10.json":               `{"RemoteDebuggingAllowed": false, "HomepageLocation": "x"}`,
		"/etc/opt/chrome/policies/managed/20.json":               `{"RemoteDebuggingAllowed": true, "URLBlocklist": ["a","b","c","d","e"]}`,
		"/etc/opt/chrome/policies/recommended/1.json":            `{"BrowserSignin": 2, "RemoteDebuggingAllowed": false}`,
		"/etc/opt/edge/policies/managed/edge.json":               `{"DeveloperToolsAvailability": 2,`,
		"/etc/brave/policies/managed/b.json":                     `{"DeveloperToolsAvailability": 1, "UserDataDir": "/srv", "IncognitoModeAvailability": 2}`,
		"/etc/chromium/policies/managed/c.json":                  `["RemoteDebuggingAllowed"]`,
		"/etc/chromium-browser/policies/managed/c.json":          `{"BrowserSignin": 0}`,
		"/usr/lib/chromium-browser/chromium-browser":             "x",
		"/usr/bin/chromium-browser":                              "-> /usr/lib/chromium-browser/chromium-browser",
		"/etc/opt/chrome/policies/enrollment/CloudManagement.js": "x",
	})
	wantPolicies(t, m, Chrome, "/c", "none: RemoteDebuggingAllowed=true in /etc/opt/chrome/policies/managed/20.json",
		"hinders: BrowserSignin=2 in /etc/opt/chrome/policies/recommended/1.json",
		"limits: URLBlocklist=a, b, c, and 2 more in /etc/opt/chrome/policies/managed/20.json")
	wantPolicies(t, m, Edge, "/e", "unknown: = in /etc/opt/edge/policies/managed/edge.json")
	wantPolicies(t, m, Brave, "/b", "none: UserDataDir=/srv in /etc/brave/policies/managed/b.json",
		"none: DeveloperToolsAvailability=1 in /etc/brave/policies/managed/b.json",
		"forbids: IncognitoModeAvailability=2 in /etc/brave/policies/managed/b.json")
	wantPolicies(t, m, Chromium, "/usr/bin/chromium", "unknown: = in /etc/chromium/policies/managed/c.json")
	wantPolicies(t, m, Chromium, "/usr/bin/chromium-browser", "none: BrowserSignin=0 in /etc/chromium-browser/policies/managed/c.json")
	wantPolicies(t, m, Firefox, "/f")
}

func TestPoliciesOnWindows(t *testing.T) {
	m := windowsMachine(tree{}, hives{
		`HKLM64\SOFTWARE\Policies\Google\Chrome|RemoteDebuggingAllowed`:          "1",
		`HKCU64\SOFTWARE\Policies\Google\Chrome|RemoteDebuggingAllowed`:          "0",
		`HKCU64\SOFTWARE\Policies\Google\Chrome|RoamingProfileSupportEnabled`:    "1",
		`HKLM64\SOFTWARE\Policies\Google\Chrome\URLBlocklist|1`:                  "*",
		`HKLM64\SOFTWARE\Policies\Google\Chrome\URLBlocklist|2`:                  "file://*",
		`HKLM64\SOFTWARE\Policies\Microsoft\Edge|UserDataDir`:                    `${local_app_data}\Edge`,
		`HKLM64\SOFTWARE\Policies\BraveSoftware\Brave\Recommended|BrowserSignin`: "2",
		`HKCU64\SOFTWARE\Policies\BraveSoftware\Brave|IncognitoModeAvailability`: "DENIED",
		`HKLM64\SOFTWARE\Policies\Chromium|DeveloperToolsAvailability`:           "2",
		`HKLM32\SOFTWARE\Policies\Chromium|RemoteDebuggingAllowed`:               "0", // the key is not mirrored
	})
	wantPolicies(t, m, Chrome, "", `redirects: RoamingProfileSupportEnabled=1 in HKCU\SOFTWARE\Policies\Google\Chrome`,
		`none: RemoteDebuggingAllowed=1 in HKLM\SOFTWARE\Policies\Google\Chrome`, `limits: URLBlocklist=*, file://* in HKLM\SOFTWARE\Policies\Google\Chrome`)
	wantPolicies(t, m, Edge, "", `redirects: UserDataDir=${local_app_data}\Edge in HKLM\SOFTWARE\Policies\Microsoft\Edge`)
	wantPolicies(t, m, Brave, "", `hinders: BrowserSignin=2 in HKLM\SOFTWARE\Policies\BraveSoftware\Brave\Recommended`,
		`unknown: = in HKCU\SOFTWARE\Policies\BraveSoftware\Brave`)
	wantPolicies(t, m, Chromium, "", `forbids: DeveloperToolsAvailability=2 in HKLM\SOFTWARE\Policies\Chromium`)
}

func TestPoliciesOnMac(t *testing.T) {
	const folder = "/Library/Managed Preferences/"
	files := tree{
		folder + "com.google.Chrome.plist":         "bplist00…",
		folder + "ada/com.google.Chrome.plist":     plist("BrowserSignin", "<integer>2</integer>"),
		folder + "bob/com.google.Chrome.plist":     plist("DeveloperToolsDisabled", "<true/>"),
		folder + "com.microsoft.edgemac.plist":     plist("UserDataDir", "<string>/Users/Shared/Edge</string>"),
		folder + "com.brave.Browser.plist":         "bplist00 damaged",
		folder + "ada/org.chromium.Chromium.plist": plist("URLBlocklist", "<array><string>*</string></array>", "RemoteDebuggingAllowed", "<false/>"),
	}
	m := macMachine(files, map[string]string{folder + "com.google.Chrome.plist": plist("BrowserSignin", "<integer>1</integer>", "IncognitoModeAvailability", "<integer>1</integer>")})
	wantPolicies(t, m, Chrome, "", "hinders: BrowserSignin=2 in "+folder+"ada/com.google.Chrome.plist",
		"none: IncognitoModeAvailability=1 in "+folder+"com.google.Chrome.plist")
	wantPolicies(t, m, Edge, "", "redirects: UserDataDir=/Users/Shared/Edge in "+folder+"com.microsoft.edgemac.plist")
	wantPolicies(t, m, Brave, "", "unknown: = in "+folder+"com.brave.Browser.plist")
	wantPolicies(t, m, Chromium, "", "forbids: RemoteDebuggingAllowed=false in "+folder+"ada/org.chromium.Chromium.plist",
		"limits: URLBlocklist=* in "+folder+"ada/org.chromium.Chromium.plist")
}

// Where a policy would lead the browser into another folder, it is not even started: there it may be the agent's own.
func TestARedirectedBrowserIsRefusedBeforeItStarts(t *testing.T) {
	const edge = `C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe`
	m := windowsMachine(tree{edge: "MZ"}, hives{`HKLM64\SOFTWARE\Policies\Microsoft\Edge|UserDataDir`: `D:\Edge`})
	found, err := m.find(t.Context(), Choice{})
	if len(found) != 1 || found[0].Usable() {
		t.Fatalf("got %+v", found)
	}
	if stead.CodeOf(err) != stead.CodeBrowserPolicy || !strings.Contains(err.Error(), `UserDataDir=D:\Edge in HKLM\SOFTWARE\Policies\Microsoft\Edge`) ||
		!strings.Contains(err.Error(), "IT must remove this policy") {
		t.Errorf("got %v", err)
	}
}

func TestManagedBrowsersComeAfterTheOthers(t *testing.T) {
	m := linuxMachine(tree{
		"/usr/bin/google-chrome": "x", "/usr/bin/chromium": "y", "/usr/bin/firefox": "z",
		"/etc/opt/chrome/policies/managed/a.json": `{"RemoteDebuggingAllowed": false}`,
		"/etc/chromium/policies/managed/a.json":   `{"RemoteDebuggingAllowed": true}`,
	})
	found, err := m.find(t.Context(), Choice{})
	if err != nil {
		t.Fatal(err)
	}
	wantRows(t, found, []row{{Chromium, "/usr/bin/chromium", "", "", true}, {Chrome, "/usr/bin/google-chrome", "", "", true}, {Firefox, "/usr/bin/firefox", "", "", false}})
	if patience(found[1]) != managedLimit || patience(found[0]) <= managedLimit {
		t.Error("the managed one is waited for too long, or the other too shortly")
	}
}

func TestStrictJSON(t *testing.T) {
	for in, want := range map[string]string{
		"\xef\xbb\xbf{}":                         `{}`,
		"// a\n{\"a\": 1, /* , } */ }":           `{"a": 1}`,
		`{"a": [1, 2, ], "b": "x // y, }\" ,",}`: `{"a": [1, 2], "b": "x // y, }\" ,"}`,
		`{"a": "unended`:                         `{"a": "unended`,
		`{"a": 1} /* unended`:                    `{"a": 1} `,
		`"a\`:                                    `"a\`,
	} {
		if got := string(strictJSON([]byte(in))); got != want && !equalJSON(got, want) {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func equalJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}

func FuzzStrictJSON(f *testing.F) {
	f.Add([]byte(`{"a": [1, "\"//", {}], "b": null}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		out := strictJSON(raw)
		if json.Valid(raw) && !equalJSON(string(out), string(raw)) {
			t.Errorf("%q became %q", raw, out)
		}
	})
}

func TestPropertyListsThatAreNone(t *testing.T) {
	for _, raw := range []string{
		"", "x", "<plist/>", "<plist><array/></plist>", "<plist><dict><key>a</key></dict></plist>", "<plist><dict><string>a</string></dict></plist>",
		"<plist><dict><key>a</key><integer>x</integer></dict></plist>", "<plist><dict><key>a</key><dict>",
		"<plist><dict><key>a</key>" + strings.Repeat("<array>", 100000),
	} {
		if got, err := parsePropertyList([]byte(raw)); err == nil {
			t.Errorf("%.60q: got %v", raw, got)
		}
	}
}

// The messages for several browsers make one, and the policy decides what it is called.
func TestTogether(t *testing.T) {
	silent := stead.Errorf(stead.CodeBrowserSilent, "/a")
	policy := stead.Errorf(stead.CodeBrowserPolicy, "/b: X")
	err := together([]error{silent, policy})
	if stead.CodeOf(err) != stead.CodeBrowserPolicy || !strings.Contains(err.Error(), "/a; /b: X") {
		t.Errorf("got %v", err)
	}
	if got := together([]error{silent}); got != error(silent) {
		t.Errorf("got %v", got)
	}
}
