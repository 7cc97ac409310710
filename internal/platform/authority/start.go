package authority

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"

	"stead/internal/audit"
	"stead/internal/stead"
	"stead/internal/token"

	"stead/internal/platform/ledger"
	"stead/internal/platform/store"
)

// StartRequest is what a device asks for.
type StartRequest struct {
	Key       uuid.UUID // idempotency key: the event id of the intent record
	Member    stead.MemberID
	Account   stead.AccountID
	Reason    stead.Reason
	Ticket    string
	Consent   stead.Consent
	Record    audit.Head // the intent: device, epoch, sequence, leaf
	Signature []byte     // the device's, over the start claim
}

func (r StartRequest) hash() [32]byte {
	r.Signature = nil
	b, err := json.Marshal(r)
	if err != nil {
		panic(err) // plain data always marshals
	}
	return sha256.Sum256(b)
}

// Started is the answer to a start: no credential yet, only what is needed to redeem one.
type Started struct {
	Session    stead.Session
	Descriptor string
	Handoff    string // one-time code
	Now        time.Time
}

// Start decides and starts a session. In one transaction it checks the device and its intent record, decides, ends
// the agent's previous session, writes row, record, the member's note and the (still hidden) notice. Only after the
// commit is the descriptor signed. A refusal by the rules is recorded too.
//
// Sent again with the same key and content before it was redeemed, it answers the same session with a fresh handoff.
func (a *Authority) Start(ctx context.Context, agent stead.Staff, req StartRequest) (Started, error) {
	var out Started
	var refused error
	var ended stead.SessionID // the session before, if this start ended one
	err := a.Store.Update(ctx, func(tx store.Tx) error {
		out, refused, ended = Started{Now: tx.Now()}, nil, ""
		device, err := checkDevice(tx, req)
		if err != nil {
			return err
		}
		replayed, err := a.replay(tx, agent, req, &out)
		if replayed || err != nil {
			return err
		}
		q, err := question(tx, agent, req.Member, req.Ticket)
		if err != nil {
			return err
		}
		q.Reason, q.Consent = req.Reason, req.Consent
		code := stead.Decide(q)
		if code == "" && q.Member.Account != req.Account {
			code = stead.CodeMemberNotFound
		}
		if code != "" {
			refused = stead.E(code, nil)
			return a.recordRefusal(tx, agent, req, code, q)
		}
		if err := a.checkIntent(tx, agent, *q.Member, req); err != nil {
			return err
		}
		out.Session, out.Handoff, ended, err = a.insert(tx, agent, *q.Member, device, req)
		return err
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return Started{}, err
	}
	a.guard.disarm(ended)
	a.guard.arm(out.Session.ID, out.Session.ExpiresAt.Sub(out.Now))
	a.nudge()
	out.Descriptor, err = token.Describe(a.Keys.Current(), a.Issuer, out.Session)
	return out, err
}

func (a *Authority) replay(tx store.Tx, agent stead.Staff, req StartRequest, out *Started) (bool, error) {
	row, err := tx.SessionByRequest(agent.ID, req.Key)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	case row.RequestHash != req.hash():
		return true, stead.E(stead.CodeIdempotencyConflict, nil)
	case row.State == stead.StateEnded:
		return true, stead.E(stead.CodeSessionEnded, nil)
	case row.State == stead.StateLive, row.Mode != "": // the handoff was redeemed: another one could open it twice
		return true, stead.E(stead.CodeHandoffInvalid, nil)
	}
	code, hash := newHandoff()
	out.Session, out.Handoff = row.Session, code
	return true, tx.SetHandoff(row.ID, hash)
}

// checkDevice verifies that an enrolled device signed the claim.
func checkDevice(tx store.Tx, req StartRequest) (store.Device, error) {
	device, err := tx.Device(req.Record.Device)
	if errors.Is(err, store.ErrNotFound) || err == nil && !device.RevokedAt.IsZero() {
		return device, stead.E(stead.CodeDeviceUnknown, err)
	}
	if err != nil {
		return device, err
	}
	claim := audit.StartClaim{Device: req.Record.Device, Epoch: req.Record.Epoch, Seq: req.Record.Seq, Leaf: req.Record.Leaf,
		Member: req.Member, RequestKey: req.Key.String()}
	if err := claim.Verify(ed25519.PublicKey(device.PublicKey), req.Signature); err != nil {
		return device, stead.E(stead.CodeDeviceSignature, err)
	}
	return device, nil
}

