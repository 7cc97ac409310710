package main

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"database/sql"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver that the platform uses, for the floors

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/keys"
	"stead/internal/platform/ledger"
	"stead/internal/platform/sqlite"
	"stead/internal/platform/store"
)

// perTransaction is how many records the platform writes in one transaction here, as when a member app reports what was
// done inside sessions: a lone flush for each would hide what the log costs.
const perTransaction = 50

// appendLedger is the platform's own records and the log over them beside rows that only hold the hash of the row
// before, in a database of the same kind with the same transactions.
func appendLedger(ctx context.Context, b bench) (_ []row, err error) {
	st, err := sqlite.Open(ctx, filepath.Join(b.folder, "platform.db"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	ring, err := keys.Open(ctx, st, filepath.Join(b.folder, "platform.kek"))
	if err != nil {
		return nil, err
	}
	led, err := ledger.Open(ctx, st, ring)
	if err != nil {
		return nil, err
	}
	_, signer, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, err
	}
	sequencer := ledger.NewSequencer(st, origin, func() crypto.Signer { return signer }, slog.New(slog.DiscardHandler))
	plain, err := openPlain(ctx, filepath.Join(b.folder, "plain.db"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, plain.db.Close()) }()
	entries := slices.Repeat([]ledger.Entry{platformEntry()}, perTransaction)
	logged := func(write func(store.Tx) error) func() (float64, error) {
		return func() (float64, error) {
			return records(b.size.logged, func() error { return st.Update(ctx, write) }, func() error { return sequencer.Append(ctx) })
		}
	}
	rows := func(statement string, group int) func() (float64, error) {
		return func() (float64, error) {
			return records(b.size.logged, func() error { return plain.write(ctx, statement, perTransaction, group) }, func() error { return nil })
		}
	}
	found, err := medians(ctx, b.size.rounds,
		logged(func(tx store.Tx) error { return led.WriteNew(tx, entries) }),
		logged(func(tx store.Tx) error {
			for _, e := range entries {
				if err := led.Write(tx, e); err != nil {
					return err
				}
			}
			return nil
		}),
		rows(same, 1), rows(same, perTransaction), rows(bare, 1))
	if err != nil {
		return nil, err
	}
	const chained = "rows chained by hash, same columns, indexes, settings and transactions, "
	ours := row{Name: "ledger.append", Value: found[0], Unit: "records/s"}
	grouped, least := ours.against(chained+"all by one statement", found[3]), ours.against("envelope and hash alone, no index", found[4])
	grouped.Name, least.Name = "ledger.append.grouped", "ledger.append.bare"
	return []row{ours.against(chained+"a statement each", found[2]).atLeast(0.7), grouped, least,
		row{Name: "ledger.append.each", Value: found[1], Unit: "records/s"}.against(chained+"a statement each", found[2])}, nil
}

// records is how many records a second are written, with what comes at the end.
func records(n int, transaction, end func() error) (float64, error) {
	began := time.Now()
	for done := 0; done < n; done += perTransaction {
		if err := transaction(); err != nil {
			return 0, err
		}
	}
	err := end()
	return float64(n) / time.Since(began).Seconds(), err
}

func platformEntry() ledger.Entry {
	r := sample("", audit.Epoch{}, 0, [32]byte{})
	r.Body["pad2"] = pad(120) // where the commitments of the sample are
	return ledger.Entry{Kind: r.Kind, Session: *r.Session, Actor: r.Actor, Subject: *r.Subject, Ref: *r.Ref, Facts: r.Body}
}

// plain is a database without any guard, with rows that hold the hash of the row before.
type plain struct {
	db   *sql.DB
	prev [32]byte
	seq  int64
}

// What plain inserts: rows with the columns and indexes of the platform's intake, and rows that are a record and its
// hash.
const (
	same = "INSERT INTO same (envelope, leaf, event_id, device, epoch, seq, kind, session, actor, subject, received_at, delivered_by, doubt) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', '')"
	bare = "INSERT INTO bare (envelope, leaf) VALUES (?, ?)"
)

func openPlain(ctx context.Context, path string) (*plain, error) {
	// As the platform's writer has it.
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=secure_delete(1)&_pragma=cache_size(-16384)&_pragma=wal_autocheckpoint(4096)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	for _, statement := range []string{
		"CREATE TABLE bare (idx INTEGER PRIMARY KEY, envelope BLOB NOT NULL, leaf BLOB NOT NULL) STRICT",
		`CREATE TABLE same (idx INTEGER PRIMARY KEY, event_id BLOB NOT NULL UNIQUE, device BLOB NOT NULL, epoch BLOB NOT NULL, seq INTEGER NOT NULL, leaf BLOB NOT NULL,
			envelope BLOB NOT NULL, kind TEXT NOT NULL, session TEXT NOT NULL, actor BLOB, subject BLOB, received_at INTEGER NOT NULL, delivered_by TEXT NOT NULL, doubt TEXT NOT NULL) STRICT`,
		"CREATE UNIQUE INDEX same_by_place ON same (device, epoch, seq) WHERE seq > 0",
		"CREATE INDEX same_by_session ON same (session, idx) WHERE session <> ''",
		"CREATE INDEX same_by_actor ON same (actor, idx)",
		"CREATE INDEX same_by_kind ON same (kind, idx)",
	} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	return &plain{db: db}, nil
}

// write inserts n records of recordSize in one transaction, by statements of group rows each.
func (p *plain) write(ctx context.Context, table string, n, group int) error {
	tx, err := p.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing to take back once it is committed
	insert, err := tx.PrepareContext(ctx, table+strings.Repeat(", "+values(table), group-1))
	if err != nil {
		return err
	}
	defer func() { _ = insert.Close() }()
	for ; n > 0; n -= group {
		var args []any
		for range group {
			args = p.row(args, table)
		}
		if _, err := insert.ExecContext(ctx, args...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// row adds the columns of the next row.
func (p *plain) row(args []any, table string) []any {
	record, one, event := make([]byte, recordSize), make([]byte, 16), stead.NewEventID()
	copy(record, event[:])
	copy(record[16:], p.prev[:])
	p.prev = sha256.Sum256(record)
	leaf := p.prev
	args = append(args, record, leaf[:])
	if table == same {
		p.seq++
		args = append(args, event[:], one, one, p.seq, "session.outcome", "019a0000-0000-7abc-8def-000000000001", one, one, time.Now().UnixMilli())
	}
	return args
}

// values is what stands for one row at the end of a statement.
func values(statement string) string { return statement[strings.LastIndex(statement, "("):] }
