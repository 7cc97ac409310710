//go:build !linux

package sqlite

import "testing"

// unprivileged runs f: elsewhere nobody runs the tests as an administrator.
func unprivileged(t *testing.T, _ string, f func()) {
	t.Helper()
	f()
}
