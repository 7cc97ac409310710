package authority

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/url"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/ledger"
	"stead/internal/platform/store"
)

// handoffPath is where a member app takes the fallback's code (see the contract).
const handoffPath = "/support/handoff"

// What of the fallback was used a second time, as the alarm record says.
const (
	reusedPage = "page" // the desktop's one-time page
	reusedCode = "code" // the member app's one-time code
)

// Handed is what opens a session in a browser that Stead cannot control: a code that a page there posts to the member app.
type Handed struct {
	Session stead.Session
	Code    string // single use, good for stead.FallbackCodeTTL; whoever has it can use it
	PostURL string // at the member app
}

// HandOver exchanges a handoff for a code that the member app exchanges in its turn: under the same conditions as Redeem,
// and only where the fallback is allowed (otherwise CodeBadRequest). The session is not live before Exchange, and ends as
// not opened without it.
func (a *Authority) HandOver(ctx context.Context, agent stead.Staff, id stead.SessionID, handoff stead.Secret, signature []byte) (Handed, error) {
	if !a.Fallback {
		return Handed{}, stead.Errorf(stead.CodeBadRequest, "field mode: the fallback is not allowed here (browser_fallback)")
	}
	post, err := url.Parse(a.App.StartURL)
	if err != nil {
		return Handed{}, err
	}
	out := Handed{PostURL: post.Scheme + "://" + post.Host + handoffPath}
	err = a.Store.Update(ctx, func(tx store.Tx) error {
		row, err := own(tx, agent, id)
		if err != nil {
			return err
		}
		if err := a.checkHandoff(tx, row, handoff, signature); err != nil {
			return err
		}
		code, hash := newHandoff()
		out.Session, out.Code = row.Session, code
		out.Session.Mode = stead.ModeFallback
		return tx.SetCode(id, hash, tx.Now().Add(stead.FallbackCodeTTL))
	})
	if err != nil {
		return Handed{}, err
	}
	return out, nil
}

// Exchange gives the member app the credential for a code, once. Every refusal is the same CodeHandoffInvalid. A code
// that was used before ends its session in the same transaction, with an alarm record: one of the two users was not the
// agent's browser, and nobody can tell which.
func (a *Authority) Exchange(ctx context.Context, code stead.Secret) (Opened, error) {
	var s stead.Session
	refused, ended := false, stead.SessionID("")
	err := a.Store.Update(ctx, func(tx store.Tx) error {
		refused, ended = false, ""
		row, err := tx.SessionByCode(sha256.Sum256([]byte(code)))
		switch {
		case errors.Is(err, store.ErrNotFound):
			refused = true
			return nil
		case err != nil:
			return err
		case !row.OpenedAt.IsZero():
			refused = true
			ended, err = a.reused(tx, row.Session)
			return err
		case !a.mayOpen(tx, row.Session) || tx.Now().After(row.CodeUntil):
			refused = true
			return nil
		}
		agent, err := tx.Staff(row.Agent)
		if err != nil {
			return err
		}
		s, err = a.openTx(tx, agent, row.Session, stead.ModeFallback)
		return err
	})
	if err == nil && ended != "" {
		a.guard.disarm(ended)
		a.Log.ErrorContext(ctx, "alarm: the code that opens a session was used twice; the session is ended", "session", ended)
	}
	if err == nil && refused {
		err = stead.E(stead.CodeHandoffInvalid, nil)
	}
	if err != nil {
		return Opened{}, err
	}
	return a.issue(s)
}

// reused ends the session of a code that came a second time, and raises the alarm. Once a session is over, nothing more
// can be gained with its code, and a record of each further use could be written at somebody's will: ended is "" then.
func (a *Authority) reused(tx store.Tx, s stead.Session) (ended stead.SessionID, err error) {
	if over, _ := a.overdue(s, tx.Now()); s.State == stead.StateEnded || over != "" {
		return "", nil
	}
	if err := a.endTx(tx, s, stead.CauseHandoffReused, nil, time.Time{}); err != nil {
		return "", err
	}
	return s.ID, a.alarmReuse(tx, s, reusedCode)
}

func (a *Authority) alarmReuse(tx store.Tx, s stead.Session, what string) error {
	agent, err := tx.Staff(s.Agent)
	if err != nil {
		return err
	}
	member, err := tx.Member(s.Member)
	if err != nil {
		return err
	}
	return a.Ledger.Write(tx, ledger.Entry{Kind: audit.HandoffReused, Session: s.ID, Actor: agent.Pseudonym, Subject: member.Pseudonym,
		Facts: audit.Body{"what": what, "device": string(s.Device)}})
}

// EndFromApp ends the session whose token the member app was shown, because a person pressed End on its page. A token
// that is not good any more has nothing left to end.
func (a *Authority) EndFromApp(ctx context.Context, raw string) error {
	good, err := a.Introspect(ctx, raw)
	if err != nil || good == nil {
		return err
	}
	id := stead.SessionID(good.SessionID)
	err = a.Store.Update(ctx, func(tx store.Tx) error {
		row, err := tx.Session(id)
		if err != nil || row.State == stead.StateEnded {
			return err
		}
		return a.endTx(tx, row.Session, stead.CauseBanner, nil, time.Time{})
	})
	if err == nil {
		a.guard.disarm(id)
	}
	return err
}
