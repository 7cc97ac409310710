package desktop

import (
	"context"
	"time"

	"stead/internal/stead"

	"stead/internal/desktop/logoff"
)

const (
	leaveLimit = 4 * time.Second  // systems wait five seconds for who asked them to
	leaveFresh = 30 * time.Second // how long closing counts as part of a log-off, which may be called off
)

// attend does at once what cannot wait when the system ends this person's desktop, or has slept.
func (d *Desk) attend() {
	for e := range d.system.Events() {
		if e == logoff.Woke {
			if w, err := d.working(); err == nil {
				w.session.Woke()
			}
			continue
		}
		d.left.Store(time.Now().UnixNano())
		ctx, cancel := context.WithTimeout(context.Background(), leaveLimit)
		if w, err := d.working(); err == nil {
			d.endForLogOff(ctx, w)
		}
		cancel()
		d.system.Done()
		if e == logoff.HungUp && d.cfg.OnHangUp != nil {
			d.cfg.OnHangUp()
		}
	}
}

// leaving reports whether the agent is logging off.
func (d *Desk) leaving() bool { return time.Since(time.Unix(0, d.left.Load())) < leaveFresh }

func (d *Desk) endForLogOff(ctx context.Context, w *work) {
	if _, err := w.session.End(ctx, stead.CauseLoggedOff); err != nil && stead.CodeOf(err) != stead.CodeSessionNotFound {
		d.cfg.Log.Error("the session did not end before the log-off; the next start of Stead puts it right", "err", err)
	}
}
