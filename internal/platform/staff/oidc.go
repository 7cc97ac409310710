package staff

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/sync/singleflight"

	"stead/internal/stead"
)

// Verifier checks access tokens of one identity provider (RFC 9068: signed JWTs whose audience is this platform).
// It is safe for concurrent use. The provider's metadata is fetched at the first use, so the platform starts
// without it; until it answers, nobody can sign in.
type Verifier struct {
	Issuer   string
	Audience string
	HTTP     *http.Client
	Demo     bool // accept the demo's sign-in, which asks nobody for a password

	discovery singleflight.Group

	mu       sync.Mutex
	verifier *oidc.IDTokenVerifier
	failed   time.Time // of the last discovery that failed
	why      error
}

// discoveryPause is how long a failed discovery is not tried again: whoever comes meanwhile is told at once.
const discoveryPause = 2 * time.Second

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

// Reach fetches the provider's metadata: nil once the provider has answered.
func (v *Verifier) Reach(ctx context.Context) error {
	_, err := v.ready(ctx)
	return err
}

// ready returns what checks tokens, discovering the provider once for everybody who waits for it. A provider that
// does not answer holds up nobody longer than their own request lasts.
func (v *Verifier) ready(ctx context.Context) (*oidc.IDTokenVerifier, error) {
	v.mu.Lock()
	known, why := v.verifier, v.why
	pausing := time.Since(v.failed) < discoveryPause
	v.mu.Unlock()
	if known != nil {
		return known, nil
	}
	if pausing {
		return nil, why
	}
	// The provider keeps the context for later key fetches, so it must not be a request's.
	own := oidc.ClientContext(context.WithoutCancel(ctx), v.HTTP)
	found := v.discovery.DoChan("", func() (any, error) { return v.discover(own) })
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-found:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*oidc.IDTokenVerifier), nil
	}
}

func (v *Verifier) discover(ctx context.Context) (*oidc.IDTokenVerifier, error) {
	provider, err := oidc.NewProvider(ctx, v.Issuer)
	if err == nil {
		err = v.refuseDemo(provider)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if err != nil {
		v.failed, v.why = time.Now(), err
		return nil, err
	}
	v.verifier = provider.Verifier(&oidc.Config{ClientID: v.Audience})
	return v.verifier, nil
}

// refuseDemo answers CodeConfigInvalid when the provider says that it is the demo's and this is no demo.
func (v *Verifier) refuseDemo(provider *oidc.Provider) error {
	var says struct {
		Demo bool `json:"stead_demo"`
	}
	if err := provider.Claims(&says); err != nil {
		return err
	}
	if says.Demo && !v.Demo {
		return stead.Errorf(stead.CodeConfigInvalid, "issuer %s is the demo's sign-in, which asks nobody for a password", v.Issuer)
	}
	return nil
}
