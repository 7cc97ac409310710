package ledger

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/store"
)

// Sequencer puts what the intake holds into the Merkle log, in the order of arrival, and signs a checkpoint each time.
// A log has one at a time: the store's data belong to one process.
type Sequencer struct {
	Store  store.Store
	Signer func() crypto.Signer // the Ed25519 key that signs now
	Origin string               // name of the log, see Origin
	Log    *slog.Logger

	wake chan struct{}
}

const (
	// sequenceBatch is how many records one transaction puts into the log; other writers wait as long.
	sequenceBatch = 1000
	// sequencePause lies between two transactions that found everything: what arrives in it shares the next flush.
	sequencePause = 100 * time.Millisecond
	// sequenceSleep is when it looks without being woken.
	sequenceSleep = 500 * time.Millisecond
)

// NewSequencer returns a sequencer that does nothing before Run or Append.
func NewSequencer(st store.Store, origin string, signer func() crypto.Signer, log *slog.Logger) *Sequencer {
	return &Sequencer{Store: st, Signer: signer, Origin: origin, Log: log, wake: make(chan struct{}, 1)}
}

// Origin is the name of a platform's log (c2sp.org/tlog-checkpoint): its public address without the scheme.
func Origin(publicURL string) (string, error) {
	u, err := url.Parse(publicURL)
	if err != nil || u.Host == "" {
		return "", fmt.Errorf("ledger: %q is not an address", publicURL)
	}
	origin := u.Host + strings.TrimRight(u.EscapedPath(), "/")
	if strings.ContainsAny(origin, "+ \t\n") {
		return "", fmt.Errorf("ledger: %q cannot name a log", origin)
	}
	return origin, nil
}

// originValue is the name of the stored value that holds the log's name.
const originValue = "log_origin"

// Name is the name of this platform's log: the Origin it had when it was first opened. Another public address later on
// leaves it as it is, for devices and auditors hold its keys under that name.
func Name(ctx context.Context, st store.Store, publicURL string) (name string, err error) {
	err = st.Update(ctx, func(tx store.Tx) error {
		if name, err = tx.Value(originValue); !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if name, err = Origin(publicURL); err != nil {
			return stead.Errorf(stead.CodeConfigInvalid, "public_url").Because(err)
		}
		return tx.SetValue(originValue, name)
	})
	return name, err
}

// Wake says that there may be news. It never blocks.
func (s *Sequencer) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run appends until the context ends: soon after Wake, and every half second whether woken or not. A failure is
// logged once and tried again.
func (s *Sequencer) Run(ctx context.Context) {
	var failed string
	for {
		err := s.Append(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil && err.Error() != failed {
			s.Log.ErrorContext(ctx, "records could not be put into the log", "err", err)
		}
		failed = ""
		if err != nil {
			failed = err.Error()
		}
		if !sleep(ctx, sequencePause, nil) || !sleep(ctx, sequenceSleep-sequencePause, s.wake) {
			return
		}
	}
}

// sleep returns when the time is over or it is woken, and false when the context ended.
func sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-wake:
	case <-t.C:
	}
	return true
}

// Append puts everything that the intake held when it was called into the log. Records, hashes and the checkpoint
// over them are committed together. When there is nothing new, nothing is written.
func (s *Sequencer) Append(ctx context.Context) error {
	for {
		more, err := s.backlog(ctx)
		if err != nil || !more {
			return err
		}
		full, err := s.appendBatch(ctx)
		if err != nil || !full {
			return err
		}
	}
}

// backlog reports whether there is anything to write, without holding up a writer.
func (s *Sequencer) backlog(ctx context.Context) (more bool, err error) {
	err = s.Store.View(ctx, func(tx store.Tx) error {
		entries, err := tx.Unlogged(1)
		if err != nil || len(entries) > 0 {
			more = true
			return err
		}
		_, err = tx.Checkpoint()
		if errors.Is(err, store.ErrNotFound) { // the empty log is signed as well
			more, err = true, nil
		}
		return err
	})
	return more && err == nil, err
}

