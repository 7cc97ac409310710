package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"stead/internal/desktop"
	"stead/internal/stead"

	"stead/internal/platform"
	"stead/internal/platform/demodata"
)

// childEnv carries the orders of the child process: a desktop that is going to be killed, or one that comes after.
const childEnv = "STEAD_TEST_DESKTOP"

type orders struct {
	Desk   where
	Code   string // enrolment code
	Member stead.MemberID
	Start  bool // start a session; else only put right what was left
}

// where is Desk without what cannot be handed to another process.
type where struct{ PlatformURL, DataDir, CacheDir, Keyring string }

func TestMain(m *testing.M) {
	if dir := os.Getenv(proofEnv); dir != "" {
		os.Exit(Run(context.Background(), []string{"audit", "verify", "--ledger", dir}, os.Stdout, os.Stderr, nil))
	}
	if raw := os.Getenv(childEnv); raw != "" {
		var o orders
		if err := json.Unmarshal([]byte(raw), &o); err != nil {
			panic(err)
		}
		if err := child(o); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	if dir, err := loaded(); err == nil {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// child is a whole desktop in a process of its own. It prints a line when it has come somewhere.
func child(o orders) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	desk, err := desktop.Open(ctx, desktop.Config{PlatformURL: o.Desk.PlatformURL, DataDir: o.Desk.DataDir, CacheDir: o.Desk.CacheDir, Keyring: o.Desk.Keyring,
		DeviceName: "test", Log: slog.New(slog.DiscardHandler), EnrolmentCode: func(context.Context) (string, error) { return o.Code, nil },
		OpenBrowser: func(url string) error { return choosePerson(ctx, url, "st-lena") }})
	if err != nil {
		return err
	}
	if stage, _, err := desk.Begin(ctx); err != nil || stage != desktop.StageReady {
		return fmt.Errorf("stage %s: %w", stage, err)
	}
	fmt.Println("ready")
	if o.Start {
		if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
			return err
		}
		member, err := desk.Client.Member(ctx, o.Member)
		if err != nil {
			return err
		}
		r := &run{desk: desk}
		if _, err := r.start(ctx, member.Member); err != nil {
			return err
		}
		fmt.Println("live")
		<-ctx.Done() // until the parent kills
		return errors.New("nobody killed the child")
	}
	ob, err := desk.Outbox()
	if err != nil {
		return err
	}
	if err := ob.WaitDrained(ctx, ob.State().Head); err != nil {
		return err
	}
	fmt.Println("recovered")
	return desk.Close(ctx)
}

// assassin stands before the platform and kills the desktop at one of its requests: before the platform saw it, or
// after it was carried out and before the answer left.
type assassin struct {
	next http.Handler

	mu    sync.Mutex
	kill  func() // nil: harmless
	left  int    // requests to let pass
	after bool
	seen  string // the request it killed at
}

func (a *assassin) arm(n int, after bool, kill func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.kill, a.left, a.after, a.seen = kill, n, after, ""
}

func (a *assassin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	strike, after := a.aim(r)
	if strike != nil && !after {
		strike()
		return // the desktop is dead; its request never arrived
	}
	if strike != nil {
		a.next.ServeHTTP(discard{}, r.WithContext(context.WithoutCancel(r.Context())))
		strike()
		return
	}
	a.next.ServeHTTP(w, r)
}

func (a *assassin) aim(r *http.Request) (func(), bool) {
	fromDesktop := strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") || strings.HasSuffix(r.URL.Path, "jwks.json") && r.Header.Get("User-Agent") == "Go-http-client/1.1"
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.kill == nil || !fromDesktop {
		return nil, false
	}
	if a.left--; a.left >= 0 {
		return nil, false
	}
	strike := a.kill
	a.kill, a.seen = nil, r.Method+" "+r.URL.Path
	return strike, a.after
}

func (a *assassin) struck() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.seen
}

// discard is an answer that nobody will read.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}

type scene struct {
	*testing.T
	demo     *demo
	assassin *assassin
	orders   orders
}

