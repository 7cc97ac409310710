package audit

import (
	"bytes"
	"errors"
	"fmt"
	"iter"

	"stead/internal/stead"
)

// LedgerSource is a ledger as it lies somewhere, read in one consistent state.
type LedgerSource interface {
	// Records yields what the log names, by position, and after it what was taken in and is not in the log.
	Records() iter.Seq2[LedgerRow, error]
	// Hashes yields the stored hashes of the tree, by index.
	Hashes() iter.Seq2[StoredHash, error]
	// Checkpoints yields the signed notes, by size.
	Checkpoints() iter.Seq2[[]byte, error]
	// Heads lists the last record of each device's epoch as the platform acknowledged it.
	Heads() ([]Head, error)
}

// LedgerRow is one record and what stands beside it.
type LedgerRow struct {
	Position int64 // in the log; -1 for what is not in it
	Index    int64 // in the order of arrival
	Missing  bool  // the log names a record that is not there
	Envelope []byte
	Columns  Columns
}

// Columns is what a ledger repeats of a record, to find it by; the envelope alone is proven.
type Columns struct {
	Leaf                                   [32]byte
	EventID, Device, Epoch, Actor, Subject [16]byte
	Seq                                    uint64
	Kind                                   Kind
	Session                                stead.SessionID
}

// StoredHash is one hash of the tree as golang.org/x/mod/sumdb/tlog counts them.
type StoredHash struct {
	At   int64
	Hash [32]byte
}

// LedgerBroken says what is the first thing wrong with a ledger.
type LedgerBroken struct {
	// Place is the record's position in the log, from 0; those that are not in it count on from there. -1 when no single
	// record is to blame.
	Place int64
	Index int64 // in the order of arrival; 0 when no single record is to blame or that order is not at hand
	What  string
}

func (e *LedgerBroken) Error() string {
	if e.Place < 0 {
		return e.What
	}
	if e.Index != 0 && e.Index != e.Place+1 { // only in a log whose order is not that of the arrivals
		return fmt.Sprintf("record at place %d (%d to arrive): %s", e.Place, e.Index, e.What)
	}
	return fmt.Sprintf("record at place %d: %s", e.Place, e.What)
}

// LedgerProof is what was proven about a ledger.
type LedgerProof struct {
	Checkpoint  Checkpoint // the newest; every record of the log is under its root and its signature
	Signed      []byte     // the newest checkpoint as the signed note it is
	Pending     int64      // records taken in that are not in the log yet: chained where a device wrote them, and no more
	Checkpoints int64      // checkpoints that agree with the records
	Unknown     int64      // of these, older ones signed by keys that were not given
	Chains      int        // devices' epochs, each without a gap that no record of the platform explains
	Bridged     int64      // records of devices that the log does not hold, as records of the platform say (ChainBridged)
	Intents     Intents
	Strange     int64    // records of devices about a session that no record before them starts
	Stated      []Stated // what the statements say, by place
}

// LedgerCheck says against what a ledger is verified.
type LedgerCheck struct {
	Keys     LogKeys
	Trusted  *Checkpoint   // held outside; nil for none
	Progress func(n int64) // called now and then with the records read; may be nil
}

// ErrNothingSigned means that a ledger has neither records in its log nor a checkpoint.
var ErrNothingSigned = errors.New("nothing was signed yet")

// VerifyLedger reads the whole ledger once and proves that it is what was signed: each envelope decodes and is the
// leaf that was logged, in its place; the columns repeat it truly; each device's chain is whole; the tree's stored
// hashes, all checkpoints and the trusted one agree; the newest checkpoint covers the whole log and is signed by one
// of the keys. The error is a *LedgerBroken that names the first bad record, or what kept it from reading.
//
// What it cannot see without a trusted checkpoint: a ledger put back as a whole to an earlier state, or written
// anew by somebody who holds a key.
func VerifyLedger(src LedgerSource, check LedgerCheck) (LedgerProof, error) {
	if many, ok := src.(LedgerReaders); ok {
		v := newLedgerVerifier(check)
		if err := v.run(src, func() error { return v.readTogether(many) }); !errors.Is(err, errDisorder) {
			return v.proof, err
		}
	}
	v := newLedgerVerifier(check)
	return v.proof, v.run(src, func() error { return v.readInOrder(src) })
}