func (s *Sequencer) appendBatch(ctx context.Context) (full bool, err error) {
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		size, err := tx.LogSize()
		if err != nil {
			return err
		}
		if err := extends(tx, size); err != nil {
			return err
		}
		entries, err := tx.Unlogged(sequenceBatch)
		if err != nil {
			return err
		}
		grown := growth{tx: tx, from: tlog.StoredHashIndex(0, size)}
		indexes := make([]int64, 0, len(entries))
		for _, e := range entries {
			if audit.Leaf(e.Envelope) != e.Leaf {
				return fmt.Errorf("ledger: record %d was changed before it was put into the log", e.Index)
			}
			made, err := tlog.StoredHashesForRecordHash(size+int64(len(indexes)), e.Leaf, &grown)
			if err != nil {
				return err
			}
			indexes, grown.hashes = append(indexes, e.Index), append(grown.hashes, made...)
		}
		if err := tx.AppendLog(size, indexes, grown.from, plain(grown.hashes)); err != nil {
			return fmt.Errorf("ledger: records %d to %d: %w", indexes[0], indexes[len(indexes)-1], err)
		}
		size += int64(len(indexes))
		full = len(entries) == sequenceBatch
		return s.sign(tx, size)
	})
	return full, err
}

// growth is the stored hashes of a log, those that are about to be added included.
type growth struct {
	tx     store.Tx
	from   int64 // where the new ones begin
	hashes []tlog.Hash
}

// ReadHashes implements tlog.HashReader.
func (g *growth) ReadHashes(at []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(at))
	var old, into []int64
	for i, a := range at {
		if a >= g.from+int64(len(g.hashes)) {
			return nil, fmt.Errorf("ledger: hash %d is not there yet", a)
		}
		if a >= g.from {
			out[i] = g.hashes[a-g.from]
		} else {
			old, into = append(old, a), append(into, int64(i))
		}
	}
	stored, err := g.tx.LogHashes(old)
	for i, h := range stored {
		out[into[i]] = h
	}
	return out, err
}

// extends refuses to go on with a log that is not the one that was signed last, so that no honest signature is ever
// put under a rewritten history.
func extends(tx store.Tx, size int64) error {
	last, err := tx.Checkpoint()
	if errors.Is(err, store.ErrNotFound) && size == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("ledger: last checkpoint: %w", err)
	}
	signed, err := audit.ParseCheckpoint([]byte(last.Note))
	if err != nil {
		return fmt.Errorf("ledger: last checkpoint: %w", err)
	}
	root, err := tlog.TreeHash(size, reader(tx))
	if err != nil {
		return fmt.Errorf("ledger: root: %w", err)
	}
	if signed.Size != size || signed.Root != root {
		return fmt.Errorf("ledger: the log of %d records is not the one of %d that was signed last", size, signed.Size)
	}
	return nil
}

func (s *Sequencer) sign(tx store.Tx, size int64) error {
	last, err := tx.Checkpoint()
	if err == nil && last.Size == size {
		return nil
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	root, err := tlog.TreeHash(size, reader(tx))
	if err != nil {
		return err
	}
	signer := s.Signer()
	signed, err := audit.SignCheckpoint(signer, audit.Checkpoint{Origin: s.Origin, Size: size, Root: root})
	if err != nil {
		return err
	}
	if err := introduce(tx, s.Origin, signer.Public().(ed25519.PublicKey)); err != nil { // SignCheckpoint has looked
		return err
	}
	return tx.PutCheckpoint(store.Checkpoint{Size: size, Note: string(signed), At: tx.Now()})
}

// reader lets tlog read the stored hashes in a transaction.
func reader(tx store.Tx) tlog.HashReader {
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

func plain(in []tlog.Hash) [][32]byte {
	out := make([][32]byte, len(in))
	for i, h := range in {
		out[i] = h
	}
	return out
}
