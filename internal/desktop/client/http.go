package client

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// NewHTTP returns an HTTP client with sane limits. Names under .localhost are dialled on the loopback interface, as
// RFC 6761 6.3 asks for and many resolvers do not do, and nothing that is meant for this machine goes to a proxy: the
// access token would leave the machine in clear.
func NewHTTP() *http.Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy = func(r *http.Request) (*url.URL, error) {
		if isLoopback(r.URL.Hostname()) {
			return nil, nil // no proxy
		}
		return http.ProxyFromEnvironment(r)
	}
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if host, port, err := net.SplitHostPort(addr); err == nil && net.ParseIP(host) == nil && isLoopback(host) {
			addr = net.JoinHostPort("127.0.0.1", port)
		}
		return dialer.DialContext(ctx, network, addr)
	}
	t.ResponseHeaderTimeout = requestLimit
	return &http.Client{Timeout: requestLimit, Transport: t}
}

// isLoopback knows the names that RFC 6761 section 6.3 keeps on this machine, and its addresses.
func isLoopback(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
