package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
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
	main, hashes *raw
	arrivals     []*raw
}

var _ audit.LedgerReaders = (*Evidence)(nil)

// OpenEvidence opens the file read-only; when ctx ends, what is being read ends. A file in a folder that cannot be
// written is good enough, as long as no write-ahead log lies beside it. Errors a person can meet:
// stead.CodeLedgerUnusable.
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
	uri := dsn(path) + "&mode=ro"
	e, err := openEvidence(ctx, uri)
	if _, noLog := os.Stat(path + "-wal"); err != nil && errors.Is(noLog, fs.ErrNotExist) {
		// SQLite wants to make files beside it even to read. Nobody is writing, so it may do without.
		e, err = openEvidence(ctx, uri+"&immutable=1")
	}
	if err != nil {
		return nil, unusable(err)
	}
	return e, nil
}

// openEvidence opens a connection for each thing that is read at the same time and lets all of them see one state.
func openEvidence(ctx context.Context, uri string) (*Evidence, error) {
	e := &Evidence{}
	for range 2 + runtime.GOMAXPROCS(0) {
		r, err := openReader(ctx, uri)
		if err != nil {
			return nil, errors.Join(err, e.Close())
		}
		e.arrivals = append(e.arrivals, r)
	}
	if err := e.begin(ctx, uri); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	e.main, e.hashes, e.arrivals = e.arrivals[0], e.arrivals[1], e.arrivals[2:]
	return e, nil
}

func openReader(ctx context.Context, uri string) (*raw, error) {
	return openRaw(ctx, uri, "PRAGMA query_only = 1", "PRAGMA trusted_schema = 0", "PRAGMA busy_timeout = 5000")
}

// begin begins a transaction on every connection, again and again until no platform committed anything in between, so
// that all see the same state. A connection of its own watches for commits.
func (e *Evidence) begin(ctx context.Context, uri string) error {
	watch, err := openReader(ctx, uri)
	if err != nil {
		return err
	}
	defer func() { _ = watch.close() }()
	const tries = 200
	for range tries {
		before, err := watch.number("PRAGMA data_version")
		for _, r := range e.arrivals {
			err = errors.Join(err, r.exec("BEGIN"), r.holdsLedger()) // a transaction begins with the first read
		}
		after, err2 := watch.number("PRAGMA data_version")
		if err = errors.Join(err, err2); err != nil || before == after {
			return err
		}
		for _, r := range e.arrivals {
			err = errors.Join(err, r.exec("ROLLBACK"))
		}
		if err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return errors.New("the platform writes so often that it cannot be read in one state")
}

func (r *raw) holdsLedger() error {
	tables, err := r.number(`SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND
		name IN ('intake', 'log_entries', 'log_hashes', 'checkpoints', 'log_keys', 'device_heads')`)
	if err == nil && tables != 6 {
		err = errors.New("it holds no ledger, or one of a version before there was a log")
	}
	return err
}

// Close ends the look.
func (e *Evidence) Close() error {
	var err error
	for _, r := range append([]*raw{e.main, e.hashes}, e.arrivals...) {
		if r != nil {
			err = errors.Join(err, r.close())
		}
	}
	return err
}

// number reads the one number that a query answers.
func (r *raw) number(query string) (n int64, err error) {
	for row, err := range r.query(query) {
		if err != nil {
			return 0, err
		}
		if n, err = row.integer(0); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// damaged tells a file that contradicts itself from one that could not be read.
func damaged(err error) error {
	var e *rawError
	if errors.As(err, &e) && (e.code&0xff == sqlite3.SQLITE_CORRUPT || e.code&0xff == sqlite3.SQLITE_NOTADB) {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return fmt.Errorf("sqlite: evidence: %w", err)
}
