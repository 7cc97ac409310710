package signin

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"stead/internal/stead"
)

// assumedLife is taken where the provider does not say how long an access token is good (RFC 6749 only recommends it).
const assumedLife = 5 * time.Minute

// provider speaks to the OpenID provider. It never puts what the provider answers into an error unchecked: an answer may
// hold tokens.
type provider struct {
	issuer, clientID string
	http             *http.Client

	mu    sync.Mutex
	known *description
}

// description is what discovery said.
type description struct {
	endpoint    oauth2.Endpoint
	verifier    *oidc.IDTokenVerifier
	revocation  string // empty when the provider has no such endpoint
	namesIssuer bool   // RFC 9207: every authorization response carries iss
}

func newProvider(issuer, clientID string, base *http.Client) *provider {
	return &provider{issuer: issuer, clientID: clientID, http: guarded(base)}
}

// discover fetches the description anew and remembers it.
func (p *provider) discover(ctx context.Context) (*description, error) {
	found, err := oidc.NewProvider(oidc.ClientContext(ctx, p.http), p.issuer)
	var mismatch *oidc.IssuerMismatchError
	if errors.As(err, &mismatch) {
		return nil, stead.Errorf(stead.CodeSignInFailed, "the sign-in provider goes by another name than configured").Because(brief(err))
	}
	if err != nil {
		return nil, p.unreachable(err)
	}
	var more struct {
		JWKS        string `json:"jwks_uri"`
		Revocation  string `json:"revocation_endpoint"`
		NamesIssuer bool   `json:"authorization_response_iss_parameter_supported"`
	}
	if err := found.Claims(&more); err != nil {
		return nil, p.unreachable(err)
	}
	d := &description{endpoint: found.Endpoint(), revocation: more.Revocation, namesIssuer: more.NamesIssuer}
	for _, address := range []string{d.endpoint.AuthURL, d.endpoint.TokenURL, more.JWKS} {
		if !safeAddress(address) {
			return nil, stead.Errorf(stead.CodeSignInFailed, "the sign-in provider names an address that is missing or not safe")
		}
	}
	if !safeAddress(d.revocation) {
		d.revocation = ""
	}
	// A public client has no secret to authenticate with. Left to guess, x/oauth2 would spend the code or the refresh token
	// on a first try in the wrong style.
	d.endpoint.AuthStyle = oauth2.AuthStyleInParams
	d.verifier = found.Verifier(&oidc.Config{ClientID: p.clientID})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known = d
	return d, nil
}

// describe is discover for those whom what was learnt earlier will do.
func (p *provider) describe(ctx context.Context) (*description, error) {
	p.mu.Lock()
	d := p.known
	p.mu.Unlock()
	if d != nil {
		return d, nil
	}
	return p.discover(ctx)
}

// forget has the next refresh ask for the description again: the provider may have moved its endpoints.
func (p *provider) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known = nil
}

func (p *provider) client(d *description, redirect string) *oauth2.Config {
	return &oauth2.Config{ClientID: p.clientID, Endpoint: d.endpoint, RedirectURL: redirect,
		Scopes: []string{oidc.ScopeOpenID, oidc.ScopeEmail, oidc.ScopeProfile, oidc.ScopeOfflineAccess}}
}

// exchange turns the code into a grant and checks the ID token that comes with it.
func (p *provider) exchange(ctx context.Context, d *description, a ask, code string) (*grant, error) {
	ctx = oidc.ClientContext(ctx, p.http)
	t, err := p.client(d, a.redirect).Exchange(ctx, code, oauth2.VerifierOption(a.verifier))
	if err != nil {
		err = p.classify(err)
		var no *refusal
		if errors.As(err, &no) {
			return nil, no.failed()
		}
		return nil, err
	}
	if err := p.checkIdentity(ctx, d, t, a.nonce); err != nil {
		return nil, err
	}
	return received(t)
}

// checkIdentity holds the ID token to OpenID Connect Core 3.1.3.7: signature, issuer, audience, expiry, nonce.
func (p *provider) checkIdentity(ctx context.Context, d *description, t *oauth2.Token, nonce string) error {
	raw, _ := t.Extra("id_token").(string)
	if raw == "" {
		return stead.Errorf(stead.CodeSignInFailed, "the sign-in provider sent no ID token")
	}
	id, err := d.verifier.Verify(ctx, raw)
	var late *oidc.TokenExpiredError
	var network *url.Error
	switch {
	case errors.As(err, &network):
		return p.unreachable(err)
	case errors.As(err, &late):
		return stead.Errorf(stead.CodeSignInFailed, "the ID token has already expired; this machine's clock may be wrong").Because(err)
	case err != nil:
		return stead.Errorf(stead.CodeSignInFailed, "the ID token does not hold").Because(brief(err))
	}
	var claims struct {
		AuthorizedParty string `json:"azp"`
	}
	if err := id.Claims(&claims); err != nil {
		return stead.Errorf(stead.CodeSignInFailed, "the ID token does not hold").Because(brief(err))
	}
	switch {
	case subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(nonce)) != 1:
		return stead.Errorf(stead.CodeSignInFailed, "the ID token belongs to another sign-in")
	case claims.AuthorizedParty != "" && claims.AuthorizedParty != p.clientID,
		claims.AuthorizedParty == "" && len(id.Audience) > 1:
		return stead.Errorf(stead.CodeSignInFailed, "the ID token was made for another program")
	case id.AccessTokenHash != "" && id.VerifyAccessToken(t.AccessToken) != nil:
		return stead.Errorf(stead.CodeSignInFailed, "the ID token belongs to another access token")
	}
	return nil
}

