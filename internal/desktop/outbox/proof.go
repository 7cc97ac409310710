package outbox

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"stead/internal/audit"
	"stead/internal/stead"
)

// proof is what is known of the platform's log, and what speaks against it. It lies sealed in the file, so that a
// restart forgets nothing of it.
type proof struct {
	_          struct{} `cbor:",toarray"`
	Checkpoint []byte   // the newest that was followed, a signed note; empty before the first
	Handovers  [][]byte // statements that changed the keys, in that order
	Restores   [][]byte // declared restores that were accepted; none is accepted twice
	Excused    bool     // after a restore, until the platform holds what it had acknowledged: it may ask for what is gone
	Forked     *finding // the log contradicts what it showed before
	Lost       *finding // the platform does not hold what it acknowledged
	RolledBack *finding // the platform holds more of this device's chain than this file, or another record in a place
}

// finding is why no session may be started, for a person to read.
type finding struct {
	_    struct{} `cbor:",toarray"`
	MS   int64    // since when, Unix milliseconds
	What string
}

var (
	proofKey        = []byte("proof")
	recoveredKey    = []byte("recovered")
	proofPlace      = []byte("proof")
	receiptPlace    = []byte("receipt")
	quarantinePlace = []byte("quarantine")
)

// loadProof reads what load does not need for the chain itself.
func (f *file) loadProof(tx *bolt.Tx, trust Trust) error {
	if sealed := tx.Bucket(metaBucket).Get(proofKey); sealed != nil {
		if err := f.unsealAs(proofPlace, 0, sealed, &f.proof); err != nil {
			return err
		}
	}
	if err := f.takeOver(f.proof, trust); err != nil {
		return damaged("what is known of the log: %w", err)
	}
	if err := f.loadWithheld(tx.Bucket(metaBucket)); err != nil {
		return err
	}
	if err := f.loadQuarantine(tx.Bucket(quarantineBucket)); err != nil {
		return err
	}
	if err := f.loadRefused(tx.Bucket(refusedBucket)); err != nil {
		return err
	}
	return f.loadReceipts(tx.Bucket(receiptBucket))
}

// takeOver sets what follows from a proof.
func (f *file) takeOver(p proof, trust Trust) error {
	var seen audit.Checkpoint
	if len(p.Checkpoint) > 0 {
		var err error
		if seen, err = audit.ParseCheckpoint(p.Checkpoint); err != nil {
			return err
		}
	}
	pinned, err := trust.read()
	if err != nil {
		return err
	}
	if pinned != nil { // without pins nothing of it is used
		if f.keys, err = pinned.fold(p.Handovers); err != nil {
			return err
		}
	}
	f.proof, f.seen = p, seen
	return nil
}

// putProof writes p within a transaction.
func (f *file) putProof(tx *bolt.Tx, p proof) error {
	sealed, err := f.sealAs(proofPlace, 0, p)
	if err != nil {
		return err
	}
	return tx.Bucket(metaBucket).Put(proofKey, sealed)
}

// revise lets bend change a copy of what is known of the log, and writes it if that changed anything. Where bend
// returns false nothing is written.
func (o *Outbox) revise(ctx context.Context, bend func(f *file, p *proof) bool) error {
	return o.change(ctx, func(f *file) error {
		p := f.proof
		if !bend(f, &p) {
			return nil
		}
		err := f.update(func(tx *bolt.Tx) error { return f.putProof(tx, p) })
		if err != nil {
			return err
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		return f.takeOver(p, o.cfg.Trust)
	})
}

// find keeps a finding, unless one of its kind is kept already.
func (o *Outbox) find(ctx context.Context, which func(*proof) **finding, why error) error {
	return o.revise(ctx, func(_ *file, p *proof) bool {
		at := which(p)
		if *at != nil {
			return false
		}
		*at = &finding{MS: o.cfg.Now().UnixMilli(), What: why.Error()}
		return true
	})
}

func forkedIn(p *proof) **finding     { return &p.Forked }
func lostIn(p *proof) **finding       { return &p.Lost }
func rolledBackIn(p *proof) **finding { return &p.RolledBack }

// accuse returns why no session may be started, nil when nothing speaks against it.
func (p *proof) accuse() (stead.Code, *finding) {
	switch {
	case p.RolledBack != nil:
		return stead.CodeChainFork, p.RolledBack
	case p.Forked != nil:
		return stead.CodeLogForked, p.Forked
	case p.Lost != nil:
		return stead.CodeLogForked, p.Lost
	}
	return "", nil
}

func (f *finding) since() time.Time { return time.UnixMilli(f.MS) }

// standing is how an outbox stands to the log at a moment; nothing in it changes afterwards.
type standing struct {
	head      audit.Head
	sig       []byte
	acked     mark
	receipted mark
	proof     proof
	seen      audit.Checkpoint
	keys      keyring
}

func (o *Outbox) standing() (standing, error) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	f, err := o.current()
	if err != nil {
		return standing{}, err
	}
	return standing{f.head, f.sig, f.acked, f.receipted, f.proof, f.seen, f.keys}, nil
}

// accepted reports whether a restore was accepted before.
func (p *proof) accepted(r restore) bool {
	text, _, _ := bytes.Cut(r.signed, []byte("\n\n")) // signatures may be added to a statement
	return slices.ContainsFunc(p.Restores, func(before []byte) bool {
		return bytes.HasPrefix(before, append(slices.Clone(text), "\n\n"...))
	})
}

// eachIn calls see with the values of a bucket whose keys are sequences, from one on and at most limit of them.
func eachIn(b *bolt.Bucket, from uint64, limit int, see func(seq uint64, value []byte) error) error {
	c := b.Cursor()
	for k, v := c.Seek(seqKey(from)); k != nil && limit > 0; k, v = c.Next() {
		if len(k) != 8 {
			return damaged("the key %x is no sequence", k)
		}
		if err := see(binary.BigEndian.Uint64(k), v); err != nil {
			return err
		}
		limit--
	}
	return nil
}
