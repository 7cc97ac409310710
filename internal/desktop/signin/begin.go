package signin

import (
	"context"
	"crypto/rand"
	"errors"
	"net/url"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"stead/internal/stead"
)

// ending says why a Begin was stopped, in words for the reader.
type ending string

func (e ending) Error() string { return string(e) }

const (
	replaced  = ending("another sign-in was started")
	signedOut = ending("you signed out")
	closing   = ending("Stead is closing")
	tooLong   = ending("nobody signed in within five minutes")
	cancelled = ending("it was cancelled")
)

// flow is a running Begin.
type flow struct {
	cancel context.CancelCauseFunc
	done   chan struct{}
}

// ask is what one authorization request is made of, and what its answer is held to.
type ask struct {
	redirect, state, nonce, verifier string
}

// Begin signs the agent in: it opens the browser at the provider, waits up to five minutes for the answer, and keeps what
// it brings. When it returns nil, the refresh token (if the provider gave one) is on disk; when it fails, an earlier
// sign-in stays as it was. A second Begin stops the first, and its port is free again when either returns.
//
// It fails with stead.CodeUnreachable when the provider cannot be asked, stead.CodeDataReadOnly when the refresh token
// cannot be stored, and stead.CodeSignInFailed, with a detail, for everything else.
func (s *SignIn) Begin(ctx context.Context) error {
	if s.flaw != nil {
		return s.flaw
	}
	ctx, leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	ctx, cancel := context.WithTimeoutCause(ctx, s.limit, tooLong)
	defer cancel()
	if err := s.signIn(ctx); err != nil {
		if ctx.Err() != nil {
			return stopped(ctx)
		}
		return err
	}
	return nil
}

// enter makes this the running Begin, after the one before it has gone.
func (s *SignIn) enter(ctx context.Context) (context.Context, func(), error) {
	ctx, cancel := context.WithCancelCause(ctx)
	own := &flow{cancel: cancel, done: make(chan struct{})}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		cancel(closing)
		return nil, nil, stead.Errorf(stead.CodeSignInFailed, "%s", string(closing))
	}
	before := s.flow
	s.flow = own
	s.mu.Unlock()
	if before != nil {
		before.cancel(replaced)
		<-before.done
	}
	return ctx, func() {
		cancel(nil)
		s.mu.Lock()
		if s.flow == own {
			s.flow = nil
		}
		s.mu.Unlock()
		close(own.done)
	}, nil
}

// stopFlow stops the running Begin, if any, and waits for it. With last, no other follows.
func (s *SignIn) stopFlow(why ending, last bool) {
	s.mu.Lock()
	running := s.flow
	s.closed = s.closed || last
	s.mu.Unlock()
	if running != nil {
		running.cancel(why)
		<-running.done
	}
}

// stopped says why ctx ended.
func stopped(ctx context.Context) error {
	why := cancelled
	_ = errors.As(context.Cause(ctx), &why) // any other cause is the caller's own, and stays "cancelled"
	return stead.Errorf(stead.CodeSignInFailed, "%s", string(why)).Because(ctx.Err())
}

// signIn is one Begin from discovery to the tab's last page.
func (s *SignIn) signIn(ctx context.Context) error {
	d, err := s.idp.discover(ctx)
	if err != nil {
		return err
	}
	listener, err := s.listen(ctx)
	if err != nil {
		return stead.Errorf(stead.CodeSignInFailed, "no port on this machine could be opened for the browser's answer").Because(err)
	}
	state := rand.Text()
	back := serveCallback(listener, state)
	a := ask{redirect: back.address, state: state, nonce: rand.Text(), verifier: oauth2.GenerateVerifier()}
	answer, err := s.await(ctx, back, s.address(d, a))
	if err == nil {
		err = s.take(ctx, d, a, answer)
	}
	back.finish(err == nil)
	return err
}

// address is where the browser goes. prompt=consent belongs to offline_access: without it a provider drops that scope and
// gives no refresh token (OpenID Connect Core 11).
func (s *SignIn) address(d *description, a ask) string {
	return s.idp.client(d, a.redirect).AuthCodeURL(a.state, oidc.Nonce(a.nonce), oauth2.S256ChallengeOption(a.verifier),
		oauth2.SetAuthURLParam("prompt", "consent"))
}

// await opens the browser and waits for the answer. Nobody waits for the opener itself, because nothing can stop it: on some
// desktops it lives as long as the browser, which is the agent's and not ours.
func (s *SignIn) await(ctx context.Context, back *callback, address string) (url.Values, error) {
	opened := make(chan error, 1)
	go func() { opened <- s.cfg.OpenBrowser(address) }()
	for {
		select {
		case answer := <-back.answer:
			return answer, nil
		case err := <-opened:
			if err != nil {
				// The opener's words may quote the address, which says more than a log should hold.
				return nil, stead.Errorf(stead.CodeSignInFailed, "your browser could not be opened")
			}
			opened = nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// take checks the answer, whose state was already found right, trades its code in and keeps the result.
func (s *SignIn) take(ctx context.Context, d *description, a ask, answer url.Values) error {
	issuer := answer.Get("iss")
	if issuer != "" && issuer != s.cfg.Issuer || issuer == "" && d.namesIssuer {
		return stead.Errorf(stead.CodeSignInFailed, "the answer came from another sign-in provider")
	}
	switch code := standardCode(answer.Get("error")); {
	case code == "access_denied":
		return stead.Errorf(stead.CodeSignInFailed, "it was refused at the sign-in provider")
	case answer.Get("error") != "":
		return stead.Errorf(stead.CodeSignInFailed, "the sign-in provider refused: %s", code)
	case answer.Get("code") == "":
		return stead.Errorf(stead.CodeSignInFailed, "the sign-in provider sent no code")
	}
	g, err := s.idp.exchange(ctx, d, a, answer.Get("code"))
	if err != nil {
		return err
	}
	return s.adopt(ctx, g)
}

// adopt replaces what was held, on disk first. A sign-in that was stopped meanwhile is not adopted.
func (s *SignIn) adopt(ctx context.Context, g *grant) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	err := s.file.replace(g.refresh)
	if err != nil {
		return stead.Errorf(stead.CodeDataReadOnly, "the sign-in could not be stored").Because(err)
	}
	g.stored = true
	s.dropRenewal()
	s.held, s.restored, s.why = g, true, ""
	return nil
}
