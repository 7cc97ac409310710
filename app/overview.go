package app

import (
	"context"
	"reflect"
	"slices"
	"time"

	"stead/internal/stead"
)

// Overview is the table of sessions.
type Overview struct{ c *core }

// Sessions lists sessions: live, ended or all.
func (o *Overview) Sessions(state, cursor string) (SessionsView, error) {
	d, err := o.c.ready()
	if err != nil {
		return SessionsView{}, err
	}
	ctx, cancel := o.c.call()
	defer cancel()
	page, err := d.Client.Sessions(ctx, state, cursor)
	offset := time.Until(page.ServerTime)
	out := SessionsView{Items: []SessionView{}, Next: deref(page.NextCursor)}
	for _, s := range page.Items {
		out.Items = append(out.Items, o.c.sessionView(s, offset))
	}
	return out, err
}

// End ends anybody's session.
func (o *Overview) End(id string) (SessionView, error) {
	d, err := o.c.ready()
	if err != nil {
		return SessionView{}, err
	}
	ctx, cancel := o.c.call()
	defer cancel()
	s, err := d.Client.End(ctx, stead.SessionID(id), stead.CauseAgent) // for another agent's session the platform writes admin
	return o.c.sessionView(s, 0), err
}

// EnrolmentCode makes a code for another device.
func (o *Overview) EnrolmentCode() (EnrolmentView, error) {
	d, err := o.c.ready()
	if err != nil {
		return EnrolmentView{}, err
	}
	ctx, cancel := o.c.call()
	defer cancel()
	code, err := d.Client.EnrolmentCode(ctx)
	return EnrolmentView{Code: code.Code, ExpiresAt: millis(code.ExpiresAt)}, err
}

// Trail is the records and the outbox.
type Trail struct{ c *core }

// recordsPage is how many records the window asks for at once.
const recordsPage = 50

// Records lists records, newest first; of one session when it is given.
func (t *Trail) Records(sessionID, cursor string) (RecordsView, error) {
	d, err := t.c.ready()
	if err != nil {
		return RecordsView{}, err
	}
	ctx, cancel := t.c.call()
	defer cancel()
	page, err := d.Client.Trail(ctx, sessionID, cursor, recordsPage)
	out := RecordsView{Items: []RecordView{}, Next: deref(page.NextCursor)}
	for _, e := range page.Items {
		out.Items = append(out.Items, recordView(e))
	}
	return out, err
}

// Outbox is the state of the records that are still only on this machine.
func (t *Trail) Outbox() (OutboxView, error) {
	d, err := t.c.ready()
	if err != nil {
		return OutboxView{}, err
	}
	return outboxView(d)
}

// reportOutbox tells the window whenever the outbox's state has changed, at most once a second.
func (c *core) reportOutbox(ctx context.Context) {
	ticks := time.NewTicker(time.Second)
	defer ticks.Stop()
	var last OutboxView
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		c.mu.Lock()
		d, w, closed := c.desk, c.window, c.closed
		c.mu.Unlock()
		if closed {
			return
		}
		v, err := outboxView(d)
		if err != nil {
			continue
		}
		if !reflect.DeepEqual(v, last) {
			last = v
			w.emit("outbox", v)
		}
	}
}

// mayEnd reports whether the window offers End for a session; the platform decides.
func (c *core) mayEnd(agent string) (mine, may bool) {
	c.mu.Lock()
	me := c.view.Me
	c.mu.Unlock()
	if me == nil {
		return false, false
	}
	mine = me.ID == agent
	return mine, mine || slices.Contains(me.Actions, string(stead.ActionEndAny))
}
