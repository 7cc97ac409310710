package outbox

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"
)

// Trust is whose word counts about the platform's log, pinned when the device was enrolled. Keys are verifier keys
// (c2sp.org/signed-note).
type Trust struct {
	Origin       string   // name of the log
	LogKeys      []string // one at least
	RecoveryKeys []string // of the people two of whom can declare a restore; none means that none can be declared
}

// pins is a Trust that was read.
type pins struct {
	origin   string
	keys     []string
	recovery audit.RecoveryKeys
}

// keyring is the log's keys as they are trusted at a moment: what was pinned, and what statements made of it. All of
// them have the log's name, so they open no other log's checkpoints.
type keyring struct {
	vkeys []string
	log   audit.LogKeys
	since time.Time // of the newest handover that recovery keys signed
}

// Valid returns nil when the keys can be used: all of them readable, those of the log under its name, and of the
// recovery keys none or at least two.
func (t Trust) Valid() error {
	_, err := t.read()
	return err
}

// read returns nil for the zero Trust.
func (t Trust) read() (*pins, error) {
	if t.Origin == "" && len(t.LogKeys) == 0 && len(t.RecoveryKeys) == 0 {
		return nil, nil
	}
	p := &pins{origin: t.Origin, keys: t.LogKeys}
	if _, err := ring(t.LogKeys); err != nil {
		return nil, fmt.Errorf("trust: %w", err)
	}
	for _, k := range t.LogKeys {
		if name, _, _ := strings.Cut(k, "+"); name != t.Origin {
			return nil, fmt.Errorf("trust: %q is no key of %s", k, t.Origin)
		}
	}
	if len(t.RecoveryKeys) > 0 {
		var err error
		if p.recovery, err = audit.ParseRecoveryKeys(t.RecoveryKeys); err != nil {
			return nil, fmt.Errorf("trust: %w", err)
		}
	}
	return p, nil
}

func ring(vkeys []string) (keyring, error) {
	log, err := audit.ParseLogKeys(strings.Join(vkeys, "\n"))
	return keyring{vkeys: vkeys, log: log}, err
}

// fold returns the keys that the pinned ones and the handovers lead to; each must follow from what is before it.
func (p *pins) fold(handovers [][]byte) (keyring, error) {
	k, err := ring(p.keys)
	for _, h := range handovers {
		if err != nil {
			return k, err
		}
		var follows bool
		if k, follows = p.learn(k, h); !follows {
			return k, errors.New("a handover of the log's key does not follow from what was trusted before it")
		}
	}
	return k, err
}

// learn returns the keys after a handover, and false when it changes nothing. A key in use hands over to one beside
// it. The recovery keys replace all there are, because one of them is in wrong hands; what they signed earlier cannot
// bring an older key back.
func (p *pins) learn(k keyring, signed []byte) (keyring, bool) {
	if h, err := k.log.OpenHandover(signed); err == nil && h.Origin == p.origin && !slices.Contains(k.vkeys, h.Key) {
		next, err := ring(append(slices.Clone(k.vkeys), h.Key))
		next.since = k.since
		return next, err == nil
	}
	if h, err := p.recovery.OpenHandover(signed); err == nil && h.Origin == p.origin && h.At.After(k.since) {
		next, err := ring([]string{h.Key})
		next.since = h.At
		return next, err == nil
	}
	return k, false
}

// learnAll goes through the statements, oldest first, and returns the keys after them and those that counted.
func (p *pins) learnAll(k keyring, statements [][]byte) (keyring, [][]byte) {
	var counted [][]byte
	for _, s := range statements {
		if next, changed := p.learn(k, s); changed {
			k, counted = next, append(counted, s)
		}
	}
	return k, counted
}

// restores reads the declared restores among the statements; the others are passed over.
func (p *pins) restores(statements [][]byte) []restore {
	var out []restore
	for _, s := range statements {
		if r, err := p.recovery.OpenRestored(s); err == nil && r.Origin == p.origin {
			out = append(out, restore{r, s})
		}
	}
	return out
}

// restore is a declared restore and the note that declares it.
type restore struct {
	audit.Restored
	signed []byte
}

// notTrusted reports whether a checkpoint is one, and nobody who may sign for the log signed it.
func notTrusted(err error) bool {
	return errors.Is(err, audit.ErrUnknownKey) || errors.Is(err, audit.ErrSignature)
}

// forked wraps what proves that the log contradicts what it showed before.
func forked(cause error) error { return stead.E(stead.CodeLogForked, cause) }
