package authority

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"time"

	"github.com/google/uuid"

	"stead/internal/audit"
	"stead/internal/stead"
	"stead/internal/token"

	"stead/internal/platform/ledger"
	"stead/internal/platform/store"
)

// Opened is a live session and its credential. The token must reach nothing but the session's browser.
type Opened struct {
	Session stead.Session
	Token   string
	App     App
}

// Redeem exchanges a handoff for the session's credential: once, within stead.HandoffTTL, by the agent who started
// it, signed by the device that started it. The member's start notice becomes visible with it.
func (a *Authority) Redeem(ctx context.Context, agent stead.Staff, id stead.SessionID, code stead.Secret, signature []byte) (Opened, error) {
	var s stead.Session
	err := a.Store.Update(ctx, func(tx store.Tx) error {
		row, err := own(tx, agent, id)
		if err != nil {
			return err
		}
		if err := a.checkHandoff(tx, row, code, signature); err != nil {
			return err
		}
		s, err = a.openTx(tx, agent, row.Session, stead.ModePipe)
		return err
	})
	if err != nil {
		return Opened{}, err
	}
	return a.issue(s)
}

// openTx makes a started session live, in whatever way its credential is about to leave.
func (a *Authority) openTx(tx store.Tx, agent stead.Staff, s stead.Session, mode stead.Mode) (stead.Session, error) {
	now := tx.Now()
	if err := tx.MarkLive(s.ID, now); err != nil {
		return s, err
	}
	member, err := tx.Member(s.Member)
	if err != nil {
		return s, err
	}
	s.State, s.Mode, s.OpenedAt, s.LastSeen = stead.StateLive, mode, now, now
	if err := tx.ReleaseNotices(s.ID, now); err != nil {
		return s, err
	}
	if err := tx.PutMemberNote(store.MemberNote{Member: s.Member, Session: s.ID, Author: agent.Name, Kind: "reason", Text: s.Why(), At: now}); err != nil {
		return s, err
	}
	return s, a.Ledger.Write(tx, ledger.Entry{Kind: audit.SessionOpened, Session: s.ID, Actor: agent.Pseudonym, Subject: member.Pseudonym,
		Facts: audit.Body{"scope": s.Scope, "mode": string(mode)}})
}

// issue signs the credential of a session that has just become live.
func (a *Authority) issue(s stead.Session) (Opened, error) {
	a.nudge()
	raw, err := token.Issue(a.Keys.Current(), a.Issuer, a.App.Audience, uuid.NewString(), s)
	return Opened{Session: s, Token: raw, App: a.App}, err
}

func (a *Authority) checkHandoff(tx store.Tx, row store.SessionRow, code stead.Secret, signature []byte) error {
	if row.State == stead.StateEnded {
		return stead.E(stead.CodeSessionEnded, nil)
	}
	hash := sha256.Sum256([]byte(code))
	if subtle.ConstantTimeCompare(hash[:], row.HandoffHash[:]) != 1 || !a.mayOpen(tx, row.Session) {
		return stead.E(stead.CodeHandoffInvalid, nil)
	}
	device, err := tx.Device(row.Device)
	if err != nil {
		return err
	}
	if !device.RevokedAt.IsZero() {
		return stead.E(stead.CodeDeviceUnknown, nil)
	}
	claim := audit.HandoffClaim{Device: row.Device, Session: row.ID, Code: code}
	if err := claim.Verify(ed25519.PublicKey(device.PublicKey), signature); err != nil {
		return stead.E(stead.CodeDeviceSignature, err)
	}
	return nil
}

// mayOpen reports whether a session still waits to be opened, by the database's clock and by this node's own.
func (a *Authority) mayOpen(tx store.Tx, s stead.Session) bool {
	return s.State == stead.StateStarted && tx.Now().Sub(s.StartedAt) <= stead.HandoffTTL && !steppedBack(s, tx.Now()) &&
		stead.SessionTTL-a.guard.left(s.ID, s.ExpiresAt.Sub(tx.Now())) <= stead.HandoffTTL
}

