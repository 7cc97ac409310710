package stead

import (
	"net"
	"net/url"
	"strings"
)

// Loopback reports whether a host name or address stays on this machine: loopback addresses, localhost, and the names
// under it (RFC 6761 6.3).
func Loopback(host string) bool {
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback()
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// StaysPrivate reports whether what is sent to this address cannot be read on the way: https, or http that does not
// leave this machine. An address with a user or password in it is none to send anything to.
func StaysPrivate(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.User != nil {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && Loopback(u.Hostname())
}
