package audit

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/note"
)

// RecoveryKeys are the verifier keys of the people who together may say what no log key may say alone. Each key's name
// says whose it is.
type RecoveryKeys struct {
	verifiers note.Verifiers
	names     []string
}

// ParseRecoveryKeys reads verifier keys. It refuses fewer than RecoveryQuorum of them, and the same name or the same
// key twice: one person is one voice.
func ParseRecoveryKeys(vkeys []string) (RecoveryKeys, error) {
	var list []note.Verifier
	var names, keys []string
	for _, vkey := range vkeys {
		name, key, err := publicOf(vkey)
		if err != nil {
			return RecoveryKeys{}, fmt.Errorf("recovery key %q: %w", vkey, err)
		}
		if slices.Contains(names, name) || slices.Contains(keys, string(key)) {
			return RecoveryKeys{}, fmt.Errorf("recovery key of %s: the name or the key is there twice", name)
		}
		v, err := note.NewVerifier(vkey)
		if err != nil {
			return RecoveryKeys{}, err
		}
		list, names, keys = append(list, v), append(names, name), append(keys, string(key))
	}
	if len(list) < RecoveryQuorum {
		return RecoveryKeys{}, fmt.Errorf("%d recovery keys: at least %d are needed", len(list), RecoveryQuorum)
	}
	return RecoveryKeys{note.VerifierList(list...), names}, nil
}

// Names says whose the keys are.
func (k RecoveryKeys) Names() []string { return slices.Clone(k.names) }

// Signers names the known people who signed a statement, in the order of their signatures. Unknown signatures are
// passed over; a wrong one of a known key is ErrSignature.
func (k RecoveryKeys) Signers(signed []byte) ([]string, error) {
	_, names, err := k.open(signed)
	return names, err
}

// OpenRestored returns the statement when RecoveryQuorum of the keys signed it, else ErrTooFewSigners.
func (k RecoveryKeys) OpenRestored(signed []byte) (Restored, error) {
	text, err := k.agreed(signed)
	if err != nil {
		return Restored{}, err
	}
	return parseRestored(text)
}

// OpenHandover returns the statement when RecoveryQuorum of the keys signed it, else ErrTooFewSigners. What they sign
// takes the trust from every earlier key of the log.
func (k RecoveryKeys) OpenHandover(signed []byte) (Handover, error) {
	text, err := k.agreed(signed)
	if err != nil {
		return Handover{}, err
	}
	return parseHandover(text)
}

func (k RecoveryKeys) agreed(signed []byte) (text string, err error) {
	text, names, err := k.open(signed)
	if err == nil && len(names) < RecoveryQuorum {
		err = fmt.Errorf("%w: %d of %d", ErrTooFewSigners, len(names), RecoveryQuorum)
	}
	return text, err
}

func (k RecoveryKeys) open(signed []byte) (text string, names []string, err error) {
	if k.verifiers == nil {
		return "", nil, ErrTooFewSigners
	}
	n, err := openStatement(signed, k.verifiers)
	if errors.Is(err, ErrUnknownKey) {
		return "", nil, nil
	}
	if err != nil {
		return "", nil, err
	}
	for _, s := range n.Sigs { // note.Open keeps one for each key, and no name has two keys
		names = append(names, s.Name)
	}
	return n.Text, names, nil
}
