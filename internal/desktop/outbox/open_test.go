package outbox

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	bolt "go.etcd.io/bbolt"

	"stead/internal/audit"
	"stead/internal/stead"
)

func TestRestartResumes(t *testing.T) {
	path := newPath(t)
	o := open(t, path)
	before := appendN(t, o, 5)
	if err := o.Acknowledge(t.Context(), before[0].Epoch, 2); err != nil {
		t.Fatal(err)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	o = open(t, path)
	if s := o.State(); s.Head != 5 || s.Acknowledged != 2 || s.Pending != 3 || s.Oldest.IsZero() {
		t.Errorf("state %+v", s)
	}
	if p := appendN(t, o, 1)[0]; p.Seq != 6 || p.Epoch != before[0].Epoch {
		t.Errorf("placed %+v", p)
	}
	if items := allPending(t, o); len(items) != 4 || items[0].Seq != 3 {
		t.Errorf("%d pending from %d", len(items), items[0].Seq)
	}
	if err := o.Acknowledge(t.Context(), before[0].Epoch, 6); err != nil {
		t.Fatal(err)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	o = open(t, path) // with nothing pending, the chain still goes on
	if p := appendN(t, o, 1)[0]; p.Seq != 7 || len(allPending(t, o)) != 1 {
		t.Errorf("placed %+v", p)
	}
}

func TestSecondInstanceIsRefused(t *testing.T) {
	path := newPath(t)
	o := open(t, path)
	if _, err := Open(t.Context(), path, testConfig()); stead.CodeOf(err) != stead.CodeAlreadyRunning {
		t.Errorf("got %v", err)
	}
	appendN(t, o, 1)
}

func TestOnlyOneCreates(t *testing.T) {
	path := newPath(t)
	var wg sync.WaitGroup
	opened := make(chan *Outbox, 4)
	for range 4 {
		wg.Go(func() {
			o, err := Open(t.Context(), path, testConfig())
			if err == nil {
				opened <- o
			} else if stead.CodeOf(err) != stead.CodeAlreadyRunning {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	close(opened)
	if len(opened) != 1 {
		t.Fatalf("%d have it open", len(opened))
	}
	o := <-opened
	p := appendN(t, o, 1)[0]
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	if items := allPending(t, open(t, path)); len(items) != 1 || audit.Leaf(items[0].Envelope) != p.Leaf {
		t.Error("the record went into a file that has no name any more")
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 2 || entries[1].Name() != childFile+".reserve" {
		t.Errorf("left in the folder: %v, %v", entries, err)
	}
}

// TestRefusedFilesStayAsTheyAre opens files that cannot be this outbox.
func TestRefusedFilesStayAsTheyAre(t *testing.T) {
	other := testKey("another")
	for name, c := range map[string]struct {
		bend func(path string, cfg *Config) error
		want stead.Code
	}{
		"newer format": {func(p string, _ *Config) error { return putMeta(p, "format", formatLine(2)) }, stead.CodeDataNewer},
		"format without its checksum": {func(p string, _ *Config) error {
			return putMeta(p, "format", []byte("stead-outbox/2 00000000"))
		}, stead.CodeOutboxDamaged},
		"another device": {func(_ string, c *Config) error {
			c.Device = "ffffffffffffffffffffffffffffffff"
			return nil
		}, stead.CodeOutboxDamaged},
		"another device key": {func(_ string, c *Config) error {
			c.Signer, c.KeyID = other, audit.KeyID(other.Public().(ed25519.PublicKey))
			return nil
		}, stead.CodeOutboxDamaged},
		"another keyring": {func(_ string, c *Config) error { c.Sealer = newTestSealer("other"); return nil }, stead.CodeOutboxDamaged},
		"emptied":         {func(p string, _ *Config) error { return os.Truncate(p, 0) }, stead.CodeOutboxDamaged},
		"ten bytes left":  {func(p string, _ *Config) error { return os.Truncate(p, 10) }, stead.CodeOutboxDamaged},
		"one page left":   {func(p string, _ *Config) error { return os.Truncate(p, int64(os.Getpagesize())) }, stead.CodeOutboxDamaged},
		"a text file": {func(p string, _ *Config) error {
			return os.WriteFile(p, []byte(strings.Repeat("hello\n", 9999)), 0o600)
		}, stead.CodeOutboxDamaged},
		"a record less":   {dropOne, stead.CodeOutboxDamaged},
		"a record moved":  {moveOne, stead.CodeOutboxDamaged},
		"watermark ahead": {func(p string, _ *Config) error { return putMeta(p, "acknowledged", encodeMark(mark{Seq: 1})) }, stead.CodeOutboxDamaged},
	} {
		t.Run(name, func(t *testing.T) {
			path, cfg := newPath(t), testConfig()
			o := open(t, path)
			appendN(t, o, 4)
			if err := errors.Join(o.Close(), c.bend(path, &cfg)); err != nil {
				t.Fatal(err)
			}
			before := fileSum(t, path)
			_, err := Open(t.Context(), path, cfg)
			if stead.CodeOf(err) != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if fileSum(t, path) != before {
				t.Error("the file was changed")
			}
			_, err = Open(t.Context(), path, cfg) // the lock was given back
			if stead.CodeOf(err) != c.want {
				t.Errorf("the second time %v, want %s", err, c.want)
			}
		})
	}
}

func TestFolderInTheWay(t *testing.T) {
	path := newPath(t)
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), path, testConfig()); stead.CodeOf(err) != stead.CodeOutboxDamaged {
		t.Errorf("got %v", err)
	}
}

// update changes the file as somebody with bbolt at hand could.
func update(path string, f func(meta, pending *bolt.Bucket) error) error {
	db, err := bolt.Open(path, 0o600, &bolt.Options{NoFreelistSync: true, FreelistType: bolt.FreelistMapType})
	if err != nil {
		return err
	}
	return errors.Join(db.Update(func(tx *bolt.Tx) error { return f(tx.Bucket(metaBucket), tx.Bucket(pendingBucket)) }), db.Close())
}

func putMeta(path, key string, value []byte) error {
	return update(path, func(meta, _ *bolt.Bucket) error { return meta.Put([]byte(key), value) })
}

func dropOne(path string, _ *Config) error {
	return update(path, func(_, pending *bolt.Bucket) error { return pending.Delete(seqKey(2)) })
}

func moveOne(path string, _ *Config) error {
	return update(path, func(_, pending *bolt.Bucket) error {
		second, third := append([]byte(nil), pending.Get(seqKey(2))...), append([]byte(nil), pending.Get(seqKey(3))...)
		return errors.Join(pending.Put(seqKey(2), third), pending.Put(seqKey(3), second))
	})
}

func fileSum(t *testing.T, path string) [32]byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(data)
}

func fileBytes(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
