package browser

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the plans in testdata anew")

// text shows a plan as a person would check it, one thing a line.
func (p Plan) text() string {
	var b strings.Builder
	list := func(name string, items ...string) {
		fmt.Fprintln(&b, name)
		for _, item := range items {
			fmt.Fprintln(&b, "   ", item)
		}
	}
	list("program", p.Path)
	list("arguments, with 512 and 516 as the pipe's ends", p.argv(512, 516)...)
	list("environment", p.Env...)
	list("working directory", p.Dir)
	list("folders made beforehand", p.Folders...)
	for _, f := range p.Files {
		list("file written beforehand: "+f.Path, strings.Split(strings.TrimSuffix(f.Text, "\n"), "\n")...)
	}
	list("pipe", string(p.Pipe))
	list("ended as a whole by", string(p.Group))
	return b.String()
}

// plans are one start on each system, and on Windows what differs there. Each is planned on whichever system the
// test runs.
func plans() map[string]Plan {
	unix := []string{
		"HOME=/home/ada", "DISPLAY=:0", "DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus", "path=kept, for names have a case",
		"LD_LIBRARY_PATH=/tmp/.mount/lib", "LD_PRELOAD=x.so", "GTK_PATH=/tmp/.mount/gtk", "SSLKEYLOGFILE=/tmp/keys",
		"CHROME_CONFIG_HOME=/x", "CHROME_USER_DATA_DIR=/x", "BREAKPAD_DUMP_LOCATION=/x", "STEAD_DATA=/x",
		"SNAP=/snap/code/1", "SNAP_NAME=code", "SNAP_INSTANCE_NAME=code", "SNAPSHOT=kept",
		"APPIMAGE=/x", "GDK_PIXBUF_MODULE_FILE=/x", "=odd", "odd",
	}
	mac := []string{
		"HOME=/Users/ada", "TMPDIR=/var/folders/a/b/T/", "__CFBundleIdentifier=example.stead", "DYLD_INSERT_LIBRARIES=/x.dylib",
		"SSLKEYLOGFILE=/tmp/keys", "STEAD_DATA=/x",
	}
	windows := []string{
		`=C:=C:\work`, `LOCALAPPDATA=C:\Users\ada\AppData\Local`, `Path=C:\Windows`, `SystemRoot=C:\Windows`,
		"__COMPAT_LAYER=DetectorsAppHealth", `SslKeyLogFile=C:\keys`, `Stead_Data=C:\x`, `Breakpad_Dump_Location=C:\x`,
		"CHROME_CRASHPAD_PIPE_NAME=x",
	}
	const folder = `C:\Users\ada\AppData\Local\Stead\sessions\s1`
	edge := Installed{Kind: Edge, Path: `C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe`}
	return map[string]Plan{
		"linux-chromium": PlanLaunch(System{OS: "linux", Environ: unix},
			Installed{Kind: Chromium, Path: "/usr/bin/chromium"}, "/home/ada/.cache/stead/sessions/s1"),
		"darwin-chrome": PlanLaunch(System{OS: "darwin", Environ: mac},
			Installed{Kind: Chrome, Path: "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"},
			"/Users/ada/Library/Caches/Stead/sessions/s1"),
		"windows-edge": PlanLaunch(System{OS: "windows", Environ: windows}, edge, folder),
		"windows-chrome-elevated": PlanLaunch(System{OS: "windows", Elevated: true, Environ: windows},
			Installed{Kind: Chrome, Path: `C:\Program Files\Google\Chrome\Application\chrome.exe`}, folder),
	}
}

