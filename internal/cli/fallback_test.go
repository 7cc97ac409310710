//go:build linux

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"stead/internal/api"
	"stead/internal/desktop"
	"stead/internal/desktop/client"
	"stead/internal/desktop/session"
	"stead/internal/stead"

	"stead/internal/platform/store"
)

// tap is the desktop's way to the platform; it keeps the code that a fallback's page will post.
type tap struct {
	next http.RoundTripper
	mu   sync.Mutex
	code string
}

func (p *tap) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := p.next.RoundTrip(r)
	if err != nil || !strings.HasSuffix(r.URL.Path, "/redeem") {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	var opened api.Opened
	if json.Unmarshal(body, &opened) == nil && opened.Handover != nil {
		p.mu.Lock()
		p.code = opened.Handover.Code
		p.mu.Unlock()
	}
	return resp, err
}

func (p *tap) taken() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.code
}

// firefoxOnly is a machine whose only browser is Firefox, with an agent signed in.
type firefoxOnly struct {
	*run
	t   *testing.T
	tap *tap
}

func newFirefoxOnly(t *testing.T, allowed bool, change ...func(*desktop.Config)) *firefoxOnly {
	t.Helper()
	if os.Geteuid() == 0 || os.Getenv("DISPLAY") == "" {
		t.Fatal("this test runs a browser: it needs an ordinary user and a display (build/test.sh provides both)")
	}
	path, err := exec.LookPath("firefox-esr")
	if err != nil {
		if path, err = exec.LookPath("firefox"); err != nil {
			t.Fatal("this test needs Firefox: ", err)
		}
	}
	bin := t.TempDir()
	if err := os.Symlink(path, filepath.Join(bin, "firefox")); err != nil {
		t.Fatal(err)
	}
	c := &demoCommand{Data: demoData(t), Port: freePort(t), Fallback: allowed}
	d, err := openDemo(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	f := &firefoxOnly{run: &run{demo: d}, t: t}
	t.Cleanup(func() {
		if f.desk != nil {
			if err := f.desk.Close(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	plain := client.NewHTTP()
	f.tap = &tap{next: plain.Transport}
	plain.Transport = f.tap
	desk := d.desk()
	cfg := desktop.Config{PlatformURL: desk.PlatformURL, DataDir: desk.DataDir, CacheDir: desk.CacheDir, Keyring: desk.Keyring + "-" + filepath.Base(filepath.Dir(c.Data)),
		DeviceName: "test", EnrolmentCode: desk.EnrolmentCode, Log: slog.New(slog.DiscardHandler), HTTP: plain,
		OpenBrowser: func(url string) error { return choosePerson(t.Context(), url, "st-lena") }}
	for _, ch := range change {
		ch(&cfg)
	}
	if f.desk, err = desktop.Open(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if stage, _, err := f.desk.Begin(t.Context()); err != nil || stage != desktop.StageReady {
		t.Fatalf("stage %s: %v", stage, err)
	}
	t.Setenv("PATH", bin)
	t.Setenv("XDG_DATA_HOME", bin) // desktop files name programs as well
	t.Setenv("XDG_DATA_DIRS", bin)
	return f
}

// begin starts a session for a member whom the agent may impersonate.
func (f *firefoxOnly) begin() (session.State, error) {
	f.t.Helper()
	s := &scene{T: f.t}
	profile, err := f.desk.Client.Member(f.t.Context(), s.someMember())
	if err != nil {
		f.t.Fatal(err)
	}
	return f.start(f.t.Context(), profile.Member)
}

func (f *firefoxOnly) live() session.State {
	f.t.Helper()
	s, err := f.begin()
	if err != nil || s.Phase != session.PhaseLive || s.Mode != stead.ModeFallback {
		f.t.Fatalf("%+v, %v", s, err)
	}
	return s
}

// records lists "kind cause|what|result mode" of the session's records, or of all without one, oldest first.
func (f *firefoxOnly) records(id stead.SessionID) (list []string) {
	f.t.Helper()
	ob, err := f.desk.Outbox()
	if err == nil {
		err = ob.WaitDrained(f.t.Context(), ob.State().Head)
	}
	if err == nil {
		err = f.platform.Store.View(f.t.Context(), func(tx store.Tx) error {
			lines, err := tx.Trail(store.TrailFilter{Session: id, Limit: 100})
			for i := len(lines) - 1; i >= 0; i-- {
				list = append(list, lines[i].Kind)
			}
			return err
		})
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return list
}

// endedBy fails unless the session is over soon, here and at the platform, by that cause and with nothing left.
func (f *firefoxOnly) endedBy(s session.State, cause stead.Cause) {
	f.t.Helper()
	over, err := f.ended(f.t.Context(), s.ID, cause)
	if err != nil || !over.Wiped {
		f.t.Errorf("%+v, %v", over, err)
	}
	desk := f.demo.desk()
	folders, err := filepath.Glob(filepath.Join(desk.CacheDir, "sessions", "[^.]*"))
	if err != nil || len(folders) != 0 {
		f.t.Errorf("left: %v, %v", folders, err)
	}
}

// awaitDashboard waits until the member app has reported that support looked at the dashboard.
func (f *firefoxOnly) awaitDashboard(id stead.SessionID) {
	f.t.Helper()
	for deadline := time.Now().Add(15 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if strings.Contains(strings.Join(f.records(id), " "), "session.action") {
			return
		}
		if time.Now().After(deadline) {
			f.t.Fatalf("the dashboard was not opened: %v", f.records(id))
		}
	}
}

// post sends the code to the member app, as whoever has caught it would.
func (f *firefoxOnly) post(code string) int {
	f.t.Helper()
	resp, err := client.NewHTTP().PostForm(f.portalURL+"/support/handoff", url.Values{"code": {code}})
	if err != nil {
		f.t.Fatal(err)
	}
	_ = resp.Body.Close()
	if len(resp.Cookies()) > 0 {
		f.t.Error("the code opened a second door")
	}
	return resp.StatusCode
}

var onArgv = regexp.MustCompile(`http://127\.0\.0\.1:[0-9]+/[A-Za-z0-9_-]{43}`)

// argv is the one-time address as others on the machine can read it, and all arguments of all processes.
func (f *firefoxOnly) argv() (address, all string) {
	f.t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		f.t.Fatal(err)
	}
	folder := filepath.Join(f.demo.desk().CacheDir, "sessions")
	var b strings.Builder
	for _, line := range lines {
		raw, _ := os.ReadFile(line) // a process may just have ended
		b.Write(raw)
		if found := onArgv.Find(raw); found != nil && bytes.Contains(raw, []byte(folder)) {
			address = string(found)
		}
	}
	return address, b.String()
}

func TestFallbackOpensTheDashboardInFirefox(t *testing.T) {
	f := newFirefoxOnly(t, true)
	s := f.live()
	f.awaitDashboard(s.ID)
	there, err := f.desk.Client.Session(t.Context(), s.ID)
	if err != nil || there.Mode == nil || *there.Mode != api.SessionModeFallback {
		t.Errorf("the platform's word: %+v, %v", there, err)
	}
	address, all := f.argv()
	if address == "" || strings.Contains(all, f.tap.taken()) || f.tap.taken() == "" {
		t.Errorf("arguments: address %q", address)
	}
	ctl, err := f.desk.Session()
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if _, err := ctl.End(t.Context(), stead.CauseAgent); err != nil {
		t.Fatal(err)
	}
	t.Logf("ended and wiped in %v", time.Since(begin))
	f.endedBy(s, stead.CauseAgent)
	if got := f.post(f.tap.taken()); got != http.StatusForbidden {
		t.Errorf("the code is answered %d after the session", got)
	}
	kinds := strings.Join(f.records(s.ID), " ")
	for _, want := range []string{"session.started", "session.opened", "session.outcome", "session.ended", "session.observed_end"} {
		if !strings.Contains(kinds, want) {
			t.Errorf("no %s among %s", want, kinds)
		}
	}
	if strings.Contains(kinds, "handoff.reused") {
		t.Errorf("an alarm without reason: %s", kinds)
	}
}

func TestFallbackACodePostedTwiceEndsTheSession(t *testing.T) {
	f := newFirefoxOnly(t, true)
	s := f.live()
	f.awaitDashboard(s.ID)
	if got := f.post(f.tap.taken()); got != http.StatusForbidden {
		t.Errorf("the second use is answered %d", got)
	}
	there, err := f.desk.Client.Session(t.Context(), s.ID)
	if err != nil || there.State != api.SessionStateEnded {
		t.Errorf("with the refusal the session is %s, %v", there.State, err)
	}
	f.endedBy(s, stead.CauseHandoffReused)
	if kinds := strings.Join(f.records(s.ID), " "); strings.Count(kinds, "handoff.reused") != 1 {
		t.Errorf("alarms: %s", kinds)
	}
}

func TestFallbackASecondVisitorOfThePageEndsTheSession(t *testing.T) {
	f := newFirefoxOnly(t, true)
	s := f.live()
	address, _ := f.argv()
	resp, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusGone || len(body) != 0 {
		t.Errorf("the visitor got %d %q", resp.StatusCode, body)
	}
	f.endedBy(s, stead.CauseHandoffReused)
	if kinds := strings.Join(f.records(s.ID), " "); strings.Count(kinds, "handoff.reused") != 1 {
		t.Errorf("alarms: %s", kinds)
	}
}

// TestFallbackIsRefusedWhereItIsNotAllowed: by the platform, or by the machine; and the refusal says who can allow it.
func TestFallbackIsRefusedWhereItIsNotAllowed(t *testing.T) {
	for name, f := range map[string]func(t *testing.T) *firefoxOnly{
		"the platform does not allow it": func(t *testing.T) *firefoxOnly { return newFirefoxOnly(t, false) },
		"the machine forbids it": func(t *testing.T) *firefoxOnly {
			return newFirefoxOnly(t, true, func(c *desktop.Config) { c.NoFallback = true })
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := f(t)
			s, err := f.begin()
			if stead.CodeOf(err) != stead.CodeBrowserMissing || !strings.Contains(fmt.Sprint(err), "browser_fallback") || s.Phase != session.PhaseNone {
				t.Errorf("%+v, %v", s, err)
			}
			if address, _ := f.argv(); address != "" {
				t.Error("a browser was started")
			}
		})
	}
}

// TestTheFallbackIsOffByDefault: in the configuration file too.
func TestTheFallbackIsOffByDefault(t *testing.T) {
	for content, want := range map[string]bool{`{"listen": "127.0.0.1:1"}`: false, `{"listen": "127.0.0.1:1", "browser_fallback": true}`: true} {
		file := filepath.Join(t.TempDir(), "platform.json")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := readServeConfig(&serveCommand{Config: file})
		if err != nil || f.Fallback != want {
			t.Errorf("%s: %v, %v", content, f.Fallback, err)
		}
	}
}
