package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// recoveryWord stands before a verifier key that is a person's recovery key and never a log's.
const recoveryWord = "recovery "

// KeyFile is what a verifier keeps of a log: keys of the log, and those of the people who may say that one is in wrong
// hands.
type KeyFile struct {
	log      []string
	recovery RecoveryKeys // zero for none
}

// ParseKeyFile reads verifier keys as ParseLogKeys does, and recovery keys on lines that begin with the word recovery.
// It refuses a file without a log key, and recovery keys that ParseRecoveryKeys refuses.
func ParseKeyFile(text string) (f KeyFile, err error) {
	var people []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if key, is := strings.CutPrefix(line, recoveryWord); is {
			people = append(people, strings.TrimSpace(key))
		} else if line != "" && !strings.HasPrefix(line, "#") {
			f.log = append(f.log, line)
		}
	}
	if len(people) > 0 {
		if f.recovery, err = ParseRecoveryKeys(people); err != nil {
			return f, err
		}
	}
	_, err = ParseLogKeys(strings.Join(f.log, "\n"))
	return f, err
}

// Follow returns the keys that are good for the log after the statements, the oldest first. A handover signed by a key
// that is good lets another one in beside it; one signed by recovery keys, each later than the one before, puts its key
// in the place of all keys of that log so far. Whatever does not follow is passed over.
func (f KeyFile) Follow(statements [][]byte) (LogKeys, error) {
	good, all, followed := slices.Clone(f.log), slices.Clone(f.log), 0
	var since time.Time
	for _, s := range statements {
		if h, err := f.recovery.OpenHandover(s); err == nil {
			if h.At.After(since) {
				since, followed = h.At, followed+1
				good = slices.DeleteFunc(good, func(key string) bool { return strings.HasPrefix(key, h.Origin+"+") })
				good = append(good, h.Key)
				if !known(all, h.Key) {
					all = append(all, h.Key)
				}
			}
			continue
		}
		now, err := ParseLogKeys(strings.Join(good, "\n"))
		if err != nil {
			return LogKeys{}, err
		}
		if h, err := now.OpenHandover(s); err == nil && !known(all, h.Key) {
			good, all, followed = append(good, h.Key), append(all, h.Key), followed+1
		}
	}
	keys, err := ParseLogKeys(strings.Join(all, "\n"))
	if err != nil {
		return LogKeys{}, err
	}
	now, err := ParseLogKeys(strings.Join(good, "\n"))
	keys.now, keys.followed, keys.people = now.verifiers, followed, f.recovery
	return keys, err
}

// known reports whether the key is among those, however they are written.
func known(among []string, key string) bool {
	id, err := signerOf(key)
	return err == nil && slices.ContainsFunc(among, func(other string) bool {
		one, err := signerOf(other)
		return err == nil && one == id
	})
}

// Followed is how many handovers led from the keys that were given to the others.
func (k LogKeys) Followed() int { return k.followed }

// OpenNewest is Open with the keys alone that nothing took the place of: for a checkpoint that says how the log is now.
func (k LogKeys) OpenNewest(signed []byte) (Checkpoint, error) {
	if k.now != nil {
		k.verifiers = k.now
	}
	return k.Open(signed)
}

// Statements are the signed notes that a ledger keeps beside its checkpoints, the oldest first.
type Statements struct {
	Notes   [][]byte
	Growing bool // there may be some of which the record is not served yet
}

// StatementSource is a LedgerSource that has them. Each record of the kinds LedgerKey and LedgerRestored names one, and
// the other way round.
type StatementSource interface {
	Statements() (Statements, error)
}

// signer names a verifier key as signed notes do.
type signer struct {
	name string
	id   uint32
}

func signerOf(vkey string) (signer, error) {
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return signer{}, err
	}
	return signer{v.Name(), v.KeyHash()}, nil
}

// stated is what the body of a record of the kinds LedgerKey and LedgerRestored says.
type stated struct {
	bad         string // why it cannot be read; "" when it can
	digest      string // SHA-256 of the statement, in hex
	restored    bool
	key, before string
	compromised bool
}

func readStated(kind Kind, body []byte) *stated {
	s := &stated{restored: kind == LedgerRestored}
	b, err := DecodeBody(body)
	if err == nil {
		_, err = hexFact(b, "statement", sha256.Size)
	}
	if err != nil {
		s.bad = err.Error()
		return s
	}
	s.digest = b["statement"].(string)
	if s.restored {
		return s
	}
	var ok1, ok2, ok3 bool
	s.key, ok1 = b["key"].(string)
	s.before, ok2 = b["before"].(string)
	s.compromised, ok3 = b["compromised"].(bool)
	_, err1 := signerOf(s.key)
	_, err2 := signerOf(s.before)
	if err := errors.Join(err1, err2); err != nil || !ok1 || !ok2 || !ok3 {
		s.bad = "it does not say which key took the place of which"
	}
	return s
}

