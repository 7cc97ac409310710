package client_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"stead/internal/desktop/client"
)

// proxy stands between this machine and everything else, and notes what it hears.
var proxy = struct {
	mu    sync.Mutex
	heard []string
}{}

// TestMain sets the proxy, which net/http reads only once.
func TestMain(m *testing.M) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proxy.mu.Lock()
		defer proxy.mu.Unlock()
		proxy.heard = append(proxy.heard, r.Host+" "+r.Header.Get("Authorization"))
		w.WriteHeader(http.StatusBadGateway)
	}))
	for name, value := range map[string]string{"HTTP_PROXY": server.URL, "http_proxy": server.URL, "NO_PROXY": "", "no_proxy": ""} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	code := m.Run()
	server.Close()
	os.Exit(code)
}

type bearer struct{}

func (bearer) Token(context.Context) (string, error) { return "access", nil }

func TestTokensForThisMachineGoToNoProxy(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer access" {
			t.Error("no token")
		}
		_, _ = w.Write([]byte(`{"id":"st-lena"}`))
	}))
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	proxy.mu.Lock()
	proxy.heard = nil
	proxy.mu.Unlock()
	ask := func(base string) (string, error) {
		c, err := client.New(base, bearer{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		me, err := c.Me(t.Context())
		return me.ID, err
	}
	for _, host := range []string{"platform.localhost", "Platform.LOCALHOST.", "localhost", "127.0.0.1"} {
		if id, err := ask("http://" + host + ":" + port); err != nil || id != "st-lena" {
			t.Errorf("%s: %q, %v", host, id, err)
		}
	}
	if _, err := ask("http://platform.test"); err == nil { // the proxy is there, and asked for what is elsewhere
		t.Error("platform.test answered")
	}
	proxy.mu.Lock()
	defer proxy.mu.Unlock()
	if len(proxy.heard) != 1 || !strings.HasPrefix(proxy.heard[0], "platform.test") {
		t.Errorf("the proxy heard %q", proxy.heard)
	}
}
