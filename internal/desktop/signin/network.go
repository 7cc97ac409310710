package signin

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/pkg/browser"

	"stead/internal/stead"
)

const (
	requestLimit = 15 * time.Second
	answerLimit  = 1 << 20
)

// safeAddress reports whether secrets may be sent to this address: https, or http that cannot leave this machine.
func safeAddress(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.User != nil {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && stead.Loopback(u.Hostname())
}

// bareAddress reports whether an address is scheme, host and path alone, as OpenID Connect Discovery wants an issuer.
func bareAddress(address string) bool { return !strings.ContainsAny(address, "?#") }

// guarded returns a client like base that follows no redirect, since one would carry a code or token to wherever the answer
// says, and reads no endless answer.
func guarded(base *http.Client) *http.Client {
	own := http.Client{Transport: newTransport()}
	if base != nil {
		own = *base
	}
	if own.Transport == nil {
		own.Transport = http.DefaultTransport
	}
	if own.Timeout == 0 {
		own.Timeout = requestLimit
	}
	own.Transport = bounded{own.Transport}
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}

func newTransport() *http.Transport {
	dialer := net.Dialer{Timeout: 5 * time.Second}
	return &http.Transport{
		Proxy: func(r *http.Request) (*url.URL, error) {
			if stead.Loopback(r.URL.Hostname()) {
				return nil, nil // no proxy
			}
			return http.ProxyFromEnvironment(r)
		},
		// Names under localhost are asked of nobody: a resolver that knows no better would send them out of this machine.
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if host, port, err := net.SplitHostPort(address); err == nil && net.ParseIP(host) == nil && stead.Loopback(host) {
				address = net.JoinHostPort("127.0.0.1", port)
			}
			return dialer.DialContext(ctx, network, address)
		},
		TLSHandshakeTimeout:   5 * time.Second,
		ResponseHeaderTimeout: 10 * time.Second,
		IdleConnTimeout:       30 * time.Second,
		ForceAttemptHTTP2:     true,
	}
}

// bounded cuts answers off at answerLimit.
type bounded struct{ http.RoundTripper }

// RoundTrip is http.RoundTripper's.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, answerLimit), resp.Body}
	return resp, nil
}

// CloseIdleConnections is what http.Client.CloseIdleConnections looks for.
func (b bounded) CloseIdleConnections() {
	if c, ok := b.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// silence stops pkg/browser from passing on what the browser prints. With nil and not io.Discard, it also does not wait for
// every process that inherits the pipe.
var silence = sync.OnceFunc(func() { browser.Stdout, browser.Stderr = nil, nil })

// openDefaultBrowser returns when the system's opener ends, which on a desktop without one is when the browser does.
func openDefaultBrowser(address string) error {
	silence()
	return browser.OpenURL(address)
}
