package outbox

import (
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	bolt "go.etcd.io/bbolt"

	"stead/internal/audit"
)

// The buckets and the keys of the first. What lies where:
//
//	meta        format        "stead-outbox/1 " and a checksum of it
//	            card          device, epoch, generation and the sealed data key: see card
//	            head          8 bytes sequence, 32 bytes leaf, 64 bytes signature of the last record
//	            acknowledged  8 bytes sequence, 32 bytes leaf of the last record the platform has
//	            receipted     8 bytes sequence, 32 bytes leaf of the last record that is proven to be in the log
//	            proof         what is known of the log, sealed; see proof
//	            recovered     what this file was begun after, see Recovered; missing in a device's first file
//	            inventory     a digest of all keys but those of pending, sealed; see inventory
//	pending     8 bytes sequence → the sealed record, see audit.Sealed: every record after the receipted ones
//	receipts    8 bytes sequence of the first → receipt, sealed
//	quarantine  8 bytes sequence → quarantined, sealed
//	salvaged    16 bytes epoch, 8 bytes sequence → the sealed record, saved from a file before this one
//	refused     the same → quarantined, sealed: salvaged records that were refused
//	owed        "owed:" and the name of a file in the folder evidence that only the platform can read, and that it does not have yet
//
// Numbers are big-endian. Sealed is a nonce and AES-256-GCM under the data key, bound to the place.
var (
	metaBucket       = []byte("meta")
	pendingBucket    = []byte("pending")
	receiptBucket    = []byte("receipts")
	quarantineBucket = []byte("quarantine")
	salvagedBucket   = []byte("salvaged")
	owedBucket       = []byte("owed")
	refusedBucket    = []byte("refused")
)

// file is an open and verified outbox file. Its fields change only after a commit, by the committer, under mu.
type file struct {
	db         *bolt.DB
	handle     *os.File
	generation uint64
	aead       cipher.AEAD
	head       audit.Head
	sig        []byte
	room       int64 // up to where makeRoom was; the committer's alone
	acked      mark
	receipted  mark
	oldest     int64 // wall clock of the first record after acked, Unix milliseconds
	proof      proof
	seen       audit.Checkpoint  // of proof; of size 0 before the first
	keys       keyring           // what the pinned keys and proof lead to
	receipts   uint64            // how many receipts are kept
	quarantine uint64            // how many records the platform refused for good
	refused    map[uint64]string // those of them that are still held, and why
	recovered  *Recovered
	withheld   withheld // see lacks
	salvaged   int      // records of earlier epochs that are still to be sent

	refusedSalvaged map[place]string // salvaged records that the platform refused, and why
}

// mark is a place in the chain.
type mark struct {
	Seq  uint64
	Leaf [32]byte
}

// stored is what lies sealed under one sequence.
type stored audit.Sealed

// errPanicked means that bbolt panicked, on a damaged page or a failing device. Its locks may be held for good, so
// the handle must be abandoned, not closed.
var errPanicked = errors.New("reading the file failed")

// guard runs f and turns panics into errors, those of a fault in mapped memory included: a mapped file that was cut
// short would otherwise end the process.
func guard(f func() error) (err error) {
	before := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(before)
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errPanicked, r)
		}
	}()
	return f()
}

// openBolt opens the database and keeps the handle, because bbolt returns none when it panics. Someone else's lock is
// waited for two seconds.
func openBolt(path string, readOnly bool) (db *bolt.DB, handle *os.File, err error) {
	opts := &bolt.Options{Timeout: 2 * time.Second, NoFreelistSync: true, FreelistType: bolt.FreelistMapType,
		ReadOnly: readOnly, NoStatistics: true,
		OpenFile: func(name string, flag int, perm fs.FileMode) (*os.File, error) {
			// Whoever wants a new file creates it as create does; here a missing one is an error.
			f, err := os.OpenFile(name, flag&^os.O_CREATE, perm)
			handle = f
			return f, err
		}}
	if runtime.GOOS != "windows" { // where the file itself would grow to this size
		opts.InitialMmapSize = 64 << 20
	}
	err = guard(func() (err error) { db, err = bolt.Open(path, 0o600, opts); return err })
	if err != nil && handle != nil {
		_ = handle.Close() // already closed, unless bbolt panicked
	}
	return db, handle, err
}

