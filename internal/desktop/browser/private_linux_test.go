package browser

import (
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// TestABrowserThatHasEndedIsNotAsked: its number may be anybody's, here that of a stranger.
func TestABrowserThatHasEndedIsNotAsked(t *testing.T) {
	stranger := exec.Command("sleep", "60")
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = stranger.Wait(); close(ended) }()
	over := make(chan struct{})
	close(over)
	(&tied{&process{pid: stranger.Process.Pid, exited: over}}).ask()
	select {
	case <-ended:
		t.Error("somebody else's process was ended")
	case <-time.After(200 * time.Millisecond):
		_ = stranger.Process.Signal(syscall.SIGKILL)
		<-ended
	}
}
