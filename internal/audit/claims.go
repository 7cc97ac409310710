package audit

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"fmt"

	"stead/internal/stead"
)

// StartClaim is what a device signs when it asks for a session: which intent record the start rests on, for whom,
// and under which request key. It proves that the caller holds the key that chained the intent.
type StartClaim struct {
	Device     stead.DeviceID
	Epoch      Epoch
	Seq        uint64
	Leaf       [32]byte
	Member     stead.MemberID
	RequestKey string // the Idempotency-Key of the request
}

// HandoffClaim is what a device signs when it redeems a handoff: the code alone, stolen, opens nothing.
type HandoffClaim struct {
	Device  stead.DeviceID
	Session stead.SessionID
	Code    stead.Secret
}

// EnrolClaim is what a device signs with the key it wants enrolled: proof that it holds that key.
type EnrolClaim struct {
	Code      stead.Secret
	PublicKey []byte // Ed25519, 32 bytes
	Name      string
}

func (c StartClaim) message() ([]byte, error) {
	device, err := deviceBytes(c.Device)
	if err != nil {
		return nil, err
	}
	return message("stead-start/v1\x00", struct {
		Device     [16]byte `cbor:"0,keyasint"`
		Epoch      [16]byte `cbor:"1,keyasint"`
		Seq        uint64   `cbor:"2,keyasint"`
		Leaf       [32]byte `cbor:"3,keyasint"`
		Member     string   `cbor:"4,keyasint"`
		RequestKey string   `cbor:"5,keyasint"`
	}{device, c.Epoch, c.Seq, c.Leaf, string(c.Member), c.RequestKey})
}

func (c HandoffClaim) message() ([]byte, error) {
	device, err := deviceBytes(c.Device)
	if err != nil {
		return nil, err
	}
	session, err := sessionBytes(c.Session)
	if err != nil {
		return nil, err
	}
	return message("stead-handoff/v1\x00", struct {
		Device  [16]byte `cbor:"0,keyasint"`
		Session [16]byte `cbor:"1,keyasint"`
		Code    string   `cbor:"2,keyasint"`
	}{device, session, string(c.Code)})
}

func (c EnrolClaim) message() ([]byte, error) {
	return message("stead-enrol/v1\x00", struct {
		Code      string `cbor:"0,keyasint"`
		PublicKey []byte `cbor:"1,keyasint"`
		Name      string `cbor:"2,keyasint"`
	}{string(c.Code), c.PublicKey, c.Name})
}

// Sign returns the Ed25519 signature over "stead-start/v1\0" || deterministic CBOR of the claim.
func (c StartClaim) Sign(s crypto.Signer) ([]byte, error) { return signClaim(c, s) }

// Verify returns nil when sig is the key's over this claim, ErrSignature otherwise.
func (c StartClaim) Verify(key ed25519.PublicKey, sig []byte) error { return verifyClaim(c, key, sig) }

// Sign returns the Ed25519 signature over "stead-handoff/v1\0" || deterministic CBOR of the claim.
func (c HandoffClaim) Sign(s crypto.Signer) ([]byte, error) { return signClaim(c, s) }

// Verify returns nil when sig is the key's over this claim, ErrSignature otherwise.
func (c HandoffClaim) Verify(key ed25519.PublicKey, sig []byte) error {
	return verifyClaim(c, key, sig)
}

// Sign returns the Ed25519 signature over "stead-enrol/v1\0" || deterministic CBOR of the claim. The signer must be
// the key that the claim names.
func (c EnrolClaim) Sign(s crypto.Signer) ([]byte, error) {
	if key, ok := s.Public().(ed25519.PublicKey); !ok || !bytes.Equal(key, c.PublicKey) {
		return nil, fmt.Errorf("enrolment claim: the signer is not the key it names")
	}
	return signClaim(c, s)
}

// Verify returns nil when key is the one the claim names and sig is its signature, ErrSignature otherwise.
func (c EnrolClaim) Verify(key ed25519.PublicKey, sig []byte) error {
	if !bytes.Equal(key, c.PublicKey) {
		return ErrSignature
	}
	return verifyClaim(c, key, sig)
}

type claim interface{ message() ([]byte, error) }

func signClaim(c claim, s crypto.Signer) ([]byte, error) {
	m, err := c.message()
	if err != nil {
		return nil, err
	}
	return sign(s, m)
}

func verifyClaim(c claim, key ed25519.PublicKey, sig []byte) error {
	m, err := c.message()
	if err != nil {
		return err
	}
	return verify(key, m, sig)
}
