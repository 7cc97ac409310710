// Package signin signs the agent in at the organisation's OpenID provider and keeps the access token fresh.
//
// It is a public native client: authorization code with PKCE (RFC 7636, S256), answered on a loopback port (RFC 8252), in
// the agent's own browser. The refresh token is kept sealed in a file; the key that seals it is the vault's.
package signin

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"sync"
	"time"

	"stead/internal/stead"
)

const (
	// beginLimit is how long the agent has to sign in.
	beginLimit = 5 * time.Minute
	// margin is how long an access token must still be good for to be handed out without being refreshed first.
	margin = time.Minute
	// renewLimit bounds one refresh, discovery included.
	renewLimit = 20 * time.Second
	// closeGrace is how long Close lets a running refresh finish. Cutting it off could lose the rotated refresh token.
	closeGrace = 3 * time.Second
	// revokeLimit bounds the farewell to the provider at sign-out.
	revokeLimit = 3 * time.Second
)

// Sealer encrypts what is stored; vault.Sealer is one. Both methods are given the same aad, and Open must fail when the
// bytes or the aad are not what Seal saw.
type Sealer interface {
	Seal(plain, aad []byte) []byte
	Open(sealed, aad []byte) ([]byte, error)
}

// Config says where to sign in and where to keep the result.
type Config struct {
	Issuer   string // https, or http on loopback; exactly as the provider writes it
	ClientID string // a public client, allowed to use http://127.0.0.1:<any port>/callback
	File     string // for the sealed refresh token; its folder is made when it is missing
	Sealer   Sealer

	// OpenBrowser shows the address to the agent. It may return at once or when the browser ends; Begin waits for an error
	// only. Nil is the desktop's default browser.
	OpenBrowser func(url string) error

	// HTTP talks to the provider; redirects are never followed. Nil is a client with time limits that resolves *.localhost
	// to this machine by itself.
	HTTP *http.Client
}

// SignIn is the sign-in of one person at one provider. It is safe for concurrent use by one process.
type SignIn struct {
	cfg    Config
	flaw   error // why cfg cannot be used
	idp    *provider
	file   sealedFile
	limit  time.Duration
	listen func(ctx context.Context) (net.Listener, error)

	life     context.Context // of refreshes, which no single caller may cancel
	end      context.CancelFunc
	renewals sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	flow     *flow    // the running Begin
	renewal  *renewal // the running refresh
	restored bool     // the file was looked at
	held     *grant   // what the provider gave; nil when nobody is signed in
	why      string   // why nobody is, in words for the reader; may be empty
}

// Open returns a SignIn and does nothing else yet. When the configuration cannot be used, Begin and Token say so with
// stead.CodeConfigInvalid.
func Open(cfg Config) *SignIn {
	if cfg.OpenBrowser == nil {
		cfg.OpenBrowser = openDefaultBrowser
	}
	s := &SignIn{cfg: cfg, flaw: cfg.flaw(), limit: beginLimit, listen: listenOnLoopback}
	s.idp = newProvider(cfg.Issuer, cfg.ClientID, cfg.HTTP)
	s.file = sealedFile{path: cfg.File, sealer: cfg.Sealer, aad: binding(cfg.Issuer, cfg.ClientID)}
	s.life, s.end = context.WithCancel(context.Background())
	return s
}

func (c Config) flaw() error {
	switch {
	case !safeAddress(c.Issuer) || !bareAddress(c.Issuer):
		return stead.Errorf(stead.CodeConfigInvalid, "the sign-in issuer must be an https address, or http on this machine, without a query")
	case c.ClientID == "":
		return stead.Errorf(stead.CodeConfigInvalid, "the sign-in client id is missing")
	case c.File == "" || c.Sealer == nil:
		return stead.Errorf(stead.CodeConfigInvalid, "the sign-in has no place to keep its refresh token")
	}
	return nil
}

