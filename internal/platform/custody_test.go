package platform_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform"
	"stead/internal/platform/publish"
	"stead/internal/platform/sqlite"
	"stead/internal/platform/store"
)

func config(dir string) platform.Config {
	return platform.Config{DataDir: dir, PublicURL: "http://localhost:1", Issuer: "http://localhost:2", ClientID: "c", Audience: "a", Log: slog.New(slog.DiscardHandler),
		App: platform.App{ID: "a", Secret: "s", Audience: "a", StartURL: "http://localhost", CookieName: "c"}}
}

func vkey(t *testing.T, name string, n byte) string {
	t.Helper()
	key, err := audit.LogKey(name, ed25519.NewKeyFromSeed(append(make([]byte, 31), n)).Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestCustodyIsChecked(t *testing.T) {
	alice, bob := vkey(t, "alice", 1), vkey(t, "bob", 2)
	for name, change := range map[string]func(*platform.Config){
		"one person":         func(c *platform.Config) { c.RecoveryKeys = []string{alice} },
		"one person twice":   func(c *platform.Config) { c.RecoveryKeys = []string{alice, vkey(t, "bob", 1)} },
		"not a key":          func(c *platform.Config) { c.RecoveryKeys = []string{alice, "bob"} },
		"the log's own name": func(c *platform.Config) { c.RecoveryKeys = []string{alice, vkey(t, "localhost:1", 3)} },
		"neither":            func(c *platform.Config) { c.Copies = []platform.Copy{{}} },
		"both":               func(c *platform.Config) { c.Copies = []platform.Copy{{Folder: "x", URL: "https://x"}} },
		"no folder there":    func(c *platform.Config) { c.Copies = []platform.Copy{{Folder: filepath.Join(c.DataDir, "away")}} },
		"a file":             func(c *platform.Config) { c.Copies = []platform.Copy{{Folder: os.Args[0]}} },
		"read of a folder":   func(c *platform.Config) { c.Copies = []platform.Copy{{Folder: c.DataDir, Read: "https://x"}} },
		"in the clear":       func(c *platform.Config) { c.Copies = []platform.Copy{{URL: "http://x.example"}} },
		"no witness":         func(c *platform.Config) { c.Witness = publish.Witness{URL: "https://x.example", Key: alice} },
	} {
		t.Run(name, func(t *testing.T) {
			c := config(t.TempDir())
			change(&c)
			p, err := platform.Open(t.Context(), c)
			if err == nil {
				_ = p.Close()
			}
			if stead.CodeOf(err) != stead.CodeConfigInvalid {
				t.Errorf("%v", err)
			}
		})
	}
	c := config(t.TempDir())
	c.RecoveryKeys = []string{alice, bob}
	p, err := platform.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// TestACheckpointLeavesTheHouse: from the configuration to the folder.
func TestACheckpointLeavesTheHouse(t *testing.T) {
	c, out := config(t.TempDir()), t.TempDir()
	c.Copies = []platform.Copy{{Folder: out}}
	p, err := platform.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	for deadline := time.Now().Add(3 * publish.Every); ; time.Sleep(20 * time.Millisecond) {
		if s := p.Published(); len(s) == 1 && s[0].Size == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v", p.Published())
		}
	}
	text, err := os.ReadFile(filepath.Join(out, "checkpoint"))
	if parsed, bad := audit.ParseCheckpoint(text); err != nil || bad != nil || parsed.Origin != "localhost:1" {
		t.Errorf("%s, %v, %v", text, err, bad)
	}
}

func TestABackupIsWholeOrNotThere(t *testing.T) {
	c := config(t.TempDir())
	if _, err := (platform.Backup{DataDir: c.DataDir, Out: filepath.Join(t.TempDir(), "out")}).Make(t.Context()); stead.CodeOf(err) != stead.CodeLedgerUnusable {
		t.Errorf("where there is no platform: %v", err)
	}
	if _, err := platform.OpenIdle(t.Context(), c); stead.CodeOf(err) != stead.CodeConfigInvalid {
		t.Errorf("where there is no platform: %v", err)
	}
	p, err := platform.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, _, err := p.Office.IssueEnrolmentCode(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	parent := t.TempDir()
	b := platform.Backup{DataDir: c.DataDir, Out: filepath.Join(parent, "with"), WithKeys: true, Version: "v"}
	m, err := b.Make(t.Context())
	if err != nil || m.Records != 3 || !m.WithKeys || m.Origin != "localhost:1" {
		t.Errorf("%+v, %v", m, err)
	}
	key, err1 := os.ReadFile(filepath.Join(parent, "with", "platform.kek"))
	own, err2 := os.ReadFile(filepath.Join(c.DataDir, "platform.kek"))
	if err := errors.Join(err1, err2); err != nil || string(key) != string(own) {
		t.Errorf("the key file: %v", err)
	}
	// A ledger that does not prove itself is no backup, and leaves nothing behind.
	ruin(t, filepath.Join(c.DataDir, "platform.db"))
	b.Out = filepath.Join(parent, "broken")
	if _, err := b.Make(t.Context()); stead.CodeOf(err) != stead.CodeLedgerBroken {
		t.Errorf("a broken ledger: %v", err)
	}
	if entries, err := os.ReadDir(parent); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
	// Without its key file a restored platform does not open, and no other key file is made.
	if err := os.Remove(filepath.Join(c.DataDir, "platform.kek")); err != nil {
		t.Fatal(err)
	}
	if _, err := platform.OpenIdle(t.Context(), c); stead.CodeOf(err) != stead.CodeConfigInvalid || !strings.Contains(err.Error(), "platform.kek") {
		t.Errorf("without its key file: %v", err)
	}
	if _, err := platform.Open(t.Context(), c); stead.CodeOf(err) != stead.CodeConfigInvalid {
		t.Errorf("without its key file: %v", err)
	}
	if _, err := os.Stat(filepath.Join(c.DataDir, "platform.kek")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// ruin changes the newest checkpoint, by putting a forged one behind it.
func ruin(t *testing.T, file string) {
	t.Helper()
	s, err := sqlite.Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	forged := "localhost:1\n9\n" + base64.StdEncoding.EncodeToString(make([]byte, 32)) + "\n\n— localhost:1 AAAA\n"
	err = s.Update(t.Context(), func(tx store.Tx) error {
		return tx.PutCheckpoint(store.Checkpoint{Size: 9, Note: forged, At: tx.Now()})
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
}
