package outbox

import (
	"context"
	"errors"
	"fmt"
	"math"

	bolt "go.etcd.io/bbolt"

	"stead/internal/audit"
	"stead/internal/stead"
)

// Log is the platform's Merkle log as it can be read. Nothing it returns is trusted: what counts are signatures of the
// keys of Config.Trust, and hashes.
type Log interface {
	audit.Tiles
	// Checkpoint returns the newest checkpoint, a signed note.
	Checkpoint(ctx context.Context) ([]byte, error)
	// Positions returns the positions in the log of the records first, first+1, … of this device's epoch: at most limit
	// of them, as far as the log has them. One that the log passed over, because it was quarantined or lost, has -1.
	Positions(ctx context.Context, epoch audit.Epoch, first uint64, limit int) ([]int64, error)
	// Statements returns what was stated about the log beside its checkpoints, oldest first (audit.ReadStatement).
	Statements(ctx context.Context) ([][]byte, error)
}

const (
	receiptRecords = 1000   // records proven with one receipt
	maxReceipts    = 10_000 // receipts that are kept; the oldest go first
)

// Receipt says where records stand in the log, as it was proven before they were deleted here.
type Receipt struct {
	First, Last uint64
	Positions   []int64 // of First, First+1, … up to Last; -1 for one that is in quarantine
	Checkpoint  []byte  // the signed note under whose root it was proven
}

// keptReceipt is a Receipt in the file. Positions that follow each other are kept as the first of them alone.
type keptReceipt struct {
	_          struct{} `cbor:",toarray"`
	Last       uint64
	Positions  []int64
	Checkpoint []byte
}

// proven is a run of held records that the log is said to hold, from the one after the receipted mark on.
type proven struct {
	last      mark
	positions []int64
	leaves    map[int64][32]byte
}

// prove asks the log for what it acknowledged, follows it from the checkpoint that was seen last, and forgets the
// records it proves to hold. It goes on until nothing is left to prove or the log has no more; waiting says that it
// will have more. Several callers take turns.
//
// CodeLogForked means that the log contradicts what it showed before, and no declared restore explains it. That is
// kept, and no session can be started, until the log agrees again.
func (o *Outbox) prove(ctx context.Context, l Log) (waiting bool, err error) {
	select {
	case <-o.provers:
	case <-ctx.Done():
		return false, stead.E(stead.CodeUnreachable, ctx.Err())
	}
	defer func() { o.provers <- struct{}{} }()
	for {
		// First, so that whatever is acknowledged after the standing was taken was acknowledged after all of these.
		statements, err := l.Statements(ctx)
		if err != nil {
			return false, err
		}
		before, err := o.standing()
		if err != nil {
			return false, err
		}
		if err := o.proveSome(ctx, l, before, statements); err != nil {
			return false, err
		}
		after, err := o.standing()
		switch {
		case err != nil:
			return false, err
		case after.acked.Seq <= after.receipted.Seq:
			return false, nil
		case after.receipted == before.receipted:
			return true, nil
		}
	}
}

// proveSome is one step of prove.
func (o *Outbox) proveSome(ctx context.Context, l Log, s standing, statements [][]byte) error {
	var positions []int64
	var err error
	if n := min(s.acked.Seq-s.receipted.Seq, receiptRecords); n > 0 {
		// Before the checkpoint, so that it covers them.
		if positions, err = l.Positions(ctx, s.head.Epoch, s.receipted.Seq+1, int(n)); err != nil {
			return err
		}
		positions = positions[:min(len(positions), int(n))]
	}
	next, newer, err := o.newest(ctx, l, s)
	if err != nil && !errors.Is(err, audit.ErrContradiction) {
		return err
	}
	var run proven
	if err == nil {
		if run, err = o.provable(s, positions, newer.Size); err == nil {
			err = audit.Follow(ctx, l, s.seen, newer, run.leaves)
		}
	}
	if contradiction := errors.Is(err, audit.ErrContradiction); contradiction || err == nil && s.proof.Lost != nil {
		switch excused, failed := o.excuse(ctx, l, next, newer); {
		case failed != nil:
			return failed
		case excused:
			return nil
		case contradiction:
			return errors.Join(forked(err), o.find(ctx, forkedIn, err))
		}
	}
	if err != nil {
		return err
	}
	if s.acked.Seq == s.receipted.Seq {
		next.Restores = o.spent(s.proof, next.Restores, statements)
	}
	return o.receive(ctx, run, next)
}

// newest fetches the newest checkpoint, and the statements where they are needed to trust who signed it. It returns
// what is then known of the log. A checkpoint of a log that nobody trusted signed contradicts what was shown before.
func (o *Outbox) newest(ctx context.Context, l Log, s standing) (proof, audit.Checkpoint, error) {
	next := s.proof
	signed, err := l.Checkpoint(ctx)
	if err != nil {
		return next, audit.Checkpoint{}, err
	}
	newer, err := s.keys.log.Open(signed)
	if notTrusted(err) {
		statements, failed := l.Statements(ctx)
		if failed != nil {
			return next, newer, failed
		}
		keys, counted := o.pins.learnAll(s.keys, statements)
		next.Handovers = append(next.Handovers[:len(next.Handovers):len(next.Handovers)], counted...)
		newer, err = keys.log.Open(signed)
	}
	switch {
	case notTrusted(err):
		return next, newer, fmt.Errorf("%w: its checkpoint: %w", audit.ErrContradiction, err)
	case err != nil:
		return next, newer, stead.E(stead.CodeVersion, err)
	}
	next.Checkpoint = signed
	return next, newer, nil
}