// freePort finds three ports in a row that nobody uses.
func freePort(t *testing.T) int {
	t.Helper()
	for range 50 {
		first, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := first.Addr().(*net.TCPAddr).Port
		free := true
		for n := 1; n < 3; n++ {
			l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", fmt.Sprint(port+n)))
			if free = free && err == nil; err == nil {
				_ = l.Close()
			}
		}
		_ = first.Close()
		if free {
			return port
		}
	}
	t.Fatal("no three free ports in a row")
	return 0
}

// loaded makes the demo's data once for all tests: generating members takes its time under the race detector.
var loaded = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "stead-demo-data-")
	if err != nil {
		return "", err
	}
	p, err := platform.Open(context.Background(), platform.Config{DataDir: filepath.Join(dir, "platform"), PublicURL: "http://localhost", Issuer: "http://localhost",
		ClientID: "c", Audience: "a", Log: slog.New(slog.DiscardHandler), App: platform.App{ID: "a", Secret: "s", Audience: "a", StartURL: "http://localhost", CookieName: "c"}})
	if err != nil {
		return "", err
	}
	return dir, errors.Join(demodata.Load(context.Background(), p.Store, "http://localhost"), p.Close())
})

// demoData is a data folder of its own with the demo's members in it.
func demoData(t *testing.T) string {
	t.Helper()
	from, err := loaded()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func newScene(t *testing.T) *scene { return newLoggedScene(t, slog.New(slog.DiscardHandler)) }

// newLoggedScene is a scene whose platform and member app write to a log.
func newLoggedScene(t *testing.T, log *slog.Logger) *scene {
	t.Helper()
	c := &demoCommand{Data: demoData(t), Port: freePort(t)}
	port := func(n int) string { return fmt.Sprint(c.Port + n) }
	d := &demo{dir: c.Data, people: demodata.Staff(), platformURL: "http://platform.localhost:" + port(0),
		portalURL: "http://portal.localhost:" + port(1), issuer: "http://127.0.0.1:" + port(2)}
	handlers, err := d.open(t.Context(), c, log)
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{T: t, demo: d, assassin: &assassin{next: handlers[0]}}
	handlers[0] = s.assassin
	for n, h := range handlers {
		l, err := net.Listen("tcp", "127.0.0.1:"+port(n))
		if err != nil {
			t.Fatal(err)
		}
		d.serve(l, h)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	desk := d.desk()
	code, err := desk.EnrolmentCode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.orders = orders{Desk: where{desk.PlatformURL, desk.DataDir, desk.CacheDir, desk.Keyring + "-" + filepath.Base(filepath.Dir(c.Data))}, Code: code, Member: s.someMember()}
	return s
}

// someMember is a member whom the agent may impersonate.
func (s *scene) someMember() stead.MemberID {
	for _, m := range demodata.Members(demodata.DefaultMembers)[5:] {
		if m.Account == "alder" && !m.Disabled {
			return m.ID
		}
	}
	s.Fatal("nobody")
	return ""
}

// spawn starts a child and returns a channel of its lines and a way to let it go on.
func (s *scene) spawn(start bool) (cmd *exec.Cmd, lines <-chan string, goOn func()) {
	s.Helper()
	o := s.orders
	o.Start = start
	raw, err := json.Marshal(o)
	if err != nil {
		s.Fatal(err)
	}
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+string(raw))
	cmd.Stderr = os.Stderr
	out, err1 := cmd.StdoutPipe()
	in, err2 := cmd.StdinPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		s.Fatal(err)
	}
	ch := make(chan string, 8)
	go func() {
		defer close(ch)
		for sc := bufio.NewScanner(out); sc.Scan(); {
			ch <- sc.Text()
		}
	}()
	return cmd, ch, func() { _, _ = fmt.Fprintln(in) }
}

// expect waits for a line of the child; "" when the child is gone.
func (s *scene) expect(lines <-chan string) string {
	s.Helper()
	select {
	case l := <-lines:
		if strings.HasPrefix(l, "error") {
			s.Fatal(l)
		}
		return l
	case <-time.After(time.Minute):
		s.Fatal("the child says nothing")
		return ""
	}
}
