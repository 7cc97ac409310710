package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"stead/internal/desktop/browser"
	"stead/internal/stead"
)

// stage is where browsers are measured: a member app that notes when it is first asked.
type stage struct {
	with  browser.Installed
	root  *browser.Root
	dir   string
	app   *httptest.Server
	first func() // called at each request
	mu    sync.Mutex
	round int
}

// newStage returns nil, and says why, where no browser can be measured. A browser never runs as root.
func newStage(name string, b bench) (*stage, error) {
	found, err := browser.Find(context.Background(), browser.Choice{})
	why := ""
	switch {
	case os.Geteuid() == 0:
		why = "a browser does not run as root"
	case os.Getenv("DISPLAY") == "":
		why = "there is no display"
	case err != nil:
		why = "there is no browser that can be used"
	}
	if why != "" {
		_, _ = fmt.Fprintf(b.progress, "%s is left out: %s\n", name, why)
		return nil, nil
	}
	s := &stage{with: found[0], dir: b.folder}
	if s.root, err = browser.OpenRoot(filepath.Join(b.folder, "sessions")); err != nil {
		return nil, err
	}
	s.app = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		if s.first != nil {
			s.first()
		}
		s.mu.Unlock()
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprint(w, "<!doctype html><title>portal</title><h1>A member's page</h1>")
	}))
	return s, nil
}

func (s *stage) address() string {
	return strings.Replace(s.app.URL, "127.0.0.1", "portal.localhost", 1)
}

// arm makes the next request close what is returned.
func (s *stage) arm() <-chan struct{} {
	asked := make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.round++
	s.first = sync.OnceFunc(func() { close(asked) })
	return asked
}

func (s *stage) launch(ctx context.Context) (*browser.Browser, error) {
	b, err := s.root.Launch(ctx, "round-"+strconv.Itoa(s.round))
	if err != nil {
		return nil, err
	}
	err = b.Open(ctx, browser.Visit{URL: s.address() + "/",
		Cookie: browser.Cookie{Name: "__Host-stead", Value: stead.Secret("x"), URL: s.address(), HTTPOnly: true, Secure: true, SameSite: "Strict"},
		Banner: browser.Banner{Name: "Ada Lovelace", Email: "ada@example.org", Ends: time.Now().Add(stead.SessionTTL)}})
	if err != nil {
		_, left := b.Close(ctx)
		return nil, errors.Join(err, left)
	}
	return b, nil
}

// isolated is how long a session's browser takes from its launch to the first request, in ms: everything that is
// proved and placed before that is in it.
func (s *stage) isolated(ctx context.Context) (float64, error) {
	asked, began := s.arm(), time.Now()
	took := make(chan float64, 1)
	go func() {
		<-asked
		took <- ms(time.Since(began))
	}()
	b, err := s.launch(ctx)
	if err != nil {
		return 0, err
	}
	if _, err := b.Close(ctx); err != nil {
		return 0, err
	}
	return <-took, nil
}

// bare is the floor: the same program with the same switches and the same environment on a fresh profile, but for the
// pipe, and given the address to begin with.
func (s *stage) bare(ctx context.Context) (_ float64, err error) {
	asked := s.arm()
	dir := filepath.Join(s.dir, "bare-"+strconv.Itoa(s.round))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return 0, err
	}
	plan := browser.PlanLaunch(browser.System{OS: "linux", Environ: os.Environ()}, s.with, dir)
	args := slices.DeleteFunc(slices.Clone(plan.Args), func(a string) bool {
		return strings.HasPrefix(a, "--remote-debugging") || a == "--no-startup-window" || a == "about:blank"
	})
	cmd := exec.Command(plan.Path, append(args, s.address()+"/")...)
	cmd.Env, cmd.Dir = plan.Env, plan.Dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	defer func() {
		killed := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait() // it was killed
		err = errors.Join(err, killed, removed(dir))
	}()
	select {
	case <-asked:
		return ms(time.Since(began)), nil
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(time.Minute):
		return 0, errors.New("the bare browser asked for nothing")
	}
}

// removed removes the folder of a browser that was killed, whose helpers may still write into it for a moment.
func removed(dir string) (err error) {
	for range 50 {
		if err = os.RemoveAll(dir); err == nil {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return err
}

func startBrowser(ctx context.Context, b bench) ([]row, error) {
	s, err := newStage("browser.start", b)
	if s == nil || err != nil {
		return nil, err
	}
	defer s.app.Close()
	if _, err := s.bare(ctx); err != nil { // brings the program from the disk into memory
		return nil, err
	}
	both, err := medians(ctx, b.size.browsers, func() (float64, error) { return s.isolated(ctx) }, func() (float64, error) { return s.bare(ctx) })
	if err != nil {
		return nil, err
	}
	return []row{row{Name: "browser.start", Value: both[0], Unit: "ms to the first request"}.against("bare "+string(s.with.Kind)+", same switches", both[1]).atMost(1.15)}, nil
}

func endBrowser(ctx context.Context, b bench) ([]row, error) {
	s, err := newStage("browser.end", b)
	if s == nil || err != nil {
		return nil, err
	}
	defer s.app.Close()
	var gone, wiped []float64
	for range b.size.browsers {
		s.arm()
		one, err := s.launch(ctx)
		if err != nil {
			return nil, err
		}
		began := time.Now()
		end := goneAfter(one.PID(), began)
		if _, err := one.Close(ctx); err != nil {
			return nil, err
		}
		wiped = append(wiped, ms(time.Since(began)))
		gone = append(gone, <-end)
	}
	slices.Sort(gone)
	last := gone[min(len(gone)-1, len(gone)*99/100)]
	unit := fmt.Sprintf("ms, %d browsers", len(gone))
	return []row{row{Name: "browser.end", Value: median(gone), Unit: unit}.atMost(500),
		row{Name: "browser.end.p99", Value: last, Unit: unit}.atMost(1000),
		{Name: "browser.end.wiped", Value: median(wiped), Unit: unit}}, nil
}

// goneAfter looks every millisecond whether the process is gone, and tells how long after began it was.
func goneAfter(pid int, began time.Time) <-chan float64 {
	out := make(chan float64, 1)
	go func() {
		for !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			time.Sleep(time.Millisecond)
		}
		out <- ms(time.Since(began))
	}()
	return out
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
