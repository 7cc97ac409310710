package browser

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The fake browser is this test binary again. It speaks just enough of the protocol to be launched and proved, on
// every system, and then does what a browser does only by accident: hang, crash, refuse to end, leave children.
// Its environment says what it is; what it is to do comes over the pipe, as methods that begin with "Fake.".
const fakeVariable = "BROWSER_TEST_FAKE"

// What the variable says.
const (
	fakeObeys  = "obeys"
	fakeMute   = "mute"   // answers nothing
	fakeLeaves = "leaves" // starts a copy of itself outside the group and ends, as browsers do that shed rights
	fakeDeaf   = "deaf"   // answers, but ends neither when asked nor when its pipe does
	fakeMember = "member" // a child in the browser's group that does not end when asked
	fakeStray  = "stray"  // a child in a group of its own that names the session's folder and writes there as it ends
	fakeStead  = "stead"  // a Stead that launches a fake browser and waits to be killed
	fakeChurn  = "churn"  // a Stead that makes and wipes sessions and sweeps, again and again
)

// fakeLife is the longest that any of them lives, whatever a test forgets.
const fakeLife = time.Minute

// runFake does what the variable says and reports false if it says nothing.
func runFake() bool {
	kind := os.Getenv(fakeVariable)
	if kind == "" {
		return false
	}
	time.AfterFunc(fakeLife, func() { os.Exit(9) })
	switch kind {
	case fakeMember:
		signal.Ignore(syscall.SIGTERM)
		select {}
	case fakeStray:
		stray(os.Args[1], os.Args[2])
	case fakeStead:
		fakeSteadMain(os.Args[1], os.Args[2])
	case fakeChurn:
		churn(os.Args[1], os.Args[2])
	default:
		fakeBrowserMain(kind)
	}
	return true
}

func stray(dir, life string) {
	d, err := time.ParseDuration(life)
	if err == nil {
		time.Sleep(d)
		if err = os.MkdirAll(dir, 0o700); err == nil {
			err = os.WriteFile(filepath.Join(dir, "late"), nil, 0o600)
		}
	}
	exitOn(err)
}

func fakeSteadMain(root, browserIs string) {
	ctx := context.Background()
	r, err := OpenRoot(root)
	exitOn(err)
	exitOn(os.Setenv(fakeVariable, browserIs))
	b, err := r.launch(ctx, "s1", fakeInstalled())
	exitOn(err)
	fmt.Println("pid:", b.PID())
	select {}
}

// churn ends with 1 if anybody else touched a session of its own.
func churn(root, name string) {
	ctx := context.Background()
	r, err := OpenRoot(root)
	exitOn(err)
	for i := range 150 {
		exitOn(churnOnce(ctx, r, name+strconv.Itoa(i%3)))
	}
}

func churnOnce(ctx context.Context, r *Root, id string) error {
	c, err := r.claim(ctx, id, time.Now())
	if err != nil {
		return err
	}
	if _, err := r.Sweep(ctx); err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	for _, name := range []string{recordName, lockName} {
		if _, err := os.Stat(filepath.Join(c.dir, name)); err != nil {
			return fmt.Errorf("a living session was swept: %w", err)
		}
	}
	if w, err := c.wipe(ctx); err != nil || !w.Clean {
		return fmt.Errorf("wipe: %+v, %w", w, err)
	}
	return nil
}

