package keys_test

import (
	"crypto"
	"crypto/ed25519"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"stead/internal/stead"
	"stead/internal/token"

	"stead/internal/platform/keys"
	"stead/internal/platform/store"
)

func TestThePreparedKeyIsTheNext(t *testing.T) {
	dir := t.TempDir()
	r, st := open(t, dir)
	next, err := r.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if next.Equal(r.CurrentPublic()) || len(r.Public()) != 1 {
		t.Error("the prepared key is in use")
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	r, _ = open(t, dir)
	if again, err := r.Next(t.Context()); err != nil || !again.Equal(next) {
		t.Errorf("prepared twice: %v", err)
	}
	before := r.CurrentPublic()
	var told [2]crypto.PublicKey
	err = r.Rotate(t.Context(), keys.Rotation{Announce: func(_ store.Tx, old, next crypto.Signer) error {
		told = [2]crypto.PublicKey{old.Public(), next.Public()}
		return nil
	}})
	if err != nil || !r.CurrentPublic().Equal(next) || !before.Equal(told[0]) || !next.Equal(told[1]) {
		t.Errorf("after the rotation another key signs: %v", err)
	}
	if after, err := r.Next(t.Context()); err != nil || after.Equal(next) {
		t.Errorf("a key is brought in twice: %v", err)
	}
}

func TestARotationThatCannotBeAnnouncedIsNone(t *testing.T) {
	r, _ := open(t, t.TempDir())
	before, broken := r.CurrentPublic(), errors.New("broken")
	err := r.Rotate(t.Context(), keys.Rotation{Announce: func(store.Tx, crypto.Signer, crypto.Signer) error { return broken }})
	if !errors.Is(err, broken) || !r.CurrentPublic().Equal(before) || len(r.Public()) != 1 {
		t.Errorf("%v, %d keys", err, len(r.Public()))
	}
}

func TestWhatACompromisedKeySignedIsNoGood(t *testing.T) {
	dir := t.TempDir()
	r, st := open(t, dir)
	stolen := issue(t, r)
	if err := r.Rotate(t.Context(), keys.Rotation{Compromised: true}); err != nil {
		t.Fatal(err)
	}
	check := func() {
		t.Helper()
		if _, err := token.Verify(stolen, r.Public(), "https://p", "https://a", time.Now()); err == nil {
			t.Error("a token of the compromised key is good")
		}
		if _, err := token.Verify(issue(t, r), r.Public(), "https://p", "https://a", time.Now()); err != nil {
			t.Error(err)
		}
	}
	check()
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	r, _ = open(t, dir)
	check()
}

func TestKeysAreNotHandedOut(t *testing.T) {
	r, _ := open(t, t.TempDir())
	if _, ok := r.Current().Signer.(ed25519.PrivateKey); ok {
		t.Error("the ring hands out its key")
	}
}

// TestAMissingKeyFileIsNotMadeAnew: after a restore the key file has to be put back, and nothing may stand in its place.
func TestAMissingKeyFileIsNotMadeAnew(t *testing.T) {
	dir := t.TempDir()
	_, st := open(t, dir)
	file := filepath.Join(dir, "kek")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Open(t.Context(), st, file); stead.CodeOf(err) != stead.CodeConfigInvalid {
		t.Errorf("without its key file: %v", err)
	}
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is a key file: %v", err)
	}
}
