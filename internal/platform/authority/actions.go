package authority

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

// Action is one request inside a session as the member app saw it: its word is authoritative.
type Action struct {
	ID      uuid.UUID
	Session stead.SessionID
	Method  string
	Path    string // template, no query, no body
	Status  int
	Words   string // what it was, in a member's words
	At      time.Time
}

// Report records actions with both identities, all or none. Actions that were recorded before are harmless.
func (a *Authority) Report(ctx context.Context, actions []Action) error {
	return a.Store.Update(ctx, func(tx store.Tx) error {
		for _, act := range actions {
			if act.ID.Version() != 7 || act.ID.Variant() != uuid.RFC4122 {
				return stead.Errorf(stead.CodeBadRequest, "an action's id must be a UUIDv7")
			}
			row, err := tx.Session(act.Session)
			if errors.Is(err, store.ErrNotFound) {
				return stead.E(stead.CodeSessionNotFound, nil)
			}
			if err != nil {
				return err
			}
			err = a.reportOne(tx, row.Session, act)
			if err == nil && row.State == stead.StateEnded && !row.OpenedAt.IsZero() {
				err = tx.ExpectComparison(row.ID, tx.Now().Add(compareAfter)) // it comes late
			}
			if err != nil && !errors.Is(err, store.ErrConflict) {
				return err
			}
		}
		return nil
	})
}

func (a *Authority) reportOne(tx store.Tx, s stead.Session, act Action) error {
	agent, err := tx.Staff(s.Agent)
	if err != nil {
		return err
	}
	member, err := tx.Member(s.Member)
	if err != nil {
		return err
	}
	return a.Ledger.Write(tx, ledger.Entry{Kind: audit.SessionAction, EventID: act.ID, Session: s.ID,
		Actor: agent.Pseudonym, Subject: member.Pseudonym,
		Facts: audit.Body{"method": act.Method, "path": act.Path, "status": int64(act.Status), "words": act.Words, "app_ms": act.At.UnixMilli()}})
}
