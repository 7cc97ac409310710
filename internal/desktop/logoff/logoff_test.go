//go:build linux

package logoff_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"stead/internal/desktop/logoff"
)

func next(t *testing.T, w *logoff.Watch) logoff.Event {
	t.Helper()
	select {
	case e := <-w.Events():
		return e
	case <-time.After(10 * time.Second):
		t.Fatal("nothing is told")
		return ""
	}
}

func TestSignalsTellAndDoNotEndTheProcess(t *testing.T) {
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+filepath.Join(t.TempDir(), "none"))
	w := logoff.Start()
	for sig, want := range map[syscall.Signal]logoff.Event{syscall.SIGTERM: logoff.Leaving, syscall.SIGHUP: logoff.HungUp} {
		if err := syscall.Kill(os.Getpid(), sig); err != nil {
			t.Fatal(err)
		}
		if e := next(t, w); e != want {
			t.Errorf("%v told %q", sig, e)
		}
	}
	w.Done()
	w.Close()
	if e, ok := <-w.Events(); ok {
		t.Errorf("told %q after the end", e)
	}
}

// logind stands in for systemd-logind on a bus of the test's own.
type logind struct {
	bus  *dbus.Conn
	held atomic.Pointer[os.File] // the end that sees whether the delay is still held
}

func (l *logind) Inhibit(what, who, _, mode string) (dbus.UnixFD, *dbus.Error) {
	if what != "shutdown" || who != "Stead" || mode != "delay" {
		return 0, dbus.NewError("org.freedesktop.DBus.Error.AccessDenied", nil)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return 0, dbus.MakeFailedError(err)
	}
	l.held.Store(r)
	fd := dbus.UnixFD(w.Fd())
	go func() { time.Sleep(time.Second); w.Close() }() // sent by then
	return fd, nil
}

func (l *logind) emit(t *testing.T, member string, begins bool) {
	t.Helper()
	if err := l.bus.Emit("/org/freedesktop/login1", "org.freedesktop.login1.Manager."+member, begins); err != nil {
		t.Fatal(err)
	}
}

func newLogind(t *testing.T) *logind {
	t.Helper()
	address := "unix:path=" + filepath.Join(t.TempDir(), "bus")
	daemon := exec.Command("dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address", "--address="+address)
	out, err := daemon.StdoutPipe()
	if err == nil {
		err = daemon.Start()
	}
	if err != nil {
		t.Fatal("this test needs dbus-daemon: ", err)
	}
	t.Cleanup(func() { _ = daemon.Process.Kill(); _ = daemon.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", strings.TrimSpace(line))
	bus, err := dbus.Connect(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bus.Close() })
	l := &logind{bus: bus}
	if err := bus.Export(l, "/org/freedesktop/login1", "org.freedesktop.login1.Manager"); err != nil {
		t.Fatal(err)
	}
	if _, err := bus.RequestName("org.freedesktop.login1", dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLogindTellsAndWaits(t *testing.T) {
	l := newLogind(t)
	w := logoff.Start()
	defer w.Close()
	if l.held.Load() == nil {
		t.Fatal("no delay was asked for")
	}
	l.emit(t, "PrepareForSleep", true)
	l.emit(t, "PrepareForSleep", false)
	if e := next(t, w); e != logoff.Woke {
		t.Fatalf("told %q", e)
	}
	l.emit(t, "PrepareForShutdown", true)
	if e := next(t, w); e != logoff.Leaving {
		t.Fatalf("told %q", e)
	}
	released := make(chan struct{})
	first := l.held.Load()
	go func() { _, _ = first.Read(make([]byte, 1)); close(released) }() // ends when all copies are closed
	select {
	case <-released:
		t.Fatal("the system may go on before Done")
	case <-time.After(1500 * time.Millisecond): // longer than logind's own copy lives
	}
	w.Done()
	select {
	case <-released:
	case <-time.After(5 * time.Second):
		t.Error("the system still waits")
	}
	l.emit(t, "PrepareForShutdown", false) // called off: the next one waits again
	for deadline := time.Now().Add(5 * time.Second); l.held.Load() == first; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no new delay was asked for")
		}
	}
}

func TestOnlyLogindIsBelieved(t *testing.T) {
	l := newLogind(t)
	w := logoff.Start()
	defer w.Close()
	stranger, err := dbus.Connect(os.Getenv("DBUS_SYSTEM_BUS_ADDRESS"))
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	if err := stranger.Emit("/org/freedesktop/login1", "org.freedesktop.login1.Manager.PrepareForShutdown", true); err != nil {
		t.Fatal(err)
	}
	if err := stranger.BusObject().Call("org.freedesktop.DBus.GetId", 0).Err; err != nil { // so the bus has passed the signal on
		t.Fatal(err)
	}
	l.emit(t, "PrepareForSleep", false)
	if e := next(t, w); e != logoff.Woke {
		t.Errorf("a stranger's word told %q", e)
	}
}
