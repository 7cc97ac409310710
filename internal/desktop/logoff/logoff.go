// Package logoff tells when this desktop's person is about to lose it: the system ends their programs because they log
// off or because it shuts down, or it has just woken up.
//
// Signals tell it everywhere: SIGTERM and SIGHUP, for which Windows' events of the same meaning stand in. On Linux
// systemd-logind tells it earlier, and waits a few seconds for who asked it to.
package logoff

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// Event is what happened.
type Event string

// What Events tells.
const (
	Leaving Event = "leaving" // the person logs off or the system shuts down: seconds are left
	HungUp  Event = "hung_up" // the same by SIGHUP, on which a program is expected to end itself
	Woke    Event = "woke"    // the computer slept
)

// Watch tells Events until Close.
type Watch struct {
	events  chan Event
	signals chan os.Signal
	stop    chan struct{}
	work    sync.WaitGroup
	closing sync.Once
	login   *login // nil without systemd-logind
}

// Start begins to watch. From then on the signals no longer end the process: who starts a Watch ends it by itself. A SIGHUP that was ignored before, as nohup does, stays so.
func Start() *Watch {
	w := &Watch{events: make(chan Event, 8), signals: make(chan os.Signal, 4), stop: make(chan struct{})}
	signal.Notify(w.signals, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(w.signals, syscall.SIGHUP)
	}
	w.work.Go(func() {
		for {
			select {
			case s := <-w.signals:
				if s == syscall.SIGHUP {
					w.tell(HungUp)
				} else {
					w.tell(Leaving)
				}
			case <-w.stop:
				return
			}
		}
	})
	w.login = openLogin(w.tell)
	return w
}

// Events is closed by Close.
func (w *Watch) Events() <-chan Event { return w.events }

// Done lets the system go on with what Leaving announced. Without it the system waits until Close, or for as long as it
// is set up to (5 s by default).
func (w *Watch) Done() { w.login.release() }

// Close stops watching. Signals end the process again. Closing again does nothing.
func (w *Watch) Close() {
	w.closing.Do(func() {
		signal.Stop(w.signals)
		close(w.stop)
		w.login.close()
		w.work.Wait()
		close(w.events)
	})
}

// tell never blocks: who has not taken eight events will take the same from one.
func (w *Watch) tell(e Event) {
	select {
	case w.events <- e:
	default:
	}
}
