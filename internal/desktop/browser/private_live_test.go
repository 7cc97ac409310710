//go:build linux

package browser

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"stead/internal/stead"
)

// taker is a member app that takes a code by form, once, and reports what scripts of its page can see.
type taker struct {
	*memberApp
	code stead.Secret
	seen chan string // what a page's script says of its cookies
	bad  chan string // what should not have come
}

func newTaker(t *testing.T) *taker {
	a := &taker{memberApp: newMemberApp(t), code: stead.Secret("code" + rand.Text()), seen: make(chan string, 8), bad: make(chan string, 8)}
	used := false
	plain := a.Config.Handler
	a.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/support/handoff":
			if used || r.Method != "POST" || r.PostFormValue("code") != string(a.code) || r.Header.Get("Origin") != "null" || r.Header.Get("Referer") != "" {
				a.bad <- fmt.Sprintf("%s origin %q referer %q", r.Method, r.Header.Get("Origin"), r.Header.Get("Referer"))
				w.WriteHeader(http.StatusForbidden)
				return
			}
			used = true
			http.SetCookie(w, &http.Cookie{Name: cookieName, Value: "cred" + string(a.code), Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
			http.Redirect(w, r, "/dashboard", http.StatusSeeOther)
		case "/dashboard":
			if c, err := r.Cookie(cookieName); err != nil || c.Value != "cred"+string(a.code) {
				a.bad <- "no cookie on the dashboard"
			}
			fmt.Fprint(w, `<!doctype html><title>portal</title>Dashboard<script>fetch('/sees?' + encodeURIComponent(document.cookie) + '|' + history.length)</script>`)
		case "/sees":
			a.seen <- r.URL.RawQuery
		default:
			plain.ServeHTTP(w, r)
		}
	})
	return a
}

func (a *taker) form() Visit {
	return Visit{Form: Form{Action: a.address + "/support/handoff", Code: a.code}}
}

// wantOpened waits until the page stands there with a cookie that no script sees.
func (a *taker) wantOpened(t *testing.T) {
	t.Helper()
	select {
	case seen := <-a.seen: // no cookie, and no page to go back to: that would be a second visit of the one-time page
		if seen != "|1" {
			t.Errorf("a script sees %q", seen)
		}
	case what := <-a.bad:
		t.Fatal(what)
	case <-time.After(30 * time.Second):
		t.Fatal("the member app was not opened")
	}
}

// bothKinds runs a test with each browser that a one-time page can open.
func bothKinds(t *testing.T, test func(t *testing.T, with Installed)) {
	needBrowser(t)
	found := newRoot(t).findPrivate(t.Context())
	for _, k := range []Kind{Chromium, Firefox} {
		i := slices.IndexFunc(found, func(i Installed) bool { return (i.Kind == Firefox) == (k == Firefox) })
		if i < 0 {
			t.Fatalf("this test needs %s", k)
		}
		t.Run(string(k), func(t *testing.T) { test(t, found[i]) })
	}
}

func launchPrivate(t *testing.T, r *Root, with Installed) *Private {
	t.Helper()
	p, err := r.launchPrivate(t.Context(), "s-"+rand.Text(), with)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = p.Close(context.Background()) })
	return p
}

// everything lists all files and folders below the places.
func everything(places ...string) (list []string) {
	for _, place := range places {
		_ = filepath.WalkDir(place, func(path string, _ fs.DirEntry, err error) error {
			if err == nil && filepath.Base(path) != ".lock" { // the root's own
				list = append(list, path)
			}
			return nil
		})
	}
	return list
}

