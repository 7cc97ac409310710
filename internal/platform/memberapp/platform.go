package memberapp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"stead/internal/api"
	"stead/internal/stead"
	"stead/internal/token"
)

const (
	callTimeout = 3 * time.Second        // for one answer of the platform
	answerAge   = 500 * time.Millisecond // how long a positive introspection holds, from when it was asked
)

// errRefused is a report that the platform will never take: sending it again cannot help.
var errRefused = errors.New("the platform refused the report")

// platform is the app half of the contract, seen from the app.
type platform struct{ client *api.ClientWithResponses }

func newPlatform(cfg Config) (*platform, error) {
	h := &http.Client{}
	if cfg.HTTP != nil {
		own := *cfg.HTTP
		h = &own
	}
	// A redirect would carry session tokens elsewhere.
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c, err := api.NewClientWithResponses(cfg.PlatformURL, api.WithHTTPClient(h),
		api.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
			r.SetBasicAuth(cfg.AppID, string(cfg.AppSecret))
			return nil
		}))
	return &platform{client: c}, err
}

func unexpected(what string, r *http.Response) error {
	return fmt.Errorf("memberapp: %s: the platform answered %s", what, r.Status)
}

// keys fetches the keys that session tokens are signed with.
func (p *platform) keys(ctx context.Context) (token.Public, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	r, err := p.client.GetJwksWithResponse(ctx)
	if err != nil {
		return nil, err
	}
	if r.JSON200 == nil {
		return nil, unexpected("keys", r.HTTPResponse)
	}
	var set token.JWKS
	for _, k := range r.JSON200.Keys {
		set.Keys = append(set.Keys, token.JWK{KeyType: k.Kty, Curve: k.Crv, X: k.X, ID: k.Kid, Alg: k.Alg, Use: k.Use})
	}
	return set.Public()
}

// introspect asks whether the session behind a token lives. It returns when the question was sent: the answer holds
// answerAge from then, so a slower one is asked for again, a few times.
func (p *platform) introspect(ctx context.Context, raw string) (api.Introspection, time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	hint := "access_token"
	for range 3 {
		sent := time.Now()
		r, err := p.client.IntrospectWithFormdataBodyWithResponse(ctx, api.IntrospectRequest{Token: raw, TokenTypeHint: &hint})
		if err != nil {
			return api.Introspection{}, sent, err
		}
		if r.JSON200 == nil {
			return api.Introspection{}, sent, unexpected("introspection", r.HTTPResponse)
		}
		if !r.JSON200.Active || time.Since(sent) <= answerAge {
			return *r.JSON200, sent, nil
		}
	}
	return api.Introspection{}, time.Time{}, errors.New("memberapp: introspection: the platform answers too slowly")
}

// notices are what the platform has to tell a member, newest first.
func (p *platform) notices(ctx context.Context, m stead.MemberID) (api.NoticePage, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	r, err := p.client.ListNoticesWithResponse(ctx, string(m))
	if err != nil {
		return api.NoticePage{}, err
	}
	if r.JSON200 == nil {
		return api.NoticePage{}, unexpected("notices", r.HTTPResponse)
	}
	return *r.JSON200, nil
}

// markRead says that the member has read their notices up to this one.
func (p *platform) markRead(ctx context.Context, m stead.MemberID, upTo int64) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	r, err := p.client.MarkNoticesReadWithResponse(ctx, string(m), api.NoticesReadRequest{UpTo: upTo})
	if err != nil {
		return err
	}
	if r.StatusCode() != http.StatusNoContent {
		return unexpected("notices read", r.HTTPResponse)
	}
	return nil
}

// visits are support's visits to a member's account, newest first.
func (p *platform) visits(ctx context.Context, m stead.MemberID) ([]api.Visit, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	r, err := p.client.ListMemberSessionsWithResponse(ctx, string(m))
	if err != nil {
		return nil, err
	}
	if r.JSON200 == nil {
		return nil, unexpected("visits", r.HTTPResponse)
	}
	return r.JSON200.Items, nil
}

// report delivers actions. errRefused means that these will never be taken.
func (p *platform) report(ctx context.Context, batch []api.ActionReport) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	r, err := p.client.ReportActionsWithResponse(ctx, api.ActionBatch{Actions: batch})
	if err != nil {
		return err
	}
	switch s := r.StatusCode(); {
	case s == http.StatusNoContent:
		return nil
	case s == http.StatusUnauthorized, s == http.StatusForbidden, s == http.StatusRequestTimeout, s == http.StatusTooManyRequests, s < 400, s >= 500:
		return unexpected("actions", r.HTTPResponse)
	}
	return fmt.Errorf("%w: %w", errRefused, unexpected("actions", r.HTTPResponse))
}
