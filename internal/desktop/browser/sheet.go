package browser

import (
	"fmt"
	"slices"
	"strings"
)

// example is a start that the sheet shows: what is written in capitals differs from machine to machine.
type example struct {
	name   string
	os     string
	with   Installed
	cache  string // the folder for caches of a user's programs
	parent string
}

var examples = [...]example{
	{"Linux", "linux", Installed{Kind: Chromium, Path: "/usr/bin/chromium"}, "/home/USER/.cache", "/stead"},
	{"Windows", "windows", Installed{Kind: Edge, Path: `C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe`},
		`C:\Users\USER\AppData\Local`, `\stead.exe`},
	{"macOS", "darwin", Installed{Kind: Chrome, Path: "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"},
		"/Users/USER/Library/Caches", "/stead"},
}

// plan is the start that the example shows. IN and OUT in it are the numbers of two inherited handles.
func (e example) plan() Plan {
	return PlanLaunch(System{OS: e.os}, e.with, join(e.os, e.cache, "stead", "sessions", "SESSION"))
}

// Sheet tells a security team what their endpoint product will see, and how to allow exactly that. Arguments and
// environment are those of PlanLaunch itself, so that the sheet cannot say anything else than what happens.
func Sheet() string {
	var b strings.Builder
	b.WriteString(sheetHead)
	for _, e := range examples {
		plan := e.plan()
		fmt.Fprintf(&b, "\nThe exact start on %s (program, arguments, variables that are set, working folder)\n\n", e.name)
		fmt.Fprintf(&b, "  %s\n", plan.Path)
		for _, arg := range plan.Args {
			fmt.Fprintf(&b, "    %s\n", arg)
		}
		for _, pair := range plan.Env {
			fmt.Fprintf(&b, "  %s\n", pair)
		}
		fmt.Fprintf(&b, "  in %s\n", plan.Dir)
		b.WriteString(rule(e, plan))
	}
	b.WriteString(sheetTail)
	sheetPolicies(&b)
	return b.String()
}

// rule is an allow rule in Sigma's terms, which most products can express: parent, and what the command line holds.
func rule(e example, plan Plan) string {
	home, inside, _ := strings.Cut(e.cache, "USER")
	var b strings.Builder
	fmt.Fprintf(&b, "\nAn allow rule by example, in Sigma's words (all three must hold)\n\n")
	fmt.Fprintf(&b, "  ParentImage|endswith: '%s'\n", e.parent)
	fmt.Fprintf(&b, "  CommandLine|contains|all:\n")
	for _, arg := range plan.Args {
		if name, _, ok := strings.Cut(arg, home); ok && name == "--user-data-dir=" {
			fmt.Fprintf(&b, "    - '%s%s'\n    - '%s'\n", name, home, join(e.os, inside, "stead", "sessions", ""))
		}
	}
	if slices.Contains(plan.Args, "--remote-debugging-pipe") {
		fmt.Fprintf(&b, "    - '--remote-debugging-pipe'\n")
	}
	if e.os == "linux" {
		b.WriteString("\nA script of the distribution may put arguments of its own before these and start a program elsewhere, e.g.\n" +
			"/usr/lib/chromium/chromium, under the same process id: so the rule names no program.\n")
	}
	return b.String()
}

// sheetPolicies lists what a managed browser must not be told, from the table that Launch goes by.
func sheetPolicies(b *strings.Builder) {
	b.WriteString("\nManaged policies that stand in the way (stead doctor names those of a machine, and where they are set)\n\n")
	for _, k := range known {
		fmt.Fprintf(b, "  %s: %s\n    %s: %s.\n", k.name, k.when, k.effect, k.means)
		if k.do != "" {
			fmt.Fprintf(b, "    %s\n", sentence(k.do))
		}
	}
}

const sheetHead = `Stead and your endpoint product

Stead shows a support agent a member's account in a browser of its own. To place the session's cookie where neither the
command line nor a file shows it, to keep a banner on every page and to close the window in time, it controls that
browser through the DevTools protocol: over two inherited pipes, which no other user and no network can reach. Many products
flag --remote-debugging- in any form, because malware uses the same door to steal cookies. This sheet says how to tell
Stead's use from theirs.

Signer
  Stead: a program built from source carries no signature; allow it by its path and its SHA-256. "stead version" tells
  which it is. The browser is the one that its maker or your distribution signed; Stead ships none and changes none.

Processes
  stead                          the agent's window, or stead doctor --try-browser
  └─ the browser                 started directly, without a shell, in a process group of its own; the start below
     └─ its renderers, GPU, …    as in any start of this browser; no sandbox is switched off
  chrome_crashpad_handler        the browser's own; it leaves the tree and ends with the browser
  The browser ends within a second when Stead ends, for whichever reason: the pipe closes.

What it does not do
  No listening port. No --no-sandbox, no --enable-automation; no extension and no certificate is added.
  No secret in an argument, in a variable or in a file. Never the agent's own profile. Never as root.
`

const sheetTail = `
Keep alarming on --remote-debugging-port and --remote-debugging-address: Stead never uses them. IN and OUT above are the
numbers of two inherited handles.

What is written, and what is removed
  CACHE/stead/sessions/.lock               one lock for all sessions; stays, empty
  CACHE/stead/sessions/SESSION/            mode 0700; removed as a whole when the session ends
    lock  session.json                     the owner's lock; process id, start time and program of the browser
    profile/                               the browser's folder; cookies and pages of the session stay in memory
    crash/                                 crash dumps, which would else go to the home folder
  a folder of the browser for its socket   in the folder for temporary files, e.g. /tmp/org.chromium.Chromium.XXXXXX;
                                           removed
  What a killed Stead left is removed at its next start, and its browser ended, if it still is the same process.
  Downloads are denied, unless the platform allows them: then downloads/ in SESSION holds them, and goes with it.

To see it without a session: stead doctor --try-browser
`
