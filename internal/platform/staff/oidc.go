package staff

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"github.com/coreos/go-oidc/v3/oidc"

	"stead/internal/stead"
)

// Verifier checks access tokens of one identity provider (RFC 9068: signed JWTs whose audience is this platform).
// It is safe for concurrent use. The provider's metadata is fetched at the first use, so the platform starts
// without it; until it answers, nobody can sign in.
type Verifier struct {
	Issuer   string
	Audience string
	HTTP     *http.Client

	mu       sync.Mutex
	verifier *oidc.IDTokenVerifier
}

// Verify answers who the bearer of the token is, or CodeSignInRequired.
func (v *Verifier) Verify(ctx context.Context, raw string) (Identity, error) {
	check, err := v.ready(ctx)
	if err != nil {
		return Identity{}, stead.E(stead.CodeSignInRequired, err)
	}
	t, err := check.Verify(ctx, raw)
	if err != nil {
		return Identity{}, stead.E(stead.CodeSignInRequired, err)
	}
	var c struct {
		Email, Name string
		Actor       any `json:"act"`
	}
	if err := t.Claims(&c); err != nil {
		return Identity{}, stead.E(stead.CodeSignInRequired, err)
	}
	if c.Actor != nil { // somebody acting for somebody else is never staff: no chains
		return Identity{}, stead.E(stead.CodeChain, nil)
	}
	if t.Subject == "" {
		return Identity{}, stead.E(stead.CodeSignInRequired, errors.New("token without a subject"))
	}
	return Identity{Issuer: t.Issuer, Subject: t.Subject, Email: c.Email, Name: c.Name}, nil
}

func (v *Verifier) ready(ctx context.Context) (*oidc.IDTokenVerifier, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.verifier != nil {
		return v.verifier, nil
	}
	// The provider keeps this context for later key fetches, so it must not be a request's.
	own := oidc.ClientContext(context.WithoutCancel(ctx), v.HTTP)
	provider, err := oidc.NewProvider(own, v.Issuer)
	if err != nil {
		return nil, err
	}
	v.verifier = provider.Verifier(&oidc.Config{ClientID: v.Audience})
	return v.verifier, nil
}
