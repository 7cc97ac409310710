package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"stead/internal/audit"
	"stead/internal/stead"
)

// ErrDamaged means that the database file contradicts itself.
var ErrDamaged = errors.New("the database file is damaged")

// Evidence is a store's file opened to be looked at: nothing is written, migrated or locked, and a platform may go on
// writing to it meanwhile. What is read is one consistent state. It implements audit.LedgerReaders; beyond what that
// allows it is not safe for concurrent use.
type Evidence struct {
	ctx  context.Context // of OpenEvidence; it ends what is being read
	db   *sql.DB
	c    *sql.Conn // the one that tx is on
	tx   *sql.Tx
	bulk bulk // sees the same state
}

var _ audit.LedgerReaders = (*Evidence)(nil)

// OpenEvidence opens the file read-only. A file in a folder that cannot be written is good enough, as long as no
// write-ahead log lies beside it. Errors a person can meet: stead.CodeLedgerUnusable.
func OpenEvidence(ctx context.Context, path string) (*Evidence, error) {
	unusable := func(err error) error {
		return stead.Errorf(stead.CodeLedgerUnusable, "%s", path).Because(err)
	}
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a file")
	}
	if err != nil {
		return nil, unusable(err)
	}
	e, err := openEvidence(ctx, dsn(path, "query_only(1)", "busy_timeout(5000)", "trusted_schema(0)")+"&mode=ro")
	if _, noLog := os.Stat(path + "-wal"); err != nil && errors.Is(noLog, fs.ErrNotExist) {
		// SQLite wants to make files beside it even to read. Nobody is writing, so it may do without.
		e, err = openEvidence(ctx, dsn(path, "query_only(1)", "trusted_schema(0)")+"&mode=ro&immutable=1")
	}
	if err != nil {
		return nil, unusable(err)
	}
	return e, nil
}

func openEvidence(ctx context.Context, name string) (*Evidence, error) {
	db, err := sql.Open("sqlite", name)
	if err != nil {
		return nil, err
	}
	c, err := db.Conn(ctx)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	e := &Evidence{ctx: ctx, db: db, c: c}
	if e.bulk, err = openBulk(ctx, name); err != nil {
		return nil, errors.Join(err, c.Close(), db.Close())
	}
	if err := e.begin(); err != nil {
		return nil, errors.Join(err, e.bulk.close(), c.Close(), db.Close())
	}
	return e, nil
}

// begin begins a transaction on every connection, again and again until no platform committed anything meanwhile: then
// all of them see the same state.
func (e *Evidence) begin() (err error) {
	const tries = 200
	for range tries {
		before, err := e.bulk.commits()
		if err != nil {
			return err
		}
		if e.tx, err = e.c.BeginTx(e.ctx, &sql.TxOptions{ReadOnly: true}); err != nil {
			return err
		}
		err = errors.Join(e.holdsLedger(), e.bulk.begin())
		after, err2 := e.bulk.commits()
		if err = errors.Join(err, err2); err == nil && before == after {
			return nil
		}
		if err = errors.Join(err, e.bulk.rollBack(), e.tx.Rollback()); err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return errors.New("the platform writes so often that it cannot be read in one state")
}

func (e *Evidence) holdsLedger() error {
	var tables int
	err := e.tx.QueryRowContext(e.ctx, `SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND
		name IN ('intake', 'log_entries', 'log_hashes', 'checkpoints', 'log_keys', 'device_heads')`).Scan(&tables)
	if err == nil && tables != 6 {
		err = errors.New("it holds no ledger, or one of a version before there was a log")
	}
	return err
}

// Close ends the look.
func (e *Evidence) Close() error {
	err := e.tx.Rollback()
	if errors.Is(err, sql.ErrTxDone) { // it ended with the context
		err = nil
	}
	return errors.Join(e.bulk.close(), err, e.c.Close(), e.db.Close())
}

// Keys lists the verifier keys that the file itself names, the oldest first.
func (e *Evidence) Keys() ([]string, error) {
	return collect(rows(e, "SELECT key FROM log_keys ORDER BY id", func(row scanner) (key string, err error) {
		err = row.Scan(&key)
		return key, err
	}))
}

// Heads implements audit.LedgerSource.
func (e *Evidence) Heads() ([]audit.Head, error) {
	return collect(rows(e, "SELECT device, epoch, seq, leaf FROM device_heads", func(row scanner) (h audit.Head, err error) {
		err = row.Scan(&h.Device, fixed(h.Epoch[:]), &h.Seq, fixed(h.Leaf[:]))
		return h, err
	}))
}

// Checkpoints implements audit.LedgerSource.
func (e *Evidence) Checkpoints() iter.Seq2[[]byte, error] {
	return rows(e, "SELECT note FROM checkpoints ORDER BY size", func(row scanner) (note []byte, err error) {
		err = row.Scan(&note)
		return note, err
	})
}

// rows reads the rows of a query one by one.
func rows[T any](e *Evidence, query string, read func(scanner) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		found, err := e.tx.QueryContext(e.ctx, query)
		if err != nil {
			yield(none, damaged(err))
			return
		}
		defer found.Close()
		for found.Next() {
			v, err := read(found)
			if err != nil {
				yield(none, fmt.Errorf("%w: %w", ErrDamaged, err))
				return
			}
			if !yield(v, nil) {
				return
			}
		}
		if err := found.Err(); err != nil {
			yield(none, damaged(err))
		}
	}
}

func collect[T any](values iter.Seq2[T, error]) (all []T, err error) {
	for v, err := range values {
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

// damaged tells a file that contradicts itself from one that could not be read.
func damaged(err error) error {
	var e interface{ Code() int } // the driver's error, and ours
	if errors.As(err, &e) && (e.Code()&0xff == sqlite3.SQLITE_CORRUPT || e.Code()&0xff == sqlite3.SQLITE_NOTADB) {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return fmt.Errorf("sqlite: evidence: %w", err)
}
