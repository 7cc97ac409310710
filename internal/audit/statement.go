package audit

import (
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"
)

// Statements are what is said about a log beside its checkpoints, as signed notes (c2sp.org/signed-note). Their first
// line is no name of a log, so none of them passes for a checkpoint and no checkpoint for one of them.
const (
	handoverLine = "stead log key v1"
	restoredLine = "stead log restored v1"
	statedTime   = "2006-01-02T15:04:05Z" // RFC 3339, UTC, whole seconds: the one form
)

const (
	// RecoveryQuorum is how many recovery keys must sign what no log key may say alone.
	RecoveryQuorum = 2
	// MaxLogSize bounds the sizes in statements: every JSON reader can count so far.
	MaxLogSize = 1<<53 - 1

	maxWhy  = 400 // bytes
	maxName = 255
)

// ErrStatement means that bytes are not a statement of the kind asked for, in its one form.
var ErrStatement = errors.New("not such a statement")

// ErrTooFewSigners means that fewer than RecoveryQuorum of the known recovery keys signed.
var ErrTooFewSigners = errors.New("too few of the known recovery keys signed it")

// Handover says that another key signs the log from here on. Signed by the key before it, the new key joins those that
// are trusted; signed by recovery keys it takes their place, for the key before it is in other hands.
type Handover struct {
	Origin string
	Key    string // verifier key of the new key, as LogKey makes it
	At     time.Time
}

// Restored says that a log was set back to a backup.
type Restored struct {
	Origin string
	Kept   Checkpoint // what the log was set back to
	Lost   int64      // size of the largest checkpoint known to have been signed before: what lies between is lost
	At     time.Time
	Why    string // one line
}

// Text is what is signed: five lines without blanks around them. The error says what of it has no place there.
func (h Handover) Text() (string, error) {
	text := strings.Join([]string{handoverLine, h.Origin, h.Key, h.At.UTC().Format(statedTime), ""}, "\n")
	_, err := parseHandover(text)
	return text, err
}

func parseHandover(text string) (Handover, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 5 || lines[0] != handoverLine || lines[4] != "" {
		return Handover{}, fmt.Errorf("%w: a handover has four lines", ErrStatement)
	}
	at, err := statedAt(lines[3])
	if err != nil {
		return Handover{}, err
	}
	name, _, err := publicOf(lines[2])
	if err != nil || name != lines[1] || len(name) > maxName {
		return Handover{}, fmt.Errorf("%w: the key is not one of the log", ErrStatement)
	}
	return Handover{Origin: lines[1], Key: lines[2], At: at}, nil
}

// Text is what is signed: origin, size and root kept, size lost, time and reason, one a line. The error says what of
// it has no place there.
func (r Restored) Text() (string, error) {
	if r.Kept.Origin != r.Origin {
		return "", fmt.Errorf("%w: the checkpoint is another log's", ErrStatement)
	}
	text := strings.Join([]string{restoredLine, r.Origin,
		strconv.FormatInt(r.Kept.Size, 10) + " " + base64.StdEncoding.EncodeToString(r.Kept.Root[:]),
		strconv.FormatInt(r.Lost, 10), r.At.UTC().Format(statedTime), r.Why, ""}, "\n")
	_, err := parseRestored(text)
	return text, err
}

func parseRestored(text string) (Restored, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 7 || lines[0] != restoredLine || lines[6] != "" {
		return Restored{}, fmt.Errorf("%w: a restore has six lines", ErrStatement)
	}
	r := Restored{Origin: lines[1], Why: lines[5]}
	size, root, _ := strings.Cut(lines[2], " ")
	kept, err := parseBody(r.Origin + "\n" + size + "\n" + root + "\n")
	if err != nil || kept.Size > MaxLogSize || !printable(r.Origin, maxName) || strings.ContainsAny(r.Origin, " +") {
		return Restored{}, fmt.Errorf("%w: it does not say what was kept of which log", ErrStatement)
	}
	r.Kept = kept
	if r.Lost, err = strconv.ParseInt(lines[3], 10, 64); err != nil || strconv.FormatInt(r.Lost, 10) != lines[3] || r.Lost < kept.Size || r.Lost > MaxLogSize {
		return Restored{}, fmt.Errorf("%w: what was lost is not a size from %d on", ErrStatement, kept.Size)
	}
	if r.At, err = statedAt(lines[4]); err != nil {
		return Restored{}, err
	}
	if !printable(r.Why, maxWhy) || strings.TrimSpace(r.Why) != r.Why {
		return Restored{}, fmt.Errorf("%w: the reason is not one line of at most %d bytes", ErrStatement, maxWhy)
	}
	return r, nil
}

