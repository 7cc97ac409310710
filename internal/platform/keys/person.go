package keys

import (
	"bytes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

	"stead/internal/stead"

	"stead/internal/platform/store"
)

// What is sealed says under which month's key it lies: the mark, and the month as four bytes, big-endian. Both are
// authenticated. What was sealed before keys went by months begins with a random nonce instead.
const (
	monthMark   = "stead/m1"
	monthPrefix = len(monthMark) + 4
)

func prefixOf(m store.Month) []byte {
	return binary.BigEndian.AppendUint32([]byte(monthMark), uint32(m)) //nolint:gosec // G115: a year and a month
}

func monthIn(sealed []byte) (store.Month, bool) {
	if len(sealed) < monthPrefix || !bytes.HasPrefix(sealed, []byte(monthMark)) {
		return store.NoMonth, false
	}
	return store.Month(binary.BigEndian.Uint32(sealed[len(monthMark):monthPrefix])), true
}

// SealFor seals a person's texts under the person's key of this month, which is made at its first use.
// store.ErrErased when the person was erased: nothing about them is kept any more.
func (r *Ring) SealFor(tx store.Tx, p stead.Pseudonym, plain []byte) ([]byte, error) {
	seal, err := r.SealerFor(tx, p)
	if err != nil {
		return nil, err
	}
	return seal(plain), nil
}

// SealerFor is SealFor for many texts of one person. It is good within the transaction only: afterwards the key may be
// destroyed.
func (r *Ring) SealerFor(tx store.Tx, p stead.Pseudonym) (seal func(plain []byte) []byte, err error) {
	m := store.MonthOf(tx.Now())
	key, err := r.personKey(tx, p, m)
	if errors.Is(err, store.ErrNotFound) {
		fresh := make([]byte, 32)
		rand.Read(fresh)
		if err := tx.PutPersonKey(p, m, r.kek.Seal(nil, nil, fresh, personAAD(p, m))); err != nil {
			return nil, err
		}
		key, err = aead(fresh)
	}
	if err != nil {
		return nil, err
	}
	prefix := prefixOf(m)
	aad := textAAD(p, prefix)
	return func(plain []byte) []byte { return key.Seal(bytes.Clone(prefix), nil, plain, aad) }, nil
}

// OpenFor opens what SealFor sealed; store.ErrNotFound when the key was destroyed by an erasure or a retention,
// stead.CodeRecordInvalid when what is there, or its key, is not what was sealed, or the key is missing for neither reason.
func (r *Ring) OpenFor(tx store.Tx, p stead.Pseudonym, sealed []byte) ([]byte, error) {
	m, monthly := monthIn(sealed)
	key, err := r.personKey(tx, p, m)
	if errors.Is(err, store.ErrNotFound) {
		return nil, destroyed(tx, p, m)
	}
	if err != nil {
		return nil, err
	}
	aad := p[:]
	if monthly {
		sealed, aad = sealed[monthPrefix:], textAAD(p, sealed[:monthPrefix])
	}
	plain, err := key.Open(nil, nil, sealed, aad)
	if err != nil {
		return nil, stead.E(stead.CodeRecordInvalid, fmt.Errorf("keys: texts: %w", err))
	}
	return plain, nil
}

// destroyed says why a key is not there.
func destroyed(tx store.Tx, p stead.Pseudonym, m store.Month) error {
	if _, err := tx.ErasedAt(p); err == nil {
		return store.ErrNotFound
	} else if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	before, err := tx.Retained()
	if err != nil {
		return err
	}
	if before.IsZero() || m != store.NoMonth && m.Until().After(before) {
		return stead.E(stead.CodeRecordInvalid, errors.New("keys: a person's key is missing that nothing destroyed"))
	}
	return store.ErrNotFound
}

func (r *Ring) personKey(tx store.Tx, p stead.Pseudonym, m store.Month) (cipher.AEAD, error) {
	sealed, err := tx.PersonKey(p, m)
	if err != nil {
		return nil, err
	}
	key, err := r.kek.Open(nil, nil, sealed, personAAD(p, m))
	if err != nil {
		return nil, stead.E(stead.CodeRecordInvalid, fmt.Errorf("keys: person key: %w", err))
	}
	return aead(key)
}

// personAAD binds a sealed key to its place, so that one put into another's does not open.
func personAAD(p stead.Pseudonym, m store.Month) []byte {
	aad := append([]byte("person/"), p[:]...)
	if m != store.NoMonth {
		aad = append(aad, prefixOf(m)...)
	}
	return aad
}

func textAAD(p stead.Pseudonym, prefix []byte) []byte { return append(bytes.Clone(p[:]), prefix...) }
