package authority

import (
	"context"
	"errors"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/ledger"
	"stead/internal/platform/store"
)

// End ends a session. The agent's own device names what it saw (cause must be reportable); for anybody else the
// cause is admin, and the role must allow it. A session that has ended is answered as it is: there is exactly one
// end, the first.
func (a *Authority) End(ctx context.Context, by stead.Staff, id stead.SessionID, cause stead.Cause) (stead.Session, error) {
	var s stead.Session
	err := a.Store.Update(ctx, func(tx store.Tx) error {
		row, err := tx.Session(id)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return stead.E(stead.CodeSessionNotFound, nil)
		case err != nil:
			return err
		case row.Agent != by.ID && !by.Role.May(stead.ActionSeeSessions):
			return stead.E(stead.CodeSessionNotFound, nil)
		case row.Agent != by.ID && !by.Role.May(stead.ActionEndAny):
			return stead.E(stead.CodeRoleForbidden, nil)
		case row.Agent != by.ID:
			cause = stead.CauseAdmin
		case !cause.Reportable():
			return stead.Errorf(stead.CodeBadRequest, "cause")
		case cause == stead.CauseNotOpened && row.State == stead.StateLive:
			cause = stead.CauseBrowserClosed // the credential was handed out: what the device did with it cannot be known
		}
		if row.State != stead.StateEnded {
			// A session whose time is over has ended by that, even if nobody has written it down yet.
			var who, due = &by, time.Time{}
			alarm := cause == stead.CauseHandoffReused
			if over, since := a.overdue(row.Session, tx.Now()); over != "" {
				cause, who, due = over, nil, since
			}
			if err := a.endTx(tx, row.Session, cause, who, due); err != nil {
				return err
			}
			if alarm {
				if err := a.alarmReuse(tx, row.Session, reusedPage); err != nil {
					return err
				}
			}
			row, err = tx.Session(id)
		}
		s = row.Session
		return err
	})
	if err == nil {
		a.guard.disarm(id)
	}
	return s, err
}

// endTx writes the one authoritative end: row, record and the member's notice. by is nil when nobody did it. due is
// when it should have happened, if that was earlier (the platform was down).
func (a *Authority) endTx(tx store.Tx, s stead.Session, cause stead.Cause, by *stead.Staff, due time.Time) error {
	now := tx.Now()
	e := ledger.Entry{Kind: audit.SessionEnded, Session: s.ID, Facts: audit.Body{"cause": string(cause), "was": string(s.State)}}
	var byID stead.StaffID
	if by != nil {
		byID, e.Actor = by.ID, by.Pseudonym
	}
	if !due.IsZero() {
		e.Facts["due_ms"] = due.UnixMilli()
	}
	if err := tx.EndSession(s.ID, now, cause, byID); err != nil {
		return err
	}
	agent, err := tx.Staff(s.Agent)
	if err != nil {
		return err
	}
	member, err := tx.Member(s.Member)
	if err != nil {
		return err
	}
	e.Subject = member.Pseudonym
	// Both identities of the session are in its end record, whoever ended it.
	e.Facts[ledger.AgentFact] = agent.Pseudonym.String()
	e.Texts = map[string]string{"agent_name": s.AgentName, "member_name": s.MemberName}
	if err := a.Ledger.Write(tx, e); err != nil {
		return err
	}
	if s.State == stead.StateStarted {
		return nil // never opened: nobody was in, and nobody is told
	}
	if err := tx.ExpectComparison(s.ID, now.Add(compareAfter)); err != nil {
		return err
	}
	return a.tellEnd(tx, s, cause, now)
}

func (a *Authority) tellEnd(tx store.Tx, s stead.Session, cause stead.Cause, now time.Time) error {
	err := tx.PutNotice(store.Notice{Member: s.Member, Session: s.ID, Kind: "ended", AgentName: s.AgentName, Cause: cause,
		Address: s.MemberEmail, CreatedAt: now})
	if err != nil {
		return err
	}
	return tx.ReleaseNotices(s.ID, now)
}
