// Package keys keeps the platform's keys: the Ed25519 keys it signs with, and one key per person under which the
// texts beside the log are sealed. All lie in the store, sealed under a key-encryption key that is kept outside it
// (a file readable by the platform's user alone), so that a copy of the database opens nothing.
package keys

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"stead/internal/stead"
	"stead/internal/token"

	"stead/internal/platform/store"
)

// Overlap is how long a retired key stays in the key set: longer than anything it signed lives.
const Overlap = 2 * stead.SessionTTL

// Ring holds the opened keys. It is safe for concurrent use.
type Ring struct {
	st  store.Store
	kek cipher.AEAD

	outbox, outboxPublic []byte // set once, by Open

	mu      sync.RWMutex
	current token.Key
	public  token.Public
}

// Open reads the key-encryption key from file (made there, 0600, at the first start) and the signing keys from the
// store (one made at the first start).
func Open(ctx context.Context, st store.Store, file string) (*Ring, error) {
	kek, err := readKEK(file)
	if err != nil {
		return nil, err
	}
	r := &Ring{st: st, kek: kek}
	if err := r.load(ctx); err != nil {
		return nil, err
	}
	if err := r.loadOutbox(ctx); err != nil {
		return nil, err
	}
	if r.current.Signer != nil {
		return r, nil
	}
	return r, r.Rotate(ctx)
}

func readKEK(file string) (cipher.AEAD, error) {
	key, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		key, err = makeKEK(file)
	}
	if err != nil {
		return nil, stead.Errorf(stead.CodeDataReadOnly, "%s", file).Because(err)
	}
	if len(key) != 32 {
		return nil, stead.Errorf(stead.CodeConfigInvalid, "%s is not a key of 32 bytes", file)
	}
	return aead(key)
}

// makeKEK writes a new key so that a crash leaves either none or a whole one.
func makeKEK(file string) ([]byte, error) {
	key := make([]byte, 32)
	rand.Read(key) // never fails since Go 1.24
	tmp, err := os.CreateTemp(filepath.Dir(file), ".kek-*")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	_, err = tmp.Write(key)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err != nil {
		return nil, err
	}
	// Link, not rename: a second platform starting at the same moment must not replace the key of the first.
	if err := os.Link(tmp.Name(), file); errors.Is(err, fs.ErrExist) {
		return os.ReadFile(file)
	} else if err != nil {
		return nil, err
	}
	dir, err := os.Open(filepath.Dir(file))
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }()
	return key, dir.Sync()
}

func aead(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func (r *Ring) load(ctx context.Context) error {
	return r.st.View(ctx, func(tx store.Tx) error {
		rows, err := tx.SigningKeys()
		if err != nil {
			return err
		}
		current, public := token.Key{}, token.Public{}
		for _, row := range rows {
			if !row.RetiredAt.IsZero() && tx.Now().Sub(row.RetiredAt) > Overlap {
				continue
			}
			seed, err := r.kek.Open(nil, nil, row.Sealed, []byte("signing/"+row.ID))
			if err != nil || len(seed) != ed25519.SeedSize {
				return stead.Errorf(stead.CodeConfigInvalid, "signing key %s was sealed under another key file", row.ID).Because(err)
			}
			private := ed25519.NewKeyFromSeed(seed)
			public[row.ID] = private.Public().(ed25519.PublicKey)
			if row.RetiredAt.IsZero() && current.Signer == nil {
				current = token.Key{ID: row.ID, Signer: private}
			}
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.current, r.public = current, public
		return nil
	})
}

// Rotate makes a new signing key and retires the one before. What that one signed stays verifiable for Overlap.
func (r *Ring) Rotate(ctx context.Context) error {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	id := hex.EncodeToString(public[:8])
	err = r.st.Update(ctx, func(tx store.Tx) error {
		rows, err := tx.SigningKeys()
		if err != nil {
			return err
		}
		for _, row := range rows {
			if row.RetiredAt.IsZero() {
				if err := tx.RetireSigningKey(row.ID, tx.Now()); err != nil {
					return err
				}
			}
		}
		return tx.PutSigningKey(store.SigningKey{ID: id, CreatedAt: tx.Now(), RetiredAt: time.Time{},
			Sealed: r.kek.Seal(nil, nil, private.Seed(), []byte("signing/"+id))})
	})
	if err != nil {
		return fmt.Errorf("keys: rotate: %w", err)
	}
	return r.load(ctx)
}

// Current is the key that signs now.
func (r *Ring) Current() token.Key {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.current
}

// CurrentPublic is the public half of Current.
func (r *Ring) CurrentPublic() ed25519.PublicKey {
	return r.Current().Signer.Public().(ed25519.PublicKey)
}

// Public is every key whose signatures are still good.
func (r *Ring) Public() token.Public {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.public
}

// SealFor seals a person's texts under the person's key, which is made at the first use.
func (r *Ring) SealFor(tx store.Tx, p stead.Pseudonym, plain []byte) ([]byte, error) {
	key, err := r.personKey(tx, p)
	if errors.Is(err, store.ErrNotFound) {
		fresh := make([]byte, 32)
		rand.Read(fresh)
		if err := tx.PutPersonKey(p, r.kek.Seal(nil, nil, fresh, personAAD(p))); err != nil {
			return nil, err
		}
		key, err = aead(fresh)
	}
	if err != nil {
		return nil, err
	}
	return key.Seal(nil, nil, plain, p[:]), nil
}

// OpenFor opens what SealFor sealed; store.ErrNotFound when the person's key was destroyed.
func (r *Ring) OpenFor(tx store.Tx, p stead.Pseudonym, sealed []byte) ([]byte, error) {
	key, err := r.personKey(tx, p)
	if err != nil {
		return nil, err
	}
	return key.Open(nil, nil, sealed, p[:])
}

func (r *Ring) personKey(tx store.Tx, p stead.Pseudonym) (cipher.AEAD, error) {
	sealed, err := tx.PersonKey(p)
	if err != nil {
		return nil, err
	}
	key, err := r.kek.Open(nil, nil, sealed, personAAD(p))
	if err != nil {
		return nil, fmt.Errorf("keys: person key: %w", err)
	}
	return aead(key)
}

func personAAD(p stead.Pseudonym) []byte { return append([]byte("person/"), p[:]...) }