func exitOn(err error) {
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

func fakeInstalled() Installed {
	self, err := os.Executable()
	exitOn(err)
	return Installed{Kind: Chromium, Path: self}
}

// fake is one fake browser.
type fake struct {
	out   *os.File
	dir   string // the session's
	shown bool   // the first page was attached
}

type fakeParams struct {
	TargetID  string `json:"targetId"`
	ContextID string `json:"browserContextId"`
	Kind      string `json:"kind"` // of a child
	Life      string `json:"life"` // of a stray
}

func fakeBrowserMain(kind string) {
	before := inherited() // before anything else is opened
	profile := argument("--user-data-dir=")
	in, out := os.NewFile(3, "in"), os.NewFile(4, "out")
	if numbers := argument("--remote-debugging-io-pipes="); numbers != "" {
		var i, o uintptr
		_, err := fmt.Sscanf(numbers, "%d,%d", &i, &o)
		exitOn(err)
		in, out = os.NewFile(i, "in"), os.NewFile(o, "out")
	}
	f := &fake{out: out, dir: filepath.Dir(profile)}
	if kind == fakeDeaf || kind == fakeMute {
		signal.Ignore(syscall.SIGTERM)
	}
	switch kind {
	case fakeMute:
		select {}
	case fakeLeaves:
		f.child(fakeParams{Kind: fakeStray, Life: fakeLife.String()})
		return
	}
	exitOn(lockProfile(profile))
	for frames := bufio.NewReader(in); ; {
		frame, err := frames.ReadBytes(0)
		if err != nil { // whoever held the pipe is gone
			if kind == fakeDeaf {
				select {}
			}
			return
		}
		var m struct {
			ID     int64      `json:"id"`
			Method string     `json:"method"`
			Params fakeParams `json:"params"`
		}
		exitOn(json.Unmarshal(frame[:len(frame)-1], &m))
		if m.Method == "Fake.inherited" {
			f.say(map[string]any{"id": m.ID, "result": map[string]any{"files": before, "env": os.Environ(), "args": os.Args[1:]}})
			continue
		}
		f.say(map[string]any{"id": m.ID, "result": f.answer(m.Method, m.Params)})
		if m.Method == "Browser.close" && kind != fakeDeaf {
			return
		}
	}
}

// lockProfile does what a browser does, so that its profile is seen to be in use.
func lockProfile(profile string) error {
	if runtime.GOOS == "windows" {
		f, err := os.OpenFile(filepath.Join(profile, "lockfile"), os.O_CREATE|os.O_RDWR, 0o600)
		if err == nil {
			runtime.KeepAlive(f)
		}
		return err
	}
	return os.Symlink("host-"+strconv.Itoa(os.Getpid()), filepath.Join(profile, "SingletonLock"))
}

func (f *fake) say(m any) {
	text, err := json.Marshal(m)
	exitOn(err)
	_, _ = f.out.Write(append(text, 0)) // the reader may be gone, which the next read tells
}

func (f *fake) attached(target, session, contextID string) {
	f.say(map[string]any{"method": "Target.attachedToTarget", "params": map[string]any{
		"sessionId": session, "waitingForDebugger": true,
		"targetInfo": map[string]any{"targetId": target, "type": "page", "browserContextId": contextID},
	}})
}

// answer returns the result; what it does not know is well.
func (f *fake) answer(method string, p fakeParams) any {
	switch method {
	case "Browser.getVersion":
		return map[string]any{"product": "Fake/1.0", "userAgent": "Fake/1.0"}
	case "Target.setAutoAttach":
		if !f.shown {
			f.shown = true
			f.attached("T1", "S1", "default")
		}
	case "Target.createBrowserContext":
		return map[string]any{"browserContextId": "C"}
	case "Target.createTarget":
		f.attached("T2", "S2", p.ContextID)
		return map[string]any{"targetId": "T2"}
	case "Target.closeTarget":
		f.say(map[string]any{"method": "Target.targetDestroyed", "params": map[string]any{"targetId": p.TargetID}})
	case "Fake.child":
		return map[string]any{"pid": f.child(p)}
	case "Fake.crash":
		os.Exit(3)
	case "Fake.hang":
		signal.Ignore(syscall.SIGTERM)
		select {}
	}
	return map[string]any{}
}

func (f *fake) child(p fakeParams) int {
	cmd := exec.Command(os.Args[0])
	if p.Kind == fakeStray {
		cmd.Args = append(cmd.Args, f.dir+string(filepath.Separator), p.Life)
		cmd.SysProcAttr = ownGroup()
	}
	cmd.Env = append(os.Environ(), fakeVariable+"="+p.Kind)
	exitOn(cmd.Start())
	return cmd.Process.Pid
}

// argument is what follows the prefix in the arguments, "" if none has it.
func argument(prefix string) string {
	i := slices.IndexFunc(os.Args, func(a string) bool { return strings.HasPrefix(a, prefix) })
	if i < 0 {
		return ""
	}
	return os.Args[i][len(prefix):]
}
