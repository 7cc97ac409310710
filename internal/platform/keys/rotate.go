package keys

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"stead/internal/stead"

	"stead/internal/platform/store"
)

// signer signs with a key that it does not hand out. A hardware module fills the same place.
type signer struct{ key ed25519.PrivateKey }

// Public implements crypto.Signer.
func (s signer) Public() crypto.PublicKey { return s.public() }

// Sign implements crypto.Signer.
func (s signer) Sign(r io.Reader, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	return s.key.Sign(r, message, opts)
}

func (s signer) public() ed25519.PublicKey { return s.key.Public().(ed25519.PublicKey) }

func (s signer) id() string { return hex.EncodeToString(s.public()[:8]) }

func (r *Ring) seal(s signer) []byte {
	return r.kek.Seal(nil, nil, s.key.Seed(), []byte("signing/"+s.id()))
}

func (r *Ring) unseal(id string, sealed []byte) (signer, error) {
	seed, err := r.kek.Open(nil, nil, sealed, []byte("signing/"+id))
	if err != nil || len(seed) != ed25519.SeedSize {
		return signer{}, stead.Errorf(stead.CodeConfigInvalid, "signing key %s was sealed under another key file", id).Because(err)
	}
	return signer{ed25519.NewKeyFromSeed(seed)}, nil
}

// nextValue is the name of the stored value that holds the prepared key: id and sealed seed. Empty when there is none.
const nextValue = "next_signing_key"

// Next is the key that the next rotation will bring in. It is made at the first call and stays the same until then, so
// that people can sign for it before it signs anything.
func (r *Ring) Next(ctx context.Context) (public ed25519.PublicKey, err error) {
	err = r.st.Update(ctx, func(tx store.Tx) error {
		next, err := r.next(tx)
		if err != nil {
			return err
		}
		public = next.public()
		return tx.SetValue(nextValue, next.id()+base64.StdEncoding.EncodeToString(r.seal(next)))
	})
	return public, err
}

func (r *Ring) next(tx store.Tx) (signer, error) {
	const idLength = 16
	saved, err := tx.Value(nextValue)
	switch {
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return signer{}, err
	case len(saved) > idLength:
		sealed, err := base64.StdEncoding.DecodeString(saved[idLength:])
		if err != nil {
			return signer{}, fmt.Errorf("keys: prepared key: %w", err)
		}
		return r.unseal(saved[:idLength], sealed)
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	return signer{private}, err
}

// Rotation says how a signing key takes the place of the one before.
type Rotation struct {
	// Compromised means that the key before is in other hands: from the commit on nothing that it signed is good.
	// Otherwise its signatures stay good for Overlap.
	Compromised bool
	// Announce is called in the transaction of the rotation; nil for nothing to announce. before is nil at the first
	// start.
	Announce func(tx store.Tx, before, next crypto.Signer) error
}

// Rotate brings in the key of Next and retires the one before. All of it is committed together, or nothing is.
func (r *Ring) Rotate(ctx context.Context, how Rotation) error {
	err := r.st.Update(ctx, func(tx store.Tx) error {
		next, err := r.next(tx)
		if err != nil {
			return err
		}
		rows, err := tx.SigningKeys()
		if err != nil {
			return err
		}
		retired := tx.Now()
		if how.Compromised {
			retired = retired.Add(-2 * Overlap) // as if so long ago that its last signature has expired
		}
		for _, row := range rows {
			if row.RetiredAt.IsZero() {
				if err := tx.RetireSigningKey(row.ID, retired); err != nil {
					return err
				}
			}
		}
		err = errors.Join(tx.PutSigningKey(store.SigningKey{ID: next.id(), CreatedAt: tx.Now(), Sealed: r.seal(next)}), tx.SetValue(nextValue, ""))
		if err != nil || how.Announce == nil {
			return err
		}
		return how.Announce(tx, r.Current().Signer, next)
	})
	var e *stead.Error
	if err != nil && !errors.As(err, &e) {
		err = fmt.Errorf("keys: rotate: %w", err)
	}
	if err != nil {
		return err
	}
	return r.load(ctx)
}
