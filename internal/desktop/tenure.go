package desktop

import (
	"context"
	"errors"
	"sync"

	"stead/internal/stead"
)

// errOvertaken means that somebody signed in or out while it was asked who works here.
var errOvertaken = errors.New("somebody signed in or out meanwhile")

// tenure knows whose the present sign-in is. What one person's work asks must never go out under the next person's
// token: their session would be ended in a lead's name. It is safe for concurrent use.
type tenure struct {
	mu      sync.Mutex
	turn    int    // grows whenever somebody else may be signed in from now on
	signing int    // sign-ins under way, each of which may put another person in place at any moment
	who     string // staff id of this turn's person; empty until the platform has named them
}

func (t *tenure) now() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.turn
}

// name says who the platform found signed in when it was asked in that turn, and reports false when the turn is over.
func (t *tenure) name(turn int, who string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.turn == turn {
		t.who = who
	}
	return t.turn == turn
}

// holds reports whether the present sign-in is certainly that person's, and in which turn.
func (t *tenure) holds(who string) (turn int, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.turn, t.signing == 0 && t.who == who
}

// enter begins a sign-in, leave ends it; changed when it may have put another person in place.
func (t *tenure) enter() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.signing++
}

func (t *tenure) leave(changed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.signing--
	if changed {
		t.turn, t.who = t.turn+1, ""
	}
}

// tokens hands out the access token of whoever is signed in at the moment of each request. It takes no lock of the
// desk: requests are made while some are held.
type tokens struct{ d *Desk }

func (t tokens) Token(ctx context.Context) (string, error) {
	if s := t.d.signed.Load(); s != nil {
		return s.Token(ctx)
	}
	return "", stead.E(stead.CodeSignInRequired, nil)
}

// ownTokens hands out the access token of one person, and CodeSignInRequired once it may be another's.
type ownTokens struct {
	d   *Desk
	who string
}

func (t ownTokens) Token(ctx context.Context) (string, error) {
	before, ok := t.d.tenure.holds(t.who)
	if !ok {
		return "", stead.E(stead.CodeSignInRequired, nil)
	}
	token, err := tokens{t.d}.Token(ctx)
	if after, ok := t.d.tenure.holds(t.who); !ok || after != before {
		return "", stead.E(stead.CodeSignInRequired, nil)
	}
	return token, err
}
