package devidp

import (
	"crypto/sha256"
	"errors"
	"sync"
	"time"
)

// request is an authorization request that waits for somebody to say who they are.
type request struct {
	client, redirect, state, nonce, challenge, scope string
	offline                                          bool // a refresh token was asked for and agreed to
	expires                                          time.Time
}

// grant is what a person agreed to when they chose themselves.
type grant struct {
	request
	subject  string
	authTime time.Time
}

// family is one sign-in's chain of refresh tokens. All of them die together.
type family struct {
	grant   grant
	dead    bool
	expires time.Time
}

type code struct {
	family  *family
	used    bool
	expires time.Time // good until codeTTL, remembered longer so that a replay is recognised
	forget  time.Time
}

type refresh struct {
	family *family
	used   bool
}

// The refusals of RFC 6749 5.2 that depend on what was handed out.
var (
	errGrant = errors.New("invalid_grant")
	errScope = errors.New("invalid_scope")
)

// grants remembers what was handed out, by hash: whoever reads this memory cannot use it. It is safe for
// concurrent use.
type grants struct {
	mu       sync.Mutex
	requests map[[32]byte]request
	codes    map[[32]byte]*code
	refresh  map[[32]byte]*refresh
}

func newGrants() *grants {
	return &grants{requests: map[[32]byte]request{}, codes: map[[32]byte]*code{}, refresh: map[[32]byte]*refresh{}}
}

func hash(s string) [32]byte { return sha256.Sum256([]byte(s)) }

// sweep forgets what is over. The caller holds the lock.
func (g *grants) sweep(now time.Time) {
	for k, r := range g.requests {
		if !now.Before(r.expires) {
			delete(g.requests, k)
		}
	}
	for k, c := range g.codes {
		if !now.Before(c.forget) {
			delete(g.codes, k)
		}
	}
	for k, r := range g.refresh {
		if !now.Before(r.family.expires) {
			delete(g.refresh, k)
		}
	}
}

// await keeps a request and returns the single-use name of it.
func (g *grants) await(r request) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	g.sweep(now)
	id := secret()
	r.expires = now.Add(chooseTTL)
	g.requests[hash(id)] = r
	return id
}

// take uses a waiting request up.
func (g *grants) take(id string) (request, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sweep(time.Now())
	r, ok := g.requests[hash(id)]
	delete(g.requests, hash(id))
	return r, ok
}

// issueCode hands out the code of a grant.
func (g *grants) issueCode(gr grant) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	g.sweep(now)
	c := secret()
	f := &family{grant: gr, expires: now.Add(refreshTTL)}
	g.codes[hash(c)] = &code{family: f, expires: now.Add(codeTTL), forget: now.Add(accessTTL)}
	return c
}

// redeemCode uses a code up. A second use kills what the first one gave (RFC 6749 4.1.2): one of the two was not
// the person's.
func (g *grants) redeemCode(c string) (*family, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	g.sweep(now)
	held, ok := g.codes[hash(c)]
	switch {
	case !ok:
		return nil, errGrant
	case held.used:
		held.family.dead = true
		return nil, errGrant
	}
	held.used = true
	if !now.Before(held.expires) {
		return nil, errGrant
	}
	return held.family, nil
}

// issueRefresh hands out the next refresh token of a chain, unless it died meanwhile.
func (g *grants) issueRefresh(f *family) (string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f.dead {
		return "", errGrant
	}
	t := secret()
	g.refresh[hash(t)] = &refresh{family: f}
	return t, nil
}

// redeemRefresh uses a client's refresh token up and answers the scope of what it buys. A second use ends the whole
// chain; asking for more than was granted is refused before anything is used up.
func (g *grants) redeemRefresh(t, client, asked string) (*family, string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sweep(time.Now())
	held, ok := g.refresh[hash(t)]
	if !ok || held.family.grant.client != client {
		return nil, "", errGrant
	}
	if held.used {
		held.family.dead = true
	}
	if held.family.dead {
		return nil, "", errGrant
	}
	scope, ok := narrower(asked, held.family.grant.scope)
	if !ok {
		return nil, "", errScope
	}
	held.used = true
	return held.family, scope, nil
}

// revoke ends the chain that a client's refresh token belongs to. An unknown token is no error (RFC 7009 2.2).
func (g *grants) revoke(t, client string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if held, ok := g.refresh[hash(t)]; ok && held.family.grant.client == client {
		held.family.dead = true
	}
}
