package audit

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"

	"stead/internal/stead"
)

// Head names the last record of a device's chain. Since each record holds the leaf before it, a signature over a
// head vouches for every record up to it. Seq 0 with a zero leaf stands before the first record.
type Head struct {
	Device stead.DeviceID
	Epoch  Epoch
	Seq    uint64
	Leaf   [32]byte
}

// ChainError says which record of a chain is the first bad one.
type ChainError struct {
	Seq  uint64 // the place that was looked at, counted on from the head before
	What string
}

func (e *ChainError) Error() string { return fmt.Sprintf("record %d: %s", e.Seq, e.What) }

// ErrSignature means that a signature does not belong to these bytes and this key.
var ErrSignature = errors.New("signature is not valid")

const headDomain = "stead-head/v1\x00"

func (h Head) message() ([]byte, error) {
	device, err := deviceBytes(h.Device)
	if err != nil {
		return nil, err
	}
	b := appendItem(append(make([]byte, 0, 128), headDomain...), cborMap, 4)
	b = appendBytes(append(b, 0), device[:])
	b = appendBytes(append(b, 1), h.Epoch[:])
	b = appendItem(append(b, 2), cborUint, h.Seq)
	return appendBytes(append(b, 3), h.Leaf[:]), nil
}

// SignHead signs "stead-head/v1\0" || deterministic CBOR of {0: device, 1: epoch, 2: seq, 3: leaf} with Ed25519.
func SignHead(signer crypto.Signer, h Head) ([]byte, error) {
	m, err := h.message()
	if err != nil {
		return nil, err
	}
	return sign(signer, m)
}

// VerifyHead returns nil when sig is the key's signature over the head, ErrSignature otherwise.
func VerifyHead(key ed25519.PublicKey, h Head, sig []byte) error {
	m, err := h.message()
	if err != nil {
		return err
	}
	return verify(key, m, sig)
}

// VerifyChain checks that the envelopes follow prev without a gap: each decodes, has the same device and epoch, the
// next sequence and the leaf before it. It returns the head after the last one, or a *ChainError that names the
// first bad one together with the head before it. It does not look at signatures: VerifyHead does.
func VerifyChain(prev Head, envelopes [][]byte) (Head, error) {
	head := prev
	for _, e := range envelopes {
		next, _, err := Extend(head, e)
		if err != nil {
			return head, err
		}
		head = next
	}
	return head, nil
}

// Extend is one step of VerifyChain; it also returns the record.
func Extend(prev Head, envelope []byte) (Head, Record, error) {
	r, err := Decode(envelope)
	if err != nil {
		return prev, Record{}, &ChainError{Seq: prev.Seq + 1, What: err.Error()}
	}
	next, err := Step(prev, r, Leaf(envelope))
	if err != nil {
		return prev, Record{}, err
	}
	return next, r, nil
}

// Step is Extend with a record that was decoded before, and its leaf.
func Step(prev Head, r Record, leaf [32]byte) (Head, error) {
	place := prev.Seq + 1
	bad := func(format string, args ...any) (Head, error) {
		return prev, &ChainError{Seq: place, What: fmt.Sprintf(format, args...)}
	}
	switch {
	case r.Device != prev.Device:
		return bad("is of another device")
	case r.Epoch != prev.Epoch:
		return bad("is of another epoch")
	case r.Seq != place:
		return bad("has sequence %d", r.Seq)
	case r.Prev != prev.Leaf:
		return bad("does not follow the record before it")
	}
	return Head{Device: r.Device, Epoch: r.Epoch, Seq: r.Seq, Leaf: leaf}, nil
}

// message is what is signed: a domain that no other kind of message shares, then deterministic CBOR.
func message(domain string, v any) ([]byte, error) {
	b, err := encoder.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode what is signed: %w", err)
	}
	return append([]byte(domain), b...), nil
}

func sign(signer crypto.Signer, m []byte) ([]byte, error) {
	if _, ok := signer.Public().(ed25519.PublicKey); !ok {
		return nil, fmt.Errorf("sign: %T is not an Ed25519 key", signer.Public())
	}
	sig, err := signer.Sign(rand.Reader, m, crypto.Hash(0))
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return sig, nil
}

func verify(key ed25519.PublicKey, m, sig []byte) error {
	if len(key) != ed25519.PublicKeySize || !ed25519.Verify(key, m, sig) {
		return ErrSignature
	}
	return nil
}