// own is the agent's own session; anybody else's does not exist for the caller.
func own(tx store.Tx, agent stead.Staff, id stead.SessionID) (store.SessionRow, error) {
	row, err := tx.Session(id)
	if errors.Is(err, store.ErrNotFound) || err == nil && row.Agent != agent.ID {
		return row, stead.E(stead.CodeSessionNotFound, nil)
	}
	return row, err
}

// Heartbeat notes that the agent's desktop still watches the session, and answers its state with the database's
// time. A heartbeat never lengthens anything, and none revives an ended session.
//
// said is where the session's device says that its chain ends, nil when it says nothing. One that the device did not
// sign refuses the heartbeat (CodeDeviceSignature); one that cannot be is recorded and logged as an alarm, and the
// session goes on: to end it is for people to decide.
func (a *Authority) Heartbeat(ctx context.Context, agent stead.Staff, id stead.SessionID, said *ledger.SignedHead) (stead.Session, time.Time, error) {
	var s stead.Session
	var now time.Time
	var found *ledger.ContradictionError
	err := a.Store.Update(ctx, func(tx store.Tx) error {
		row, err := own(tx, agent, id)
		if err != nil {
			return err
		}
		s, now, found = row.Session, tx.Now(), nil
		if s.State != stead.StateLive {
			return nil
		}
		if said != nil {
			claim := *said
			claim.Device, claim.Aside = row.Device, true
			if _, found, err = a.Ledger.Meet(tx, agent.Pseudonym, claim); err != nil {
				return err
			}
		}
		s.LastSeen = now
		return tx.Touch(id, now)
	})
	if err == nil && found != nil && found.First {
		a.Log.ErrorContext(ctx, "a device contradicts the ledger", "err", found)
	}
	return s, now, err
}

// Good is what a token that is good at this moment stands for.
type Good struct {
	token.Claims
	Mode stead.Mode
}

// Introspect answers whether a token is good at this moment: signature, audience, and above all the session's row,
// the agent's privilege and the member's standing. Any doubt is nil, never an error that a caller might ignore.
func (a *Authority) Introspect(ctx context.Context, raw string) (*Good, error) {
	var good *Good
	err := a.Store.View(ctx, func(tx store.Tx) error {
		good = nil
		c, err := token.Verify(raw, a.Keys.Public(), a.Issuer, a.App.Audience, tx.Now())
		if err != nil {
			return nil //nolint:nilerr // a bad token is an answer (RFC 7662 2.2), not a failure
		}
		row, err := tx.Session(stead.SessionID(c.SessionID))
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if !a.stands(tx, row.Session) || string(row.Member) != c.Subject || string(row.Agent) != c.Actor.Subject ||
			string(row.Account) != c.Account || row.Scope != c.Scope {
			return nil
		}
		agent, err := tx.Staff(row.Agent)
		if err != nil {
			return err
		}
		q := stead.Question{Agent: agent}
		if err := target(tx, &q, row.Member); err != nil {
			return err
		}
		if stead.Eligible(q) != "" || q.Member.Account != row.Account {
			return nil
		}
		good = &Good{c, row.Mode}
		return nil
	})
	return good, err
}

// stands reports whether the session is live by its row, was heard of lately, and has time left by the database's
// clock and by this node's monotonic one. Each request asks, so nothing depends on the watch having swept.
func (a *Authority) stands(tx store.Tx, s stead.Session) bool {
	now := tx.Now()
	left := s.ExpiresAt.Sub(now)
	return s.State == stead.StateLive && left > 0 && now.Before(s.LastSeen.Add(stead.HeartbeatGrace)) && !steppedBack(s, now) && !a.guard.over(s.ID, left)
}

// clockLeeway is how far a clock may be corrected backwards without anybody noticing.
const clockLeeway = 2 * time.Minute

// steppedBack reports whether the database's clock stands before something that it has already stamped. Nothing can
// be said about the session's time then, so it counts as over.
func steppedBack(s stead.Session, now time.Time) bool {
	return now.Before(s.StartedAt.Add(-clockLeeway)) || now.Before(s.LastSeen.Add(-clockLeeway))
}
