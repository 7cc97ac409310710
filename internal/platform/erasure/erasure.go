// Package erasure erases people for good, keeps texts no longer than policy wants, and places and releases the legal
// holds that go before both. Each of these is itself a record, and none of them touches one.
package erasure

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/ledger"
	"stead/internal/platform/store"
)

// Office erases and holds. It is safe for concurrent use. Run keeps texts no longer than Days.
type Office struct {
	Store  store.Store
	Ledger *ledger.Ledger
	List   string // file that names everybody who was erased, kept for when a backup is put back
	Marks  Marks
	Days   int // how long texts are kept; 0 for ever
	Log    *slog.Logger

	listing sync.Mutex // over the file
}

// By is who asks: a member of staff, or else whoever runs the platform, by their name on that machine.
type By struct {
	Staff    stead.Staff
	Operator string
}

func (b By) entry(kind audit.Kind, p store.Person, key uuid.UUID, reason string) ledger.Entry {
	e := ledger.Entry{Kind: kind, EventID: key, Actor: b.Staff.Pseudonym, Subject: p.Pseudonym, OfActor: true,
		Texts: map[string]string{"reason": reason}, Facts: audit.Body{"by": "staff"}}
	if b.Staff.ID == "" {
		e.Facts["by"], e.Texts["operator"] = "operator", b.Operator
	}
	return e
}

// Erase erases the person, in one transaction with its record, and returns when that happened: the first time, if
// they were erased before. Afterwards nothing of it is left in the store's files, as soon as nobody reads in them what
// was there before.
//
// Refusals: CodeRoleForbidden, CodeMemberNotFound (no such member, or outside the scope), CodeBadRequest (no reason, no
// such member of staff, or no such member where whoever runs the platform asks), CodeLegalHold, CodeSessionOpen, CodeStaffEnabled.
func (o *Office) Erase(ctx context.Context, by By, who store.Person, key uuid.UUID, reason string) (time.Time, error) {
	var at time.Time
	reason, err := sound(reason)
	if err != nil {
		return at, err
	}
	err = o.Store.Update(ctx, func(tx store.Tx) error {
		p, err := named(tx, by, who, stead.ActionErase)
		if err != nil {
			return err
		}
		at, err = tx.ErasedAt(p.Pseudonym)
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		at = tx.Now()
		e := by.entry(audit.TextsErased, p, key, reason)
		e.Facts["why"] = "request"
		return o.erase(tx, p, e)
	})
	if err != nil {
		return at, err
	}
	if err := o.remember(ctx); err != nil {
		return at, err
	}
	if err := o.Store.Scrub(ctx); err != nil { // the next sweep does it
		o.Log.WarnContext(ctx, "what was erased is still in the store's files", "err", err)
	}
	return at, nil
}

// erase is the one way in which a person is erased, with the record that says so.
func (o *Office) erase(tx store.Tx, p store.Person, e ledger.Entry) error {
	if err := mayErase(tx, p); err != nil {
		return err
	}
	if err := tx.ErasePerson(p, tx.Now()); err != nil {
		return err
	}
	return o.Ledger.Write(tx, e)
}

// mayErase refuses what the database would refuse too, in words.
func mayErase(tx store.Tx, p store.Person) error {
	if kept, err := tx.Kept(p.Pseudonym); err != nil || kept {
		return errors.Join(err, refusal(kept, stead.CodeLegalHold))
	}
	open, _, err := tx.ListSessions(store.SessionFilter{Member: p.Member, Agent: p.Staff, State: "live", Limit: 1})
	if err != nil || len(open) > 0 {
		return errors.Join(err, refusal(len(open) > 0, stead.CodeSessionOpen))
	}
	if p.Staff == "" {
		return nil
	}
	s, err := tx.Staff(p.Staff)
	return errors.Join(err, refusal(err == nil && !s.Disabled, stead.CodeStaffEnabled))
}

func refusal(refused bool, code stead.Code) error {
	if !refused {
		return nil
	}
	return stead.E(code, nil)
}

// sound is the reason as it is kept, or CodeBadRequest.
func sound(reason string) (string, error) {
	reason = strings.TrimSpace(reason)
	if reason == "" || utf8.RuneCountInString(reason) > stead.MaxTextLength {
		return "", stead.Errorf(stead.CodeBadRequest, "the reason: 1 to %d characters", stead.MaxTextLength)
	}
	return reason, nil
}

// Name is what the person is called, so that somebody can see whom an id names; the id itself once they were erased.
// Errors as of Erase by an operator.
func (o *Office) Name(ctx context.Context, who store.Person) (name string, err error) {
	err = o.Store.View(ctx, func(tx store.Tx) error {
		p, err := named(tx, By{}, who, stead.ActionErase)
		if err != nil {
			return err
		}
		if p.Staff != "" {
			s, err := tx.Staff(p.Staff)
			name = cmp.Or(s.Name, string(p.Staff))
			return err
		}
		m, err := tx.Member(p.Member)
		name = cmp.Or(m.Name, string(p.Member))
		return err
	})
	return name, err
}

// named looks the person up, if whoever asks may do this to them. For members of staff only whoever runs the platform may.
func named(tx store.Tx, by By, who store.Person, a stead.Action) (store.Person, error) {
	operator := by.Staff.ID == ""
	if !operator && (!by.Staff.Role.May(a) || who.Staff != "") {
		return who, stead.E(stead.CodeRoleForbidden, nil)
	}
	if who.Staff != "" {
		s, err := tx.Staff(who.Staff)
		if errors.Is(err, store.ErrNotFound) {
			return who, stead.Errorf(stead.CodeBadRequest, "nobody who works or worked here has the id %q", who.Staff)
		}
		return store.Person{Staff: s.ID, Pseudonym: s.Pseudonym}, err
	}
	m, err := tx.Member(who.Member)
	if operator && errors.Is(err, store.ErrNotFound) { // who runs the platform looks after everybody
		return who, stead.Errorf(stead.CodeBadRequest, "no member of this platform has the id %q", who.Member)
	}
	if errors.Is(err, store.ErrNotFound) || err == nil && !operator && !by.Staff.Scope.Covers(m.Account, m.Branch) {
		return who, stead.E(stead.CodeMemberNotFound, nil)
	}
	return store.Person{Member: m.ID, Pseudonym: m.Pseudonym}, err
}
