package erasure

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/ledger"
	"stead/internal/platform/store"
)

// Hold is an open legal hold as a person reads it.
type Hold struct {
	store.Hold
	Reason string // "" when it cannot be read any more
	// Further are the reasons for which the person was to be held again while this hold stood, the newest first. Their texts
	// go with age like others; only Reason is kept as long as the hold.
	Further []string
}

// Place places a legal hold on the person, in one transaction with its record, and returns it. Who is held already
// stays held as they were: the hold is the one that stands, and the new reason a record of its own. The refusals are those of Erase, without the last three; CodeBadRequest for somebody who was
// erased.
func (o *Office) Place(ctx context.Context, by By, who store.Person, key uuid.UUID, reason string) (store.Hold, error) {
	var h store.Hold
	reason, err := sound(reason)
	if err != nil {
		return h, err
	}
	err = o.Store.Update(ctx, func(tx store.Tx) error {
		p, err := named(tx, by, who, stead.ActionHold)
		if err != nil {
			return err
		}
		if at, err := tx.ErasedAt(p.Pseudonym); err == nil {
			return stead.Errorf(stead.CodeBadRequest, "this person was erased on %s", at.Format(time.DateOnly))
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		e := by.entry(audit.HoldPlaced, p, key, reason)
		var held bool
		if h, held, err = holdOn(tx, p.Pseudonym); err != nil {
			return err
		}
		if held {
			e.Facts[standing] = true
			return o.writeOnce(tx, e)
		}
		h = store.Hold{Person: p, ReasonOf: by.Staff.Pseudonym, PlacedAt: tx.Now(), PlacedBy: by.Staff.ID}
		if err := tx.PlaceHold(h); err != nil {
			return err
		}
		return o.Ledger.Write(tx, e)
	})
	return h, err
}

// standing is the fact of a record that a hold was asked for while one stood.
const standing = "standing"

// writeOnce writes the record of a hold unless the same request did before.
func (o *Office) writeOnce(tx store.Tx, e ledger.Entry) error {
	var done bool
	err := each(tx, e.Kind, func(before store.IntakeEntry) error {
		done = done || before.EventID == e.EventID
		return nil
	})
	if err != nil || done {
		return err
	}
	return o.Ledger.Write(tx, e)
}

// Release releases the legal hold on the person, in one transaction with its record. Without a hold it does nothing.
func (o *Office) Release(ctx context.Context, by By, who store.Person, key uuid.UUID, reason string) error {
	reason, err := sound(reason)
	if err != nil {
		return err
	}
	return o.Store.Update(ctx, func(tx store.Tx) error {
		p, err := named(tx, by, who, stead.ActionHold)
		if err != nil {
			return err
		}
		if _, held, err := holdOn(tx, p.Pseudonym); !held || err != nil {
			return err
		}
		if err := tx.ReleaseHold(p.Pseudonym, tx.Now(), by.Staff.ID); err != nil {
			return err
		}
		return o.Ledger.Write(tx, by.entry(audit.HoldReleased, p, key, reason))
	})
}

// Holds lists the open holds with their reasons, the oldest first.
func (o *Office) Holds(ctx context.Context) ([]Hold, error) {
	var out []Hold
	err := o.Store.View(ctx, func(tx store.Tx) error {
		out = nil
		holds, err := tx.Holds()
		if err != nil || len(holds) == 0 {
			return err
		}
		reasons, err := o.reasons(tx)
		for _, h := range holds {
			out = append(out, Hold{Hold: h, Reason: reasons.first[placing{h.Pseudonym, h.PlacedAt.UnixMilli()}], Further: reasons.since(h)})
		}
		return err
	})
	return out, err
}

// placing tells one hold from all others.
type placing struct {
	of stead.Pseudonym
	at int64
}

// reasons is why holds were asked for.
type reasons struct {
	first   map[placing]string
	further []furtherReason // the newest first
}

type furtherReason struct {
	placing
	text string
}

// since lists what was given while the hold stood.
func (r reasons) since(h store.Hold) (texts []string) {
	for _, f := range r.further {
		if f.of == h.Pseudonym && f.at >= h.PlacedAt.UnixMilli() {
			texts = append(texts, f.text)
		}
	}
	return texts
}

// reasons reads why each hold that there ever was was asked for.
func (o *Office) reasons(tx store.Tx) (reasons, error) {
	found := reasons{first: map[placing]string{}}
	err := each(tx, audit.HoldPlaced, func(e store.IntakeEntry) error {
		line, err := o.Ledger.Read(tx, e)
		at := placing{e.Subject, e.ReceivedAt.UnixMilli()}
		if line.Facts[standing] != "" {
			found.further = append(found.further, furtherReason{at, line.Texts["reason"]})
		} else {
			found.first[at] = line.Texts["reason"]
		}
		return err
	})
	return found, err
}

func holdOn(tx store.Tx, p stead.Pseudonym) (store.Hold, bool, error) {
	holds, err := tx.Holds()
	for _, h := range holds {
		if h.Pseudonym == p {
			return h, true, err
		}
	}
	return store.Hold{}, false, err
}

// each calls f with every record of the kind, the newest first.
func each(tx store.Tx, kind audit.Kind, f func(store.IntakeEntry) error) error {
	filter := store.TrailFilter{Kind: string(kind), Limit: 500}
	for {
		page, err := tx.Trail(filter)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, e := range page {
			if err := f(e); err != nil {
				return err
			}
			filter.Before = e.Index
		}
	}
}
