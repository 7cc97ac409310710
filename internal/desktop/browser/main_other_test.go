//go:build !linux

package browser

import (
	"os"
	"testing"
)

// On Linux the tests with a real browser have a TestMain that knows their helper as well.
func TestMain(m *testing.M) {
	if runFake() {
		return
	}
	os.Exit(m.Run())
}
