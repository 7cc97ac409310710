package outbox

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"

	"stead/internal/audit"
	"stead/internal/stead"
)

// SealedBatch is a run of records of a file whose keys this machine has lost, as they lie there: only the platform
// opens them.
type SealedBatch struct {
	File    audit.OutboxFile
	Key     []byte // the data key, sealed for the platform (audit.SealOutboxKey)
	Head    audit.Head
	HeadSig []byte // of the device the file is of
	First   uint64
	Records [][]byte // as audit.SealRecord made them, in order and without a gap
}

// SealedTaker is a Platform that reads what this machine cannot. It returns the sequence it expects next; CodeChainGap
// with it when the batch begins beyond that.
type SealedTaker interface {
	PostSealed(ctx context.Context, b SealedBatch) (next uint64, err error)
}

// SealedFile is a file being read without its keys.
type SealedFile struct {
	db    *bolt.DB
	batch SealedBatch // without records
	acked uint64      // where to begin
	given uint64      // where the file begins, should the platform want more
}

// OpenSealed opens the outbox file at path for reading as it is; the keyring is not asked. The file's pages must be
// sound, its content is not looked at: CodeOutboxDamaged when they are not, or when it was sealed for no platform.
func OpenSealed(path string) (*SealedFile, error) {
	if err := checkStructure(path); err != nil {
		return nil, openError(path, err)
	}
	db, handle, err := openBolt(path, true)
	if err != nil {
		return nil, openError(path, err)
	}
	s := &SealedFile{db: db}
	if err := guard(func() error { return db.View(s.load) }); err != nil {
		(&file{db: db, handle: handle}).giveUp(err)
		return nil, openError(path, err)
	}
	return s, nil
}

func (s *SealedFile) load(tx *bolt.Tx) error {
	meta := tx.Bucket(metaBucket)
	if meta == nil || tx.Bucket(pendingBucket) == nil {
		return damaged("a bucket is missing")
	}
	c, _, err := decodeCard(meta.Get([]byte("card")))
	head, acked, receipted := meta.Get([]byte("head")), meta.Get([]byte("acknowledged")), meta.Get([]byte("receipted"))
	switch {
	case err != nil:
		return damaged("%w", err)
	case len(head) != headLength || len(acked) != markLength || len(receipted) != markLength:
		return damaged("a value of the meta bucket has another length")
	case len(c.Platform) == 0:
		return damaged("it was sealed for no platform")
	}
	m := decodeMark(head)
	s.acked, s.given = decodeMark(acked).Seq, decodeMark(receipted).Seq
	s.batch = SealedBatch{File: c.file(), Key: c.Platform, HeadSig: bytes.Clone(head[markLength:]),
		Head: audit.Head{Device: stead.DeviceID(c.Device), Epoch: c.Epoch, Seq: m.Seq, Leaf: m.Leaf}}
	return nil
}

// Close closes the file.
func (s *SealedFile) Close() error { return guard(s.db.Close) }

// sealedRecords is how many sealed records the platform takes at once.
const sealedRecords = 200

// Batch returns records after the given sequence: at most sealedRecords of them, and about 1 MiB; none at the end.
func (s *SealedFile) Batch(after uint64) (SealedBatch, error) {
	b, size := s.batch, 0
	b.First = after + 1
	err := guard(func() error {
		return s.db.View(func(tx *bolt.Tx) error {
			c := tx.Bucket(pendingBucket).Cursor()
			for k, v := c.Seek(seqKey(b.First)); k != nil && len(b.Records) < sealedRecords && size < batchBytes; k, v = c.Next() {
				if len(k) != 8 || seqOf(k) != b.First+uint64(len(b.Records)) {
					return damaged("record %d is missing", b.First+uint64(len(b.Records)))
				}
				b.Records, size = append(b.Records, bytes.Clone(v)), size+len(v)
			}
			return nil
		})
	})
	return b, err
}

// drainOwed sends the evidence that only the platform can read. What it refuses for good stays where it is, and
// Recovered says why.
func (o *Outbox) drainOwed(ctx context.Context, p Platform) error {
	taker, ok := p.(SealedTaker)
	if !ok {
		return nil
	}
	for {
		name, err := o.owed()
		if err != nil || name == "" {
			return err
		}
		err = sendSealed(ctx, taker, filepath.Join(filepath.Dir(o.path), evidenceFolder, name))
		refused := stead.CodeOf(err)
		switch refused {
		case "", stead.CodeChainFork, stead.CodeChainGap, stead.CodeRecordInvalid, stead.CodeDeviceUnknown, stead.CodeDeviceSignature,
			stead.CodeOutboxDamaged, stead.CodeTooLarge:
		default:
			if !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
		if err := o.settled(ctx, name, refused); err != nil {
			return err
		}
	}
}

func sendSealed(ctx context.Context, p SealedTaker, path string) error {
	s, err := OpenSealed(path)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }() // it was only read
	after, rewound := s.acked, false
	for after < s.batch.Head.Seq {
		b, err := s.Batch(after)
		if err != nil {
			return err
		}
		next, err := p.PostSealed(ctx, b)
		switch {
		case err == nil && next > b.First:
			after = next - 1
		case stead.CodeOf(err) == stead.CodeChainGap && !rewound && next > s.given:
			after, rewound = next-1, true
		case err == nil:
			return stead.Errorf(stead.CodeChainGap, "the platform took no record and wants %d", next)
		default:
			return err
		}
	}
	return nil
}

// owed is the name of a file the platform has still to read, "" when there is none.
func (o *Outbox) owed() (name string, err error) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	f, err := o.current()
	if err != nil || f.recovered == nil {
		return "", err
	}
	err = guard(func() error {
		return f.db.View(func(tx *bolt.Tx) error {
			k, _ := tx.Bucket(owedBucket).Cursor().First()
			name = string(bytes.TrimPrefix(k, []byte(owedMark)))
			return nil
		})
	})
	return name, openError(o.path, err)
}

// settled crosses a file off, because the platform has read it or refused it for good.
func (o *Outbox) settled(ctx context.Context, name string, refused stead.Code) error {
	return o.change(ctx, func(f *file) error {
		r := f.after()
		if refused != "" {
			r.Refused = more(r.Refused, name+" "+string(refused))
		}
		err := f.update(func(tx *bolt.Tx) error {
			return errors.Join(tx.Bucket(owedBucket).Delete(owedKey([]byte(name))), r.put(tx))
		})
		if err == nil {
			o.mu.Lock()
			f.recovered = &r
			o.mu.Unlock()
		}
		return err
	})
}
