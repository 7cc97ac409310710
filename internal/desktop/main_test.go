package desktop

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Tests run against a real gnome-keyring on a session bus of their own, so that they never see the keyring of whoever
// runs them: TestMain starts this binary again inside one.
const inside = "STEAD_DESKTOP_INSIDE"

// keyring starts a keyring with an empty password and then the command.
const keyring = `printf '\n' | gnome-keyring-daemon --unlock --components=secrets >/dev/null && exec "$0" "$@"`

func TestMain(m *testing.M) {
	if os.Getenv(inside) != "" {
		os.Exit(m.Run())
	}
	home, err := os.MkdirTemp("", "desktop-test-")
	if err == nil {
		err = rerun(home)
		_ = os.RemoveAll(home)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "desktop tests, inside a session bus with a keyring:", err)
		os.Exit(1)
	}
}

func rerun(home string) error {
	for _, tool := range []string{"dbus-run-session", "gnome-keyring-daemon"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("no keyring to test with: %s is missing; install dbus and gnome-keyring, or run build/test.sh", tool)
		}
	}
	run := filepath.Join(home, "run")
	if err := os.MkdirAll(run, 0o700); err != nil {
		return err
	}
	cmd := exec.Command("dbus-run-session", append([]string{"--", "sh", "-c", keyring, os.Args[0]}, os.Args[1:]...)...)
	cmd.Env = append(os.Environ(), inside+"=1", "HOME="+home, "XDG_RUNTIME_DIR="+run, "XDG_DATA_HOME="+filepath.Join(home, "data"),
		"DISPLAY=", "WAYLAND_DISPLAY=", "DBUS_SESSION_BUS_ADDRESS=")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}
