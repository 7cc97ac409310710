//go:build linux

package browser

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"stead/internal/stead"
)

// policyVariable makes the helper a Stead on a machine whose policy forbids the pipe: first "mount", then "run".
const policyVariable = "BROWSER_TEST_POLICY"

// TestPrivateWherePolicyForbidsThePipe: the real Chromium under a managed policy refuses Launch, and LaunchPrivate opens
// the same browser.
func TestPrivateWherePolicyForbidsThePipe(t *testing.T) {
	needBrowser(t)
	app, r := newTaker(t), newRoot(t)
	ownPlaces(t)
	in, err := json.Marshal(privateOrder{Root: r.dir, Action: app.address + "/support/handoff", Code: string(app.code)})
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env, cmd.Stdin, cmd.Stderr = append(os.Environ(), policyVariable+"=mount"), strings.NewReader(string(in)), os.Stderr
	// A user and mounts of its own, in which it may lay a policy over the machine's.
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS, AmbientCaps: []uintptr{unix.CAP_SYS_ADMIN},
		UidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Skip("NOT RUN: no process may have a user and mounts of its own here: " + err.Error())
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	expect := func(want string) {
		t.Helper()
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("the helper said %q, want %q", lines.Text(), want)
		}
		t.Log(want)
	}
	if lines.Scan() && strings.HasPrefix(lines.Text(), "cannot mount") {
		t.Skip("NOT RUN: " + lines.Text()) // some systems do not let it
	}
	if lines.Text() != "mounted" {
		t.Fatalf("the helper said %q", lines.Text())
	}
	expect("launch: browser_policy")
	expect("opened: chromium")
	app.wantOpened(t)
	expect("clean: true")
}

// runUnderPolicy is the helper.
func runUnderPolicy(stage string) {
	if stage == "mount" {
		if err := mountPolicy(); err != nil {
			fmt.Println("cannot mount:", err)
			os.Exit(1)
		}
		fmt.Println("mounted")
		// Again, without the right to mount: the browser's own sandbox must not begin with it.
		runtime.LockOSThread()
		_ = unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
		_ = os.Setenv(policyVariable, "run")
		self, err := os.Executable()
		if err == nil {
			err = syscall.Exec(self, os.Args, os.Environ())
		}
		fmt.Println("error:", err)
		os.Exit(1)
	}
	if err := openUnderPolicy(); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

func mountPolicy() error {
	if err := unix.Mount("none", "/etc/chromium", "tmpfs", 0, "size=64k"); err != nil {
		return err
	}
	const managed = "/etc/chromium/policies/managed"
	if err := os.MkdirAll(managed, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(managed, "pipe.json"), []byte(`{"RemoteDebuggingAllowed": false}`), 0o644)
}

func openUnderPolicy() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var order privateOrder
	if err := json.NewDecoder(os.Stdin).Decode(&order); err != nil {
		return err
	}
	r, err := OpenRoot(order.Root)
	if err != nil {
		return err
	}
	_, err = r.Launch(ctx, "s1")
	fmt.Println("launch:", stead.CodeOf(err))
	p, err := r.LaunchPrivate(ctx, "s1")
	if err != nil {
		return err
	}
	err = p.Open(ctx, Visit{Form: Form{Action: order.Action, Code: stead.Secret(order.Code)}})
	fmt.Println("opened:", filepath.Base(p.claim.rec.Exe))
	time.Sleep(3 * time.Second) // for the page, which the parent sees
	wipe, closed := p.Close(ctx)
	fmt.Println("clean:", wipe.Clean && closed == nil)
	return err
}