// ledgerVerifier is one run of VerifyLedger.
type ledgerVerifier struct {
	LedgerCheck
	nextHash func() (StoredHash, error, bool)
	nextNote func() ([]byte, error, bool)

	tree   Tree
	hashes int64 // stored hashes read
	last   int64 // index of the last record in the log
	read   int64
	chains chains
	keyed  *custody
	asked  answers

	note  []byte // the next signed checkpoint; nil when there is none
	claim Checkpoint
	proof LedgerProof
}

func newLedgerVerifier(check LedgerCheck) *ledgerVerifier {
	return &ledgerVerifier{LedgerCheck: check, chains: chains{}, asked: newAnswers()}
}

// run does everything before and after the records, which read hands to take.
func (v *ledgerVerifier) run(src LedgerSource, read func() error) error {
	nextNote, stopNotes := iter.Pull2(src.Checkpoints())
	defer stopNotes()
	v.nextNote = nextNote
	var err error
	if v.keyed, err = newCustody(src, v.Keys.people); err != nil {
		return err
	}
	if err := v.advance(); err != nil {
		return err
	}
	if err := v.signedHere(); err != nil {
		return err
	}
	if err := read(); err != nil {
		return err
	}
	if err := v.keyed.whole(); err != nil {
		return err
	}
	heads, err := src.Heads()
	if err != nil {
		return err
	}
	v.proof.Chains = len(v.chains)
	v.proof.Intents, v.proof.Strange = v.asked.count()
	return v.chains.compare(heads)
}

// readInOrder reads the source as it lists itself.
func (v *ledgerVerifier) readInOrder(src LedgerSource) error {
	nextHash, stopHashes := iter.Pull2(src.Hashes())
	defer stopHashes()
	v.nextHash = nextHash
	var f finding
	for row, err := range src.Records() {
		if err != nil {
			return err
		}
		f.look(&row)
		if err := v.take(row.Position, &f); err != nil {
			return err
		}
	}
	return v.finish()
}

func whole(format string, args ...any) error {
	return &LedgerBroken{Place: -1, What: fmt.Sprintf(format, args...)}
}

// take is given the records one after the other: first those of the log, by position, and then, with the position -1, the
// others.
func (v *ledgerVerifier) take(position int64, f *finding) error {
	v.read++
	if v.Progress != nil && v.read%4096 == 0 {
		v.Progress(v.read)
	}
	broken := func(format string, args ...any) error {
		return &LedgerBroken{Place: v.read - 1, Index: f.index, What: fmt.Sprintf(format, args...)}
	}
	switch {
	case position >= 0 && position != v.tree.Size():
		return &LedgerBroken{Place: v.tree.Size(), What: fmt.Sprintf("is missing: position %d of the log comes in its place", position)}
	case f.missing:
		return broken("is in the log and is not there")
	case position < 0 && f.index <= v.last:
		return broken("stands among the records of the log and was never put into it")
	case f.unreadable != nil:
		return broken("cannot be read: %v", f.unreadable)
	}
	if position < 0 {
		v.proof.Pending++
	} else if what, err := v.grow(f.leaf); err != nil {
		return err
	} else if what != "" {
		return broken("%s", what)
	}
	if f.differs != "" {
		return broken("was changed: its %s is not what the record says", f.differs)
	}
	bridged, what := v.chains.take(f)
	if what != "" {
		return broken("%s", what)
	}
	v.proof.Bridged += bridged
	v.asked.take(f)
	if f.stated != nil {
		said, what := v.keyed.take(v.read-1, f.stated)
		if what != "" {
			return broken("%s", what)
		}
		v.proof.Stated = append(v.proof.Stated, said)
	}
	if position < 0 {
		return nil
	}
	v.last = f.index
	return v.signedHere()
}

