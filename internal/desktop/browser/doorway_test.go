package browser

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"stead/internal/stead"
)

func openDoor(t *testing.T) *doorway {
	t.Helper()
	d, err := openDoorway()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.close)
	return d
}

// knock asks a doorway as a stranger's program would.
func knock(t *testing.T, method, address, host string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if host != "" {
		r.Host = host
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

func isDone(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

const secondCode = "the-code-of-the-second-test"

func TestTheDoorwayShowsItsPageOnce(t *testing.T) {
	d := openDoor(t)
	if len(d.path) < 44 || !strings.HasPrefix(d.address(), "http://127.0.0.1:") {
		t.Errorf("address %s", d.address())
	}
	for _, elsewhere := range []string{"/", "/favicon.ico", d.path + "x", "/x" + d.path, d.path[:20]} {
		if res, body := knock(t, "GET", "http://"+d.host+elsewhere, ""); res.StatusCode != http.StatusNotFound || body != "" {
			t.Errorf("%s: %d %q", elsewhere, res.StatusCode, body)
		}
	}
	if isDone(d.contested) || isDone(d.came) {
		t.Fatal("who guesses is taken for the browser")
	}
	d.form <- Form{Action: `https://portal.test/support/handoff?"><script>`, Code: secondCode}
	res, body := knock(t, "GET", d.address(), "")
	if res.StatusCode != http.StatusOK || !strings.Contains(body, `name="code" value="`+secondCode+`"`) || strings.Contains(body, `"><script>`) {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	for name, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	csp := res.Header.Get("Content-Security-Policy")
	if !strings.HasPrefix(csp, "default-src 'none'; script-src 'sha256-") || !strings.Contains(csp, "form-action https://portal.test;") {
		t.Errorf("policy %q", csp)
	}
	if isDone(d.contested) {
		t.Fatal("contested by its own browser")
	}
	again, body := knock(t, "GET", d.address(), "")
	if again.StatusCode != http.StatusGone || body != "" || !isDone(d.contested) {
		t.Errorf("a second time: %d %q", again.StatusCode, body)
	}
	d.close()
	if r, err := http.Get(d.address()); err == nil {
		_ = r.Body.Close()
		t.Error("the port is open after close")
	}
}

// TestWhoeverIsWrongAtTheDoorwayGetsNothing: and nobody gets anything after them.
func TestWhoeverIsWrongAtTheDoorwayGetsNothing(t *testing.T) {
	for name, try := range map[string]struct{ method, more, host string }{
		"another method":    {"POST", "", ""},
		"with a query":      {"GET", "?x=1", ""},
		"by another name":   {"GET", "", "attacker.test"},
		"by a similar name": {"GET", "", "localhost"},
	} {
		t.Run(name, func(t *testing.T) {
			d := openDoor(t)
			d.form <- Form{Action: "https://portal.test/support/handoff", Code: secondCode}
			for range 2 {
				if res, body := knock(t, try.method, d.address()+try.more, try.host); res.StatusCode != http.StatusGone || body != "" {
					t.Errorf("%d %q", res.StatusCode, body)
				}
			}
			if res, body := knock(t, "GET", d.address(), ""); res.StatusCode != http.StatusGone || strings.Contains(body, secondCode) || !isDone(d.contested) {
				t.Errorf("and then properly: %d %q", res.StatusCode, body)
			}
		})
	}
}

// TestASecondVisitorSpoilsItForTheFirst: while the first still waits for the code, neither gets it.
func TestASecondVisitorSpoilsItForTheFirst(t *testing.T) {
	d := openDoor(t)
	p := &Private{door: d, proc: &tied{process: &process{exited: make(chan struct{})}}}
	first := make(chan string, 1)
	go func() {
		_, body := knock(t, "GET", d.address(), "")
		first <- body
	}()
	<-d.came
	if res, _ := knock(t, "GET", d.address(), ""); res.StatusCode != http.StatusGone {
		t.Errorf("the second got %d", res.StatusCode)
	}
	err := p.Open(t.Context(), Visit{Form: Form{Action: "https://portal.test/support/handoff", Code: secondCode}})
	if stead.CodeOf(err) != stead.CodeBrowserContested {
		t.Errorf("Open: %v", err)
	}
	select {
	case body := <-first:
		if body != "" {
			t.Errorf("the first got %q", body)
		}
	case <-time.After(5 * time.Second):
		t.Error("the first still waits")
	}
}