func (f *file) close() error { return f.db.Close() }

// giveUp closes the file after an error. After a panic bbolt may be stuck, so the file and its lock are given back
// without it; the mapping stays.
func (f *file) giveUp(err error) {
	if errors.Is(err, errPanicked) {
		_ = f.handle.Close()
		return
	}
	_ = f.close() // the error that led here says more than one of closing
}

func (f *file) seal(seq uint64, s stored) ([]byte, error) {
	return audit.SealRecord(f.aead, f.generation, f.head.Epoch, seq, audit.Sealed(s))
}

func (f *file) unseal(seq uint64, value []byte) (stored, error) {
	s, err := audit.OpenRecord(f.aead, f.generation, f.head.Epoch, seq, value)
	if err != nil {
		return stored{}, damaged("%w", err)
	}
	return stored(s), nil
}

// sealAs seals what lies under seq in another bucket than pending, which the place names.
func (f *file) sealAs(place []byte, seq uint64, v any) ([]byte, error) {
	return audit.SealAs(f.aead, f.generation, f.head.Epoch, seq, place, v)
}

func (f *file) unsealAs(place []byte, seq uint64, value []byte, v any) error {
	if err := audit.OpenAs(f.aead, f.generation, f.head.Epoch, seq, place, value, v); err != nil {
		return damaged("%s %w", place, err)
	}
	return nil
}

// write commits a group in one transaction. After an error the group may be there or not.
func (f *file) write(w written) error {
	return guard(func() error {
		return f.db.Update(func(tx *bolt.Tx) error {
			if err := f.makeRoom(tx); err != nil {
				return err
			}
			b := tx.Bucket(pendingBucket)
			b.FillPercent = 1 // keys only ever come at the end
			seq := w.head.Seq - uint64(len(w.values))
			for _, v := range w.values {
				seq++
				if err := b.Put(seqKey(seq), v); err != nil {
					return err
				}
			}
			return tx.Bucket(metaBucket).Put([]byte("head"), encodeHead(w.head, w.sig))
		})
	})
}

// wrote takes over what write committed.
func (f *file) wrote(w written) {
	if f.head.Seq == f.acked.Seq {
		f.oldest = w.wall
	}
	f.head, f.sig = w.head, w.sig
}

// acknowledge moves the mark to seq, in one transaction. It returns the new mark and the wall clock of the first record
// after it.
func (f *file) acknowledge(seq uint64) (m mark, oldest int64, err error) {
	err = guard(func() error {
		return f.db.Update(func(tx *bolt.Tx) error {
			if m, oldest, err = f.at(seq, tx.Bucket(pendingBucket)); err != nil {
				return err
			}
			return tx.Bucket(metaBucket).Put([]byte("acknowledged"), encodeMark(m))
		})
	})
	return m, oldest, err
}

// at is the mark at a record that is still held, and the wall clock of the record after it.
func (f *file) at(seq uint64, b *bolt.Bucket) (m mark, oldest int64, err error) {
	m = f.receipted
	if seq != m.Seq {
		s, err := f.unseal(seq, b.Get(seqKey(seq)))
		if err != nil {
			return m, 0, err
		}
		m = mark{Seq: seq, Leaf: audit.Leaf(s.Envelope)}
	}
	if seq < f.head.Seq {
		oldest, err = f.wallOf(seq+1, b)
	}
	return m, oldest, err
}

func (f *file) wallOf(seq uint64, b *bolt.Bucket) (int64, error) {
	s, err := f.unseal(seq, b.Get(seqKey(seq)))
	if err != nil {
		return 0, err
	}
	r, err := audit.Decode(s.Envelope)
	if err != nil {
		return 0, damaged("record %d: %w", seq, err)
	}
	return r.WallMS, nil
}

func seqOf(key []byte) uint64 { return binary.BigEndian.Uint64(key) }

func seqKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

func encodeMark(m mark) []byte { return append(seqKey(m.Seq), m.Leaf[:]...) }

func encodeHead(h audit.Head, sig []byte) []byte {
	return append(encodeMark(mark{h.Seq, h.Leaf}), sig...)
}