// provable reads the records to which the positions belong, as far as a log of that size can prove them.
func (o *Outbox) provable(s standing, positions []int64, size int64) (proven, error) {
	run := proven{last: s.receipted, leaves: make(map[int64][32]byte, len(positions))}
	before := int64(-1)
	var contradiction error // not the view's error: the file is sound
	err := o.view(func(f *file, tx *bolt.Tx) error {
		for _, p := range positions {
			seq := run.last.Seq + 1
			_, refused := f.refused[seq]
			switch {
			case p >= size:
				return nil
			case p < 0 && !refused:
				contradiction = fmt.Errorf("%w: it passed over record %d, which it had acknowledged", audit.ErrContradiction, seq)
				return nil
			case p >= 0 && p <= before:
				contradiction = fmt.Errorf("%w: record %d is said to stand at %d, the one before it at %d", audit.ErrContradiction, seq, p, before)
				return nil
			}
			record, err := f.unseal(seq, tx.Bucket(pendingBucket).Get(seqKey(seq)))
			if err != nil {
				return err
			}
			run.last, run.positions = mark{seq, audit.Leaf(record.Envelope)}, append(run.positions, p)
			if p >= 0 {
				before, run.leaves[p] = p, run.last.Leaf
			}
		}
		return nil
	})
	if err == nil {
		err = contradiction
	}
	return run, err
}

// receive takes over what was proven: in one commit the checkpoint and the receipt are kept and the records deleted.
// What spoke against the log before is over.
func (o *Outbox) receive(ctx context.Context, run proven, next proof) error {
	next.Forked = nil
	return o.change(ctx, func(f *file) error {
		next.Excused, next.Lost, next.RolledBack = f.proof.Excused, f.proof.Lost, f.proof.RolledBack // the drain's to change
		first := f.receipted.Seq + 1
		proves := run.last.Seq >= first
		if string(next.Checkpoint) == string(f.proof.Checkpoint) && f.proof.Forked == nil && len(next.Restores) == len(f.proof.Restores) && !proves {
			return nil
		}
		count := f.receipts
		err := f.update(func(tx *bolt.Tx) (err error) {
			if proves {
				if count, err = f.putReceipt(tx, first, run, next.Checkpoint); err != nil {
					return err
				}
			}
			return f.putProof(tx, next)
		})
		if err != nil {
			return err
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		f.receipts = count
		if proves {
			f.receipted = run.last
			for seq := first; seq <= run.last.Seq && len(f.refused) > 0; seq++ {
				delete(f.refused, seq)
			}
		}
		return f.takeOver(next, o.cfg.Trust)
	})
}

// putReceipt keeps the receipt, deletes its records and moves the mark, within a transaction. It returns how many
// receipts there are then.
func (f *file) putReceipt(tx *bolt.Tx, first uint64, run proven, checkpoint []byte) (uint64, error) {
	kept := keptReceipt{Last: run.last.Seq, Positions: run.positions, Checkpoint: checkpoint}
	if contiguous(run.positions) {
		kept.Positions = run.positions[:1]
	}
	sealed, err := f.sealAs(receiptPlace, first, kept)
	if err != nil {
		return 0, err
	}
	b, count := tx.Bucket(receiptBucket), f.receipts
	if err := b.Put(seqKey(first), sealed); err != nil {
		return 0, err
	}
	for count++; count > maxReceipts; count-- {
		c := b.Cursor()
		if k, _ := c.First(); k == nil {
			break
		}
		if err := c.Delete(); err != nil {
			return 0, err
		}
	}
	pending := tx.Bucket(pendingBucket)
	for seq := first; seq <= run.last.Seq; seq++ {
		if err := pending.Delete(seqKey(seq)); err != nil {
			return 0, err
		}
	}
	return count, tx.Bucket(metaBucket).Put([]byte("receipted"), encodeMark(run.last))
}

func contiguous(positions []int64) bool {
	for i, p := range positions {
		if p < 0 || p != positions[0]+int64(i) {
			return false
		}
	}
	return true
}

// open returns the receipt that is kept under first.
func (k keptReceipt) open(first uint64) (Receipt, error) {
	r := Receipt{First: first, Last: k.Last, Positions: k.Positions, Checkpoint: k.Checkpoint}
	n := k.Last - first + 1
	if k.Last < first || n > receiptRecords || len(k.Positions) == 0 || len(k.Positions) > 1 && uint64(len(k.Positions)) != n {
		return r, damaged("the receipt of record %d", first)
	}
	for len(r.Positions) < int(n) {
		r.Positions = append(r.Positions, r.Positions[len(r.Positions)-1]+1)
	}
	return r, nil
}

func (f *file) readReceipt(first uint64, value []byte) (Receipt, error) {
	var k keptReceipt
	if err := f.unsealAs(receiptPlace, first, value, &k); err != nil {
		return Receipt{}, err
	}
	return k.open(first)
}

func (f *file) loadReceipts(b *bolt.Bucket) error {
	f.receipts = 0
	return eachIn(b, 0, math.MaxInt, func(first uint64, value []byte) error {
		f.receipts++
		r, err := f.readReceipt(first, value)
		if err == nil && r.Last > f.receipted.Seq {
			err = damaged("there is a receipt for record %d, and it was not deleted", r.Last)
		}
		return err
	})
}

// Receipts calls yield with the receipts that are kept, the newest 10,000, in the order of their records, until it
// returns an error.
func (o *Outbox) Receipts(ctx context.Context, yield func(Receipt) error) error {
	return list(ctx, o, receiptBucket, (*file).readReceipt, yield)
}
