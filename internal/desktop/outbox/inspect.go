package outbox

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"

	bolt "go.etcd.io/bbolt"

	"stead/internal/audit"
	"stead/internal/stead"
)

// Inspection is what was found out about an outbox's file.
type Inspection struct {
	Head    audit.Head // as the file has it
	Records uint64     // that lie in it, up to the head without a gap
	Signed  bool       // the head's signature is the key's
	Opened  bool       // every record was unsealed, is in its place in the chain that the head ends, and its texts are its own
}

// Inspect looks at the file and changes nothing. Without key and cfg it shows that the pages are sound and the records
// follow each other without a gap to the head, and no more, for they are sealed. With the device's public key it shows that
// the device signed the head. With cfg, the device's own, it shows all that Open does.
//
// Errors as of Open: CodeAlreadyRunning, CodeDataReadOnly when the file cannot be read, CodeDataNewer, CodeOutboxDamaged.
func Inspect(ctx context.Context, path string, key ed25519.PublicKey, cfg *Config) (in Inspection, err error) {
	if err := checkStructure(path); err != nil {
		return in, openError(path, err)
	}
	db, handle, err := openBolt(path, true)
	if err != nil {
		return in, openError(path, err)
	}
	f := &file{db: db, handle: handle}
	err = guard(func() error {
		return db.View(func(tx *bolt.Tx) (err error) {
			if in, err = inspect(tx, key); err != nil || cfg == nil {
				return err
			}
			err = f.load(ctx, tx, *cfg)
			in.Opened = err == nil
			return err
		})
	})
	f.giveUp(err)
	return in, openError(path, err)
}

func inspect(tx *bolt.Tx, key ed25519.PublicKey) (in Inspection, err error) {
	meta, pending := tx.Bucket(metaBucket), tx.Bucket(pendingBucket)
	if meta == nil || pending == nil {
		return in, damaged("a bucket is missing")
	}
	if err := checkFormat(string(meta.Get([]byte("format")))); err != nil {
		return in, err
	}
	owner, _, err := decodeCard(meta.Get([]byte("card")))
	if err != nil {
		return in, damaged("%w", err)
	}
	head := meta.Get([]byte("head"))
	if len(head) != headLength {
		return in, damaged("a value of the meta bucket has another length")
	}
	m := decodeMark(head)
	in.Head = audit.Head{Device: stead.DeviceID(owner.Device), Epoch: owner.Epoch, Seq: m.Seq, Leaf: m.Leaf}
	var last uint64
	c := pending.Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		if len(k) != 8 || in.Records > 0 && binary.BigEndian.Uint64(k) != last+1 {
			return in, damaged("record %d: the next one found is %x", last+1, k)
		}
		last = binary.BigEndian.Uint64(k)
		in.Records++
	}
	if in.Records > 0 && last != m.Seq {
		return in, damaged("the records end at %d, the head is %d", last, m.Seq)
	}
	if key == nil {
		return in, nil
	}
	if err := audit.VerifyHead(key, in.Head, head[markLength:]); errors.Is(err, audit.ErrSignature) {
		return in, damaged("head %d: the device did not sign it: %w", m.Seq, err)
	} else if err != nil {
		return in, damaged("head %d: %w", m.Seq, err)
	}
	in.Signed = true
	return in, nil
}
