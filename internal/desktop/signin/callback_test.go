package signin

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"stead/internal/stead"
)

// waiting starts a Begin whose browser goes nowhere, and returns where the browser was sent and how Begin ends.
func waiting(ctx context.Context, t *testing.T, s scene) (ask url.Values, ended <-chan error) {
	t.Helper()
	opened := make(chan url.Values, 1)
	s.cfg.OpenBrowser = func(address string) error {
		u, err := url.Parse(address)
		if err != nil {
			return err
		}
		opened <- u.Query()
		return nil
	}
	done := make(chan error, 1)
	go func() { done <- s.Begin(ctx) }()
	select {
	case q := <-opened:
		return q, done
	case err := <-done:
		t.Fatalf("Begin ended: %v", err)
		return nil, nil
	}
}

// answered goes to the provider as the browser would and returns the address it sends back to.
func answered(t *testing.T, s scene, ask url.Values) string {
	t.Helper()
	stay := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := stay.Get(s.idp.server.URL + "/authorize?" + ask.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.Header.Get("Location")
}

func knock(t *testing.T, method, address, host string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if host != "" {
		r.Host = host
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

func portIsFree(t *testing.T, redirect string) {
	t.Helper()
	u, err := url.Parse(redirect)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp4", u.Host)
	if err != nil {
		t.Errorf("the port is not free: %v", err)
		return
	}
	_ = l.Close()
}

func TestOnlyTheRightAnswerIsTaken(t *testing.T) {
	s := stage(t)
	ask, ended := waiting(t.Context(), t, s)
	right := answered(t, s, ask)
	at, _ := url.Parse(right)
	for name, c := range map[string]struct {
		method, address, host string
		want                  int
	}{
		"wrong state":     {"GET", strings.Replace(right, "state="+ask.Get("state"), "state=WRONGWRONGWRONGWRONGWRONGW", 1), "", 400},
		"no state":        {"GET", strings.Replace(right, "state=", "sate=", 1), "", 400},
		"error, no state": {"GET", ask.Get("redirect_uri") + "?error=access_denied", "", 400},
		"state twice":     {"GET", right + "&state=" + ask.Get("state"), "", 400},
		"code twice":      {"GET", right + "&code=code-mine", "", 400},
		"broken query":    {"GET", right + "&x=%zz", "", 400},
		"other path":      {"GET", "http://" + at.Host + "/?" + at.RawQuery, "", 404},
		"below":           {"GET", "http://" + at.Host + "/callback/?" + at.RawQuery, "", 404},
		"POST":            {"POST", right, "", 405},
		"HEAD":            {"HEAD", right, "", 405},
		"host by name":    {"GET", right, "localhost:" + at.Port(), 421},
		"rebound host":    {"GET", right, "evil.example:" + at.Port(), 421},
		"no port":         {"GET", right, "127.0.0.1", 421},
	} {
		if got, text := knock(t, c.method, c.address, c.host); got != c.want || strings.Contains(text, "code-") {
			t.Errorf("%s: %d %s", name, got, text)
		}
	}
	select {
	case err := <-ended:
		t.Fatalf("a stranger ended it: %v", err)
	default:
	}
	if s.idp.requests() != 0 {
		t.Error("a stranger's code was tried")
	}
	if got, text := knock(t, "GET", right, ""); got != http.StatusOK {
		t.Errorf("the right one: %d %s", got, text)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	portIsFree(t, ask.Get("redirect_uri"))
}

// Browsers open connections ahead of need and leave them idle.
func TestAnIdleConnectionDoesNotHoldBeginUp(t *testing.T) {
	s := stage(t)
	ask, ended := waiting(t.Context(), t, s)
	at, _ := url.Parse(ask.Get("redirect_uri"))
	idle, err := net.Dial("tcp4", at.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	began := time.Now()
	if got, text := knock(t, "GET", answered(t, s, ask), ""); got != http.StatusOK || !strings.Contains(text, "You are signed in") {
		t.Errorf("%d %s", got, text)
	}
	if err := <-ended; err != nil || time.Since(began) > 3*time.Second {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
}

func TestSecondBeginWaitsUntilTheFirstHasGone(t *testing.T) {
	s := stage(t)
	inside, release := make(chan struct{}), make(chan struct{})
	s.listen = func(ctx context.Context) (net.Listener, error) {
		s.listen = listenOnLoopback
		close(inside)
		<-release
		return nil, ctx.Err()
	}
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { first <- s.Begin(context.Background()) }()
	<-inside
	go func() { second <- s.Begin(context.Background()) }()
	select {
	case <-s.tab:
		t.Error("the second went ahead")
	case <-time.After(200 * time.Millisecond):
	}
	close(release)
	wantCode(t, <-first, stead.CodeSignInFailed, "another sign-in was started")
	if err := <-second; err != nil {
		t.Error(err)
	}
}

func TestAnswerIsTakenOnce(t *testing.T) {
	s := stage(t)
	asked, release := make(chan struct{}), make(chan struct{})
	s.idp.hijack = func(http.ResponseWriter, string) bool { close(asked); <-release; return false }
	ask, ended := waiting(t.Context(), t, s)
	right := answered(t, s, ask)
	first := make(chan int, 1)
	go func() { status, _ := knock(t, "GET", right, ""); first <- status }()
	<-asked
	if got, _ := knock(t, "GET", right, ""); got != http.StatusConflict {
		t.Errorf("the second time: %d", got)
	}
	close(release)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if got := <-first; got != http.StatusOK {
		t.Errorf("the first time: %d", got)
	}
}

func TestCancelledBeginFreesThePort(t *testing.T) {
	s := stage(t)
	ctx, cancel := context.WithCancel(t.Context())
	ask, ended := waiting(ctx, t, s)
	cancel()
	err := <-ended
	wantCode(t, err, stead.CodeSignInFailed, "cancelled")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	portIsFree(t, ask.Get("redirect_uri"))
}

func TestBeginGivesUp(t *testing.T) {
	s := stage(t)
	s.limit = 300 * time.Millisecond
	ask, ended := waiting(t.Context(), t, s)
	wantCode(t, <-ended, stead.CodeSignInFailed, "within five minutes")
	portIsFree(t, ask.Get("redirect_uri"))
}

func TestCancelledDuringTheExchange(t *testing.T) {
	s := stage(t)
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	s.idp.hijack = func(http.ResponseWriter, string) bool { cancel(); <-release; return false }
	wantCode(t, s.Begin(ctx), stead.CodeSignInFailed, "cancelled")
	close(release)
	if last := <-s.tab; last.status != http.StatusBadRequest {
		t.Errorf("last page: %d %s", last.status, last.text)
	}
	if s.SignedIn() {
		t.Error("signed in all the same")
	}
}

func TestWhatStopsARunningBegin(t *testing.T) {
	for detail, stop := range map[string]func(scene) error{
		"another sign-in was started": func(s scene) error {
			s.cfg.OpenBrowser = s.tab.open
			return s.Begin(context.Background())
		},
		"you signed out":   func(s scene) error { return s.SignOut(context.Background()) },
		"Stead is closing": func(s scene) error { return s.Close() },
	} {
		t.Run(detail, func(t *testing.T) {
			s := stage(t)
			ask, ended := waiting(t.Context(), t, s)
			if err := stop(s); err != nil {
				t.Fatal(err)
			}
			portIsFree(t, ask.Get("redirect_uri"))
			wantCode(t, <-ended, stead.CodeSignInFailed, detail)
			if want := detail == "another sign-in was started"; s.SignedIn() != want {
				t.Errorf("signed in: %v", !want)
			}
		})
	}
}

func TestNoPortToListenOn(t *testing.T) {
	s := stage(t)
	taken, err := listenOnLoopback(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	s.listen = func(ctx context.Context) (net.Listener, error) {
		var config net.ListenConfig
		return config.Listen(ctx, "tcp4", taken.Addr().String())
	}
	wantCode(t, s.Begin(t.Context()), stead.CodeSignInFailed, "no port")
}
