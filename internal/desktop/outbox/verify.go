package outbox

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"strconv"
	"strings"
	"sync"

	bolt "go.etcd.io/bbolt"

	"stead/internal/audit"
	"stead/internal/stead"
)

// formatVersion is what this program writes and reads.
const formatVersion = 1

const formatName = "stead-outbox/"

// formatLine carries a checksum, so that a damaged "1" does not read as a newer version.
func formatLine(version uint64) []byte {
	line := formatName + strconv.FormatUint(version, 10)
	return fmt.Appendf(nil, "%s %08x", line, crc32.ChecksumIEEE([]byte(line)))
}

// openExisting opens the outbox at path, checks all of it and returns it ready for appending. It writes nothing.
//
// bbolt rebuilds its list of free pages while it opens a file for writing, in a goroutine that a damaged page takes
// down together with the process. So the file is opened for reading first, which touches no page but the two metas,
// and every page is checked by our own reader; bbolt sees the file for writing only when it is sound.
func openExisting(ctx context.Context, path string, cfg Config) (*file, error) {
	if err := checkStructure(path); err != nil {
		return nil, openError(path, err)
	}
	db, handle, err := openBolt(path, false)
	if err != nil {
		return nil, openError(path, err)
	}
	f := &file{db: db, handle: handle}
	err = guard(func() error { return db.View(func(tx *bolt.Tx) error { return f.load(ctx, tx, cfg) }) })
	if err != nil {
		f.giveUp(err)
		return nil, openError(path, err)
	}
	return f, nil
}

// checkStructure checks the pages of the file under a shared lock.
func checkStructure(path string) error {
	if info, err := os.Stat(path); err != nil {
		return err
	} else if !info.Mode().IsRegular() || info.Size() == 0 { // bbolt would initialise an empty one
		return damaged("a %s of %d bytes", info.Mode().Type(), info.Size())
	}
	db, handle, err := openBolt(path, true)
	if err != nil {
		return err
	}
	info, err := handle.Stat()
	if err == nil {
		err = checkPages(handle, info.Size())
	}
	if closing := guard(db.Close); err == nil {
		err = closing
	}
	return err
}

// load reads the meta bucket, walks every pending record and compares what it finds with the signed head. Whatever
// changed in the file shows in one of the seals, in the chain, in the signature, or in bbolt's own check.
func (f *file) load(ctx context.Context, tx *bolt.Tx, cfg Config) error {
	for _, name := range buckets() {
		if tx.Bucket(name) == nil {
			return damaged("the bucket %s is missing", name)
		}
	}
	if err := f.loadMeta(tx.Bucket(metaBucket), cfg); err != nil {
		return err
	}
	if err := f.checkInventory(tx); err != nil {
		return err
	}
	if err := f.loadProof(tx, cfg.Trust); err != nil {
		return err
	}
	var tree error
	var checking sync.WaitGroup
	defer checking.Wait() // also when a page below panics
	checking.Go(func() { tree = checkTree(tx.DB()) })
	if err := f.loadRecords(ctx, tx, cfg); err != nil {
		return err
	}
	checking.Wait()
	return tree
}

// loadRecords walks the records and compares what it finds with the head.
func (f *file) loadRecords(ctx context.Context, tx *bolt.Tx, cfg Config) error {
	head, err := f.walk(ctx, tx.Bucket(pendingBucket))
	if err != nil {
		return err
	}
	if head != f.head {
		return damaged("the records end at %d, the signed head is %d", head.Seq, f.head.Seq)
	}
	key, _ := cfg.Signer.Public().(ed25519.PublicKey) // Open has looked; without a key no signature is valid
	if err := audit.VerifyHead(key, f.head, f.sig); err != nil {
		return damaged("head %d: %w", f.head.Seq, err)
	}
	return f.walkSalvaged(ctx, tx.Bucket(salvagedBucket))
}

// checkTree is bbolt's own check, to its end, in a transaction of its own.
func checkTree(db *bolt.DB) error {
	return guard(func() error {
		return db.View(func(tx *bolt.Tx) (first error) {
			for err := range tx.Check() { // or its goroutine stays
				if first == nil {
					first = damaged("%w", err)
				}
			}
			return first
		})
	})
}

func (f *file) loadMeta(meta *bolt.Bucket, cfg Config) error {
	if err := checkFormat(string(meta.Get([]byte("format")))); err != nil {
		return err
	}
	c, _, err := decodeCard(meta.Get([]byte("card")))
	if err != nil {
		return damaged("%w", err)
	}
	if stead.DeviceID(c.Device) != cfg.Device {
		return damaged("it is of device %q", c.Device)
	}
	head, acked, receipted := meta.Get([]byte("head")), meta.Get([]byte("acknowledged")), meta.Get([]byte("receipted"))
	if len(head) != headLength || len(acked) != markLength || len(receipted) != markLength {
		return damaged("a value of the meta bucket has another length")
	}
	f.generation = c.Generation
	f.acked, f.receipted = decodeMark(acked), decodeMark(receipted)
	m := decodeMark(head)
	f.head = audit.Head{Device: cfg.Device, Epoch: c.Epoch, Seq: m.Seq, Leaf: m.Leaf}
	f.sig = append([]byte(nil), head[markLength:]...)
	if f.recovered, err = decodeRecovered(meta.Get(recoveredKey)); err != nil {
		return damaged("%w", err)
	}
	key, err := c.open(cfg.Sealer)
	if err != nil {
		return damaged("%w", err)
	}
	f.aead, err = audit.NewDataKey(key)
	return err
}

// checkFormat tells a newer version from a damaged one.
func checkFormat(line string) error {
	number, ok := strings.CutPrefix(line, formatName)
	if !ok {
		return damaged("the format line is %q", line)
	}
	number, _, _ = strings.Cut(number, " ")
	version, err := strconv.ParseUint(number, 10, 64)
	if err != nil || line != string(formatLine(version)) || version < formatVersion {
		return damaged("the format line is %q", line)
	}
	if version > formatVersion {
		return stead.Errorf(stead.CodeDataNewer, "outbox format %d", version)
	}
	return nil
}

// The lengths of what encodeMark and encodeHead write.
const (
	markLength = 8 + 32
	headLength = markLength + ed25519.SignatureSize
)

func decodeMark(b []byte) mark {
	return mark{Seq: binary.BigEndian.Uint64(b), Leaf: [32]byte(b[8:40])}
}
