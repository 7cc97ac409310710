package logoff

import (
	"os"
	"sync"
	"syscall"

	"github.com/godbus/dbus/v5"
)

const (
	loginName    = "org.freedesktop.login1"
	loginPath    = dbus.ObjectPath("/org/freedesktop/login1")
	loginManager = loginName + ".Manager"
)

// login listens to systemd-logind. A nil one does nothing.
type login struct {
	bus  *dbus.Conn
	tell func(Event)
	work sync.WaitGroup

	mu    sync.Mutex
	delay *os.File // while it is open, a shutdown waits for us; nil when it does not
}

// openLogin returns nil where there is no system bus or nothing that could be listened to: the signals still come.
func openLogin(tell func(Event)) *login {
	bus, err := dbus.ConnectSystemBus()
	if err != nil {
		return nil
	}
	for _, member := range []string{"PrepareForShutdown", "PrepareForSleep"} {
		if bus.AddMatchSignal(dbus.WithMatchObjectPath(loginPath), dbus.WithMatchInterface(loginManager), dbus.WithMatchMember(member)) != nil {
			_ = bus.Close() // nothing was begun with it
			return nil
		}
	}
	l := &login{bus: bus, tell: tell}
	heard := make(chan *dbus.Signal, 16)
	bus.Signal(heard)
	l.hold()
	l.work.Go(func() {
		for s := range heard { // the bus closes it
			l.hear(s)
		}
	})
	return l
}

func (l *login) hear(s *dbus.Signal) {
	if len(s.Body) != 1 || s.Path != loginPath || !l.isLogin(s.Sender) {
		return
	}
	begins, _ := s.Body[0].(bool)
	switch s.Name {
	case loginManager + ".PrepareForShutdown":
		if begins {
			l.tell(Leaving)
		} else { // it was called off
			l.hold()
		}
	case loginManager + ".PrepareForSleep":
		if !begins {
			l.tell(Woke)
		}
	}
}

// isLogin reports whether a name on the bus is systemd-logind's at present. Everybody on this machine may send signals,
// to all or to us alone, and nobody else may end the agent's session.
func (l *login) isLogin(sender string) bool {
	var owner string
	err := l.bus.BusObject().Call("org.freedesktop.DBus.GetNameOwner", 0, loginName).Store(&owner)
	return err == nil && sender == owner
}

// hold asks that a shutdown waits for release. Where that is not granted, it does not wait.
func (l *login) hold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.delay != nil {
		return
	}
	var fd dbus.UnixFD
	call := l.bus.Object(loginName, loginPath).Call(loginManager+".Inhibit", dbus.FlagNoAutoStart, "shutdown", "Stead", "A session is ended first", "delay")
	if call.Store(&fd) == nil {
		syscall.CloseOnExec(int(fd))                      // a browser that we start must not hold it for us
		l.delay = os.NewFile(uintptr(fd), "logind delay") //nolint:gosec // a descriptor is never negative
	}
}

func (l *login) release() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.delay != nil {
		_ = l.delay.Close() // that it is closed is all it is for
		l.delay = nil
	}
}

func (l *login) close() {
	if l == nil {
		return
	}
	_ = l.bus.Close() // ends hear as well
	l.work.Wait()
	l.release()
}