// grow adds a leaf and compares what it completes with what the log stored when the record was put into it. It says what
// is wrong with the record.
func (v *ledgerVerifier) grow(leaf [32]byte) (what string, err error) {
	for level, h := range v.tree.Add(leaf) {
		stored, err, ok := v.nextHash()
		switch {
		case err != nil:
			return "", err
		case !ok || stored.At != v.hashes:
			return fmt.Sprintf("has no stored hash %d in the log", v.hashes), nil
		case stored.Hash != h && level == 0:
			return "is not the record that was put into the log at its place", nil
		case stored.Hash != h:
			return fmt.Sprintf("completes a subtree of which the log stored another hash (%d)", v.hashes), nil
		}
		v.hashes++
	}
	return "", nil
}

// advance reads the next checkpoint.
func (v *ledgerVerifier) advance() error {
	note, err, ok := v.nextNote()
	if err != nil || !ok {
		v.note = nil
		return err
	}
	claim, err := ParseCheckpoint(note)
	if err != nil {
		return whole("the checkpoint after the one of %d records cannot be read: %v", v.claim.Size, err)
	}
	v.note, v.claim = bytes.Clone(note), claim
	return nil
}

// signedHere compares the tree so far with the checkpoints of its size, and with the trusted one.
func (v *ledgerVerifier) signedHere() error {
	size := v.tree.Size()
	if v.Trusted != nil && v.Trusted.Size == size && v.Trusted.Root != v.tree.Root() {
		return whole("the first %d records are not those of the trusted checkpoint: history was rewritten", size)
	}
	for v.note != nil && v.claim.Size <= size {
		if v.claim.Size < size {
			return whole("a checkpoint of %d records comes after one of %d", v.claim.Size, size)
		}
		if v.claim.Root != v.tree.Root() {
			return whole("the first %d records are not those that were signed, and the first %d are: history was rewritten between", size, v.proof.Checkpoint.Size)
		}
		opened, signers, err := v.Keys.open(v.note)
		ended, counts := v.keyed.counts(signers, size)
		switch {
		case err == nil && opened != v.claim:
			return whole("the checkpoint of %d records says two things", size)
		case errors.Is(err, ErrUnknownKey):
			v.proof.Unknown++
		case err != nil:
			return whole("the checkpoint of %d records: %v", size, err)
		case !counts:
			return signedByEnded(size, ended)
		}
		v.proof.Checkpoint, v.proof.Signed = v.claim, v.note
		v.proof.Checkpoints++
		if err := v.advance(); err != nil {
			return err
		}
	}
	return nil
}

// finish looks at what must not be left over.
func (v *ledgerVerifier) finish() error {
	size := v.tree.Size()
	if v.note != nil {
		return whole("a checkpoint was signed over %d records, and the log has %d: its end was cut", v.claim.Size, size)
	}
	if h, err, ok := v.nextHash(); err != nil || ok {
		if err == nil {
			err = whole("the log stores hash %d and the record it belongs to is not there", h.At)
		}
		return err
	}
	if v.Trusted != nil && v.Trusted.Size > size {
		return whole("the trusted checkpoint counts %d records, and the log has %d: it was rolled back or cut", v.Trusted.Size, size)
	}
	if v.proof.Signed == nil {
		if size == 0 {
			return ErrNothingSigned
		}
		return whole("no checkpoint was signed over the %d records of the log", size)
	}
	if v.proof.Checkpoint.Size != size {
		return whole("the newest checkpoint counts %d records, and the log has %d", v.proof.Checkpoint.Size, size)
	}
	if _, err := v.Keys.Open(v.proof.Signed); err != nil {
		return whole("the newest checkpoint: %v", err)
	}
	return nil
}
