package audit

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// Witness is the verifier key of somebody who signs checkpoints of which he saw that each extends the one before
// (c2sp.org/tlog-cosignature, Ed25519, "cosignature/v1").
type Witness struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

// algCosignature is the signature type of a timestamped Ed25519 cosignature in verifier keys and key ids.
const algCosignature = 0x04

// maxCosigned bounds what a witness answers; a signature line has about 150 bytes.
const maxCosigned = 32 << 10

// ParseWitness reads a witness's verifier key: name, key id and base64 of 0x04 and the Ed25519 key.
func ParseWitness(vkey string) (Witness, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 || !printable(parts[0], maxName) || strings.Contains(parts[0], " ") {
		return Witness{}, errors.New("witness key: not a name, a key id and a key")
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(parts[2])
	if err != nil || len(raw) != 1+ed25519.PublicKeySize || raw[0] != algCosignature {
		return Witness{}, errors.New("witness key: not an Ed25519 key for cosignatures (type 4)")
	}
	w := Witness{name: parts[0], key: ed25519.PublicKey(raw[1:]), hash: keyHash(parts[0], raw)}
	if parts[1] != fmt.Sprintf("%08x", w.hash) {
		return Witness{}, errors.New("witness key: the key id is another key's")
	}
	return w, nil
}

// keyHash is the key id of c2sp.org/signed-note.
func keyHash(name string, typed []byte) uint32 {
	sum := sha256.Sum256(append([]byte(name+"\n"), typed...))
	return binary.BigEndian.Uint32(sum[:])
}

// Name says who the witness is.
func (w Witness) Name() string { return w.name }

// KeyHash implements note.Verifier.
func (w Witness) KeyHash() uint32 { return w.hash }

// Verify implements note.Verifier: sig is the time as 8 bytes, big-endian, and the signature over
// "cosignature/v1\ntime <time>\n" and the checkpoint's text.
func (w Witness) Verify(text, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	at := binary.BigEndian.Uint64(sig)
	return at > 0 && at <= math.MaxInt64 && ed25519.Verify(w.key, cosigned(text, at), sig[8:])
}

func cosigned(text []byte, at uint64) []byte {
	return append([]byte("cosignature/v1\ntime "+strconv.FormatUint(at, 10)+"\n"), text...)
}

// Cosigned adds to a signed checkpoint what a witness answered, and returns it with the signatures of the log and of
// this witness alone, and the time at which the witness signed. It is ErrUnknownKey when there is no signature of the
// witness among them, ErrSignature when it is wrong.
func (w Witness) Cosigned(checkpoint, answer []byte) (both []byte, at time.Time, err error) {
	if len(answer) > maxCosigned || len(checkpoint) > maxCheckpoint {
		return nil, at, fmt.Errorf("%w: %d bytes of signatures", ErrCheckpoint, len(answer))
	}
	n, err := note.Open(append(bytes.Clone(checkpoint), answer...), note.VerifierList(w))
	var unverified *note.UnverifiedNoteError
	var invalid *note.InvalidSignatureError
	switch {
	case errors.As(err, &unverified):
		return nil, at, ErrUnknownKey
	case errors.As(err, &invalid):
		return nil, at, ErrSignature
	case err != nil:
		return nil, at, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	raw, err := base64.StdEncoding.DecodeString(n.Sigs[0].Base64)
	if err != nil || len(raw) != 4+8+ed25519.SignatureSize { // note.Open has looked
		return nil, at, ErrSignature
	}
	line := fmt.Sprintf("— %s %s\n", n.Sigs[0].Name, n.Sigs[0].Base64)
	return append(bytes.Clone(checkpoint), line...), time.Unix(int64(binary.BigEndian.Uint64(raw[4:])), 0).UTC(), nil //nolint:gosec // Verify bounds it
}
