package audit

import (
	"errors"
	"slices"
)

// Stated is what one statement says about a log, by the record that names it. Handover and Restored are both nil when
// the statement itself was not at hand.
type Stated struct {
	Place       int64 // of the record
	Handover    *Handover
	Compromised bool // the key before was in wrong hands, so that people had to sign the handover
	Restored    *Restored
	// By names the people who signed, of those whose recovery keys are known (KeyFile); nil when fewer than RecoveryQuorum
	// of them did.
	By []string
}

// read takes in the statement, which fits its record.
func (s *Stated) read(signed []byte, people RecoveryKeys) error {
	var err error
	if s.Handover, s.Restored, err = ReadStatement(signed); err != nil {
		return err
	}
	names, err := people.Signers(signed)
	if err == nil && len(names) >= RecoveryQuorum {
		slices.Sort(names)
		s.By = names
	}
	if errors.Is(err, ErrTooFewSigners) || errors.Is(err, ErrSignature) { // nobody's key is known, or one of them did not sign this
		return nil
	}
	return err
}

// People are the recovery keys that lay beside the log's keys; without names when there were none.
func (k LogKeys) People() RecoveryKeys { return k.people }
