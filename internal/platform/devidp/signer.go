package devidp

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"math/big"
	"net/http"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// signer signs with RS256: the one algorithm that every verifier of ID tokens and of RFC 9068 access tokens knows.
type signer struct {
	id  string
	key *rsa.PrivateKey
}

func newSigner() (*signer, error) {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	return &signer{id: secret(), key: k}, nil
}

func (s *signer) sign(typ string, claims jwt.Claims) (string, error) {
	t := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
	t.Header["typ"], t.Header["kid"] = typ, s.id
	return t.SignedString(s.key)
}

// accessClaims are those of RFC 9068 2.2, with the person's name and address beside them.
type accessClaims struct {
	jwt.RegisteredClaims
	ClientID string `json:"client_id"`
	Scope    string `json:"scope"`
	Email    string `json:"email"`
	Name     string `json:"name"`
}

// idClaims are those of OpenID Connect Core 2.
type idClaims struct {
	jwt.RegisteredClaims
	AuthTime      int64  `json:"auth_time"`
	Nonce         string `json:"nonce,omitempty"`
	AtHash        string `json:"at_hash"`
	Email         string `json:"email"`
	EmailVerified bool   `json:"email_verified"`
	Name          string `json:"name"`
}

func (p *Provider) accessToken(g grant, who Person, scope string) (string, error) {
	now := time.Now()
	return p.signer.sign("at+jwt", accessClaims{
		RegisteredClaims: jwt.RegisteredClaims{Issuer: p.issuer, Subject: who.Subject, Audience: jwt.ClaimStrings{p.audience},
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(accessTTL)), ID: secret()},
		ClientID: g.client, Scope: scope, Email: who.Email, Name: who.Name,
	})
}

// idToken binds the access token by at_hash. The nonce belongs to the sign-in: refreshed ones carry none.
func (p *Provider) idToken(g grant, who Person, access, nonce string) (string, error) {
	now := time.Now()
	sum := sha256.Sum256([]byte(access))
	return p.signer.sign("JWT", idClaims{
		RegisteredClaims: jwt.RegisteredClaims{Issuer: p.issuer, Subject: who.Subject, Audience: jwt.ClaimStrings{g.client},
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(idTTL))},
		AuthTime: g.authTime.Unix(), Nonce: nonce, AtHash: base64.RawURLEncoding.EncodeToString(sum[:16]),
		Email: who.Email, EmailVerified: true, Name: who.Name,
	})
}

// readAccess verifies one of our own access tokens.
func (p *Provider) readAccess(raw string) (accessClaims, error) {
	var c accessClaims
	_, err := jwt.ParseWithClaims(raw, &c, func(t *jwt.Token) (any, error) {
		if t.Header["typ"] != "at+jwt" {
			return nil, jwt.ErrTokenUnverifiable
		}
		return &p.signer.key.PublicKey, nil
	}, jwt.WithValidMethods([]string{"RS256"}), jwt.WithIssuer(p.issuer), jwt.WithAudience(p.audience), jwt.WithExpirationRequired())
	return c, err
}

func (p *Provider) keys(w http.ResponseWriter, _ *http.Request) {
	pub := p.signer.key.PublicKey
	writeJSON(w, http.StatusOK, map[string]any{"keys": []map[string]string{{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": p.signer.id,
		"n": base64.RawURLEncoding.EncodeToString(pub.N.Bytes()),
		"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(pub.E)).Bytes()),
	}}})
}

// secret draws 256 bits as text that fits in URLs and forms.
func secret() string {
	b := make([]byte, 32)
	rand.Read(b) // never fails since Go 1.24
	return base64.RawURLEncoding.EncodeToString(b)
}
