package erasure

import (
	"context"
	"errors"
	"fmt"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/ledger"
	"stead/internal/platform/store"
)

// Reapply erases once more whoever was erased and is there again because a backup was put back: everybody whom the
// list names with the platform's mark, or a record in the ledger. It may be called at any time and as often as wanted. Somebody who cannot be
// erased now, as when a session of the backup is still open, is the error; the others are erased.
func (o *Office) Reapply(ctx context.Context) error {
	gone, err := o.listed(ctx)
	if err != nil {
		return err
	}
	err = o.Store.View(ctx, func(tx store.Tx) error {
		return each(tx, audit.TextsErased, func(e store.IntakeEntry) error {
			if !e.Subject.IsZero() {
				gone[e.Subject] = true
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	var errs []error
	for p := range gone {
		back, err := o.isBack(ctx, p)
		if err == nil && back {
			err = o.Store.Update(ctx, func(tx store.Tx) error { return o.eraseAgain(tx, p) })
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("erasure: %s is to be erased again: %w", p, err))
		}
	}
	return errors.Join(append(errs, o.destroyLeft(ctx), o.remember(ctx))...)
}

// destroyLeft destroys keys that lie there although their person was erased.
func (o *Office) destroyLeft(ctx context.Context) error {
	return o.Store.Update(ctx, func(tx store.Tx) error {
		erased, err := tx.Erasures()
		for _, p := range erased {
			if n, err := tx.DestroyKeys(p); err != nil {
				return err
			} else if n > 0 {
				o.Log.WarnContext(ctx, "keys of somebody who was erased were there again", "keys", n)
			}
		}
		return err
	})
}

// isBack reports whether the store knows the person and has not erased them.
func (o *Office) isBack(ctx context.Context, p stead.Pseudonym) (back bool, err error) {
	err = o.Store.View(ctx, func(tx store.Tx) error {
		back = false
		_, erased := tx.ErasedAt(p)
		if !errors.Is(erased, store.ErrNotFound) {
			return erased
		}
		_, _, err := tx.PersonOf(p)
		back = err == nil
		if errors.Is(err, store.ErrNotFound) {
			err = nil
		}
		return err
	})
	return back, err
}

func (o *Office) eraseAgain(tx store.Tx, p stead.Pseudonym) error {
	staff, member, err := tx.PersonOf(p)
	if err != nil {
		return err
	}
	who := store.Person{Pseudonym: p}
	if staff != nil {
		who.Staff = staff.ID
	} else {
		who.Member = member.ID
	}
	return o.erase(tx, who, ledger.Entry{Kind: audit.TextsErased, Subject: p, Facts: audit.Body{"why": "restored"}})
}
