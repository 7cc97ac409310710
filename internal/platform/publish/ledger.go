package publish

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"stead/internal/audit"

	"stead/internal/platform/store"
)

// ledger is what the log itself has to say about a checkpoint that lies elsewhere.
type ledger struct {
	store  store.Store
	people audit.RecoveryKeys
}

// opens reads a checkpoint that one of the log's keys signed.
func (l ledger) opens(ctx context.Context, signed []byte) (c audit.Checkpoint, err error) {
	err = l.store.View(ctx, func(tx store.Tx) error {
		lines, err := tx.LogKeys()
		if err != nil {
			return err
		}
		keys, err := audit.ParseLogKeys(strings.Join(lines, "\n"))
		if err != nil {
			return err
		}
		c, err = keys.Open(signed)
		return err
	})
	return c, err
}

// extends returns nil when the log as it is now begins with all of the older one, or when a declared restore that is not
// spent says why it does not: then excused is true. Otherwise the error wraps audit.ErrContradiction.
func (l ledger) extends(ctx context.Context, older, now audit.Checkpoint, spent spent) (excused bool, err error) {
	err = l.store.View(ctx, func(tx store.Tx) error {
		same, err := begins(tx, older, now.Size)
		if err != nil || same {
			return err
		}
		excused, err = l.declared(tx, older.Size, now.Size, spent)
		if err == nil && !excused {
			err = fmt.Errorf("%w: it has a checkpoint of %d records of which this log of %d is no continuation", audit.ErrContradiction, older.Size, now.Size)
		}
		return err
	})
	return excused, err
}

// begins reports whether the log of that size begins with all that the checkpoint is of.
func begins(tx store.Tx, with audit.Checkpoint, size int64) (bool, error) {
	if with.Size == 0 || with.Size > size {
		return with.Size == 0, nil
	}
	root, err := tlog.TreeHash(with.Size, hashes(tx))
	return [32]byte(root) == with.Root, err
}

// spent reports whether a place went on after a restore. The restore excuses nothing there any more: what the place
// holds since then is of the log that went on, and only another restore can make that void.
type spent func(tx store.Tx, r restore) (bool, error)

// restore is a declared one, with the note that says so.
type restore struct {
	audit.Restored
	note []byte
}

// restores lists what people declared of the log as it is now, which has that size. One that kept what this log does
// not begin with is of another log, whatever its name.
func (l ledger) restores(tx store.Tx, size int64) (out []restore, err error) {
	statements, err := tx.Statements()
	for _, s := range statements {
		if s.Kind != store.StatementRestored {
			continue
		}
		r, err := l.people.OpenRestored([]byte(s.Note))
		if err != nil {
			continue
		}
		if ours, err := begins(tx, r.Kept, size); err != nil {
			return nil, err
		} else if ours {
			out = append(out, restore{r, []byte(s.Note)})
		}
	}
	return out, err
}

// declared reports whether people said that the log was set back from at least that size, and that is not spent.
func (l ledger) declared(tx store.Tx, held, size int64, spent spent) (bool, error) {
	restores, err := l.restores(tx, size)
	for _, r := range restores {
		if r.Kept.Size > held || held > r.Lost {
			continue
		}
		if gone, err := spent(tx, r); err != nil || !gone {
			return err == nil, err
		}
	}
	return false, err
}

// consistency proves that the log of one size begins with that of the other (RFC 6962 2.1.2).
func (l ledger) consistency(ctx context.Context, older, newer int64) (proof tlog.TreeProof, err error) {
	if older == 0 || older == newer {
		return nil, nil
	}
	err = l.store.View(ctx, func(tx store.Tx) error {
		proof, err = tlog.ProveTree(newer, older, hashes(tx))
		return err
	})
	return proof, err
}

func hashes(tx store.Tx) tlog.HashReader {
	return tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		stored, err := tx.LogHashes(at)
		if err != nil {
			return nil, err
		}
		out := make([]tlog.Hash, len(stored))
		for i, h := range stored {
			out[i] = h
		}
		return out, nil
	})
}
