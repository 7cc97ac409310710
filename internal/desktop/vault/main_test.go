package vault

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Tests run against a real gnome-keyring on a session bus of their own, so that they never see the keyring of whoever
// runs them: TestMain starts this binary again inside one. The variable names what the inner run finds there.
const scene = "STEAD_VAULT_SCENE"

// How the inner runs are started. The keyring's password is empty.
const (
	unlockedKeyring = `printf '\n' | gnome-keyring-daemon --unlock --components=secrets >/dev/null && exec "$0" "$@"`
	emptyBus        = `exec "$0" "$@"`
)

func TestMain(m *testing.M) {
	if os.Getenv(scene) != "" {
		os.Exit(m.Run())
	}
	home, err := os.MkdirTemp("", "vault-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	cmd, err := inside(home, "keyring", unlockedKeyring, os.Args[1:]...)
	if err == nil {
		err = cmd.Run()
	}
	_ = os.RemoveAll(home)
	if err != nil {
		fmt.Fprintln(os.Stderr, "vault tests, inside a session bus with a keyring:", err)
		os.Exit(1)
	}
}

// inside plans a run of this test binary on a fresh session bus with its own home.
func inside(home, name, script string, args ...string) (*exec.Cmd, error) {
	for _, tool := range []string{"dbus-run-session", "gnome-keyring-daemon"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, fmt.Errorf("no keyring to test with: %s is missing; install dbus and gnome-keyring, or run build/test.sh", tool)
		}
	}
	run := filepath.Join(home, "run")
	if err := os.MkdirAll(run, 0o700); err != nil {
		return nil, err
	}
	cmd := exec.Command("dbus-run-session", append([]string{"--", "sh", "-c", script, os.Args[0]}, args...)...)
	cmd.Env = append(os.Environ(), scene+"="+name, "HOME="+home, "XDG_RUNTIME_DIR="+run, "XDG_DATA_HOME="+filepath.Join(home, "data"),
		"DISPLAY=", "WAYLAND_DISPLAY=", "DBUS_SESSION_BUS_ADDRESS=")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd, nil
}
