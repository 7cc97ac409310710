package signin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"
)

const callbackPath = "/callback"

// listenOnLoopback takes any free port; RFC 8252 section 7.3 has providers accept each of them.
func listenOnLoopback(ctx context.Context) (net.Listener, error) {
	var config net.ListenConfig
	return config.Listen(ctx, "tcp4", "127.0.0.1:0")
}

// callback waits on a loopback port for the one answer of one sign-in.
type callback struct {
	address string          // the redirect URI
	host    string          // what the Host header must say
	state   string          // what the answer must repeat
	answer  chan url.Values // holds the one answer

	taken   atomic.Bool   // the answer has come
	decided chan struct{} // closed when good is known
	good    bool
	shown   chan struct{} // closed when the answering tab has its page

	server *http.Server
	served chan struct{}
}

// serveCallback owns the listener; finish must be called.
func serveCallback(listener net.Listener, state string) *callback {
	host := listener.Addr().String()
	c := &callback{
		address: "http://" + host + callbackPath, host: host, state: state,
		answer: make(chan url.Values, 1), decided: make(chan struct{}), shown: make(chan struct{}), served: make(chan struct{}),
	}
	c.server = &http.Server{
		Handler:           c,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	go func() {
		defer close(c.served)
		_ = c.server.Serve(listener) // ends by finish
	}()
	return c
}

// finish shows the tab how it ended and frees the port. Nothing of the callback runs on when it returns.
func (c *callback) finish(good bool) {
	c.good = good
	close(c.decided)
	if c.taken.Load() {
		select {
		case <-c.shown:
		case <-time.After(time.Second): // the tab was closed, or does not read
		}
	}
	_ = c.server.Close()
	<-c.served
	if c.taken.Load() {
		<-c.shown
	}
}

// ServeHTTP takes the answer. A request without the right state is nobody we asked: it is refused and changes nothing, so
// that no other page or program can end a sign-in by knocking here.
func (c *callback) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer, err := url.ParseQuery(r.URL.RawQuery)
	switch {
	case r.Host != c.host:
		http.Error(w, "This is not the address of a sign-in.", http.StatusMisdirectedRequest)
	case r.URL.Path != callbackPath:
		http.Error(w, "There is nothing here.", http.StatusNotFound)
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, "This address takes GET.", http.StatusMethodNotAllowed)
	case err != nil || !each(answer) || subtle.ConstantTimeCompare([]byte(answer.Get("state")), []byte(c.state)) != 1:
		http.Error(w, "This answer belongs to no sign-in that Stead waits for.", http.StatusBadRequest)
	case !c.taken.CompareAndSwap(false, true):
		http.Error(w, "This sign-in was already answered.", http.StatusConflict)
	default:
		defer close(c.shown)
		c.answer <- answer
		<-c.decided
		showEnd(w, c.good)
	}
}

// each reports whether every parameter comes once (RFC 6749 section 3.1).
func each(answer url.Values) bool {
	for _, values := range answer {
		if len(values) != 1 {
			return false
		}
	}
	return true
}

const pageStyle = `:root{color-scheme:light dark;font-family:system-ui,sans-serif}body{margin:20vh auto;max-width:28rem;padding:0 1rem;text-align:center}`

// showEnd is the last the agent sees in the browser. It holds nothing but the sentence, and the browser is told so.
func showEnd(w http.ResponseWriter, good bool) {
	status, sentence := http.StatusOK, "You are signed in. Go back to Stead."
	if !good {
		status, sentence = http.StatusBadRequest, "The sign-in did not complete. Stead says why."
	}
	page := fmt.Sprintf("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">"+
		"<title>Stead</title><style>%s</style></head><body><h1>Stead</h1><p>%s</p></body></html>\n", pageStyle, sentence)
	style := sha256.Sum256([]byte(pageStyle))
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(style[:])+
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(page)))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer") // the address holds the code
	h.Set("Cache-Control", "no-store")
	h.Set("Connection", "close")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(page))
	_ = http.NewResponseController(w).Flush()
}