func TestPlanLaunchOnEachSystem(t *testing.T) {
	for name, plan := range plans() {
		file := filepath.Join("testdata", "plans", name+".txt")
		if *update {
			if err := os.WriteFile(file, []byte(plan.text()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got := plan.text(); got != strings.ReplaceAll(string(want), "\r\n", "\n") {
			t.Errorf("%s is planned otherwise than in %s (-update writes it anew):\n%s", name, file, got)
		}
	}
}

// weakens finds what never is right in a browser in which a person works with members' data, however easily it is
// copied from a list for automation, and what would let others of this machine reach it.
var weakens = regexp.MustCompile(`sandbox|zygote|single-process|debugging-port|debugging-address|remote-allow-origins|` +
	`headless|enable-automation|AutomationControlled|test-type|site-isolation|site-per-process|isolate-origins|web-security|` +
	`popup-blocking|phishing|hang-monitor|background-networking|component-update|certificate|insecure|` +
	`load-extension|mixed-content|proxy|host-resolver|disable-features|enable-features|log-net-log|\d\.\d|:\d`)

func TestNoPlanWeakensTheBrowserOrOpensAPort(t *testing.T) {
	for _, system := range []string{"linux", "darwin", "windows"} {
		for _, kind := range []Kind{Chrome, Edge, Brave, Chromium} {
			for _, elevated := range []bool{false, true} {
				plan := PlanLaunch(System{OS: system, Elevated: elevated}, Installed{Kind: kind, Path: "b"}, "DIR")
				check := func(what, arg string) {
					if found := weakens.FindString(arg); found != "" {
						t.Errorf("%s, %s: %s has %q", system, kind, what, found)
					}
				}
				for i, arg := range plan.Args {
					check("argument "+arg, arg)
					if !strings.HasPrefix(arg, "--") { // no address: no page loads before there is a banner
						t.Errorf("%s, %s: argument %d is %s", system, kind, i, arg)
					}
				}
				for _, kv := range plan.Env {
					check("variable "+kv, kv)
				}
				if !slices.Contains(plan.Args, "--remote-debugging-pipe") || plan.Pipe == NoPipe || plan.Group == "" {
					t.Errorf("%s, %s: pipe %q, group %q", system, kind, plan.Pipe, plan.Group)
				}
				if (plan.Pipe == Handles) != slices.Contains(plan.Args, ioPipes) {
					t.Errorf("%s, %s: pipe %q and arguments %v", system, kind, plan.Pipe, plan.Args)
				}
			}
		}
	}
}

// The refusals themselves must refuse.
func TestWeakensFindsTheListsOfAutomation(t *testing.T) {
	for _, arg := range []string{
		"--no-sandbox", "--disable-setuid-sandbox", "--remote-debugging-port=0", "--remote-debugging-address=0.0.0.0", "--headless=new",
		"--enable-automation", "--disable-popup-blocking", "--disable-features=site-per-process", "--ignore-certificate-errors",
	} {
		if !weakens.MatchString(arg) {
			t.Errorf("%s would pass", arg)
		}
	}
}

func TestASessionsFilesStayInItsFolder(t *testing.T) {
	for name, plan := range plans() {
		for _, f := range plan.Files {
			if !json.Valid([]byte(f.Text)) {
				t.Errorf("%s: Chromium would ignore %s silently", name, f.Path)
			}
		}
		places := slices.Clone(plan.Folders)
		for _, f := range plan.Files {
			places = append(places, f.Path)
		}
		for _, p := range places {
			if !strings.HasPrefix(p, plan.Dir) {
				t.Errorf("%s: %s is elsewhere", name, p)
			}
		}
	}
}

func TestPrepareMakesWhatThePlanSays(t *testing.T) {
	dir := t.TempDir()
	plan := PlanLaunch(thisSystem(), Installed{Kind: Chromium, Path: "b"}, dir)
	if err := plan.prepare(); err != nil {
		t.Fatal(err)
	}
	for _, f := range plan.Folders {
		if info, err := os.Stat(f); err != nil || !info.IsDir() || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", f, info, err)
		}
	}
	for _, f := range plan.Files {
		text, err := os.ReadFile(f.Path)
		info, statErr := os.Stat(f.Path)
		if err != nil || statErr != nil || string(text) != f.Text || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %q, %v, %v", f.Path, text, err, statErr)
		}
	}
}

func TestAPlanForAnotherSystemIsRefused(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	other := Plan{Path: self, Args: []string{"-test.run=^$"}, Pipe: Handles, Group: Job}
	if runtime.GOOS == "windows" {
		other.Pipe, other.Group = Descriptors, ProcessGroup
	}
	if p, err := start(other); err == nil {
		<-p.exited
		p.release()
		t.Error("started")
	}
}
