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

// extends returns nil when the log as it is now begins with all of the older one, or when a declared restore says why
// it does not: then excused is true. Otherwise the error wraps audit.ErrContradiction.
func (l ledger) extends(ctx context.Context, older, now audit.Checkpoint) (excused bool, err error) {
	err = l.store.View(ctx, func(tx store.Tx) error {
		same := older.Size == 0
		if older.Size > 0 && older.Size <= now.Size {
			root, err := tlog.TreeHash(older.Size, hashes(tx))
			if err != nil {
				return err
			}
			same = [32]byte(root) == older.Root
		}
		if same {
			return nil
		}
		excused, err = l.declared(tx, older.Size)
		if err == nil && !excused {
			err = fmt.Errorf("%w: it has a checkpoint of %d records of which this log of %d is no continuation", audit.ErrContradiction, older.Size, now.Size)
		}
		return err
	})
	return excused, err
}

// declared reports whether people said that the log was set back from at least that size.
func (l ledger) declared(tx store.Tx, size int64) (bool, error) {
	statements, err := tx.Statements()
	if err != nil {
		return false, err
	}
	for _, s := range statements {
		if s.Kind != store.StatementRestored {
			continue
		}
		r, err := l.people.OpenRestored([]byte(s.Note))
		if err == nil && r.Kept.Size <= size && size <= r.Lost {
			return true, nil
		}
	}
	return false, nil
}

// isDeclared is declared in a transaction of its own.
func (l ledger) isDeclared(ctx context.Context, size int64) (declared bool, err error) {
	err = l.store.View(ctx, func(tx store.Tx) error {
		declared, err = l.declared(tx, size)
		return err
	})
	return declared, err
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
