// Package authority owns the life of a session: it decides, starts, opens, keeps, expires and ends. The session's
// row is the authority for every question; this package is the only one that changes it.
package authority

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"log/slog"

	"stead/internal/stead"
	"stead/internal/token"

	"stead/internal/platform/ledger"
	"stead/internal/platform/store"
)

// App is the member app that sessions open.
type App struct {
	Audience   string // "aud" of the tokens
	StartURL   string // the member's dashboard
	CookieName string
	Fence
}

// Fence is where a session's browser stays; see the API's Opened.
type Fence struct {
	Origins     []string
	OtherPages  []string
	OtherFrames []string
	Downloads   bool
}

// Config is what an Authority needs.
type Config struct {
	Store    store.Store
	Ledger   *ledger.Ledger
	Keys     Keys
	Issuer   string // "iss" of the tokens: the platform's public address
	App      App
	ReadOnly bool // view-first: sessions start with scope "read"
	Fallback bool // sessions may open in a browser that Stead cannot control
	Log      *slog.Logger
}

// Keys signs tokens and tells which signatures are still good.
type Keys interface {
	Current() token.Key
	Public() token.Public
}

// Authority is safe for concurrent use. Watch must run for sessions to expire.
type Authority struct {
	Config
	guard *guard
	wake  chan struct{}
}

// New returns an authority.
func New(c Config) *Authority {
	return &Authority{Config: c, guard: newGuard(), wake: make(chan struct{}, 1)}
}

func (a *Authority) scope() string {
	if a.ReadOnly {
		return "read"
	}
	return "read write"
}

// nudge makes Watch look at the deadlines again.
func (a *Authority) nudge() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// newHandoff draws a one-time code and its hash.
func newHandoff() (code string, hash [32]byte) {
	var b [32]byte
	rand.Read(b[:]) // never fails since Go 1.24
	code = base64.RawURLEncoding.EncodeToString(b[:])
	return code, sha256.Sum256([]byte(code))
}

// question gathers what Decide looks at, in one consistent state of the database.
func question(tx store.Tx, agent stead.Staff, id stead.MemberID, ticket string) (stead.Question, error) {
	q := stead.Question{Agent: agent, Ticket: ticket}
	if err := target(tx, &q, id); err != nil {
		return q, err
	}
	owed, err := tx.OwedNotes(agent.ID)
	if err != nil {
		return q, err
	}
	q.NotesOwed, q.SameCase = len(owed), ticket != ""
	for _, s := range owed {
		if s.Member != id || s.Ticket != ticket {
			q.SameCase = false
		}
		if tx.Now().Sub(s.EndedAt) > stead.NoteDue {
			q.NoteOverdue = true
		}
	}
	return q, nil
}

// target fills in who the member is, and whether they work here.
func target(tx store.Tx, q *stead.Question, id stead.MemberID) error {
	member, err := tx.Member(id)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	q.Member = &member
	if !q.Agent.Scope.Covers(member.Account, member.Branch) {
		return nil // for the agent there is no such member: nothing more is asked, so that it takes no longer either
	}
	other, err := tx.StaffOfMember(id)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	q.MemberIsStaff = err == nil
	q.MemberIsSelf = err == nil && other.ID == q.Agent.ID
	return err
}

// MayStart answers whether to offer a session for the member at all: "" or the code that says why not.
func MayStart(tx store.Tx, agent stead.Staff, id stead.MemberID) (stead.Code, error) {
	q, err := question(tx, agent, id, "")
	if err != nil {
		return "", err
	}
	return stead.Eligible(q), nil
}

// Live is the agent's session that has not ended, or nil.
func Live(tx store.Tx, agent stead.StaffID) (*store.SessionRow, error) {
	row, err := tx.OpenSession(agent)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &row, nil
}