// TestPrivateOpensAndLeavesNothing is the fallback's whole way: opened by one page, nothing of use in any argument, and
// nothing left anywhere in the home and temporary folders.
func TestPrivateOpensAndLeavesNothing(t *testing.T) {
	bothKinds(t, func(t *testing.T, with Installed) {
		app, r := newTaker(t), newRoot(t)
		ownPlaces(t)
		before := everything(os.Getenv("HOME"), os.TempDir(), r.dir)
		p := launchPrivate(t, r, with)
		if err := p.Open(t.Context(), app.form()); err != nil {
			t.Fatal(err)
		}
		app.wantOpened(t)
		if got := traces(t, app.code, r.dir, os.Getenv("HOME"), os.TempDir()); len(got) > 0 {
			t.Errorf("the code or the credential stands in %v", got)
		}
		named := false
		for _, pid := range processes() {
			line, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
			named = named || strings.Contains(string(line), p.door.path)
		}
		if !named {
			t.Error("the page's address is in no argument: what did this test look at?")
		}
		begin := time.Now()
		w, err := p.Close(t.Context())
		if err != nil || !w.Clean {
			t.Errorf("%+v, %v", w, err)
		}
		if took := time.Since(begin); took > 3*time.Second { // 0.3 s on a machine that does nothing else
			t.Errorf("it took %v", took)
		} else {
			t.Logf("closed and wiped in %v", took)
		}
		after := everything(os.Getenv("HOME"), os.TempDir(), r.dir)
		if !slices.Equal(before, after) {
			t.Errorf("before\n%s\nafter\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
		}
		if left := naming(r.dir); len(left) > 0 {
			t.Errorf("processes left: %v", left)
		}
		if _, ok := <-p.Events(); ok {
			t.Error("Close caused an event")
		}
	})
}

// wantClosed fails when the browser's end is not told within a second.
func wantClosed(t *testing.T, p *Private, cause Cause) {
	t.Helper()
	select {
	case ev := <-p.Events():
		if ev.Kind != Closed || ev.Cause != cause {
			t.Errorf("%+v, want closed by %s", ev, cause)
		}
	case <-time.After(time.Second):
		t.Error("nothing is told within a second")
	}
	if w, err := p.Close(t.Context()); err != nil || !w.Clean {
		t.Errorf("%+v, %v", w, err)
	}
}

func TestPrivateTellsWhenItWasKilled(t *testing.T) {
	bothKinds(t, func(t *testing.T, with Installed) {
		app, r := newTaker(t), newRoot(t)
		p := launchPrivate(t, r, with)
		if err := p.Open(t.Context(), app.form()); err != nil {
			t.Fatal(err)
		}
		app.wantOpened(t)
		if err := syscall.Kill(p.PID(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		wantClosed(t, p, BrowserGone)
	})
}

// A script in place of the browser shows the ends that are hard to bring about in a real one. $page asks for the page.
func TestPrivateOfAScript(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Fatal("run this test as an ordinary user (build/test.sh does)")
	}
	const page = `url=${@: -1}; where=${url#http://}; host=${where%%/*}
exec 3<>/dev/tcp/127.0.0.1/${host##*:}
printf 'GET /%s HTTP/1.1\r\nHost: %s\r\n\r\n' "${where#*/}" "$host" >&3
`
	launched := func(t *testing.T, script string) (*Private, *Root, error) {
		dir := programs(t, map[string]string{"firefox": "#!/bin/bash\n" + script + "\n"})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		r := newRoot(t)
		p, err := r.launchPrivate(ctx, "s1", Installed{Kind: Firefox, Path: filepath.Join(dir, "firefox")})
		return p, r, err
	}
	t.Run("closed by its person", func(t *testing.T) {
		p, _, err := launched(t, page+"read -t 5 <&3; exit 0")
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Open(t.Context(), Visit{Form: Form{Action: "http://portal.test/support/handoff", Code: "c"}}); err != nil {
			t.Fatal(err)
		}
		wantClosed(t, p, WindowClosed)
	})
	t.Run("ends before it is opened", func(t *testing.T) {
		p, _, err := launched(t, page+"sleep 0.3; exit 1")
		if err != nil {
			t.Fatal(err)
		}
		wantClosed(t, p, BrowserGone)
		if err := p.Open(t.Context(), Visit{Form: Form{Action: "http://portal.test/support/handoff", Code: "c"}}); stead.CodeOf(err) != stead.CodeBrowserOpenFailed {
			t.Errorf("Open: %v", err)
		}
	})
	for name, script := range map[string]string{"never asks for its page": "trap '' TERM; sleep 60", "ends at once": "exit 0"} {
		t.Run(name, func(t *testing.T) {
			p, r, err := launched(t, script)
			if p != nil || stead.CodeOf(err) != stead.CodeBrowserSilent {
				t.Errorf("%v, %v", p, err)
			}
			if left := sessionFolders(t, r); len(left) > 0 || len(naming(r.dir)) > 0 {
				t.Errorf("left %v and %v", left, naming(r.dir))
			}
		})
	}
}

// TestPrivateIsNotOpenedAfterAStranger: somebody who reads arguments is first at the page, the browser second.
func TestPrivateIsNotOpenedAfterAStranger(t *testing.T) {
	bothKinds(t, func(t *testing.T, with Installed) {
		r := newRoot(t)
		first := make(chan string, 1)
		stop := make(chan struct{})
		defer close(stop)
		go func() { // reads the arguments of all processes until the address is there
			for {
				select {
				case <-stop:
					return
				default:
				}
				for _, pid := range naming(r.dir) {
					line, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
					args := strings.Split(strings.TrimRight(string(line), "\x00"), "\x00")
					if address := args[len(args)-1]; strings.HasPrefix(address, "http://127.0.0.1:") {
						res, err := http.Get(address)
						if err == nil {
							res.Body.Close()
							first <- res.Status
							return
						}
					}
				}
			}
		}()
		p, err := r.launchPrivate(t.Context(), "s-contested", with)
		if err == nil { // the stranger was so early that Launch took them for the browser; then Open or an event says it
			defer func() { _, _ = p.Close(context.Background()) }()
			select {
			case ev := <-p.Events():
				if ev.Kind != Contested {
					t.Errorf("%+v", ev)
				}
			case <-time.After(doorLife):
				t.Fatal("nobody noticed the stranger")
			}
			err = p.Open(t.Context(), Visit{Form: Form{Action: "https://portal.test/support/handoff", Code: "none"}})
		}
		if stead.CodeOf(err) != stead.CodeBrowserContested {
			t.Errorf("got %v", err)
		}
		select {
		case status := <-first:
			if status != "410 Gone" {
				t.Errorf("the stranger got %s", status)
			}
		case <-time.After(5 * time.Second):
			t.Error("there was no stranger")
		}
	})
}

const privateVariable = "BROWSER_TEST_PRIVATE" // the helper opens a Private of this path

type privateOrder struct {
	Root   string
	With   Installed
	Action string
	Code   string // read from stdin, so that it is in no argument or variable
}

// runPrivateHelper is a Stead that opens a session in a browser that it does not control, and then waits to be killed.
func runPrivateHelper() {
	ctx := context.Background()
	var order privateOrder
	err := json.NewDecoder(os.Stdin).Decode(&order)
	var r *Root
	if err == nil {
		r, err = OpenRoot(order.Root)
	}
	var p *Private
	if err == nil {
		p, err = r.launchPrivate(ctx, "killed", order.With)
	}
	if err == nil {
		err = p.Open(ctx, Visit{Form: Form{Action: order.Action, Code: stead.Secret(order.Code)}})
	}
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	fmt.Println("pid:", p.PID())
	select {}
}

// TestPrivateGoesWithAKilledStead: the browser at once, and the next start wipes what it left.
func TestPrivateGoesWithAKilledStead(t *testing.T) {
	bothKinds(t, func(t *testing.T, with Installed) {
		app, r := newTaker(t), newRoot(t)
		ownPlaces(t)
		before := everything(os.Getenv("HOME"), os.TempDir(), r.dir)
		in, err := json.Marshal(privateOrder{r.dir, with, app.address + "/support/handoff", string(app.code)})
		if err != nil {
			t.Fatal(err)
		}
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(self)
		cmd.Env, cmd.Stdin, cmd.Stderr = append(os.Environ(), privateVariable+"=1"), strings.NewReader(string(in)), os.Stderr
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		var pid int
		if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			t.Fatal(err)
		} else if _, err := fmt.Sscanf(line, "pid: %d", &pid); err != nil {
			t.Fatalf("the helper said %q", line)
		}
		app.wantOpened(t)
		group := &process{pid: pid}
		begin := time.Now()
		_ = cmd.Process.Kill()
		for !group.alone() {
			if time.Since(begin) > 2*time.Second { // under 0.1 s on a machine that does nothing else
				t.Fatal("the browser outlives Stead")
			}
			time.Sleep(5 * time.Millisecond)
		}
		t.Logf("the browser was gone after %v", time.Since(begin))
		_ = cmd.Wait()
		swept, err := r.Sweep(t.Context())
		if err != nil || len(swept) != 1 || !swept[0].Wipe.Clean {
			t.Errorf("%+v, %v", swept, err)
		}
		if after := everything(os.Getenv("HOME"), os.TempDir(), r.dir); !slices.Equal(before, after) {
			t.Errorf("before\n%s\nafter\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
		}
	})
}
