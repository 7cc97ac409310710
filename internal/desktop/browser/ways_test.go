//go:build linux

package browser

import (
	"context"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// children lists the living processes of the browser's group of one type, as its arguments say it.
func children(b *Browser, kind string) []int {
	var found []int
	for _, pid := range processes() {
		cmdline, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
		group, gone := syscall.Getpgid(pid)
		if err == nil && gone == nil && group == b.PID() && strings.Contains(string(cmdline), "--type="+kind) {
			found = append(found, pid)
		}
	}
	return found
}

func signalAll(t *testing.T, pids []int, sig syscall.Signal) {
	t.Helper()
	if len(pids) == 0 {
		t.Fatal("there is no such process")
	}
	for _, pid := range pids {
		_ = syscall.Kill(pid, sig) // it may just have ended
	}
}

// quiet fails when anything is told within the time.
func quiet(t *testing.T, b *Browser, limit time.Duration) {
	t.Helper()
	select {
	case ev := <-b.Events():
		t.Fatalf("got %+v", ev)
	case <-time.After(limit):
	}
}

func TestPagesThatAllCrashedAreACrash(t *testing.T) {
	b, _ := open(t, newMemberApp(t), "/")
	begin := time.Now()
	signalAll(t, children(b, "renderer"), syscall.SIGKILL)
	if ev := nextEvent(t, b, time.Second); ev != (Event{Kind: Closed, Cause: BrowserGone}) {
		t.Fatalf("got %+v", ev)
	}
	t.Logf("told after %v", time.Since(begin))
}

// A page that crashed among others, or that is loaded again at once, ends nothing; the other's end then does not either.
func TestACrashedPageThatIsLoadedAgainLives(t *testing.T) {
	app := newMemberApp(t)
	b, ctx := open(t, app, "/")
	if err := b.Hand().Click(ctx, "#noopener"); err != nil { // in a process of its own
		t.Fatal(err)
	}
	second, err := b.NextPage(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := second.WaitText(ctx, "Noopener page"); err != nil {
		t.Fatal(err)
	}
	p, err := second.page()
	if err != nil {
		t.Fatal(err)
	}
	b.client.Send(p.session, "Page.crash", nil)
	if err := b.until(ctx, func() bool { return p.crashed }); err != nil {
		t.Fatal(err)
	}
	quiet(t, b, settleTime+askTime+200*time.Millisecond)
	b.client.Send(p.session, "Page.reload", nil)
	if err := b.until(ctx, func() bool { return !p.crashed }); err != nil {
		t.Fatal("loaded again and still taken for crashed: ", err)
	}
	wantBanner(ctx, t, second)
	if err := b.Hand().CloseWindow(ctx); err != nil {
		t.Fatal(err)
	}
	quiet(t, b, settleTime+askTime+200*time.Millisecond)
	if err := second.CloseWindow(ctx); err != nil {
		t.Fatal(err)
	}
	if ev := nextEvent(t, b, time.Second); ev.Cause != WindowClosed {
		t.Errorf("got %+v", ev)
	}
}

// The browser starts its graphics process again a few times; when it gives up it ends itself.
func TestTheGraphicsProcessMayDieOnceAndNotForGood(t *testing.T) {
	b, ctx := open(t, newMemberApp(t), "/")
	signalAll(t, children(b, "gpu-process"), syscall.SIGKILL)
	quiet(t, b, time.Second)
	wantBanner(ctx, t, b.Hand())
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		for _, pid := range children(b, "gpu-process") {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		select {
		case ev := <-b.Events():
			if ev != (Event{Kind: Closed, Cause: BrowserGone}) {
				t.Errorf("got %+v", ev)
			}
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Error("the browser goes on for ever without its graphics process")
}

// A hang is told after hungAfter and at most one beat more; what hangs is ended all the same, at once.
func TestABrowserThatDoesNotAnswerIsHung(t *testing.T) {
	t.Parallel() // it waits for half a minute
	b, _ := open(t, newMemberApp(t), "/")
	begin := time.Now()
	if err := syscall.Kill(b.PID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	quiet(t, b, hungAfter-beatEvery)
	if ev := nextEvent(t, b, 3*beatEvery); ev != (Event{Kind: Closed, Cause: BrowserHung}) {
		t.Fatalf("got %+v", ev)
	}
	t.Logf("told after %v", time.Since(begin))
	begin = time.Now()
	if w, err := b.Close(context.Background()); err != nil || !w.Clean {
		t.Errorf("close: %+v, %v", w, err)
	}
	t.Logf("gone and wiped after %v", time.Since(begin))
}

// A browser that is held up for less than that, as on a busy machine, and a page that hangs for ever are no hang.
func TestABusyBrowserAndAHungPageAreNoHang(t *testing.T) {
	t.Parallel() // it waits for forty seconds
	b, _ := open(t, newMemberApp(t), "/")
	p, err := b.Hand().page()
	if err != nil {
		t.Fatal(err)
	}
	b.client.Send(p.session, "Runtime.evaluate", map[string]any{"expression": "for (;;) {}"})
	if err := syscall.Kill(b.PID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	time.Sleep(hungAfter - 2*beatEvery)
	if err := syscall.Kill(b.PID(), syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	quiet(t, b, hungAfter)
}

// An End that a hung browser does not hear: nobody has waited until it counts as hung.
func TestCloseOfAStoppedBrowserTakesHalfASecond(t *testing.T) {
	b, _ := open(t, newMemberApp(t), "/")
	if err := syscall.Kill(b.PID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	go func() { _, _ = b.Close(context.Background()) }()
	if !b.ended(t.Context(), 2*time.Second) {
		t.Fatal("a stopped browser is not ended")
	}
	took := time.Since(begin)
	t.Logf("gone after %v", took)
	if took > 500*time.Millisecond {
		t.Errorf("gone after %v", took)
	}
}
