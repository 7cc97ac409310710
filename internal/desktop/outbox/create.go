package outbox

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"stead/internal/audit"
	"stead/internal/stead"
)

// create writes a new, empty outbox beside path, flushes it and gives it the name, so that a half-made file never
// has it: bbolt is not safe against a power cut while it initialises a file.
func create(path string, cfg Config) error {
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(folder, filepath.Base(path)+".new-*") // 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	if err := tmp.Close(); err != nil {
		return err
	}
	db, _, err := openBolt(tmp.Name(), false)
	if err != nil {
		return err
	}
	if err := errors.Join(db.Update(func(tx *bolt.Tx) error { return initialise(tx, cfg) }), db.Close()); err != nil {
		return err
	}
	// A link, unlike a rename, never replaces a file that another process created in the meantime.
	err = os.Link(tmp.Name(), path)
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EPERM) { // a file system without links
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return err
	}
	return syncFolder(folder)
}

// initialise fills a new database: a fresh epoch, a fresh data key and a signed head before the first record.
func initialise(tx *bolt.Tx, cfg Config) error {
	meta, err := tx.CreateBucket(metaBucket)
	if err != nil {
		return err
	}
	for _, name := range [][]byte{pendingBucket, receiptBucket, quarantineBucket} {
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	const generation = 1
	key := make([]byte, 32)
	rand.Read(key) // never fails since Go 1.24
	head := audit.Head{Device: cfg.Device, Epoch: audit.NewEpoch()}
	sig, err := audit.SignHead(cfg.Signer, head)
	if err != nil {
		return err
	}
	for k, v := range map[string][]byte{
		"format": formatLine(formatVersion), "device": []byte(cfg.Device), "epoch": head.Epoch[:],
		"generation": seqKey(generation), "data_key": cfg.Sealer.Seal(key, keyAAD(generation)),
		"head": encodeHead(head, sig), "acknowledged": encodeMark(mark{}),
		"receipted": encodeMark(mark{}),
	} {
		if err := meta.Put([]byte(k), v); err != nil {
			return err
		}
	}
	return nil
}

func keyAAD(generation uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte("stead-outbox-key/v1\x00"), generation)
}

// syncFolder makes a new name durable. Windows has no such call: NTFS journals names by itself.
func syncFolder(folder string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// openFile opens and verifies the outbox at path, which it creates when there is none.
func openFile(ctx context.Context, path string, cfg Config) (*file, error) {
	if !exists(path) {
		// Where it failed because another process was faster, that one's file is there now.
		if err := create(path, cfg); err != nil && !exists(path) {
			return nil, openError(path, err)
		}
	}
	if err := writable(filepath.Dir(path)); err != nil {
		return nil, openError(path, err)
	}
	f, err := openExisting(ctx, path, cfg)
	if err != nil {
		return nil, err
	}
	// What an interrupted create left behind. Nobody else can be creating: the name is taken and we hold its lock.
	if left, err := filepath.Glob(path + ".new-*"); err == nil {
		for _, name := range left {
			_ = os.Remove(name)
		}
	}
	return f, nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// writable reports an error when nothing can be created in the folder. A full disk is not one: draining works then.
func writable(folder string) error {
	probe, err := os.CreateTemp(folder, ".writable-*")
	if err == nil {
		return errors.Join(probe.Close(), os.Remove(probe.Name()))
	}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return err
	}
	return nil
}

// openError gives an error of opening or reading its code, and a damaged file its path.
func openError(path string, err error) error {
	var coded *stead.Error
	var system syscall.Errno
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.As(err, &coded) && coded.Code != stead.CodeOutboxDamaged:
		return err
	case coded != nil, errors.Is(err, errPanicked):
	case errors.Is(err, bolterrors.ErrTimeout):
		return stead.Errorf(stead.CodeAlreadyRunning, "%s", filepath.Dir(path)).Because(err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return stead.Errorf(stead.CodeDataReadOnly, "%s", filepath.Dir(path)).Because(err)
	case errors.As(err, &system):
		return stead.E(stead.CodeOutboxWrite, err)
	}
	return stead.Errorf(stead.CodeOutboxDamaged, "%s", path).Because(err) // what the system did not refuse, the content did
}