// Token returns an access token that is good for at least a minute where the provider issues such. It refreshes when less
// is left; callers that need a refresh at the same time share one. A refresh goes on when ctx ends.
//
// It fails with stead.CodeSignInRequired when nobody is signed in or the provider ended the sign-in (the file is then
// gone), stead.CodeUnreachable when the provider cannot be asked (the file stays), stead.CodeSignInFailed when the provider
// refuses for another reason (the file stays), and stead.CodeDataReadOnly while a rotated refresh token cannot be stored.
func (s *SignIn) Token(ctx context.Context) (string, error) {
	if s.flaw != nil {
		return "", s.flaw
	}
	for {
		token, r, err := s.ready()
		if r == nil {
			return token, err
		}
		select {
		case <-r.done:
		case <-ctx.Done():
			return "", stead.E(stead.CodeUnreachable, ctx.Err())
		}
		if !r.dropped {
			return r.token, r.err
		}
	}
}

// SignedIn reports whether an access token or a stored refresh token is there. It does not ask the provider.
func (s *SignIn) SignedIn() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held != nil {
		return s.held.refresh != "" || s.held.left() > 0
	}
	return !s.restored && s.flaw == nil && s.file.exists()
}

// SignOut stops a running Begin, forgets the tokens in memory and on disk, and asks the provider to revoke them where it
// can; that the provider does not answer within three seconds is no error. It fails with stead.CodeDataReadOnly when the
// file could not be removed.
func (s *SignIn) SignOut(ctx context.Context) error {
	if s.flaw != nil {
		return nil
	}
	s.stopFlow(signedOut, false)
	s.mu.Lock()
	r := s.dropRenewal()
	_ = s.restore() // an unreadable file has nothing to revoke, and is removed below
	last := s.held
	s.held, s.restored, s.why = nil, true, ""
	err := s.file.remove()
	s.mu.Unlock()

	if r != nil {
		<-r.done
	}
	if last != nil {
		ctx, cancel := context.WithTimeout(ctx, revokeLimit)
		defer cancel()
		s.idp.revoke(ctx, last)
	}
	if err != nil {
		return stead.Errorf(stead.CodeDataReadOnly, "the stored sign-in could not be removed").Because(err)
	}
	return nil
}

// Close stops a running Begin, lets a running refresh finish for up to three seconds and frees what is held open. The stored
// sign-in stays for the next start. Afterwards Token hands out what it still has and refreshes nothing.
func (s *SignIn) Close() error {
	s.stopFlow(closing, true)
	cut := time.AfterFunc(closeGrace, s.end)
	s.renewals.Wait()
	cut.Stop()
	s.end()
	s.idp.http.CloseIdleConnections()
	return nil
}

// restore reads the file at the first use. The caller holds mu.
func (s *SignIn) restore() error {
	if s.restored {
		return nil
	}
	refresh, err := s.file.load()
	switch {
	case err == nil:
		s.held = &grant{refresh: refresh, stored: true}
	case errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, errDamaged):
		// It can never be opened again, so the agent signs in anew; the file of a sign-in is no evidence of anything.
		s.why = "the sign-in stored on this machine could not be opened and was removed"
		if gone := s.file.remove(); gone != nil {
			err = errors.Join(err, gone)
		}
		s.restored = true
		return s.required(err)
	default:
		return stead.Errorf(stead.CodeSignInRequired, "the sign-in stored on this machine could not be read").Because(err)
	}
	s.restored = true
	return nil
}

// required is CodeSignInRequired with the reason, as long as there is one. The caller holds mu.
func (s *SignIn) required(cause error) error {
	e := stead.E(stead.CodeSignInRequired, cause)
	e.Detail = s.why
	return e
}

// save makes held durable. The caller holds mu.
func (s *SignIn) save() error {
	if err := s.file.save(s.held.refresh); err != nil {
		return stead.Errorf(stead.CodeDataReadOnly, "the sign-in could not be stored").Because(err)
	}
	s.held.stored = true
	return nil
}
