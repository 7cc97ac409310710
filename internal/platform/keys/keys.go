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
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

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

	mu      sync.RWMutex
	current token.Key
	public  token.Public
}

// Open reads the key-encryption key from file (made there, 0600, at the first start) and the signing keys from the
// store (one made at the first start).
func Open(ctx context.Context, st store.Store, file string) (*Ring, error) {
	kek, err := readKEK(ctx, st, file)
	if err != nil {
		return nil, err
	}
	r := &Ring{st: st, kek: kek}
	if err := r.load(ctx); err != nil {
		return nil, err
	}
	if r.current.Signer != nil {
		return r, nil
	}
	return r, r.Rotate(ctx, Rotation{})
}

func readKEK(ctx context.Context, st store.Store, file string) (cipher.AEAD, error) {
	key, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		if err := unsealed(ctx, st, file); err != nil {
			return nil, err
		}
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

// unsealed refuses a store that was sealed before: with a new key file nothing in it would open, and the new file would
// stand where the right one has to be put back.
func unsealed(ctx context.Context, st store.Store, file string) error {
	return st.View(ctx, func(tx store.Tx) error {
		rows, err := tx.SigningKeys()
		if err == nil && len(rows) > 0 {
			err = stead.Errorf(stead.CodeConfigInvalid, "the key file %s is missing; put back the one that belongs to this data", file)
		}
		return err
	})
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
			key, err := r.unseal(row.ID, row.Sealed)
			if err != nil {
				return err
			}
			public[row.ID] = key.public()
			if row.RetiredAt.IsZero() && current.Signer == nil {
				current = token.Key{ID: row.ID, Signer: key}
			}
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.current, r.public = current, public
		return nil
	})
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