// intentTTL is how old an intent may be. Its delivery is followed by the start at once; an older one belongs to a
// start that was given up.
const intentTTL = 2 * time.Minute

// checkIntent holds the start to the record that announced it: it must have arrived just now, and say the same.
func (a *Authority) checkIntent(tx store.Tx, agent stead.Staff, member stead.Member, req StartRequest) error {
	device, err := stead.ParsePseudonym(string(req.Record.Device))
	if err != nil {
		return stead.E(stead.CodeDeviceUnknown, err)
	}
	e, err := tx.IntakeAt(device, req.Record.Epoch, req.Record.Seq)
	if errors.Is(err, store.ErrNotFound) {
		return stead.E(stead.CodeIntentMissing, err)
	}
	if err != nil {
		return err
	}
	if e.Leaf != req.Record.Leaf || e.Kind != string(audit.SessionIntent) || e.EventID != req.Key ||
		e.Actor != agent.Pseudonym || e.Subject != member.Pseudonym || tx.Now().Sub(e.ReceivedAt) > intentTTL {
		return stead.E(stead.CodeIntentMismatch, nil)
	}
	said, err := a.Ledger.Read(tx, e)
	if err != nil {
		return err
	}
	if said.Texts["reason"] != req.Reason.Text || said.Facts["category"] != string(req.Reason.Category) || said.Facts["ticket"] != req.Ticket ||
		said.Facts["account"] != string(req.Account) || said.Facts["consent"] != string(req.Consent.How) {
		return stead.E(stead.CodeIntentMismatch, nil)
	}
	return nil
}

func (a *Authority) insert(tx store.Tx, agent stead.Staff, member stead.Member, device store.Device, req StartRequest) (s stead.Session, handoff string, ended stead.SessionID, err error) {
	previous, err := Live(tx, agent.ID)
	if err != nil {
		return s, "", "", err
	}
	if previous != nil {
		ended = previous.ID
		if err := a.endTx(tx, previous.Session, stead.CauseSuperseded, &agent, time.Time{}); err != nil {
			return s, "", "", err
		}
	}
	now := tx.Now()
	s = stead.Session{ID: stead.NewSessionID(), Agent: agent.ID, AgentName: agent.Name, Member: member.ID, MemberName: member.Name,
		MemberEmail: member.Email, Account: member.Account, Device: device.ID, State: stead.StateStarted, Scope: a.scope(),
		Reason: req.Reason, Ticket: req.Ticket, Consent: req.Consent,
		StartedAt: now, ExpiresAt: now.Add(stead.SessionTTL), LastSeen: now}
	code, hash := newHandoff()
	if err := tx.InsertSession(store.SessionRow{Session: s, RequestKey: req.Key, RequestHash: req.hash(), HandoffHash: hash}); err != nil {
		return s, "", "", err
	}
	err = a.Ledger.Write(tx, ledger.Entry{Kind: audit.SessionStarted, Session: s.ID, Actor: agent.Pseudonym, Subject: member.Pseudonym,
		Ref:   req.Key,
		Texts: map[string]string{"reason": req.Reason.Text, "agent_name": agent.Name, "member_name": member.Name, "member_email": member.Email},
		Facts: audit.Body{"scope": s.Scope, "category": string(req.Reason.Category), "ticket": req.Ticket, "consent": string(req.Consent.How),
			"account": string(s.Account), "device": string(device.ID), "expires_ms": s.ExpiresAt.UnixMilli()}})
	if err != nil {
		return s, "", "", err
	}
	// The notice stays hidden until the session is really opened.
	return s, code, ended, tx.PutNotice(store.Notice{Member: s.Member, Session: s.ID, Kind: "started", AgentName: agent.Name, Reason: s.Why(),
		Address: s.MemberEmail, CreatedAt: s.StartedAt})
}

// recordRefusal keeps what was refused. The member's pseudonym is left out when the refusal must not tell whether
// the member exists.
func (a *Authority) recordRefusal(tx store.Tx, agent stead.Staff, req StartRequest, code stead.Code, q stead.Question) error {
	e := ledger.Entry{Kind: audit.SessionRefused, Actor: agent.Pseudonym, Ref: req.Key,
		Texts: map[string]string{"reason": req.Reason.Text, "asked_for": string(req.Member)},
		Facts: audit.Body{"code": string(code), "device": string(req.Record.Device)}}
	if code != stead.CodeMemberNotFound && q.Member != nil {
		e.Subject = q.Member.Pseudonym
	}
	return a.Ledger.Write(tx, e)
}