// custody follows what the records of a log say of its keys.
type custody struct {
	notes   map[string][]byte // statements by digest that no record has named yet; nil when the source has none
	growing bool
	people  RecoveryKeys     // as far as the reader knows them
	line    []string         // the log's keys so far, each once
	ended   map[signer]int64 // the place of the record that took a key's word away; its checkpoints up to there count
}

func newCustody(src LedgerSource, people RecoveryKeys) (*custody, error) {
	c := &custody{people: people, ended: map[signer]int64{}}
	from, ok := src.(StatementSource)
	if !ok {
		return c, nil
	}
	s, err := from.Statements()
	if err != nil {
		return nil, err
	}
	c.notes, c.growing = map[string][]byte{}, s.Growing
	for _, n := range s.Notes {
		sum := sha256.Sum256(n)
		digest := hex.EncodeToString(sum[:])
		if _, twice := c.notes[digest]; twice {
			return nil, whole("a statement about the log is there twice")
		}
		c.notes[digest] = n
	}
	return c, nil
}

// take is given each record about the log's keys or a restore with its place. It says what is wrong with it.
func (c *custody) take(place int64, s *stated) (said Stated, what string) {
	said = Stated{Place: place, Compromised: s.compromised}
	if s.bad != "" {
		return said, "does not say what was stated about the log: " + s.bad
	}
	if c.notes != nil {
		n, ok := c.notes[s.digest]
		if !ok {
			return said, "names a statement about the log that is not there"
		}
		delete(c.notes, s.digest)
		if what := s.fits(n); what != "" {
			return said, what
		}
		if err := said.read(n, c.people); err != nil {
			return said, "names a statement about the log that cannot be read: " + err.Error()
		}
	}
	if s.restored {
		return said, ""
	}
	if !slices.Contains(c.line, s.before) {
		c.line = append(c.line, s.before)
	}
	if s.compromised {
		for _, key := range c.line {
			if id, err := signerOf(key); err == nil { // readStated has looked
				if _, done := c.ended[id]; !done {
					c.ended[id] = place
				}
			}
		}
	}
	if !slices.Contains(c.line, s.key) {
		c.line = append(c.line, s.key)
	}
	return said, ""
}

// fits holds a record to the statement that it names.
func (s *stated) fits(signed []byte) (what string) {
	h, r, err := ReadStatement(signed)
	var unverified *note.UnverifiedNoteError
	_, noKeys := note.Open(signed, note.VerifierList())
	switch {
	case err != nil || !errors.As(noKeys, &unverified) || (r != nil) != s.restored:
		return "names a statement about the log that is not of its kind"
	case s.restored:
		return ""
	case h.Key != s.key:
		return "names a statement that hands the log over to another key"
	case s.compromised:
		return "" // whether the people signed it is for those to see who know their keys
	}
	before, err := ParseLogKeys(s.before)
	if err == nil {
		_, err = before.OpenHandover(signed)
	}
	if err != nil {
		return "names a handover that the key before did not sign"
	}
	return ""
}

// whole is asked after the last record.
func (c *custody) whole() error {
	if len(c.notes) > 0 && !c.growing {
		return whole("%d statements about the log are there that no record names", len(c.notes))
	}
	return nil
}

// counts reports whether one of the signers may still sign a log of that size, and else where their word ended.
func (c *custody) counts(signers []signer, size int64) (ended int64, ok bool) {
	for _, s := range signers {
		place, has := c.ended[s]
		if !has || size <= place {
			return 0, true
		}
		ended = place
	}
	return ended, false
}

// signedByEnded says what is wrong with a checkpoint that only replaced keys signed.
func signedByEnded(size, ended int64) error {
	return whole("the checkpoint of %d records was signed only with a key that was replaced, as one in wrong hands, when the log had %d", size, ended)
}

// open is Open, and says with which of the log's keys.
func (k LogKeys) open(signed []byte) (c Checkpoint, by []signer, err error) {
	if c, err = k.Open(signed); err != nil {
		return c, nil, err
	}
	n, err := note.Open(signed, k.verifiers)
	if err != nil {
		return c, nil, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	for _, s := range n.Sigs {
		if s.Name == c.Origin {
			by = append(by, signer{s.Name, s.Hash})
		}
	}
	return c, by, nil
}
