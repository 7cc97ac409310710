package audit

import (
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint is what a log was at a size: the root of the Merkle tree (RFC 6962 2.1) over its first Size records.
type Checkpoint struct {
	Origin string // name of the log
	Size   int64
	Root   [32]byte
}

// maxCheckpoint bounds what is parsed; ours have about 250 bytes.
const maxCheckpoint = 16 << 10

// ErrCheckpoint means that bytes are not a checkpoint.
var ErrCheckpoint = errors.New("not a checkpoint")

// ErrUnknownKey means that none of the keys given signed a checkpoint.
var ErrUnknownKey = errors.New("no known key signed it")

// body is the text that is signed, c2sp.org/tlog-checkpoint: origin, size, root in base64, one a line.
func (c Checkpoint) body() string {
	return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, base64.StdEncoding.EncodeToString(c.Root[:]))
}

// ParseCheckpoint reads what SignCheckpoint writes and looks at no signature. Lines after the third, which the format
// allows, are passed over.
func ParseCheckpoint(signed []byte) (Checkpoint, error) {
	if len(signed) > maxCheckpoint {
		return Checkpoint{}, fmt.Errorf("%w: %d bytes", ErrCheckpoint, len(signed))
	}
	text, signatures, found := strings.Cut(string(signed), "\n\n")
	if !found || !strings.HasPrefix(signatures, "— ") {
		return Checkpoint{}, fmt.Errorf("%w: it has no signature", ErrCheckpoint)
	}
	return parseBody(text + "\n")
}

func parseBody(text string) (Checkpoint, error) {
	lines := strings.SplitN(text, "\n", 4)
	if len(lines) < 4 || lines[0] == "" {
		return Checkpoint{}, fmt.Errorf("%w: origin, size and root are three lines", ErrCheckpoint)
	}
	c := Checkpoint{Origin: lines[0]}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return Checkpoint{}, fmt.Errorf("%w: the size is not a number", ErrCheckpoint)
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != len(c.Root) {
		return Checkpoint{}, fmt.Errorf("%w: the root is not 32 bytes of base64", ErrCheckpoint)
	}
	c.Size, c.Root = size, [32]byte(root)
	return c, nil
}

// LogKey is the verifier key of a log in the form of c2sp.org/signed-note: name, key id and Ed25519 key.
func LogKey(origin string, key ed25519.PublicKey) (string, error) {
	vkey, err := note.NewEd25519VerifierKey(origin, key)
	if err != nil {
		return "", fmt.Errorf("log key: %w", err)
	}
	if _, err := note.NewVerifier(vkey); err != nil { // the name may not hold blanks or a plus
		return "", fmt.Errorf("log key of %q: %w", origin, err)
	}
	return vkey, nil
}

// LogKeys are the keys of a log that a verifier trusts.
type LogKeys struct {
	verifiers note.Verifiers
	now       note.Verifiers // see OpenNewest; nil when that is all of them
	followed  int
	people    RecoveryKeys // see People
}

// ParseLogKeys reads verifier keys, one a line; empty lines and those that begin with # are passed over.
func ParseLogKeys(text string) (LogKeys, error) {
	var list []note.Verifier
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		v, err := note.NewVerifier(line)
		if err != nil {
			return LogKeys{}, fmt.Errorf("log key %q: %w", line, err)
		}
		list = append(list, v)
	}
	if len(list) == 0 {
		return LogKeys{}, errors.New("there is no log key")
	}
	return LogKeys{verifiers: note.VerifierList(list...)}, nil
}

// Open returns the checkpoint when one of the keys signed it and the key's name is its origin. Signatures of keys it
// does not know are passed over, as c2sp.org/signed-note asks; a wrong signature of a known key is ErrSignature.
func (k LogKeys) Open(signed []byte) (Checkpoint, error) {
	if len(signed) > maxCheckpoint {
		return Checkpoint{}, fmt.Errorf("%w: %d bytes", ErrCheckpoint, len(signed))
	}
	if k.verifiers == nil {
		return Checkpoint{}, ErrUnknownKey
	}
	n, err := note.Open(signed, k.verifiers)
	var unverified *note.UnverifiedNoteError
	var invalid *note.InvalidSignatureError
	switch {
	case errors.As(err, &unverified):
		return Checkpoint{}, ErrUnknownKey
	case errors.As(err, &invalid):
		return Checkpoint{}, ErrSignature
	case err != nil:
		return Checkpoint{}, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	c, err := parseBody(n.Text)
	if err != nil {
		return Checkpoint{}, err
	}
	for _, s := range n.Sigs {
		if s.Name == c.Origin {
			return c, nil
		}
	}
	return Checkpoint{}, fmt.Errorf("%w: it was signed for another log than %s", ErrSignature, c.Origin)
}

// SignCheckpoint returns the signed note (c2sp.org/tlog-checkpoint) with the signer's one signature. The signer must
// hold an Ed25519 key; its name in the note is the checkpoint's origin.
func SignCheckpoint(signer crypto.Signer, c Checkpoint) ([]byte, error) {
	key, ok := signer.Public().(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("sign: %T is not an Ed25519 key", signer.Public())
	}
	vkey, err := LogKey(c.Origin, key)
	if err != nil {
		return nil, err
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return nil, err
	}
	return note.Sign(&note.Note{Text: c.body()}, noteSigner{verifier, signer})
}

// noteSigner lets a key that is never handed out sign notes.
type noteSigner struct {
	note.Verifier
	key crypto.Signer
}

func (s noteSigner) Sign(m []byte) ([]byte, error) { return sign(s.key, m) }

// VerifyInclusion returns nil when the proof shows that the log of the checkpoint holds the leaf at the position.
func VerifyInclusion(c Checkpoint, position int64, leaf [32]byte, proof [][32]byte) error {
	if position < 0 || position >= c.Size {
		return fmt.Errorf("a log of %d records has no position %d", c.Size, position)
	}
	if err := tlog.CheckRecord(hashes(proof), c.Size, c.Root, position, leaf); err != nil {
		return fmt.Errorf("inclusion: %w", err)
	}
	return nil
}

// VerifyConsistency returns nil when the proof shows that the newer log begins with all of the older one.
func VerifyConsistency(older, newer Checkpoint, proof [][32]byte) error {
	switch {
	case older.Size > newer.Size:
		return fmt.Errorf("the log had %d records and has %d", older.Size, newer.Size)
	case older.Size == newer.Size && older.Root != newer.Root:
		return fmt.Errorf("two logs of %d records", older.Size)
	case older.Size == newer.Size || older.Size == 0:
		if len(proof) > 0 {
			return errors.New("consistency: there is nothing to prove")
		}
		return nil
	}
	if err := tlog.CheckTree(hashes(proof), newer.Size, newer.Root, older.Size, older.Root); err != nil {
		return fmt.Errorf("consistency: %w", err)
	}
	return nil
}

func hashes(in [][32]byte) []tlog.Hash {
	out := make([]tlog.Hash, len(in))
	for i, h := range in {
		out[i] = h
	}
	return out
}
