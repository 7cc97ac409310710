package browser

import (
	"context"
	"time"
)

// Nobody who pressed End looks at the member's page for longer than half a second. A browser that is asked to close
// takes 0.2 s, one that is told to terminate 0.1 s; nothing is lost with one that does not and is killed, for all it
// has is wiped anyway.
const (
	closeGrace = 300 * time.Millisecond
	killGrace  = 2 * time.Second
)

// Close ends the browser, with force where it must, wipes the session's files and closes Events. When ctx is over
// it goes on without the gentle part: the browser is ended and wiped in any case. Wipe says whether anything is
// left; then the error is browser_left. Further calls wait for the first and return the same.
func (b *Browser) Close(ctx context.Context) (Wipe, error) {
	b.closeOnce.Do(func() {
		begin := time.Now()
		b.stop()
		if b.proc != nil {
			b.end(ctx)
			b.client.Close()
			b.proc.release()
		}
		b.work.Wait()
		close(b.events)
		b.wiped, b.wipeErr = b.claim.wipe(ctx)
		b.wiped.Took = time.Since(begin)
	})
	return b.wiped, b.wipeErr
}

// end returns when no process of the group is left, or three ways to end it have failed.
func (b *Browser) end(ctx context.Context) {
	if socket := socketFolder(b.claim.dir); socket != "" {
		b.claim.rec.Socket = socket // a launch that failed early has not recorded it yet
	}
	b.client.Send("", "Browser.close", nil) // the gentle way where a system has no gentle terminate
	b.proc.terminate()
	b.mu.Lock()
	gently := b.proved && !b.hung // one that has not obeyed will not close when asked
	b.mu.Unlock()
	if !gently || !b.ended(ctx, closeGrace) {
		b.proc.kill()
	}
	if b.ended(context.WithoutCancel(ctx), killGrace) {
		return
	}
	b.proc.kill() // its children may outlive the leader
	b.ended(context.WithoutCancel(ctx), killGrace)
}

// ended waits for the whole group.
func (b *Browser) ended(ctx context.Context, limit time.Duration) bool {
	return b.proc.gone(ctx, limit)
}

// gone waits until no process of the group is left, for at most the limit.
func (p *process) gone(ctx context.Context, limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	select {
	case <-p.exited:
	case <-ctx.Done():
		return false
	}
	for wait := 5 * time.Millisecond; !p.alone(); wait = min(2*wait, 40*time.Millisecond) {
		if pause(ctx, wait) != nil {
			return false
		}
	}
	return true
}
