package platform

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/sqlite"
)

// Backup says what is to be backed up and where to.
type Backup struct {
	DataDir  string
	Out      string // folder that must not exist; the one it lies in must
	WithKeys bool   // the key file too, which opens all that is sealed in the database
	Version  string // of this program
	Progress func(what string, done, all int)
}

// Manifest lists what a backup holds. It lies in it as manifest.json.
type Manifest struct {
	Format   string         `json:"format"`
	MadeAt   time.Time      `json:"made_at"`
	Version  string         `json:"version"`
	Origin   string         `json:"origin"`
	Records  int64          `json:"records"` // in the log
	Root     string         `json:"root"`    // base64
	Pending  int64          `json:"pending"` // taken in and not in the log yet
	WithKeys bool           `json:"with_keys"`
	Files    []ManifestFile `json:"files"`
}

// ManifestFile is one file of a backup.
type ManifestFile struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // hex
}

const (
	backupFormat   = "stead-backup/1"
	checkpointFile = "checkpoint"
	logKeysFile    = "log.keys"
	manifestFile   = "manifest.json"
)

// Make writes the backup, also while the platform serves: one consistent state of the database, proven as
// stead audit verify proves it, with the newest checkpoint, the log's verifier keys and the manifest beside it. The
// folder is there with all of it, flushed, or not at all.
//
// Errors a person can meet: CodeBadRequest when Out exists, CodeLedgerUnusable when there is no platform, CodeLedgerBroken
// when the ledger does not prove itself, CodeDataReadOnly when Out cannot be written.
func (b Backup) Make(ctx context.Context) (Manifest, error) {
	if _, err := os.Lstat(b.Out); !errors.Is(err, fs.ErrNotExist) {
		return Manifest{}, stead.Errorf(stead.CodeBadRequest, "%s exists; a backup replaces nothing", b.Out).Because(err)
	}
	if b.Progress == nil {
		b.Progress = func(string, int, int) {}
	}
	source, err := sqlite.OpenEvidence(ctx, filepath.Join(b.DataDir, DataFile))
	if err != nil {
		return Manifest{}, err
	}
	defer func() { _ = source.Close() }() // nothing was written
	dir, err := os.MkdirTemp(filepath.Dir(b.Out), "."+filepath.Base(b.Out)+"-*")
	if err != nil {
		return Manifest{}, stead.Errorf(stead.CodeDataReadOnly, "%s", filepath.Dir(b.Out)).Because(err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // gone already when all went well
	m, err := b.fill(ctx, source, dir)
	if err == nil {
		err = place(dir, b.Out)
	}
	var known *stead.Error
	if err != nil && ctx.Err() == nil && !errors.As(err, &known) {
		err = stead.Errorf(stead.CodeDataReadOnly, "%s", b.Out).Because(err)
	}
	return m, err
}

// fill writes everything into the folder.
func (b Backup) fill(ctx context.Context, source *sqlite.Evidence, dir string) (Manifest, error) {
	database := filepath.Join(dir, DataFile)
	if err := source.CopyTo(database, func(done, all int) { b.Progress("pages copied", done, all) }); err != nil {
		return Manifest{}, err
	}
	proof, keys, err := b.prove(ctx, database)
	if err != nil {
		return Manifest{}, err
	}
	files := map[string][]byte{logKeysFile: []byte(strings.Join(keys, "\n") + "\n")}
	if proof.Signed != nil {
		files[checkpointFile] = proof.Signed
	}
	if b.WithKeys {
		key, err := os.ReadFile(filepath.Join(b.DataDir, KeyFile))
		if err != nil {
			return Manifest{}, stead.Errorf(stead.CodeConfigInvalid, "the key file %s cannot be read", filepath.Join(b.DataDir, KeyFile)).Because(err)
		}
		files[KeyFile] = key
	}
	m := Manifest{Format: backupFormat, MadeAt: time.Now().UTC().Truncate(time.Second), Version: b.Version, Origin: proof.Checkpoint.Origin, Records: proof.Checkpoint.Size,
		Root: base64.StdEncoding.EncodeToString(proof.Checkpoint.Root[:]), Pending: proof.Pending, WithKeys: b.WithKeys}
	for name, text := range files {
		if err := writeFlushed(filepath.Join(dir, name), text); err != nil {
			return m, err
		}
	}
	if m.Files, err = listed(ctx, dir); err != nil {
		return m, err
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return m, err
	}
	return m, writeFlushed(filepath.Join(dir, manifestFile), append(text, '\n'))
}

// prove verifies the copied ledger against the keys that it names. One that was never signed has nothing to prove.
func (b Backup) prove(ctx context.Context, database string) (audit.LedgerProof, []string, error) {
	copied, err := sqlite.OpenEvidence(ctx, database)
	if err != nil {
		return audit.LedgerProof{}, nil, err
	}
	lines, err := copied.Keys()
	if err != nil || len(lines) == 0 {
		return audit.LedgerProof{}, nil, errors.Join(err, copied.Close())
	}
	keys, err := audit.ParseLogKeys(strings.Join(lines, "\n"))
	var proof audit.LedgerProof
	if err == nil {
		proof, err = audit.VerifyLedger(copied, audit.LedgerCheck{Keys: keys, Progress: func(n int64) { b.Progress("records proven", int(n), 0) }})
	}
	var broken *audit.LedgerBroken
	if errors.As(err, &broken) || errors.Is(err, sqlite.ErrDamaged) {
		err = stead.Errorf(stead.CodeLedgerBroken, "%v", err).Because(err)
	}
	err = errors.Join(err, copied.Close())
	for _, left := range []string{"-wal", "-shm"} { // SQLite makes them to read, and they hold nothing
		if gone := os.Remove(database + left); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return proof, lines, err
}

// listed names each file of the folder with its size and hash.
func listed(ctx context.Context, dir string) (out []ManifestFile, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		f, err := os.Open(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		h := sha256.New()
		n, err := io.Copy(h, f)
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, fmt.Errorf("backup: %w", err)
		}
		out = append(out, ManifestFile{Name: e.Name(), Size: n, SHA256: hex.EncodeToString(h.Sum(nil))})
	}
	return out, nil
}

func writeFlushed(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// place gives the finished folder its name.
func place(dir, out string) error {
	for _, step := range []func() error{
		func() error { return flushFolder(dir) },
		func() error { return os.Rename(dir, out) },
		func() error { return flushFolder(filepath.Dir(out)) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func flushFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
