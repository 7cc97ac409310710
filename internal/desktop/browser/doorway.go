package browser

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"html"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"stead/internal/stead"
)

// doorway serves one page, once: it posts a session's one-time code to the member app. Its address can be read in the
// browser's arguments by others on this machine, so whoever comes second, the browser included, is refused, and the
// session with it: one of the two was a stranger.
type doorway struct {
	host, path string
	server     *http.Server
	ours       func(peer, own string) bool // samePerson
	served     chan struct{}               // closed when the page is written
	came       chan struct{}               // closed when the page was asked for
	contested  chan struct{}               // closed when it was asked for again, by another user, or in a way that no browser does
	closed     chan struct{}
	ended      chan struct{} // closed when the server has ended
	form       chan Form     // what the page will hold; the one who came waits for it

	mu   sync.Mutex
	used bool
	once struct{ contest, close sync.Once }
}

// Form is what a browser that nothing controls is opened with: a page posts the code to the member app, which sets the
// credential itself.
type Form struct {
	Action string // http or https, at the member app
	Code   stead.Secret
}

// submit is the page's only script. It runs while the page is loading, so that the browser replaces the page, and
// nobody comes back to it by Back.
const submit = "document.forms[0].submit()"

// openDoorway listens on a free port of this machine. The caller closes it.
func openDoorway() (*doorway, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	var nonce [32]byte
	rand.Read(nonce[:]) // never fails since Go 1.24
	d := &doorway{host: listener.Addr().String(), path: "/" + base64.RawURLEncoding.EncodeToString(nonce[:]),
		served: make(chan struct{}), came: make(chan struct{}), contested: make(chan struct{}), closed: make(chan struct{}),
		ended: make(chan struct{}), form: make(chan Form, 1), ours: samePerson}
	d.server = &http.Server{Handler: d, ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 64 << 10, ErrorLog: nil}
	d.server.SetKeepAlivesEnabled(false)
	go func() {
		defer close(d.ended)
		_ = d.server.Serve(listener) // ends with close
	}()
	return d, nil
}

// address is what the browser is started with.
func (d *doorway) address() string { return "http://" + d.host + d.path }

// ServeHTTP answers the page to the first who asks for it properly, and to nobody else.
func (d *doorway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'")
	if subtle.ConstantTimeCompare([]byte(r.URL.Path), []byte(d.path)) != 1 {
		w.WriteHeader(http.StatusNotFound) // a browser asks for an icon, others for whatever they like
		return
	}
	if !d.ours(r.RemoteAddr, d.host) || !d.take() || r.Method != http.MethodGet || r.Host != d.host || r.URL.RawQuery != "" {
		d.contest()
		w.WriteHeader(http.StatusGone)
		return
	}
	close(d.came)
	select {
	case f := <-d.form:
		d.write(w, f)
	case <-d.contested:
		w.WriteHeader(http.StatusGone)
	case <-d.closed:
		w.WriteHeader(http.StatusGone)
	case <-r.Context().Done():
	}
}

// take reports whether nobody took it before.
func (d *doorway) take() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	first := !d.used
	d.used = true
	return first
}

func (d *doorway) contest() { d.once.contest.Do(func() { close(d.contested) }) }

func (d *doorway) isContested() bool {
	select {
	case <-d.contested:
		return true
	default:
		return false
	}
}

func (d *doorway) write(w http.ResponseWriter, f Form) {
	defer close(d.served)
	action, err := url.Parse(f.Action)
	if err != nil || d.isContested() {
		w.WriteHeader(http.StatusGone)
		return
	}
	hash := sha256.Sum256([]byte(submit))
	w.Header().Set("Content-Security-Policy", fmt.Sprintf("default-src 'none'; script-src 'sha256-%s'; form-action %s://%s; base-uri 'none'; frame-ancestors 'none'",
		base64.StdEncoding.EncodeToString(hash[:]), action.Scheme, action.Host))
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	var page strings.Builder
	fmt.Fprintf(&page, `<!doctype html><html lang="en"><meta charset="utf-8"><title>Stead</title>`+
		`<form method="post" action="%s"><input type="hidden" name="code" value="%s"><noscript><button>Open the session</button></noscript></form>`+
		"<script>%s</script></html>\n", html.EscapeString(f.Action), html.EscapeString(string(f.Code)), submit)
	_, _ = w.Write([]byte(page.String())) // if nobody reads it, the member app will hear nothing, and Open says so
}

// close ends the server and waits for it; a page that is being written is finished first.
func (d *doorway) close() {
	d.once.close.Do(func() {
		close(d.closed)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if d.server.Shutdown(ctx) != nil {
			_ = d.server.Close()
		}
	})
	<-d.ended
}
