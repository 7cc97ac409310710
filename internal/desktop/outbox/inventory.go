package outbox

import (
	"crypto/sha256"
	"encoding/binary"

	bolt "go.etcd.io/bbolt"
)

// inventory says what there is beside the chain. The seals show that a value is what was put in its place, and not that
// no value is missing: a damaged page can lose its last keys and look whole. So a digest of all keys lies sealed in meta.
type inventory struct {
	_         struct{} `cbor:",toarray"`
	Keys      [32]byte // SHA-256 over the keys of all buckets but pending, each with its length
	Recovered [32]byte // SHA-256 of the one value of meta that no seal or signature covers
}

var (
	inventoryKey   = []byte("inventory")
	inventoryPlace = []byte("inventory")
)

// inventoryOf counts what is there.
func inventoryOf(tx *bolt.Tx) inventory {
	h := sha256.New()
	add := func(b []byte) {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(b))))
		h.Write(b)
	}
	for _, name := range buckets() {
		if string(name) == string(pendingBucket) {
			continue // the chain and its signed head tell what belongs there
		}
		add(name)
		c := tx.Bucket(name).Cursor()
		for k, _ := c.First(); k != nil; k, _ = c.Next() {
			if string(name) != string(metaBucket) || string(k) != string(inventoryKey) {
				add(k)
			}
		}
	}
	return inventory{Keys: [32]byte(h.Sum(nil)), Recovered: sha256.Sum256(tx.Bucket(metaBucket).Get(recoveredKey))}
}

// putInventory belongs at the end of each transaction that adds, deletes or renames anything beside the chain.
func (f *file) putInventory(tx *bolt.Tx) error {
	sealed, err := f.sealAs(inventoryPlace, 0, inventoryOf(tx))
	if err != nil {
		return err
	}
	return tx.Bucket(metaBucket).Put(inventoryKey, sealed)
}

func (f *file) checkInventory(tx *bolt.Tx) error {
	var want inventory
	if err := f.unsealAs(inventoryPlace, 0, tx.Bucket(metaBucket).Get(inventoryKey), &want); err != nil {
		return err
	}
	if inventoryOf(tx) != want {
		return damaged("something that lay beside the records is missing or has another name")
	}
	return nil
}

// update commits a change of what lies beside the chain.
func (f *file) update(change func(tx *bolt.Tx) error) error {
	return guard(func() error {
		return f.db.Update(func(tx *bolt.Tx) error {
			if err := change(tx); err != nil {
				return err
			}
			return f.putInventory(tx)
		})
	})
}
