package keys_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"stead/internal/stead"
	"stead/internal/token"

	"stead/internal/platform/keys"
	"stead/internal/platform/sqlite"
	"stead/internal/platform/store"
)

func open(t *testing.T, dir string) (*keys.Ring, store.Store) {
	t.Helper()
	st, err := sqlite.Open(t.Context(), filepath.Join(dir, "platform.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	r, err := keys.Open(t.Context(), st, filepath.Join(dir, "kek"))
	if err != nil {
		t.Fatal(err)
	}
	return r, st
}

func issue(t *testing.T, r *keys.Ring) string {
	t.Helper()
	now := time.Now()
	raw, err := token.Issue(r.Current(), "https://p", "https://a", "j",
		stead.Session{ID: stead.NewSessionID(), Member: "m", Agent: "a", Account: "x", Scope: "read", StartedAt: now, ExpiresAt: now.Add(time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestKeysSurviveARestartAndARotation(t *testing.T) {
	dir := t.TempDir()
	r, st := open(t, dir)
	before := issue(t, r)
	first := r.Current().ID
	if err := r.Rotate(t.Context(), keys.Rotation{}); err != nil {
		t.Fatal(err)
	}
	if r.Current().ID == first || len(r.Public()) != 2 {
		t.Errorf("after a rotation %s signs, of %d keys", r.Current().ID, len(r.Public()))
	}
	after := issue(t, r)
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	r, _ = open(t, dir)
	for name, raw := range map[string]string{"before": before, "after": after} {
		if _, err := token.Verify(raw, r.Public(), "https://p", "https://a", time.Now()); err != nil {
			t.Errorf("signed %s the rotation: %v", name, err)
		}
	}
}

func TestKeyFileIsTheOwnersAndIsNeeded(t *testing.T) {
	dir := t.TempDir()
	_, st := open(t, dir)
	file := filepath.Join(dir, "kek")
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file %v, %v", info.Mode(), err)
	}
	if err := os.WriteFile(file, bytes.Repeat([]byte{7}, 32), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Open(t.Context(), st, file); stead.CodeOf(err) != stead.CodeConfigInvalid {
		t.Errorf("another key file: %v", err)
	}
	if err := os.WriteFile(file, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Open(t.Context(), st, file); stead.CodeOf(err) != stead.CodeConfigInvalid {
		t.Errorf("a short key file: %v", err)
	}
}

func TestTextsAreSealedPerPerson(t *testing.T) {
	r, st := open(t, t.TempDir())
	ana, bo := stead.NewPseudonym(), stead.NewPseudonym()
	var sealed []byte
	update := func(f func(tx store.Tx) error) {
		t.Helper()
		if err := st.Update(context.Background(), f); err != nil {
			t.Fatal(err)
		}
	}
	update(func(tx store.Tx) (err error) {
		sealed, err = r.SealFor(tx, ana, []byte("a private matter"))
		if err == nil {
			_, err = r.SealFor(tx, bo, []byte("another"))
		}
		return err
	})
	if bytes.Contains(sealed, []byte("private")) {
		t.Error("the text is readable")
	}
	update(func(tx store.Tx) error {
		plain, err := r.OpenFor(tx, ana, sealed)
		if string(plain) != "a private matter" {
			t.Errorf("opened %q", plain)
		}
		if _, err := r.OpenFor(tx, bo, sealed); err == nil {
			t.Error("another person's key opens it")
		}
		if _, err := r.OpenFor(tx, stead.NewPseudonym(), sealed); stead.CodeOf(err) != stead.CodeRecordInvalid {
			t.Errorf("a person without a key: %v", err)
		}
		return err
	})
}
