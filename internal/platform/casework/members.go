package casework

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/authority"
	"stead/internal/platform/ledger"
	"stead/internal/platform/store"
)

// IdentityCheckTTL is how long an identity check of one agent for one member counts.
const IdentityCheckTTL = time.Hour

// Profile is a member as an agent sees them.
type Profile struct {
	Member            stead.Member
	WhyNot            stead.Code // "" when a session may be started
	IdentityCheckedAt time.Time  // zero without a check by this agent within IdentityCheckTTL
	Notes             []store.MemberNote
}

// Find searches inside the agent's scope. The search is recorded before it is answered.
func (d *Desk) Find(ctx context.Context, agent stead.Staff, query string, limit int, after string) (found []stead.Member, next string, err error) {
	if !agent.Role.May(stead.ActionFindMembers) {
		return nil, "", stead.E(stead.CodeRoleForbidden, nil)
	}
	err = d.Store.View(ctx, func(tx store.Tx) error {
		var err error
		found, next, err = tx.FindMembers(query, agent.Scope, limit, after)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	err = d.Store.Update(ctx, func(tx store.Tx) error {
		return d.Ledger.Write(tx, ledger.Entry{Kind: audit.MemberSearched, Actor: agent.Pseudonym,
			Texts: map[string]string{"query": query}, Facts: audit.Body{"found": int64(len(found))}})
	})
	return found, next, err
}

// visible is the member if the agent's scope covers them; else CodeMemberNotFound, whether or not they exist.
func visible(tx store.Tx, agent stead.Staff, id stead.MemberID) (stead.Member, error) {
	m, err := tx.Member(id)
	if errors.Is(err, store.ErrNotFound) || err == nil && !agent.Scope.Covers(m.Account, m.Branch) {
		return m, stead.E(stead.CodeMemberNotFound, nil)
	}
	return m, err
}

// Open reads a member's profile and records that it was looked at.
func (d *Desk) Open(ctx context.Context, agent stead.Staff, id stead.MemberID) (Profile, error) {
	var p Profile
	if !agent.Role.May(stead.ActionFindMembers) {
		return p, stead.E(stead.CodeRoleForbidden, nil)
	}
	err := d.Store.Update(ctx, func(tx store.Tx) error {
		var err error
		if p.Member, err = visible(tx, agent, id); err != nil {
			return err
		}
		if p.WhyNot, err = authority.MayStart(tx, agent, id); err != nil {
			return err
		}
		if p.Notes, err = tx.MemberNotes(id, 50); err != nil {
			return err
		}
		if p.IdentityCheckedAt, err = d.checkedAt(tx, agent, p.Member); err != nil {
			return err
		}
		return d.Ledger.Write(tx, ledger.Entry{Kind: audit.MemberViewed, Actor: agent.Pseudonym, Subject: p.Member.Pseudonym})
	})
	return p, err
}

// CheckIdentity records that the agent compared name and e-mail with what the caller gave, and with what result.
func (d *Desk) CheckIdentity(ctx context.Context, agent stead.Staff, id stead.MemberID, key uuid.UUID, name, email bool) (time.Time, error) {
	var at time.Time
	if !agent.Role.May(stead.ActionFindMembers) {
		return at, stead.E(stead.CodeRoleForbidden, nil)
	}
	err := d.Store.Update(ctx, func(tx store.Tx) error {
		m, err := visible(tx, agent, id)
		if err != nil {
			return err
		}
		at = tx.Now()
		return d.Ledger.Write(tx, ledger.Entry{Kind: audit.IdentityChecked, EventID: key, Actor: agent.Pseudonym, Subject: m.Pseudonym,
			Texts: map[string]string{"name": m.Name, "email": m.Email}, Facts: audit.Body{"name_matches": name, "email_matches": email}})
	})
	return at, err
}

func (d *Desk) checkedAt(tx store.Tx, agent stead.Staff, m stead.Member) (time.Time, error) {
	lines, err := d.Ledger.Trail(tx, store.TrailFilter{Actor: agent.Pseudonym, Kind: string(audit.IdentityChecked), Limit: 50})
	if err != nil {
		return time.Time{}, err
	}
	for _, l := range lines {
		if tx.Now().Sub(l.ReceivedAt) > IdentityCheckTTL {
			break
		}
		if l.Subject != nil && l.Subject.ID == string(m.ID) {
			if l.Facts["name_matches"] == "true" && l.Facts["email_matches"] == "true" {
				return l.ReceivedAt, nil
			}
			break // the newest check counts, and it failed
		}
	}
	return time.Time{}, nil
}
