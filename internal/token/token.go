// Package token issues and verifies the two things the platform signs for others: the session's access token
// (RFC 9068 "at+jwt" with the act claim of RFC 8693 4.1) and the descriptor that tells the desktop what it got.
//
// A token proves who may act for whom until when; whether the session still lives only its row at the platform
// says. There is no refresh: a token is never made twice for longer.
package token

import (
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"stead/internal/stead"
)

// The media types of the two (header "typ").
const (
	TypeAccess     = "at+jwt"
	TypeDescriptor = "stead-descriptor+jwt"
)

// Actor is who really acts (RFC 8693 4.1).
type Actor struct {
	Subject string `json:"sub"`
}

// Claims of a session's access token.
type Claims struct {
	jwt.RegisteredClaims        // iss, sub (the member), aud (one member app), exp, nbf, iat, jti
	Actor                Actor  `json:"act"` // the agent
	SessionID            string `json:"sid"`
	Account              string `json:"account"`
	Scope                string `json:"scope"` // "read" or "read write"
	ClientID             string `json:"client_id"`
}

// Descriptor says what was started; the desktop compares it with what it asked for.
type Descriptor struct {
	jwt.RegisteredClaims        // iss, sub (the member), aud ("stead-desktop"), exp (the session's end), iat, jti
	Actor                Actor  `json:"act"`
	SessionID            string `json:"sid"`
	Account              string `json:"account"`
	Device               string `json:"device"`
	Scope                string `json:"scope"`
}

// AudienceDesktop is the audience of descriptors.
const AudienceDesktop = "stead-desktop"

// Key signs with a named key. The private key stays behind the signer.
type Key struct {
	ID     string
	Signer crypto.Signer // Ed25519
}

// Public is a verification key by its id.
type Public map[string]ed25519.PublicKey

// Sign signs claims under the given type.
func Sign(k Key, typ string, claims jwt.Claims) (string, error) {
	t := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims)
	t.Header["typ"] = typ
	t.Header["kid"] = k.ID
	s, err := t.SignedString(k.Signer)
	if err != nil {
		return "", fmt.Errorf("token: sign: %w", err)
	}
	return s, nil
}

// Times fills the registered times of a session's token: valid from its start until its end, by the second, the
// end rounded down so that no token outlives its session.
func Times(start, end time.Time) (issued, notBefore, expires *jwt.NumericDate) {
	return jwt.NewNumericDate(start.Truncate(time.Second)), jwt.NewNumericDate(start.Truncate(time.Second)),
		jwt.NewNumericDate(end.Truncate(time.Second))
}

// ErrInvalid is what Verify answers for anything but a good token: the reason is for logs.
var ErrInvalid = errors.New("token: invalid")

// Verify checks signature, type, issuer, audience and times of a session's access token.
func Verify(raw string, keys Public, issuer, audience string, now time.Time) (Claims, error) {
	var c Claims
	if err := verify(raw, TypeAccess, &c, keys, issuer, audience, now); err != nil {
		return Claims{}, err
	}
	if c.Subject == "" || c.Actor.Subject == "" || c.SessionID == "" || c.Account == "" || c.Scope == "" || len(c.Audience) != 1 {
		return Claims{}, fmt.Errorf("%w: a claim is missing", ErrInvalid)
	}
	return c, nil
}

// VerifyDescriptor checks signature, type, issuer and times of a descriptor.
func VerifyDescriptor(raw string, keys Public, issuer string, now time.Time) (Descriptor, error) {
	var d Descriptor
	if err := verify(raw, TypeDescriptor, &d, keys, issuer, AudienceDesktop, now); err != nil {
		return Descriptor{}, err
	}
	return d, nil
}

// leeway allows for clocks that differ a little between platform, desktop and member app. It never lengthens a
// session: its end is the row's, at the platform.
const leeway = 2 * time.Minute

func verify(raw, typ string, claims jwt.Claims, keys Public, issuer, audience string, now time.Time) error {
	parsed, err := jwt.ParseWithClaims(raw, claims, func(t *jwt.Token) (any, error) {
		if got, _ := t.Header["typ"].(string); got != typ {
			return nil, fmt.Errorf("type %q, want %q", got, typ)
		}
		kid, _ := t.Header["kid"].(string)
		if k, ok := keys[kid]; ok {
			return k, nil
		}
		return nil, fmt.Errorf("unknown key %q", kid)
	}, jwt.WithValidMethods([]string{"EdDSA"}), jwt.WithIssuer(issuer), jwt.WithAudience(audience),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(leeway), jwt.WithTimeFunc(func() time.Time { return now }))
	if err != nil || !parsed.Valid {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
}

// Issue makes the access token of a live session for one member app.
func Issue(k Key, issuer, audience, jti string, s stead.Session) (string, error) {
	iat, nbf, exp := Times(s.StartedAt, s.ExpiresAt)
	return Sign(k, TypeAccess, Claims{
		RegisteredClaims: jwt.RegisteredClaims{Issuer: issuer, Subject: string(s.Member), Audience: jwt.ClaimStrings{audience},
			ExpiresAt: exp, NotBefore: nbf, IssuedAt: iat, ID: jti},
		Actor: Actor{Subject: string(s.Agent)}, SessionID: string(s.ID), Account: string(s.Account), Scope: s.Scope, ClientID: "stead",
	})
}

// Describe makes the descriptor of a started session.
func Describe(k Key, issuer string, s stead.Session) (string, error) {
	iat, _, exp := Times(s.StartedAt, s.ExpiresAt)
	return Sign(k, TypeDescriptor, Descriptor{
		RegisteredClaims: jwt.RegisteredClaims{Issuer: issuer, Subject: string(s.Member), Audience: jwt.ClaimStrings{AudienceDesktop},
			ExpiresAt: exp, IssuedAt: iat, ID: string(s.ID)},
		Actor: Actor{Subject: string(s.Agent)}, SessionID: string(s.ID), Account: string(s.Account), Device: string(s.Device), Scope: s.Scope,
	})
}