// refresh trades the refresh token in. It fails with a *refusal when the provider says no.
func (p *provider) refresh(ctx context.Context, refresh string) (*grant, error) {
	d, err := p.describe(ctx)
	if err != nil {
		return nil, err
	}
	ctx = oidc.ClientContext(ctx, p.http)
	t, err := p.client(d, "").TokenSource(ctx, &oauth2.Token{RefreshToken: refresh}).Token()
	if err != nil {
		p.forget()
		return nil, p.classify(err)
	}
	return received(t)
}

func received(t *oauth2.Token) (*grant, error) {
	if !strings.EqualFold(t.Type(), "bearer") {
		return nil, stead.Errorf(stead.CodeSignInFailed, "the sign-in provider sent a kind of token that Stead does not know")
	}
	g := &grant{access: t.AccessToken, refresh: t.RefreshToken, expiry: t.Expiry}
	if g.expiry.IsZero() {
		g.expiry = time.Now().Add(assumedLife)
	}
	return g, nil
}

// revoke tells the provider that a grant is no longer needed (RFC 7009). It is a courtesy: its outcome changes nothing here.
func (p *provider) revoke(ctx context.Context, g *grant) {
	d, err := p.describe(ctx)
	if err != nil || d.revocation == "" {
		return
	}
	form := url.Values{"client_id": {p.clientID}, "token": {g.refresh}, "token_type_hint": {"refresh_token"}}
	if g.refresh == "" {
		form.Set("token", g.access)
		form.Set("token_type_hint", "access_token")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.revocation, strings.NewReader(form.Encode()))
	if err != nil {
		return
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if resp, err := p.http.Do(r); err == nil {
		_ = resp.Body.Close()
	}
}

// refusal is a provider's no. Its code is one of those the standards name, or "other".
type refusal struct {
	code   string
	status int
}

func (r *refusal) Error() string {
	return fmt.Sprintf("token endpoint: status %d, %s", r.status, r.code)
}

func (r *refusal) failed() error {
	return stead.Errorf(stead.CodeSignInFailed, "the sign-in provider refused: %s", r.code).Because(r)
}

// standardCode returns the code if RFC 6749 (4.1.2.1, 5.2), OpenID Connect Core (3.1.2.6) or RFC 8707 names it, else "other":
// any other text in its place is the provider's own, and is not shown.
func standardCode(code string) string {
	if slices.Contains([]string{
		"access_denied", "account_selection_required", "consent_required", "interaction_required", "invalid_client",
		"invalid_grant", "invalid_request", "invalid_scope", "invalid_target", "login_required", "server_error",
		"temporarily_unavailable", "unauthorized_client", "unsupported_grant_type", "unsupported_response_type",
	}, code) {
		return code
	}
	return "other"
}

// classify turns an error of x/oauth2, whose text may quote the whole answer, into a *refusal or stead.CodeUnreachable.
// Without an OAuth error code it was not the provider who spoke, but something on the way.
func (p *provider) classify(err error) error {
	var answer *oauth2.RetrieveError
	if !errors.As(err, &answer) {
		return p.unreachable(err)
	}
	no := &refusal{code: standardCode(answer.ErrorCode), status: answer.Response.StatusCode}
	if answer.ErrorCode == "" || no.code == "server_error" || no.code == "temporarily_unavailable" || no.status == http.StatusTooManyRequests {
		return p.unreachable(errors.New(no.Error())) // as text: it must not be found as a refusal
	}
	return no
}

func (p *provider) unreachable(cause error) error {
	host := "the sign-in provider"
	if u, err := url.Parse(p.issuer); err == nil {
		host += " " + u.Host
	}
	var network *url.Error
	if errors.As(cause, &network) {
		cause = network.Err // without the address
	}
	return stead.Errorf(stead.CodeUnreachable, "%s does not answer as it should", host).Because(brief(cause))
}

// brief keeps only the beginning of an error that quotes a whole page.
func brief(err error) error {
	const most = 200
	text := err.Error()
	if len(text) <= most {
		return err
	}
	return fmt.Errorf("%.*q…", most, text)
}
