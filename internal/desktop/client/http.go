package client

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"time"

	"stead/internal/stead"
)

// NewHTTP returns an HTTP client with sane limits. Names under .localhost are dialled on the loopback interface, as
// RFC 6761 6.3 asks for and many resolvers do not do, and nothing that is meant for this machine goes to a proxy: the
// access token would leave the machine in clear.
func NewHTTP() *http.Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy = func(r *http.Request) (*url.URL, error) {
		if stead.Loopback(r.URL.Hostname()) {
			return nil, nil // no proxy
		}
		return http.ProxyFromEnvironment(r)
	}
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if host, port, err := net.SplitHostPort(addr); err == nil && net.ParseIP(host) == nil && stead.Loopback(host) {
			addr = net.JoinHostPort("127.0.0.1", port)
		}
		return dialer.DialContext(ctx, network, addr)
	}
	t.ResponseHeaderTimeout = requestLimit
	return &http.Client{Timeout: requestLimit, Transport: t}
}
