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
		entries, of := make([]ledger.Entry, 0, len(actions)), map[stead.SessionID]parties{}
		for _, act := range actions {
			if act.ID.Version() != 7 || act.ID.Variant() != uuid.RFC4122 {
				return stead.Errorf(stead.CodeBadRequest, "an action's id must be a UUIDv7")
			}
			both, known := of[act.Session]
			if !known {
				var err error
				if both, err = partiesOf(tx, act.Session); err != nil {
					return err
				}
				of[act.Session] = both
				if both.comesLate {
					if err = tx.ExpectComparison(act.Session, tx.Now().Add(compareAfter)); err != nil {
						return err
					}
				}
			}
			entries = append(entries, act.entry(both))
		}
		return a.Ledger.WriteNew(tx, entries)
	})
}

// parties are the two identities of a session, and whether its end has come before the report.
type parties struct {
	agent, member stead.Pseudonym
	comesLate     bool
}

func partiesOf(tx store.Tx, id stead.SessionID) (p parties, err error) {
	row, err := tx.Session(id)
	if errors.Is(err, store.ErrNotFound) {
		return p, stead.E(stead.CodeSessionNotFound, nil)
	}
	if err != nil {
		return p, err
	}
	agent, err := tx.Staff(row.Agent)
	if err != nil {
		return p, err
	}
	member, err := tx.Member(row.Member)
	return parties{agent.Pseudonym, member.Pseudonym, row.State == stead.StateEnded && !row.OpenedAt.IsZero()}, err
}

func (act Action) entry(p parties) ledger.Entry {
	return ledger.Entry{Kind: audit.SessionAction, EventID: act.ID, Session: act.Session, Actor: p.agent, Subject: p.member,
		Facts: audit.Body{"method": act.Method, "path": act.Path, "status": int64(act.Status), "words": act.Words, "app_ms": act.At.UnixMilli()}}
}
