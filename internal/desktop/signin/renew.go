package signin

import (
	"context"
	"errors"

	"stead/internal/stead"
)

// renewal is one refresh. Whoever needs its outcome waits for done; the other fields are set before.
type renewal struct {
	cancel  context.CancelFunc
	done    chan struct{}
	dropped bool // a sign-in or sign-out came between, so the outcome means nothing
	token   string
	err     error
}

// ready returns an access token that is good for a while, or the renewal that will bring one.
func (s *SignIn) ready() (string, *renewal, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.renewal != nil {
		return "", s.renewal, nil
	}
	if err := s.restore(); err != nil {
		return "", nil, err
	}
	g := s.held
	switch {
	case g == nil:
		return "", nil, s.required(nil)
	case !g.stored:
		// The provider has rotated and this is the only copy: it goes to disk before anything is done with it.
		if err := s.save(); err != nil {
			return "", nil, err
		}
	}
	switch left := g.left(); {
	case left >= margin, left > 0 && g.refresh == "":
		return g.access, nil, nil
	case g.refresh == "":
		s.held, s.why = nil, "the sign-in provider gave no lasting sign-in"
		return "", nil, s.required(nil)
	case s.closed:
		return "", nil, stead.Errorf(stead.CodeSignInRequired, "%s", string(closing))
	}
	return "", s.startRenewal(g), nil
}

// startRenewal begins to refresh. The caller holds mu, and nothing is closed yet.
func (s *SignIn) startRenewal(old *grant) *renewal {
	ctx, cancel := context.WithTimeout(s.life, renewLimit)
	r := &renewal{cancel: cancel, done: make(chan struct{})}
	s.renewal = r
	s.renewals.Go(func() {
		defer close(r.done)
		defer cancel()
		fresh, err := s.idp.refresh(ctx, old.refresh)
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.renewal != r {
			r.dropped = true
			return
		}
		s.renewal = nil
		r.token, r.err = s.renewed(old, fresh, err)
	})
	return r
}

// renewed takes in the outcome of a refresh. The caller holds mu.
func (s *SignIn) renewed(old, fresh *grant, err error) (string, error) {
	var no *refusal
	switch {
	case err == nil:
		s.held = fresh
		if fresh.refresh == old.refresh { // not every provider rotates
			fresh.stored = true
			return fresh.access, nil
		}
		if err := s.save(); err != nil {
			return "", err // ready tries again
		}
		return fresh.access, nil
	case errors.As(err, &no) && no.code == "invalid_grant":
		s.held, s.why = nil, "the sign-in provider ended it"
		if gone := s.file.remove(); gone != nil {
			err = errors.Join(err, gone)
		}
		return "", s.required(err)
	case old.left() > 0:
		return old.access, nil // it may be over before this one runs out
	case no != nil:
		return "", no.failed()
	}
	return "", err
}

// dropRenewal makes a running refresh count for nothing and returns it, if there is one. The caller holds mu.
func (s *SignIn) dropRenewal() *renewal {
	r := s.renewal
	if r != nil {
		r.cancel()
		s.renewal = nil
	}
	return r
}
