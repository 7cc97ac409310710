package platform

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/keys"
	"stead/internal/platform/ledger"
	"stead/internal/platform/sqlite"
	"stead/internal/platform/store"
)

// Idle is a platform that is open and serves nobody, for what an operator does between stopping and starting it.
type Idle struct {
	Origin string
	People audit.RecoveryKeys // who may sign statements; none when the configuration names none

	store     store.Store
	ring      *keys.Ring
	ledger    *ledger.Ledger
	sequencer *ledger.Sequencer
}

// OpenIdle opens the data folder of c, of which only DataDir, PublicURL and RecoveryKeys count. It makes nothing that is
// not there: CodeConfigInvalid when there is no platform or its key file is missing, CodeAlreadyRunning when it serves.
func OpenIdle(ctx context.Context, c Config) (*Idle, error) {
	people, err := c.people()
	if err != nil {
		return nil, err
	}
	for _, name := range []string{DataFile, KeyFile} {
		if _, err := os.Stat(filepath.Join(c.DataDir, name)); errors.Is(err, fs.ErrNotExist) {
			return nil, stead.Errorf(stead.CodeConfigInvalid, "there is no %s in %s", name, c.DataDir).Because(err)
		}
	}
	st, err := sqlite.Open(ctx, filepath.Join(c.DataDir, DataFile))
	if err != nil {
		return nil, err
	}
	i := &Idle{People: people, store: st}
	if i.ring, err = keys.Open(ctx, st, filepath.Join(c.DataDir, KeyFile)); err == nil {
		i.ledger, err = ledger.Open(ctx, st, i.ring)
	}
	if err == nil {
		i.Origin, err = ledger.Name(ctx, st, c.PublicURL)
	}
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	i.sequencer = ledger.NewSequencer(st, i.Origin, func() crypto.Signer { return i.ring.Current().Signer }, slog.New(slog.DiscardHandler))
	return i, nil
}

// Close closes the data folder.
func (i *Idle) Close() error { return i.store.Close() }

// Rotate brings in a new signing key: the key before it signs the handover, and the next checkpoint is signed with the
// new one. It returns the new verifier key.
func (i *Idle) Rotate(ctx context.Context) (vkey string, err error) {
	if err := i.sequencer.Append(ctx); err != nil { // a log that was never signed has nothing to hand over
		return "", err
	}
	err = i.ring.Rotate(ctx, keys.Rotation{Announce: func(tx store.Tx, before, next crypto.Signer) error {
		if vkey, err = audit.LogKey(i.Origin, next.Public().(ed25519.PublicKey)); err != nil {
			return err
		}
		signed, err := audit.SignHandover(before, audit.Handover{Origin: i.Origin, Key: vkey, At: tx.Now()})
		if err != nil {
			return err
		}
		_, err = i.ledger.TakeHandover(tx, signed, i.People)
		return err
	}})
	if err != nil {
		return "", err
	}
	return vkey, i.sequencer.Append(ctx)
}

// DraftCompromised is the text that people have to sign when the log's key is in other hands: it names the key that is
// going to take its place. That key is kept until RotateCompromised brings it in.
func (i *Idle) DraftCompromised(ctx context.Context) ([]byte, error) {
	next, err := i.ring.Next(ctx)
	if err != nil {
		return nil, err
	}
	vkey, err := audit.LogKey(i.Origin, next)
	if err != nil {
		return nil, err
	}
	text, err := audit.Handover{Origin: i.Origin, Key: vkey, At: time.Now()}.Text()
	return []byte(text), err
}

// RotateCompromised brings in the key that the handover names, which the people must have signed: CodeStatementInvalid
// otherwise. Nothing that the key before signed is good any more, tokens of live sessions included.
func (i *Idle) RotateCompromised(ctx context.Context, signed []byte) (vkey string, err error) {
	h, err := i.People.OpenHandover(signed)
	if err != nil {
		return "", stead.Errorf(stead.CodeStatementInvalid, "%v", err).Because(err)
	}
	err = i.ring.Rotate(ctx, keys.Rotation{Compromised: true, Announce: func(tx store.Tx, _, next crypto.Signer) error {
		if prepared, err := audit.LogKey(i.Origin, next.Public().(ed25519.PublicKey)); err != nil || prepared != h.Key {
			return stead.Errorf(stead.CodeStatementInvalid, "it names another key than the one that was made for it here").Because(err)
		}
		_, err := i.ledger.TakeHandover(tx, signed, i.People)
		return err
	}})
	if err != nil {
		return "", err
	}
	return h.Key, i.sequencer.Append(ctx)
}

// DraftRestored is the text that people have to sign after a backup was put back; lost is the size of the largest
// checkpoint that anybody outside holds.
func (i *Idle) DraftRestored(ctx context.Context, lost int64, why string) (text []byte, err error) {
	err = i.store.View(ctx, func(tx store.Tx) error {
		r, err := ledger.DraftRestored(tx, lost, why)
		if err != nil {
			return err
		}
		draft, err := r.Text()
		text = []byte(draft)
		return err
	})
	return text, err
}

// FitsRestored returns nil when the statement, signed or not, is about this log as it is now, else
// CodeStatementInvalid.
func (i *Idle) FitsRestored(ctx context.Context, statement []byte) error {
	_, r, err := audit.ReadStatement(statement)
	if err != nil || r == nil {
		return stead.Errorf(stead.CodeStatementInvalid, "it does not declare a restore").Because(err)
	}
	return i.store.View(ctx, func(tx store.Tx) error { return ledger.FitsRestored(tx, *r) })
}

// DeclareRestored takes the signed statement in and puts its record into the log: CodeStatementInvalid when it is not
// signed by enough of the people or does not fit the log.
func (i *Idle) DeclareRestored(ctx context.Context, signed []byte) (r audit.Restored, err error) {
	err = i.store.Update(ctx, func(tx store.Tx) error {
		r, err = i.ledger.TakeRestored(tx, signed, i.People)
		return err
	})
	if err != nil {
		return r, err
	}
	return r, i.sequencer.Append(ctx)
}

// CheckpointOf opens a checkpoint of this log that was kept elsewhere: CodeStatementInvalid when none of the keys that
// the log names signed it.
func (i *Idle) CheckpointOf(ctx context.Context, signed []byte) (c audit.Checkpoint, err error) {
	err = i.store.View(ctx, func(tx store.Tx) error {
		lines, err := tx.LogKeys()
		if err != nil {
			return err
		}
		known, err := audit.ParseLogKeys(strings.Join(lines, "\n"))
		if err == nil {
			c, err = known.Open(signed)
		}
		if err != nil {
			return stead.Errorf(stead.CodeStatementInvalid, "the checkpoint: %v", err).Because(err)
		}
		return nil
	})
	return c, err
}
