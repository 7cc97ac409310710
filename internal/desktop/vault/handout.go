package vault

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"fmt"
	"io"

	"stead/internal/audit"
)

// deviceKey is the name of the entry that holds the seed of the device key.
const deviceKey = "device-key"

// Signer signs with the device key (Ed25519) and keeps it to itself. It is a crypto.Signer, safe for concurrent use.
type Signer struct {
	key    *ed25519.PrivateKey // behind a pointer, so that printing what holds a Signer shows an address
	public ed25519.PublicKey
}

func newSigner(seed []byte) *Signer {
	key := ed25519.NewKeyFromSeed(seed)
	return &Signer{key: &key, public: ed25519.PublicKey(key[ed25519.SeedSize:])} // RFC 8032: the key ends with its public half
}

// Public returns the device's ed25519.PublicKey.
func (s *Signer) Public() crypto.PublicKey { return s.public }

// Sign signs the message itself, as Ed25519 wants it: opts must be crypto.Hash(0).
func (s *Signer) Sign(rand io.Reader, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	return s.key.Sign(rand, message, opts)
}

// KeyID names the key in records: the first 8 bytes of the SHA-256 of the public key.
func (s *Signer) KeyID() [8]byte { return audit.KeyID(s.public) }

// Format prints [redacted] for every verb.
func (s *Signer) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[redacted]") }

// Sealer encrypts with one key of the vault: AES-256-GCM with random 96-bit nonces. It is safe for concurrent use.
type Sealer struct{ aead cipher.AEAD }

func newSealer(key []byte) (*Sealer, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}
	// The nonce is drawn, never counted: a restored backup would count the same numbers again under the same key.
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}
	return &Sealer{aead: aead}, nil
}

// Seal returns nonce || ciphertext, 28 bytes longer than plain. The same aad must be given to Open.
func (s *Sealer) Seal(plain, aad []byte) []byte {
	return s.aead.Seal(nil, nil, plain, aad)
}

// Open returns what Seal was given, or an error when the bytes, the aad or the key are not the same.
func (s *Sealer) Open(sealed, aad []byte) ([]byte, error) {
	plain, err := s.aead.Open(nil, nil, sealed, aad)
	if err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}
	return plain, nil
}

// Format prints [redacted] for every verb.
func (s *Sealer) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[redacted]") }
