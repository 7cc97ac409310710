package keys_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"stead/internal/stead"

	"stead/internal/platform/store"
)

// timed is a transaction at another time.
type timed struct {
	store.Tx
	now time.Time
}

func (t timed) Now() time.Time { return t.now }

func TestEachMonthHasItsKey(t *testing.T) {
	r, st := open(t, t.TempDir())
	ana := stead.NewPseudonym()
	december, january := time.Date(2025, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	err := st.Update(t.Context(), func(tx store.Tx) error {
		old, err := r.SealFor(timed{tx, december}, ana, []byte("in December"))
		if err != nil {
			return err
		}
		young, err := r.SealFor(timed{tx, january}, ana, []byte("in January"))
		if err != nil {
			return err
		}
		forged := bytes.Clone(old)
		copy(forged[8:12], young[8:12]) // says it is January's
		if _, err := r.OpenFor(tx, ana, forged); stead.CodeOf(err) != stead.CodeRecordInvalid {
			t.Errorf("a text under another month: %v", err)
		}
		copy(forged[8:12], []byte{0, 3, 0x18, 0x32}) // says it is of February 2028
		if _, err := r.OpenFor(tx, ana, forged); stead.CodeOf(err) != stead.CodeRecordInvalid {
			t.Errorf("a key that nothing destroyed: %v", err)
		}
		if err := tx.Retain(january); err != nil {
			return err
		}
		if done, err := tx.Expire(january, 10); err != nil || done.Keys != 1 {
			t.Errorf("expired %+v, %v", done, err)
		}
		if _, err := r.OpenFor(tx, ana, old); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("December: %v", err)
		}
		plain, err := r.OpenFor(tx, ana, young)
		if string(plain) != "in January" {
			t.Errorf("January: %q", plain)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// What was sealed before keys went by months opens with the key of no month, which is destroyed like the others.
func TestTextsFromBeforeThereWereMonths(t *testing.T) {
	dir := t.TempDir()
	r, st := open(t, dir)
	kek, err := os.ReadFile(filepath.Join(dir, "kek"))
	if err != nil {
		t.Fatal(err)
	}
	ana, key := stead.NewPseudonym(), bytes.Repeat([]byte{9}, 32)
	raw, err := sql.Open("sqlite", filepath.Join(dir, "platform.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = raw.Close() }()
	sealedKey := gcm(t, kek).Seal(nil, nil, key, append([]byte("person/"), ana[:]...))
	if _, err := raw.Exec("INSERT INTO person_keys (pseudonym, month, until, sealed) VALUES (?, 0, 1769904000000, ?)", ana[:], sealedKey); err != nil { // February 2026
		t.Fatal(err)
	}
	sealed := gcm(t, key).Seal(nil, nil, []byte("long ago"), ana[:])
	err = st.Update(t.Context(), func(tx store.Tx) error {
		plain, err := r.OpenFor(tx, ana, sealed)
		if err != nil || string(plain) != "long ago" {
			t.Errorf("opened %q, %v", plain, err)
		}
		before := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
		if err := tx.Retain(before); err != nil {
			return err
		}
		if _, err := tx.Expire(before, 10); err != nil {
			return err
		}
		if _, err := r.OpenFor(tx, ana, sealed); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("after its month: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func gcm(t *testing.T, key []byte) cipher.AEAD {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	out, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
