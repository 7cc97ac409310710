package ledger

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/store"
)

// introduce makes sure that the log names the key that is about to sign it. The first key comes in by itself, and so
// does the same key when the log goes by a new name; another key comes in by TakeHandover alone, so that nothing is
// ever signed by a key nobody was told of.
func introduce(tx store.Tx, origin string, public ed25519.PublicKey) error {
	newest, err := newestKey(tx)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err == nil {
		_, known, err := audit.ParseKey(newest)
		if err != nil {
			return fmt.Errorf("ledger: %w", err)
		}
		if !known.Equal(public) {
			return errors.New("ledger: the log was not handed over to the key that is about to sign it")
		}
	}
	vkey, err := audit.LogKey(origin, public)
	if err != nil {
		return err
	}
	return tx.PutLogKey(vkey)
}

// newestKey is the verifier key that signs the log now; store.ErrNotFound before the first.
func newestKey(tx store.Tx) (string, error) {
	keys, err := tx.LogKeys()
	if err == nil && len(keys) == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return "", err
	}
	return keys[len(keys)-1], nil
}

// TakeHandover takes in that another key signs the log from here on: statement, key and a ledger.key record in one.
// The key before it must have signed the statement; or, when that one is in other hands, audit.RecoveryQuorum of the
// people. Anything else is CodeStatementInvalid.
func (l *Ledger) TakeHandover(tx store.Tx, signed []byte, people audit.RecoveryKeys) (audit.Handover, error) {
	before, err := newestKey(tx)
	if err != nil {
		return audit.Handover{}, err
	}
	key, err := audit.ParseLogKeys(before)
	if err != nil {
		return audit.Handover{}, err
	}
	h, err := key.OpenHandover(signed)
	compromised := errors.Is(err, audit.ErrUnknownKey)
	if compromised {
		h, err = people.OpenHandover(signed)
	}
	if err != nil {
		return h, stead.Errorf(stead.CodeStatementInvalid, "%v", err).Because(err)
	}
	origin, _, err := audit.ParseKey(before)
	switch {
	case err != nil:
		return h, err
	case h.Origin != origin:
		return h, stead.Errorf(stead.CodeStatementInvalid, "it is about %s, and this log is %s", h.Origin, origin)
	case h.Key == before:
		return h, stead.Errorf(stead.CodeStatementInvalid, "the key signs already")
	}
	if err := putStatement(tx, store.StatementHandover, signed); err != nil {
		return h, err
	}
	if err := tx.PutLogKey(h.Key); err != nil {
		return h, err
	}
	return h, l.Write(tx, Entry{Kind: audit.LedgerKey, Facts: audit.Body{"key": h.Key, "before": before, "compromised": compromised, "statement": digest(signed)}})
}

// DraftRestored is what has to be signed after a backup was put back: the log is what its newest checkpoint says, and
// lost is the size of the largest checkpoint that anybody holds. It is CodeStatementInvalid when that is less than
// what is there, or the reason is not one line.
func DraftRestored(tx store.Tx, lost int64, why string) (audit.Restored, error) {
	kept, err := newestCheckpoint(tx)
	if err != nil {
		return audit.Restored{}, err
	}
	r := audit.Restored{Origin: kept.Origin, Kept: kept, Lost: lost, At: tx.Now().Truncate(time.Second), Why: why}
	if lost < kept.Size {
		return r, stead.Errorf(stead.CodeBadRequest, "the log has %d records now, so before it had as many at least, and not %d", kept.Size, lost)
	}
	if _, err := r.Text(); err != nil {
		return r, stead.Errorf(stead.CodeStatementInvalid, "%v", err).Because(err)
	}
	return r, nil
}

// TakeRestored takes in that the log was set back: the statement and a ledger.restored record in one. It must be signed
// by audit.RecoveryQuorum of the people and name what the log is now; anything else is CodeStatementInvalid.
func (l *Ledger) TakeRestored(tx store.Tx, signed []byte, people audit.RecoveryKeys) (audit.Restored, error) {
	r, err := people.OpenRestored(signed)
	if err != nil {
		return r, stead.Errorf(stead.CodeStatementInvalid, "%v", err).Because(err)
	}
	if err := FitsRestored(tx, r); err != nil {
		return r, err
	}
	if err := putStatement(tx, store.StatementRestored, signed); err != nil {
		return r, err
	}
	return r, l.Write(tx, Entry{Kind: audit.LedgerRestored, Facts: audit.Body{"kept": r.Kept.Size, "root": hex.EncodeToString(r.Kept.Root[:]),
		"lost": r.Lost, "why": r.Why, "statement": digest(signed)}})
}

// FitsRestored returns nil when the statement is about this log as it is now, else CodeStatementInvalid.
func FitsRestored(tx store.Tx, r audit.Restored) error {
	now, err := newestCheckpoint(tx)
	switch {
	case err != nil:
		return err
	case r.Origin != now.Origin:
		return stead.Errorf(stead.CodeStatementInvalid, "it is about %s, and this log is %s", r.Origin, now.Origin)
	case r.Kept != now:
		return stead.Errorf(stead.CodeStatementInvalid, "it was made when the log had %d records, and this one has %d or other ones", r.Kept.Size, now.Size)
	}
	return nil
}

func newestCheckpoint(tx store.Tx) (audit.Checkpoint, error) {
	newest, err := tx.Checkpoint()
	if errors.Is(err, store.ErrNotFound) {
		return audit.Checkpoint{}, stead.Errorf(stead.CodeStatementInvalid, "this log was never signed").Because(err)
	}
	if err != nil {
		return audit.Checkpoint{}, err
	}
	return audit.ParseCheckpoint([]byte(newest.Note))
}

func putStatement(tx store.Tx, kind store.StatementKind, signed []byte) error {
	err := tx.PutStatement(store.Statement{Kind: kind, Note: string(signed), At: tx.Now()})
	if errors.Is(err, store.ErrConflict) {
		return stead.Errorf(stead.CodeStatementInvalid, "it was taken in before").Because(err)
	}
	return err
}

// digest names a statement in a record: the SHA-256 of the signed note, in hex.
func digest(signed []byte) string {
	sum := sha256.Sum256(signed)
	return hex.EncodeToString(sum[:])
}
