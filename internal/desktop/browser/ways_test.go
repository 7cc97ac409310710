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
		if err == nil && inGroup(pid, b.PID()) && strings.Contains(string(cmdline), "--type="+kind) {
			found = append(found, pid)
		}
	}
	return found
}

func TestProbe(t *testing.T) {
	for name, f := range map[string]func(b *Browser){
		"term":  func(b *Browser) { _ = syscall.Kill(b.PID(), syscall.SIGTERM) },
		"close": func(b *Browser) { b.client.Send("", "Browser.close", nil) },
		"kill":  func(b *Browser) { b.proc.kill() },
		"pipe":  func(b *Browser) { b.client.Close() },
	} {
		for range 3 {
			b, _ := open(t, newMemberApp(t), "/")
			begin := time.Now()
			f(b)
			ok := b.ended(context.Background(), 5*time.Second)
			took := time.Since(begin)
			if name != "pipe" {
				t.Log(name, ok, took, nextEvent(t, b, time.Second))
			} else {
				t.Log(name, ok, took)
			}
			begin = time.Now()
			_, _ = b.Close(t.Context())
			t.Log("   wipe", time.Since(begin))
		}
	}
	b, ctx := open(t, newMemberApp(t), "/")
	t.Log("gpu", children(b, "gpu-process"), "renderer", children(b, "renderer"))
	for _, pid := range children(b, "renderer") {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	begin := time.Now()
	t.Log(nextEvent(t, b, 3*time.Second), time.Since(begin))
	_ = ctx
}
