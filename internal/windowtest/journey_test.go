//go:build window && linux

package windowtest_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"stead/internal/windowtest"
)

// The production program, as build/test.sh builds it.
const program = "../../build/out/stead"

// step is how long the window has for each thing it should show. A browser's first start is the slowest of them.
const step = 30 * time.Second

// TestS0_01_S0_02_S0_03_S0_11_S1_02_MainJobInTheRealWindow does what an agent does, with the program that is shipped and
// through what a screen reader sees: sign in, search, check the identity, confirm, be in the session, end it, write the
// note and read the trail. What the member's browser shows meanwhile is the headless demo's and the browser tests' affair.
func TestS0_01_S0_02_S0_03_S0_11_S1_02_MainJobInTheRealWindow(t *testing.T) {
	w := openWindow(t)

	w.press("Sign in with the browser")
	w.signIn()

	w.enter("Find a member", "an")
	menu := w.see("row of a member", windowtest.Pressable("Actions for "))
	name := strings.TrimPrefix(menu.Name, "Actions for ")
	w.do(menu)
	w.press("Open profile")
	w.see("profile of "+name, windowtest.Named(windowtest.RoleHeading, name))

	w.press("Name matches: " + name)
	w.press("E-mail matches: ")
	w.press("Record the check")
	w.see("recorded identity check", windowtest.Saying("It holds for an hour."))

	w.press("Actions")
	w.press("Impersonate")
	w.see("dialog", windowtest.Named(windowtest.RoleDialog, "Log in as "+name+"?"))
	w.see("twenty minutes", windowtest.Saying("20 minutes at most"))
	w.see("everything is logged", windowtest.Saying("Everything is logged"))
	w.press("Something does not work")
	w.enter("In your own words", "The provider search shows no results at all")
	w.press("The member has agreed")
	w.press("By phone")
	w.press("OK, log in")

	w.see("live session", windowtest.Saying("You are in the account of"))
	w.press("End session")
	w.see("end of the session", windowtest.Saying("The session of "+name+" has ended"))
	w.enter("What did you look at", "Looked at the provider search with the member, it works now")
	w.press("Save note")
	w.see("saved note", windowtest.Saying("The note is written"))

	w.press("Trail")
	for _, kind := range []string{"Start intended", "Session started", "Session opened", "Session ended", "Note written"} {
		w.see("record: "+kind, windowtest.Saying(kind))
	}
}

// window is Stead's, in a session of its own with a platform of its own.
type window struct {
	t       *testing.T
	desktop *windowtest.Desktop
	opened  string // the file in which the stand-in for the agent's own browser leaves the address
}

func openWindow(t *testing.T) *window {
	t.Helper()
	if os.Getenv("DISPLAY") == "" || os.Getenv("DBUS_SESSION_BUS_ADDRESS") == "" {
		t.Fatal("this test needs a session of its own: build/session.sh go test -tags window ./internal/windowtest/")
	}
	desktop, err := windowtest.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := desktop.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &window{t: t, desktop: desktop, opened: filepath.Join(t.TempDir(), "opened")}
	w.start()
	return w
}

// start runs the program with a stand-in for xdg-open, so that the agent's own browser is this test.
func (w *window) start() {
	w.t.Helper()
	bin := w.t.TempDir()
	script := "#!/bin/sh\nprintf '%s' \"$1\" >'" + w.opened + ".part' && mv '" + w.opened + ".part' '" + w.opened + "'\n"
	if err := os.WriteFile(filepath.Join(bin, "xdg-open"), []byte(script), 0o700); err != nil {
		w.t.Fatal(err)
	}
	stead := exec.Command(program, "demo")
	stead.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	stead.Stdout, stead.Stderr = os.Stdout, os.Stderr
	if err := stead.Start(); err != nil {
		w.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- stead.Wait() }()
	w.t.Cleanup(func() {
		if err := stead.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			w.t.Error(err)
		}
		select {
		case err := <-ended:
			if err != nil {
				w.t.Errorf("stead was asked to end and answered: %v", err)
			}
		case <-time.After(step):
			w.t.Error("stead did not end within half a minute of SIGTERM")
			if err := stead.Process.Kill(); err != nil {
				w.t.Error(err)
			}
			w.t.Log(<-ended)
		}
	})
}

func (w *window) see(what string, match func(windowtest.Seen) bool) windowtest.Seen {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), step)
	defer cancel()
	seen, err := w.desktop.Find(ctx, what, match)
	if err != nil {
		w.t.Fatal(err)
	}
	return seen
}

func (w *window) press(name string) {
	w.t.Helper()
	w.do(w.see("thing to press called "+name, windowtest.Pressable(name)))
}

func (w *window) do(node windowtest.Seen) {
	w.t.Helper()
	if err := node.Press(w.t.Context()); err != nil {
		w.t.Fatalf("%s: %v", node.Name, err)
	}
}

// enter types into the field whose label begins with label, and sees that it arrived.
func (w *window) enter(label, text string) {
	w.t.Helper()
	field := func(s windowtest.Seen) bool {
		return (s.Role == windowtest.RoleEntry || s.Role == windowtest.RoleComboBox) && strings.HasPrefix(s.Name, label)
	}
	if err := w.see("field "+label, field).Enter(w.t.Context(), text); err != nil {
		w.t.Fatal(err)
	}
	w.see("what was typed into "+label, func(s windowtest.Seen) bool { return field(s) && strings.Contains(s.Text, text) })
}

// signIn plays the agent's own browser: it opens the address that the window asked for and chooses the first person.
func (w *window) signIn() {
	w.t.Helper()
	address := w.openedAddress()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	// Every name the demo uses is this machine; not every resolver knows that of *.localhost.
	here := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		_, port, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
	}}
	defer here.CloseIdleConnections()
	browser := &http.Client{Jar: jar, Transport: here, Timeout: step}

	page, body := w.fetch(browser, must(http.NewRequestWithContext(w.t.Context(), http.MethodGet, address, nil)))
	answer := url.Values{
		"request": {w.attribute(body, `name="request" value="([^"]+)"`)},
		"person":  {w.attribute(body, `name="person" value="([^"]+)"`)},
	}
	choose := page.ResolveReference(&url.URL{Path: "/choose"})
	request := must(http.NewRequestWithContext(w.t.Context(), http.MethodPost, choose.String(), strings.NewReader(answer.Encode())))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Origin", page.Scheme+"://"+page.Host)
	w.fetch(browser, request)
}
