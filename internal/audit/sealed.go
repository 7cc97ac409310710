package audit

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hpke"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/fxamacker/cbor/v2"

	"stead/internal/stead"
)

// Sealed is what an outbox keeps of a record: the CBOR array [envelope, texts], encrypted with the file's data key by
// AES-256-GCM under a random nonce that stands before it, and bound to its place. The device writes it; when the
// device has lost the key, the platform reads it.
type Sealed struct {
	_        struct{} `cbor:",toarray"`
	Envelope []byte
	Texts    []Text
}

// NewDataKey returns the cipher of a data key of 32 bytes.
func NewDataKey(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("data key: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// SealAs seals the CBOR of something that is no record but belongs to one place of a file; what it is stands at the
// end of the additional data.
func SealAs(key cipher.AEAD, generation uint64, epoch Epoch, seq uint64, what []byte, v any) ([]byte, error) {
	plain, err := cbor.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("seal record %d: %w", seq, err)
	}
	return key.Seal(nil, nil, plain, sealedAAD(generation, epoch, seq, what)), nil
}

// OpenAs opens what SealAs sealed as the same, for the same place.
func OpenAs(key cipher.AEAD, generation uint64, epoch Epoch, seq uint64, what, sealed []byte, v any) error {
	plain, err := key.Open(nil, nil, sealed, sealedAAD(generation, epoch, seq, what))
	if err == nil {
		err = cbor.Unmarshal(plain, v)
	}
	if err != nil {
		return fmt.Errorf("record %d: %w", seq, err)
	}
	return nil
}

func sealedAAD(generation uint64, epoch Epoch, seq uint64, what []byte) []byte {
	return appendSealedAAD(nil, generation, epoch, seq, what)
}

func appendSealedAAD(b []byte, generation uint64, epoch Epoch, seq uint64, what []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, generation)
	b = append(b, epoch[:]...)
	return append(binary.BigEndian.AppendUint64(b, seq), what...)
}

// OutboxFile names one file of a device's outbox: the epoch it began with and which data key it has.
type OutboxFile struct {
	Device     stead.DeviceID
	Epoch      Epoch
	Generation uint64
}

func (f OutboxFile) info() []byte {
	return binary.BigEndian.AppendUint64(slices.Concat([]byte("stead-outbox-key/v1\x00"), []byte(f.Device), f.Epoch[:]), f.Generation)
}

// outboxSuite is the HPKE suite (RFC 9180) data keys are sealed with for the platform.
func outboxSuite() (hpke.KEM, hpke.KDF, hpke.AEAD) {
	return hpke.DHKEM(ecdh.X25519()), hpke.HKDFSHA256(), hpke.AES256GCM()
}

// NewOutboxKey makes the key pair of a platform: the private half as bytes to be kept, the public one for devices.
func NewOutboxKey() (private, public []byte, err error) {
	kem, _, _ := outboxSuite()
	k, err := kem.GenerateKey()
	if err != nil {
		return nil, nil, fmt.Errorf("outbox key: %w", err)
	}
	private, err = k.Bytes()
	return private, k.PublicKey().Bytes(), err
}

// PublicOutboxKey is the public half of a private key that NewOutboxKey made.
func PublicOutboxKey(private []byte) ([]byte, error) {
	kem, _, _ := outboxSuite()
	k, err := kem.NewPrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("outbox key: %w", err)
	}
	return k.PublicKey().Bytes(), nil
}

// SealOutboxKey seals a file's data key for the platform with that public key (HPKE base mode: DHKEM(X25519,
// HKDF-SHA256), HKDF-SHA256, AES-256-GCM; info is "stead-outbox-key/v1\0" || device || epoch || generation). It
// returns enc || ciphertext.
func SealOutboxKey(public []byte, f OutboxFile, key []byte) ([]byte, error) {
	kem, kdf, aead := outboxSuite()
	pk, err := kem.NewPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("the platform's outbox key: %w", err)
	}
	return hpke.Seal(pk, kdf, aead, f.info(), key)
}

// OpenOutboxKey opens what SealOutboxKey sealed for the same file.
func OpenOutboxKey(private []byte, f OutboxFile, sealed []byte) ([]byte, error) {
	kem, kdf, aead := outboxSuite()
	k, err := kem.NewPrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("outbox key: %w", err)
	}
	key, err := hpke.Open(k, kdf, aead, f.info(), sealed)
	if err != nil {
		return nil, fmt.Errorf("data key of outbox %s/%d: %w", f.Device, f.Generation, err)
	}
	return key, nil
}
