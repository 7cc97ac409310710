package token

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
)

// JWK is one public key as RFC 8037 writes Ed25519 keys.
type JWK struct {
	KeyType string `json:"kty"`
	Curve   string `json:"crv"`
	X       string `json:"x"`
	ID      string `json:"kid"`
	Alg     string `json:"alg"`
	Use     string `json:"use"`
}

// JWKS is a key set (RFC 7517).
type JWKS struct {
	Keys []JWK `json:"keys"`
}

// ToJWK writes a public key.
func ToJWK(id string, k ed25519.PublicKey) JWK {
	return JWK{KeyType: "OKP", Curve: "Ed25519", X: base64.RawURLEncoding.EncodeToString(k), ID: id, Alg: "EdDSA", Use: "sig"}
}

// Public reads the set's Ed25519 keys; keys of other kinds are passed over, broken ones are an error.
func (s JWKS) Public() (Public, error) {
	out := Public{}
	for _, j := range s.Keys {
		if j.KeyType != "OKP" || j.Curve != "Ed25519" {
			continue
		}
		x, err := base64.RawURLEncoding.DecodeString(j.X)
		if err != nil || len(x) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("token: key %q is not an Ed25519 key", j.ID)
		}
		out[j.ID] = x
	}
	return out, nil
}
