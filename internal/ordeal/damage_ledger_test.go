//go:build linux && !race

package ordeal

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/desktop/outbox"
	"stead/internal/platform/sqlite"
)

// ledgerFiles is a platform's database at one moment: the file, and the write-ahead log that lies beside it while the
// platform runs.
type ledgerFiles struct{ db, wal []byte }

func (b *backend) files() (f ledgerFiles) {
	b.Helper()
	f.db = used(b.T, b.file())
	if log, err := os.ReadFile(b.file() + "-wal"); err == nil {
		f.wal = log
	}
	return f
}

// witness is what an auditor keeps elsewhere, and what the ledger held then.
type witness struct {
	keys        audit.LogKeys
	proof       audit.LedgerProof
	records     string // sums, see contentOf
	checkpoints string
}

// keep verifies a sound ledger and keeps its keys, its newest checkpoint and a sum of all it holds.
func keep(ctx context.Context, file string) (w witness, err error) {
	evidence, err := sqlite.OpenEvidence(ctx, file)
	if err != nil {
		return w, err
	}
	defer func() { err = errors.Join(err, evidence.Close()) }()
	names, err := evidence.Keys()
	if err != nil {
		return w, err
	}
	if w.keys, err = audit.ParseLogKeys(strings.Join(names, "\n")); err != nil {
		return w, err
	}
	if w.proof, err = audit.VerifyLedger(evidence, audit.LedgerCheck{Keys: w.keys}); err != nil {
		return w, err
	}
	w.records, w.checkpoints, err = contentOf(evidence)
	return w, err
}

// contentOf sums up everything that the ledger is: records with what stands beside them, in order, and the tree's hashes;
// and what the checkpoints say. The platform's note of how far each device's chain reaches says nothing that the records
// do not say; where it is lost, no record is.
func contentOf(source audit.LedgerSource) (records, checkpoints string, err error) {
	h := fnv.New128a()
	for row, err := range source.Records() {
		if err != nil {
			return "", "", err
		}
		_, _ = fmt.Fprintf(h, "%+v\n", row)
	}
	for hash, err := range source.Hashes() {
		if err != nil {
			return "", "", err
		}
		_, _ = fmt.Fprintf(h, "%+v\n", hash)
	}
	records = string(h.Sum(nil))
	h.Reset()
	for note, err := range source.Checkpoints() {
		if err != nil {
			return "", "", err
		}
		checkpoint, err := audit.ParseCheckpoint(note)
		if err != nil {
			return "", "", err
		}
		_, _ = fmt.Fprintf(h, "%+v\n", checkpoint)
	}
	return records, string(h.Sum(nil)), nil
}

// judge verifies a damaged ledger: what is wrong is reported, or nothing that the ledger is has changed.
func (w witness) judge(ctx context.Context, files map[string][]byte) (verdict, error) {
	folder, err := put(files)
	defer func() { _ = os.RemoveAll(folder) }()
	if err != nil {
		return "", err
	}
	evidence, err := sqlite.OpenEvidence(ctx, filepath.Join(folder, "platform.db"))
	if err != nil {
		if stead.CodeOf(err) != stead.CodeLedgerUnusable {
			return "", fmt.Errorf("refused without a code: %w", err)
		}
		return reported, nil
	}
	defer func() { _ = evidence.Close() }() // it may be too damaged for that
	proof, err := audit.VerifyLedger(evidence, audit.LedgerCheck{Keys: w.keys, Trusted: &w.proof.Checkpoint})
	if err != nil {
		return reported, nil
	}
	records, checkpoints, err := contentOf(evidence)
	switch fewer := proof.Checkpoints-proof.Unknown < w.proof.Checkpoints; {
	case err != nil:
		return "", err
	case records != w.records || checkpoints != w.checkpoints && !fewer:
		return "", errors.New("proven, and the ledger holds something else")
	case fewer:
		return saidSo, nil
	}
	return harmless, nil
}

// TestDamagedLedger damages a platform's database after it was closed, and while it runs, when a part of the ledger
// lies in the write-ahead log.
func TestDamagedLedger(t *testing.T) {
	t.Parallel()
	rng := chance(t)
	b := newBackend(t)
	o := b.enrol("of a damaged ledger")
	o.Path = filepath.Join(t.TempDir(), "outbox.db")
	box, err := outbox.Open(t.Context(), o.Path, o.config())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = box.Close() }()
	write := func(rounds int) { // records of both sides, and a checkpoint a round

		for range rounds {
			for range 10 {
				if _, err := box.Append(t.Context(), intent()); err != nil {
					t.Fatal(err)
				}
			}
			_, _, err := b.open.Office.IssueEnrolmentCode(t.Context())
			if err = errors.Join(err, box.Drain(t.Context(), o.client()), b.logged(t.Context())); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(6)
	olderRunning := b.files()
	b.end()
	older := b.files()
	b.begin()
	o.Platform = b.server.URL
	write(6)
	running := b.files()
	b.end()
	closed := b.files()
	if len(closed.wal) > 0 || len(running.wal) == 0 {
		t.Fatalf("%d bytes of write-ahead log after closing, %d before", len(closed.wal), len(running.wal))
	}
	w, err := keep(t.Context(), b.file())
	if err != nil {
		t.Fatal(err)
	}
	const db, wal = "platform.db", "platform.db-wal"
	for name, files := range map[string]map[string][]byte{"closed": {db: closed.db}, "running": {db: running.db, wal: running.wal}} {
		if v, err := w.judge(t.Context(), files); v != harmless || err != nil {
			t.Fatal(name, v, err)
		}
	}
	t.Run("closed", func(t *testing.T) {
		suffer(t, rng, 1000, closed.db, older.db, func(data []byte) (verdict, error) {
			return w.judge(t.Context(), map[string][]byte{db: data})
		})
	})
	t.Run("running", func(t *testing.T) {
		suffer(t, rng, 504, running.db, olderRunning.db, func(data []byte) (verdict, error) {
			return w.judge(t.Context(), map[string][]byte{db: data, wal: running.wal})
		})
	})
	t.Run("write-ahead log", func(t *testing.T) {
		suffer(t, rng, 504, running.wal, olderRunning.wal, func(data []byte) (verdict, error) {
			return w.judge(t.Context(), map[string][]byte{db: running.db, wal: data})
		})
	})
	t.Run("rolled back", func(t *testing.T) {
		for name, f := range map[string]ledgerFiles{"closed": older, "running": olderRunning} {
			if v, err := w.judge(t.Context(), map[string][]byte{db: f.db, wal: f.wal}); v != reported || err != nil {
				t.Errorf("%s: %s, %v", name, v, err)
			}
		}
	})
}
