package ledger_test

import (
	"context"
	"crypto/ed25519"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"stead/internal/audit"

	"stead/internal/platform/sqlite"
)

func contextOf(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithCancel(t.Context())
}

// inOrder is evidence that cannot be read by several goroutines.
type inOrder struct {
	audit.LedgerSource
	audit.StatementSource
}

// verify reads the file the way stead audit verify does, and then once more with one reader: both must say the same.
func verify(t *testing.T, path string, check audit.LedgerCheck) (audit.LedgerProof, error) {
	t.Helper()
	evidence, err := sqlite.OpenEvidence(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := evidence.Close(); err != nil {
			t.Error(err)
		}
	}()
	proof, err := audit.VerifyLedger(evidence, check)
	slow, again := audit.VerifyLedger(inOrder{evidence, evidence}, check)
	if fmt.Sprint(err) != fmt.Sprint(again) || err == nil && !reflect.DeepEqual(proof, slow) {
		t.Errorf("read by several: %+v, %v; by one: %+v, %v", proof, err, slow, again)
	}
	return proof, err
}

func keysOf(t *testing.T, keys ...ed25519.PrivateKey) audit.LogKeys {
	t.Helper()
	var text string
	for _, k := range keys {
		vkey, err := audit.LogKey(origin, k.Public().(ed25519.PublicKey))
		if err != nil {
			t.Fatal(err)
		}
		text += vkey + "\n"
	}
	list, err := audit.ParseLogKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// verified checks that the ledger proves itself, while its store is open.
func (b *bench) verified(records int64) {
	b.Helper()
	proof, err := verify(b.T, b.file(), audit.LedgerCheck{Keys: keysOf(b.T, signer(1), signer(2))})
	if err != nil || proof.Checkpoint.Size != records || proof.Pending != 0 {
		b.Fatalf("%+v, %v; want %d records", proof, err, records)
	}
}

// history is a ledger of 13 records under several checkpoints: 8 of the platform at the positions 0 to 3 and 7 to 10,
// and a device's chain of 3 (positions 4 to 6) and 2 (11 and 12).
func history(t *testing.T) (file string, checkpoints map[int64]audit.Checkpoint) {
	t.Helper()
	b := newBench(t)
	s := b.sequencer(signer(1))
	checkpoints = map[int64]audit.Checkpoint{}
	first := b.batch(start(b), 3, nil)
	for _, step := range []func(){
		func() { b.write(4) },
		func() {
			if _, err := b.take(first); err != nil {
				t.Fatal(err)
			}
		},
		func() { b.write(4) },
		func() {
			if _, err := b.take(b.batch(first.Head, 2, nil)); err != nil {
				t.Fatal(err)
			}
		},
	} {
		step()
		b.sequence(s)
		checkpoints[b.newest().Size] = b.newest()
	}
	if err := b.store.Close(); err != nil {
		t.Fatal(err)
	}
	return b.file(), checkpoints
}

// spoil carries out statements with every guard of the database off.
func spoil(t *testing.T, file string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=foreign_keys(0)&_pragma=ignore_check_constraints(1)")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(1)
	rows, err := db.Query("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var drop []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		drop = append(drop, "DROP TRIGGER "+name)
	}
	if err := rows.Err(); err != nil { // all were read, so the one connection is free again
		t.Fatal(err)
	}
	for _, statement := range append(drop, statements...) {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// copyRecord is a statement that adds a record like that of idx under another one.
func copyRecord(idx, as string) string {
	return "INSERT INTO intake SELECT " + as + ", randomblob(16), device, epoch, 0, leaf, envelope, sealed_texts, texts_of, kind, session, actor, subject, " +
		"received_at, delivered_by, doubt FROM intake WHERE idx = " + idx
}

func TestDamageIsReported(t *testing.T) {
	pristine, checkpoints := history(t)
	swap := func(column string) string {
		return "UPDATE intake SET " + column + " = (SELECT o." + column + " FROM intake o WHERE o.idx = 5 - intake.idx) WHERE idx IN (2, 3)"
	}
	cut := []string{"DELETE FROM log_entries WHERE position >= 11", "DELETE FROM log_hashes WHERE idx >= 19", "DELETE FROM intake WHERE idx > 11"}
	for name, c := range map[string]struct {
		do     []string
		index  int64 // of the record that is named; 0 for none
		what   string
		trust  int64 // size of the trusted checkpoint; 0 for none
		silent bool  // without effect on what is proven
	}{
		"nothing":                            {silent: true},
		"nothing, with a trusted one":        {silent: true, trust: 11},
		"a byte of an envelope":              {do: []string{"UPDATE intake SET envelope = CAST(substr(envelope, 1, 26) || x'0000000000000000' || substr(envelope, 35) AS BLOB) WHERE idx = 3"}, index: 3},
		"another envelope":                   {do: []string{"UPDATE intake SET envelope = (SELECT envelope FROM intake WHERE idx = 2) WHERE idx = 3"}, index: 3, what: "not the record that was put"},
		"another envelope and its leaf":      {do: []string{"UPDATE intake SET (envelope, leaf) = (SELECT envelope, leaf FROM intake WHERE idx = 2) WHERE idx = 3"}, index: 3, what: "not the record that was put"},
		"an empty envelope":                  {do: []string{"UPDATE intake SET envelope = x'' WHERE idx = 9"}, index: 9, what: "cannot be read"},
		"a leaf":                             {do: []string{"UPDATE intake SET leaf = zeroblob(32) WHERE idx = 4"}, index: 4, what: "leaf"},
		"who did it":                         {do: []string{"UPDATE intake SET actor = randomblob(16) WHERE idx = 4"}, index: 4, what: "actor"},
		"to whom":                            {do: []string{"UPDATE intake SET subject = NULL WHERE idx = 4"}, index: 4, what: "subject"},
		"what":                               {do: []string{"UPDATE intake SET kind = 'note.written' WHERE idx = 4"}, index: 4, what: "kind"},
		"in which session":                   {do: []string{"UPDATE intake SET session = 'other' WHERE idx = 13"}, index: 13, what: "session"},
		"a device's sequence":                {do: []string{"UPDATE intake SET seq = 9 WHERE idx = 7"}, index: 7, what: "sequence"},
		"an event id":                        {do: []string{"UPDATE intake SET event_id = randomblob(16) WHERE idx = 7"}, index: 7, what: "event id"},
		"a record is dropped":                {do: []string{"DELETE FROM intake WHERE idx = 6"}, index: 6, what: "is not there"},
		"a place is dropped":                 {do: []string{"DELETE FROM log_entries WHERE position = 5"}, what: "is missing: position 6"},
		"dropped, and the rest moved":        {do: []string{"DELETE FROM log_entries WHERE position = 5", "UPDATE log_entries SET position = -position WHERE position > 5", "UPDATE log_entries SET position = -position - 1 WHERE position < 0"}, index: 7, what: "not the record that was put"},
		"two records are swapped":            {do: []string{"DROP INDEX intake_by_place", swap("envelope"), swap("leaf")}, index: 2, what: "not the record that was put"},
		"two places are swapped":             {do: []string{"UPDATE log_entries SET intake = -1 WHERE position = 1", "UPDATE log_entries SET intake = 2 WHERE position = 2", "UPDATE log_entries SET intake = 3 WHERE position = 1"}, index: 3},
		"a record is slipped in":             {do: []string{copyRecord("2", "0")}, what: "stands among", index: 0},
		"a hash of the tree":                 {do: []string{"UPDATE log_hashes SET hash = zeroblob(32) WHERE idx = 2"}, index: 2, what: "subtree"},
		"a hash of a leaf":                   {do: []string{"UPDATE log_hashes SET hash = zeroblob(32) WHERE idx = 3"}, index: 3},
		"a hash is dropped":                  {do: []string{"DELETE FROM log_hashes WHERE idx = 10"}, index: 7},
		"a hash too many":                    {do: []string{"INSERT INTO log_hashes VALUES (999, zeroblob(32))"}, what: "hash 999"},
		"record and hashes rewritten":        {do: append([]string{"UPDATE intake SET (envelope, leaf) = (SELECT envelope, leaf FROM intake WHERE idx = 2) WHERE idx = 1"}, "UPDATE log_hashes SET hash = (SELECT leaf FROM intake WHERE idx = 1) WHERE idx = 0"), index: 1, what: "event id"},
		"the end is cut":                     {do: cut, what: "its end was cut"},
		"the end is cut with its checkpoint": {do: append([]string{"DELETE FROM checkpoints WHERE size = 13"}, cut...), what: "was acknowledged"},
		"cut with everything, trusted":       {do: append([]string{"DELETE FROM checkpoints WHERE size = 13", "DELETE FROM device_heads"}, cut...), what: "rolled back", trust: 13},
		"cut with everything":                {do: append([]string{"DELETE FROM checkpoints WHERE size = 13", "DELETE FROM device_heads"}, cut...), silent: true},
		"the newest checkpoint is gone":      {do: []string{"DELETE FROM checkpoints WHERE size = 13"}, what: "the newest checkpoint counts 11"},
		"all checkpoints are gone":           {do: []string{"DELETE FROM checkpoints"}, what: "no checkpoint"},
		"a checkpoint's root":                {do: []string{"UPDATE checkpoints SET note = replace(note, substr(note, instr(note, char(10)) + 4, 3), 'AAA') WHERE size = 11"}, what: "first 11 records"},
		"a checkpoint's signature":           {do: []string{"UPDATE checkpoints SET note = substr(note, 1, length(note) - 12) || 'AAAAAAA' || substr(note, length(note) - 4) WHERE size = 7"}, what: "checkpoint of 7 records"},
		"no checkpoint at all":               {do: []string{"UPDATE checkpoints SET note = 'x' WHERE size = 7"}, what: "cannot be read"},
		"a device's head":                    {do: []string{"UPDATE device_heads SET seq = 6"}, what: "record 6 was acknowledged"},
	} {
		t.Run(name, func(t *testing.T) {
			file := copyOf(t, pristine)
			spoil(t, file, c.do...)
			check := audit.LedgerCheck{Keys: keysOf(t, signer(1))}
			if trusted, ok := checkpoints[c.trust]; ok {
				check.Trusted = &trusted
			}
			proof, err := verify(t, file, check)
			var found *audit.LedgerBroken
			switch {
			case c.silent && err != nil:
				t.Errorf("%v", err)
			case c.silent:
			case !errors.As(err, &found):
				t.Errorf("not reported: %+v, %v", proof, err)
			case found.Index != c.index || !strings.Contains(found.What, c.what):
				t.Errorf("got record %d: %s", found.Index, found)
			}
		})
	}
}

// TestForkedHistory: a second history, made by somebody who holds the platform's key, proves itself and does not
// contain the checkpoint that was kept of the first.
func TestForkedHistory(t *testing.T) {
	_, kept := history(t)
	forked, _ := history(t)
	keys := keysOf(t, signer(1))
	if _, err := verify(t, forked, audit.LedgerCheck{Keys: keys}); err != nil {
		t.Fatal(err)
	}
	trusted := kept[7]
	if _, err := verify(t, forked, audit.LedgerCheck{Keys: keys, Trusted: &trusted}); err == nil || !strings.Contains(err.Error(), "history was rewritten") {
		t.Errorf("a forked history: %v", err)
	}
	if _, err := verify(t, forked, audit.LedgerCheck{Keys: keysOf(t, signer(9))}); err == nil || !strings.Contains(err.Error(), "no known key") {
		t.Errorf("a ledger of another key: %v", err)
	}
}

// TestRolledBack: an older copy put back is caught by a checkpoint of later.
func TestRolledBack(t *testing.T) {
	b := newBench(t)
	s := b.sequencer(signer(1))
	b.write(3)
	b.sequence(s)
	old := filepath.Join(t.TempDir(), "platform.db")
	spoil(t, b.file(), "VACUUM INTO '"+old+"'")
	b.write(1)
	b.sequence(s)
	later := b.newest()
	keys := keysOf(t, signer(1))
	if _, err := verify(t, old, audit.LedgerCheck{Keys: keys}); err != nil {
		t.Fatal(err)
	}
	if _, err := verify(t, old, audit.LedgerCheck{Keys: keys, Trusted: &later}); err == nil || !strings.Contains(err.Error(), "rolled back") {
		t.Errorf("rolled back: %v", err)
	}
}

// TestTheSequencerSignsNoRewrittenHistory: a platform whose log was changed under it does not put its signature to it.
func TestTheSequencerSignsNoRewrittenHistory(t *testing.T) {
	for name, statement := range map[string]string{
		"a hash":           "UPDATE log_hashes SET hash = zeroblob(32) WHERE idx = 2",
		"the end":          "DELETE FROM log_entries WHERE position = 2",
		"a record not yet": "UPDATE intake SET envelope = (SELECT envelope FROM intake WHERE idx = 1) WHERE idx = 4",
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			s := b.sequencer(signer(1))
			b.write(3)
			b.sequence(s)
			b.write(1)
			spoil(t, b.file(), statement)
			if err := s.Append(t.Context()); err == nil {
				t.Error("it was signed")
			}
			if c := b.newest(); c.Size != 3 {
				t.Errorf("%+v", c)
			}
		})
	}
}

// TestAReadOnlyCopyIsEnough: evidence lies in folders that cannot be written, and looking at it leaves nothing behind.
func TestAReadOnlyCopyIsEnough(t *testing.T) {
	pristine, _ := history(t)
	file := copyOf(t, pristine)
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o400); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(file), 0o500); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.Chmod(filepath.Dir(file), 0o700) }()
	if proof, err := verify(t, file, audit.LedgerCheck{Keys: keysOf(t, signer(1))}); err != nil || proof.Checkpoint.Size != 13 || proof.Chains != 1 {
		t.Errorf("%+v, %v", proof, err)
	}
	after, err := os.ReadFile(file)
	if err != nil || string(after) != string(before) {
		t.Errorf("looking changed the file: %v", err)
	}
}

// TestPending: what is not in the log yet is counted, and its chain is looked at all the same.
func TestPending(t *testing.T) {
	b := newBench(t)
	b.write(1)
	b.sequence(b.sequencer(signer(1)))
	first := b.batch(start(b), 2, nil)
	if _, err := b.take(first); err != nil {
		t.Fatal(err)
	}
	keys := keysOf(t, signer(1))
	if proof, err := verify(t, b.file(), audit.LedgerCheck{Keys: keys}); err != nil || proof.Pending != 2 || proof.Checkpoint.Size != 1 {
		t.Errorf("%+v, %v", proof, err)
	}
	spoil(t, b.file(), "DELETE FROM intake WHERE idx = 2")
	if _, err := verify(t, b.file(), audit.LedgerCheck{Keys: keys}); err == nil || !strings.Contains(err.Error(), "sequence 2") {
		t.Errorf("a hole in what waits: %v", err)
	}
}

func copyOf(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "platform.db")
	if err := os.WriteFile(out, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return out
}
