package erasure

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/ledger"
	"stead/internal/platform/store"
)

// Reapply erases once more whoever was erased and is there again because a backup was put back: everybody whom the
// list names, or a record in the ledger. It may be called at any time and as often as wanted. Somebody who cannot be
// erased now, as when a session of the backup is still open, is the error; the others are erased.
func (o *Office) Reapply(ctx context.Context) error {
	gone, err := o.listed()
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

// listed reads the list; without a file it is empty.
func (o *Office) listed() (map[stead.Pseudonym]bool, error) {
	o.listing.Lock()
	defer o.listing.Unlock()
	return o.read()
}

func (o *Office) read() (map[stead.Pseudonym]bool, error) {
	out := map[stead.Pseudonym]bool{}
	raw, err := os.ReadFile(o.List)
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	if err != nil {
		return nil, stead.Errorf(stead.CodeDataReadOnly, "%s", o.List).Because(err)
	}
	for i, line := range bytes.Split(bytes.TrimSpace(raw), []byte("\n")) {
		p, err := stead.ParsePseudonym(string(bytes.TrimSpace(line)))
		if err != nil && len(line) > 0 {
			return nil, stead.Errorf(stead.CodeConfigInvalid, "%s, line %d", o.List, i+1).Because(err)
		}
		out[p] = true
	}
	delete(out, stead.Pseudonym{})
	return out, nil
}

// remember puts everybody whom the store has erased on the list, durably. Who is on it stays.
func (o *Office) remember(ctx context.Context) error {
	o.listing.Lock()
	defer o.listing.Unlock()
	on, err := o.read()
	if err != nil {
		return err
	}
	known := len(on)
	err = o.Store.View(ctx, func(tx store.Tx) error {
		erased, err := tx.Erasures()
		for _, p := range erased {
			on[p] = true
		}
		return err
	})
	if err != nil || len(on) == known {
		return err
	}
	lines := make([]string, 0, len(on))
	for p := range on {
		lines = append(lines, p.String())
	}
	slices.Sort(lines)
	var b bytes.Buffer
	for _, l := range lines {
		b.WriteString(l + "\n")
	}
	if err := replace(o.List, b.Bytes()); err != nil {
		return stead.Errorf(stead.CodeDataReadOnly, "%s", o.List).Because(err)
	}
	return nil
}

// replace writes the file so that a crash leaves either the old one or the new one, and syncs the folder.
func replace(file string, content []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(file), ".erased-*") // 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	_, err = tmp.Write(content)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), file); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(file))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
