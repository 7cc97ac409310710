package erasure

import (
	"context"
	"errors"
	"time"

	"stead/internal/audit"

	"stead/internal/platform/ledger"
	"stead/internal/platform/store"
)

const (
	// sweepEvery is how often texts whose time is over are looked for.
	sweepEvery = 24 * time.Hour
	// sweepAgain is when it is tried again after something failed.
	sweepAgain = 10 * time.Minute
	// sweepBatch is how much of each kind one transaction erases; other writers wait as long.
	sweepBatch = 500
)

// Run erases what a restored backup brought back and texts whose time is over: now, and then daily until the context
// ends. A failure is logged and tried again.
func (o *Office) Run(ctx context.Context) {
	for {
		err := errors.Join(o.Reapply(ctx), o.Sweep(ctx))
		if err == nil {
			err = o.Store.Scrub(ctx)
		}
		next := sweepEvery
		if err != nil && ctx.Err() == nil {
			o.Log.ErrorContext(ctx, "what is to be erased could not be erased yet", "err", err)
			next = sweepAgain
		}
		t := time.NewTimer(next)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
	}
}

// cut is the time before which texts are erased: the beginning of the first month whose last day is not yet older
// than that many days.
func cut(now time.Time, days int) time.Time {
	return store.MonthOf(now.AddDate(0, 0, -days)).Start()
}

// Sweep erases the texts of months whose last day is older than Days, those that a hold keeps excepted. One record
// says which month was the last, and how much there was; it is committed before anything is erased, so a sweep that
// is interrupted is followed by another record for the rest. Without Days it does nothing.
func (o *Office) Sweep(ctx context.Context) error {
	if o.Days <= 0 {
		return nil
	}
	var before time.Time
	var due store.Expired
	look := func(tx store.Tx) (err error) {
		before = cut(tx.Now(), o.Days)
		due, err = tx.Overdue(before)
		return err
	}
	if err := o.Store.View(ctx, look); err != nil || due.None() {
		return err
	}
	err := o.Store.Update(ctx, func(tx store.Tx) error {
		if err := look(tx); err != nil || due.None() {
			return err
		}
		if err := tx.Retain(before); err != nil {
			return err
		}
		return o.Ledger.Write(tx, ledger.Entry{Kind: audit.TextsErased, Facts: audit.Body{"why": "retention", "month": before.AddDate(0, -1, 0).Format("2006-01"),
			"count": int64(due.Keys), "sessions": int64(due.Sessions), "notices": int64(due.Notices), "notes": int64(due.Notes)}})
	})
	if err != nil || due.None() {
		return err
	}
	o.Log.InfoContext(ctx, "texts whose time is over are erased", "before", before, "keys", due.Keys, "sessions", due.Sessions, "notices", due.Notices, "notes", due.Notes)
	for {
		var done store.Expired
		err := o.Store.Update(ctx, func(tx store.Tx) (err error) {
			done, err = tx.Expire(before, sweepBatch)
			return err
		})
		if err != nil || done.None() {
			return err
		}
		o.Log.InfoContext(ctx, "texts erased", "keys", done.Keys, "sessions", done.Sessions, "notices", done.Notices, "notes", done.Notes)
	}
}
