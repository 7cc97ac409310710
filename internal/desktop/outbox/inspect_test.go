package outbox

import (
	"crypto/ed25519"
	"os"
	"testing"

	bolt "go.etcd.io/bbolt"

	"stead/internal/stead"
)

// TestInspect looks at a file with each of the keys one may have, and finds it unchanged.
func TestInspect(t *testing.T) {
	path := newPath(t)
	o, err := Open(t.Context(), path, testConfig())
	if err != nil {
		t.Fatal(err)
	}
	appendN(t, o, 7)
	if _, err := Inspect(t.Context(), path, nil, nil); stead.CodeOf(err) != stead.CodeAlreadyRunning {
		t.Errorf("while it is open: %v", err)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	cfg := testConfig()
	public, _ := cfg.Signer.Public().(ed25519.PublicKey)
	in, err := Inspect(t.Context(), path, nil, nil)
	if err != nil || in.Records != 7 || in.Head.Seq != 7 || in.Head.Device != testDevice || in.Signed || in.Opened {
		t.Errorf("without a key: %+v, %v", in, err)
	}
	if in, err := Inspect(t.Context(), path, public, nil); err != nil || !in.Signed || in.Opened {
		t.Errorf("with the device's public key: %+v, %v", in, err)
	}
	if in, err := Inspect(t.Context(), path, public, &cfg); err != nil || !in.Signed || !in.Opened {
		t.Errorf("with all keys: %+v, %v", in, err)
	}
	other, _ := testKey("another").Public().(ed25519.PublicKey)
	if _, err := Inspect(t.Context(), path, other, nil); stead.CodeOf(err) != stead.CodeOutboxDamaged {
		t.Errorf("with another device's key: %v", err)
	}
	cfg.Sealer = newTestSealer("another")
	if _, err := Inspect(t.Context(), path, nil, &cfg); stead.CodeOf(err) != stead.CodeOutboxDamaged {
		t.Errorf("with another keyring: %v", err)
	}
	after, err := os.ReadFile(path)
	if err != nil || string(after) != string(before) {
		t.Errorf("looking changed the file: %v", err)
	}
	for name, change := range map[string]func(meta, pending *bolt.Bucket) error{
		"the last record is gone": func(_, pending *bolt.Bucket) error { return pending.Delete(seqKey(7)) },
		"one between is gone":     func(_, pending *bolt.Bucket) error { return pending.Delete(seqKey(4)) },
		"the head is cut":         func(meta, _ *bolt.Bucket) error { return meta.Put([]byte("head"), make([]byte, 9)) },
		"there is no card":        func(meta, _ *bolt.Bucket) error { return meta.Delete([]byte("card")) },
		"no format that we know":  func(meta, _ *bolt.Bucket) error { return meta.Put([]byte("format"), []byte("x")) },
	} {
		if err := os.WriteFile(path, before, 0o600); err != nil {
			t.Fatal(err)
		}
		db, _, err := openBolt(path, false)
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(func(tx *bolt.Tx) error { return change(tx.Bucket(metaBucket), tx.Bucket(pendingBucket)) })
		if err != nil || db.Close() != nil {
			t.Fatal(err)
		}
		if _, err := Inspect(t.Context(), path, nil, nil); stead.CodeOf(err) != stead.CodeOutboxDamaged {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.WriteFile(path, before[:3*4096], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Inspect(t.Context(), path, nil, nil); stead.CodeOf(err) != stead.CodeOutboxDamaged {
		t.Errorf("cut to three pages: %v", err)
	}
}
