package signin

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

// openEnv makes this test binary open an address in the default browser and end.
const openEnv = "SIGNIN_TEST_OPEN"

func TestMain(m *testing.M) {
	if address := os.Getenv(openEnv); address != "" {
		if err := openDefaultBrowser(address); err != nil {
			os.Exit(3)
		}
		os.Exit(0)
	}
	// A proxy where nothing listens: what stays on this machine must not ask for it. net/http reads this only once.
	for name, value := range map[string]string{"HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": "", "no_proxy": ""} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

func TestNamesUnderLocalhostStayOnThisMachine(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Host) }))
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	client := guarded(nil)
	defer client.CloseIdleConnections()
	for _, host := range []string{"platform.localhost", "localhost", "127.0.0.1"} {
		resp, err := client.Get("http://" + host + ":" + port)
		if err != nil {
			t.Error(err)
			continue
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(text) != host+":"+port {
			t.Errorf("asked %s as %q", host, text)
		}
	}
}

func TestEndlessAnswersAreCutOff(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.Copy(w, io.LimitReader(strings.NewReader(strings.Repeat("x", 4*answerLimit)), 4*answerLimit))
	}))
	defer server.Close()
	for name, base := range map[string]*http.Client{"own": nil, "given": server.Client()} {
		resp, err := guarded(base).Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if len(text) != answerLimit {
			t.Errorf("%s: read %d bytes", name, len(text))
		}
	}
	if server.Client().CheckRedirect != nil {
		t.Error("the caller's client was changed")
	}
}
