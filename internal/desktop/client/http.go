package client

import (
	"context"
	"net"
	"net/http"
	"strings"
	"time"
)

// NewHTTP returns an HTTP client with sane limits. Names under .localhost are dialled on the loopback interface, as
// RFC 6761 6.3 asks for and many resolvers do not do.
func NewHTTP() *http.Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(addr)
		if err == nil && (host == "localhost" || strings.HasSuffix(host, ".localhost")) {
			addr = net.JoinHostPort("127.0.0.1", port)
		}
		return dialer.DialContext(ctx, network, addr)
	}
	t.ResponseHeaderTimeout = requestLimit
	return &http.Client{Timeout: requestLimit, Transport: t}
}
