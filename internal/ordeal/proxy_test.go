//go:build linux && !race

package ordeal

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
)

// prank is what stands between a device and its platform may do to one request.
type prank struct {
	name   string
	weight int
	play   func(p *pranks, w http.ResponseWriter, r *http.Request, body []byte)
}

// allPranks lists them. Some let the platform store the batch and lose its answer; some never let it arrive.
func allPranks() []prank {
	after := func(answer func(w http.ResponseWriter, r *http.Request, a reaction)) func(*pranks, http.ResponseWriter, *http.Request, []byte) {
		return func(p *pranks, w http.ResponseWriter, r *http.Request, body []byte) {
			a, err := p.forward(r, body)
			if err != nil {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			answer(w, r, a)
		}
	}
	before := func(status int, contentType, text string) func(*pranks, http.ResponseWriter, *http.Request, []byte) {
		return func(_ *pranks, w http.ResponseWriter, _ *http.Request, _ []byte) {
			w.Header().Set("Content-Type", contentType)
			w.Header().Set("Retry-After", "1") // where there is a 429
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
		}
	}
	reset := func(w http.ResponseWriter) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		if tls, ok := conn.(interface{ NetConn() net.Conn }); ok {
			conn = tls.NetConn() // without TLS's goodbye
		}
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
	}
	return []prank{
		{"nothing", 42, after(func(w http.ResponseWriter, _ *http.Request, a reaction) { a.write(w, a.body) })},
		{"sent twice", 8, func(p *pranks, w http.ResponseWriter, r *http.Request, body []byte) {
			_, first := p.forward(r, body)
			a, second := p.forward(r, body)
			if errors.Join(first, second) == nil {
				a.write(w, a.body)
			}
		}},
		{"sent twice at once", 6, func(p *pranks, w http.ResponseWriter, r *http.Request, body []byte) {
			var other sync.WaitGroup
			other.Go(func() { _, _ = p.forward(r, body) })
			a, err := p.forward(r, body)
			other.Wait()
			if err == nil {
				a.write(w, a.body)
			}
		}},
		{"an old one sent again", 6, func(p *pranks, w http.ResponseWriter, r *http.Request, body []byte) {
			if old := p.anOldOne(r.URL.Path); old != nil {
				_, _ = p.forward(r, old)
			}
			if a, err := p.forward(r, body); err == nil {
				a.write(w, a.body)
			}
		}},
		{"stored, then no answer", 2, after(func(_ http.ResponseWriter, r *http.Request, _ reaction) {
			<-r.Context().Done() // the device gives up
		})},
		{"stored, then 500", 6, after(func(w http.ResponseWriter, _ *http.Request, _ reaction) {
			w.WriteHeader(http.StatusInternalServerError)
		})},
		{"stored, then half of the JSON", 6, after(func(w http.ResponseWriter, _ *http.Request, a reaction) { a.write(w, a.body[:len(a.body)/2]) })},
		{"stored, then an answer cut short", 4, after(func(w http.ResponseWriter, _ *http.Request, a reaction) {
			w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
			a.write(w, a.body[:len(a.body)/2])
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		})},
		{"stored, then reset", 5, after(func(w http.ResponseWriter, _ *http.Request, _ reaction) { reset(w) })},
		{"reset", 5, func(_ *pranks, w http.ResponseWriter, _ *http.Request, _ []byte) { reset(w) }},
		{"500", 4, before(http.StatusInternalServerError, "text/plain", "sorry")},
		{"429", 2, before(http.StatusTooManyRequests, "text/plain", "slow down")},
		{"a page of the hotel's", 4, before(http.StatusOK, "text/html", "<html>Welcome to our Wi-Fi</html>")},
	}
}

// pranks is a reverse proxy over TLS that plays them.
type pranks struct {
	*httptest.Server
	to   string
	list []prank

	mu     sync.Mutex
	rng    *rand.Rand
	played map[string]int
	old    map[string][][]byte // bodies, by path
}

func newPranks(t *testing.T, to string, rng *rand.Rand) *pranks {
	t.Helper()
	p := &pranks{to: to, list: allPranks(), rng: rng, played: map[string]int{}, old: map[string][][]byte{}}
	p.Server = httptest.NewTLSServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.Close)
	return p
}

func (p *pranks) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	p.draw(r, body).play(p, w, r, body)
}

func (p *pranks) draw(r *http.Request, body []byte) prank {
	p.mu.Lock()
	defer p.mu.Unlock()
	if list := p.old[r.URL.Path]; len(list) < 20 {
		p.old[r.URL.Path] = append(list, body)
	} else {
		list[p.rng.IntN(len(list))] = body
	}
	if n := len(p.played); n < len(p.list) { // each once, before chance decides
		p.played[p.list[n].name]++
		return p.list[n]
	}
	sum := 0
	for _, k := range p.list {
		sum += k.weight
	}
	at := p.rng.IntN(sum)
	for _, k := range p.list {
		if at -= k.weight; at < 0 {
			p.played[k.name]++
			return k
		}
	}
	panic("the weights have no sum")
}

func (p *pranks) anOldOne(path string) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.old[path]
	return list[p.rng.IntN(len(list))]
}

// reaction is the platform's answer.
type reaction struct {
	status int
	header http.Header
	body   []byte
}

// forward sends the request on and waits for the answer even if the device does not.
func (p *pranks) forward(r *http.Request, body []byte) (reaction, error) {
	ctx := context.WithoutCancel(r.Context())
	again, err := http.NewRequestWithContext(ctx, r.Method, p.to+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return reaction{}, err
	}
	again.Header = r.Header.Clone()
	again.Header.Del("Accept-Encoding")
	resp, err := http.DefaultClient.Do(again)
	if err != nil {
		return reaction{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	a := reaction{status: resp.StatusCode, header: resp.Header}
	a.body, err = io.ReadAll(resp.Body)
	return a, err
}

func (a reaction) write(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", a.header.Get("Content-Type"))
	w.WriteHeader(a.status)
	_, _ = w.Write(body)
}
