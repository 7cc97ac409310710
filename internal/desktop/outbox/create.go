package outbox

import (
	"context"
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

// create makes a new, empty outbox at path.
func create(path string, cfg Config) error {
	tmp, err := prepare(path, cfg, beginning{generation: 1})
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp) }()
	return publish(tmp, path)
}

// beginning is what a new file starts with.
type beginning struct {
	generation uint64
	recovered  *Recovered // what it is begun after; nil for a device's first
	first      audit.Body // of the record that says so
	rescue     func(*file) error
	proof      *proof   // what was known of the log; nil for nothing
	owed       [][]byte // names of evidence that the platform is to read
}

// prepare writes a new outbox beside path under another name and flushes it, so that a half-made file never has the
// real one: bbolt is not safe against a power cut while it initialises a file. It returns that name.
func prepare(path string, cfg Config, b beginning) (tmp string, err error) {
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", err
	}
	t, err := os.CreateTemp(folder, filepath.Base(path)+".new-*") // 0600
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(t.Name())
		}
	}()
	if err := t.Close(); err != nil {
		return "", err
	}
	db, handle, err := openBolt(t.Name(), false)
	if err != nil {
		return "", err
	}
	f := &file{db: db, handle: handle, generation: b.generation}
	err = guard(func() error {
		if err := db.Update(func(tx *bolt.Tx) error { return f.initialise(tx, cfg, b) }); err != nil || b.rescue == nil {
			return err
		}
		return b.rescue(f)
	})
	return t.Name(), errors.Join(err, guard(db.Close))
}

// publish gives a prepared file its name, durably. A link, unlike a rename, never replaces a file that another
// process created in the meantime.
func publish(tmp, path string) error {
	err := os.Link(tmp, path)
	if linkless(err) {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// linkless reports that the file system knows no hard links.
func linkless(err error) bool {
	return errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EPERM)
}

func buckets() [][]byte {
	return [][]byte{metaBucket, pendingBucket, receiptBucket, quarantineBucket, salvagedBucket, refusedBucket, owedBucket}
}

// initialise fills a new database: a fresh epoch, a fresh data key and a signed head, before the first record or
// after the one that says what this file follows.
func (f *file) initialise(tx *bolt.Tx, cfg Config, b beginning) error {
	for _, name := range buckets() {
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	c, key, err := newCard(cfg, b.generation)
	if err != nil {
		return err
	}
	if f.aead, err = audit.NewDataKey(key); err != nil {
		return err
	}
	f.head = audit.Head{Device: cfg.Device, Epoch: c.Epoch}
	values := map[string][]byte{"format": formatLine(formatVersion), "card": c.encode(), "acknowledged": encodeMark(mark{}), "receipted": encodeMark(mark{})}
	if b.recovered != nil {
		if values["recovered"], err = b.recovered.encode(); err != nil {
			return err
		}
		if err := f.firstRecord(tx, cfg, b.first); err != nil {
			return err
		}
	}
	if b.proof != nil {
		if err := f.putProof(tx, *b.proof); err != nil {
			return err
		}
	}
	for _, name := range b.owed {
		if err := tx.Bucket(owedBucket).Put(owedKey(name), []byte{}); err != nil {
			return err
		}
	}
	if f.sig, err = audit.SignHead(cfg.Signer, f.head); err != nil {
		return err
	}
	values["head"] = encodeHead(f.head, f.sig)
	for k, v := range values {
		if err := tx.Bucket(metaBucket).Put([]byte(k), v); err != nil {
			return err
		}
	}
	return f.putInventory(tx)
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
	_ = makeReserve(path) // a disk that is too full for it starts no session, see mayStart
	if err := settle(path, f); err != nil {
		f.giveUp(err)
		return nil, openError(path, err)
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