func statedAt(line string) (time.Time, error) {
	at, err := time.Parse(statedTime, line)
	if err != nil || at.Format(statedTime) != line {
		return time.Time{}, fmt.Errorf("%w: the time is not one in UTC to the second", ErrStatement)
	}
	return at, nil
}

// printable reports whether s is a text that shows all there is of it: no control, no invisible or reordering character.
func printable(s string, most int) bool {
	return s != "" && len(s) <= most && utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// publicOf takes a verifier key apart and refuses every form of it but the one that LogKey makes.
func publicOf(vkey string) (name string, key ed25519.PublicKey, err error) {
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return "", nil, err
	}
	parts := strings.SplitN(vkey, "+", 3)
	raw, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil { // NewVerifier has looked
		return "", nil, err
	}
	key = ed25519.PublicKey(raw[1:])
	if again, err := LogKey(v.Name(), key); err != nil || again != vkey || !printable(v.Name(), maxName) {
		return "", nil, fmt.Errorf("%w: the key is not written in its one form", ErrStatement)
	}
	return v.Name(), key, nil
}

// SignHandover returns the handover signed by the log's key before it.
func SignHandover(signer crypto.Signer, h Handover) ([]byte, error) {
	text, err := h.Text()
	if err != nil {
		return nil, err
	}
	return SignStatement([]byte(text), h.Origin, signer)
}

// SignStatement returns the note of a statement's text, or the note that others signed before, with the signature of
// one more key. The name is the origin for a log's key and the person's for a recovery key. A signature of the same
// key is replaced; others are kept as they are and not looked at.
func SignStatement(textOrNote []byte, name string, signer crypto.Signer) ([]byte, error) {
	key, ok := signer.Public().(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("sign: %T is not an Ed25519 key", signer.Public())
	}
	vkey, err := LogKey(name, key)
	if err != nil {
		return nil, err
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return nil, err
	}
	n, _, _, err := readStatement(textOrNote)
	if err != nil {
		return nil, err
	}
	return note.Sign(n, noteSigner{verifier, signer})
}

// ReadStatement reads what a statement says, signed or not, without looking at a signature: for people to read before
// they sign. Exactly one of the two is set.
func ReadStatement(textOrNote []byte) (*Handover, *Restored, error) {
	_, h, r, err := readStatement(textOrNote)
	return h, r, err
}

func readStatement(textOrNote []byte) (*note.Note, *Handover, *Restored, error) {
	if len(textOrNote) > maxCheckpoint {
		return nil, nil, nil, fmt.Errorf("%w: %d bytes", ErrStatement, len(textOrNote))
	}
	n := &note.Note{Text: string(textOrNote)}
	var signed *note.UnverifiedNoteError
	if _, err := note.Open(textOrNote, note.VerifierList()); errors.As(err, &signed) {
		n = signed.Note
	}
	if h, err := parseHandover(n.Text); err == nil {
		return n, &h, nil, nil
	}
	r, err := parseRestored(n.Text)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("%w: it is neither a handover nor a restore", ErrStatement)
	}
	return n, nil, &r, nil
}

// OpenHandover returns the handover when one of the log's keys signed it: ErrUnknownKey when none did, ErrSignature for
// a wrong signature of one of them.
func (k LogKeys) OpenHandover(signed []byte) (Handover, error) {
	if k.verifiers == nil {
		return Handover{}, ErrUnknownKey
	}
	n, err := openStatement(signed, k.verifiers)
	if err != nil {
		return Handover{}, err
	}
	h, err := parseHandover(n.Text)
	if err != nil {
		return Handover{}, err
	}
	for _, s := range n.Sigs {
		if s.Name == h.Origin {
			return h, nil
		}
	}
	return Handover{}, fmt.Errorf("%w: it was signed for another log than %s", ErrSignature, h.Origin)
}

func openStatement(signed []byte, known note.Verifiers) (*note.Note, error) {
	if len(signed) > maxCheckpoint {
		return nil, fmt.Errorf("%w: %d bytes", ErrStatement, len(signed))
	}
	n, err := note.Open(signed, known)
	var unverified *note.UnverifiedNoteError
	var invalid *note.InvalidSignatureError
	switch {
	case errors.As(err, &unverified):
		return nil, ErrUnknownKey
	case errors.As(err, &invalid):
		return nil, ErrSignature
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrStatement, err)
	}
	return n, nil
}
