package browser

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
)

// System is what a plan depends on beside the browser and the session's folder.
type System struct {
	OS       string   // linux, darwin or windows, as runtime.GOOS
	Elevated bool     // on Windows: this process holds an administrator's rights
	Environ  []string // as os.Environ
}

func thisSystem() System {
	return System{OS: runtime.GOOS, Elevated: elevated(), Environ: os.Environ()}
}

// Plan is one start of a browser, as a value: what PlanLaunch decides and nothing has done yet. All of it can be
// compared on any system; start acts on it and decides nothing.
type Plan struct {
	Path    string   // the program
	Args    []string // without the program's name; with Handles, ioPipes stands for the numbers that the act knows
	Env     []string
	Dir     string   // working directory: the session's folder
	Folders []string // to be made beforehand, parents as well, for this user alone
	Files   []File   // to be written beforehand, for this user alone
	Pipe    Pipe
	Group   Group
}

// File is one file that has to be there before the browser starts.
type File struct{ Path, Text string }

// Pipe is the way in which the two pipes that control a browser reach it.
type Pipe string

// The ways. Nothing else is inherited in any of them.
const (
	NoPipe      Pipe = ""                             // the browser is not controlled
	Descriptors Pipe = "file descriptors 3 and 4"     // Linux and macOS
	Handles     Pipe = "inherited handles, by number" // Windows
)

// Group is what ends a browser together with everything that it started.
type Group string

// The groups.
const (
	ProcessGroup Group = "process group" // Linux and macOS
	Job          Group = "job"           // Windows: all of it ends when our last handle is closed, however that comes
)

// What lies where in a session's folder.
const (
	profileDir  = "profile"
	crashDir    = "crash"
	downloadDir = "downloads"
	lockName    = "lock"
	recordName  = "session.json"
)

// ioPipes is the argument that tells a browser on Windows the numbers of its handles, in that order.
const ioPipes = "--remote-debugging-io-pipes=IN,OUT"

// PlanLaunch plans the start of b in the session's folder dir, an absolute path of that system. Its arguments are
// the shortest set that works: none switches a protection of the browser off, for a person works with members' data
// in it. It is controlled by pipes only, never by a TCP port, which any user of the machine could read.
func PlanLaunch(s System, b Installed, dir string) Plan {
	profile, crash := join(s.OS, dir, profileDir), join(s.OS, dir, crashDir)
	downloads := join(s.OS, dir, downloadDir)
	plan := Plan{
		Path: b.Path,
		Args: []string{
			"--user-data-dir=" + profile,
			"--remote-debugging-pipe",
			"--no-first-run",
			"--no-default-browser-check",
			"--disable-search-engine-choice-screen",
			"--disable-sync",
			"--disable-extensions",
			"--disable-background-mode",
			"--disable-default-apps",
			"--disable-breakpad",
		},
		// The switches do not move the crash database out of the agent's own folders; this variable does.
		Env:     append(cleanEnv(s.OS, s.Environ), "BREAKPAD_DUMP_LOCATION="+crash),
		Dir:     dir,
		Folders: []string{join(s.OS, profile, "Default"), crash, downloads},
		Files:   []File{{join(s.OS, profile, "Default", "Preferences"), preferences(downloads)}},
		Pipe:    Descriptors,
		Group:   ProcessGroup,
	}
	switch s.OS {
	case "linux":
		plan.Args = append(plan.Args, "--password-store=basic") // no keyring prompt, which would hold up the first paint for ever
	case "darwin":
		plan.Args = append(plan.Args, "--use-mock-keychain") // no Keychain prompt; nothing worth a key is on this disk
	case "windows":
		plan.Pipe, plan.Group = Handles, Job
		plan.Args = append(plan.Args, windowsArgs(s, b)...)
	}
	// The one window is made later, in the session's own context. What the switch breaks elsewhere, that a browser
	// lives on without a window, cannot happen: Stead closes it, and so does the end of the pipe.
	plan.Args = append(plan.Args, "--no-startup-window")
	return plan
}

// windowsArgs also keep the program that we start the one that runs: a copy started by itself has neither our
// handles nor our job.
func windowsArgs(s System, b Installed) []string {
	args := []string{ioPipes}
	if b.Kind == Edge {
		args = append(args, "--edge-skip-compat-layer-relaunch")
	}
	if s.Elevated {
		args = append(args, "--do-not-de-elevate")
	}
	return args
}

// argv is what the program gets, its own name aside, when the pipes' ends have these numbers.
func (p Plan) argv(in, out uintptr) []string {
	args := slices.Clone(p.Args)
	if i := slices.Index(args, ioPipes); i >= 0 {
		args[i] = strings.Replace(ioPipes, "IN,OUT", fmt.Sprintf("%d,%d", in, out), 1)
	}
	return args
}

// prepare makes the folders and writes the files.
func (p Plan) prepare() error {
	var errs []error
	for _, dir := range p.Folders {
		errs = append(errs, os.MkdirAll(dir, 0o700))
	}
	for _, f := range p.Files {
		errs = append(errs, os.WriteFile(f.Path, []byte(f.Text), 0o600))
	}
	return errors.Join(errs...)
}

// join is filepath.Join of that system rather than of this one.
func join(system string, parts ...string) string {
	if system == "windows" {
		return strings.Join(parts, `\`)
	}
	return strings.Join(parts, "/")
}

// preferences are laid into the fresh profile before the start: nothing is saved or suggested, no page is rendered
// ahead of its visit, where it would have no banner, and what is downloaded in spite of the session's own rule goes
// where it will be wiped.
func preferences(downloads string) string {
	off := map[string]any{
		"autofill":                   map[string]any{"credit_card_enabled": false, "profile_enabled": false},
		"credentials_enable_service": false,
		"download":                   map[string]any{"default_directory": downloads, "prompt_for_download": false},
		"net":                        map[string]any{"network_prediction_options": 2},
		"profile":                    map[string]any{"password_manager_enabled": false},
		"savefile":                   map[string]any{"default_directory": downloads},
		"search":                     map[string]any{"suggest_enabled": false},
		"signin":                     map[string]any{"allowed": false, "allowed_on_next_startup": false},
	}
	text, _ := json.MarshalIndent(off, "", "  ") // strings, numbers and booleans cannot fail
	return string(text) + "\n"
}
