package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"stead/internal/platform/store"
)

var errOver = errors.New("sqlite: the transaction is over")

// tx implements store.Tx on one borrowed connection.
type tx struct {
	ctx    context.Context // of the View or Update call, whose length is the transaction's
	c      *connection
	now    time.Time
	over   bool
	bounds bounds
	// broken is an error after which SQLite may have rolled back by itself. Later statements would then run outside
	// any transaction, so none is let through, and Update does not commit even if its function swallowed the error.
	broken error
}

var _ store.Tx = (*tx)(nil)

// Now implements store.Tx.
func (t *tx) Now() time.Time { return t.now }

func (t *tx) readClock() error {
	return t.one("SELECT CAST(round(unixepoch('subsec') * 1000) AS INTEGER)", nil, stamp{&t.now})
}

// exec runs a statement and returns how many rows it touched.
func (t *tx) exec(query string, args ...any) (int64, error) {
	res, err := t.result(query, args)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// insert runs a statement that adds one row and returns its number. That is faster than RETURNING, which makes a query
// of it.
func (t *tx) insert(query string, args []any) (int64, error) {
	res, err := t.result(query, args)
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

func (t *tx) result(query string, args []any) (sql.Result, error) {
	stmt, done, err := t.prepare(query) //nolint:sqlclosecheck // the connection keeps it or done closes it
	if err != nil {
		return nil, err
	}
	defer done()
	res, err := stmt.ExecContext(t.ctx, args...)
	return res, t.explain(err)
}

// one scans the only row of a query; store.ErrNotFound when there is none.
func (t *tx) one(query string, args []any, into ...any) error {
	stmt, done, err := t.prepare(query) //nolint:sqlclosecheck // the connection keeps it or done closes it
	if err != nil {
		return err
	}
	defer done()
	return t.explain(stmt.QueryRowContext(t.ctx, args...).Scan(into...))
}

// count is one for queries that answer a number.
func (t *tx) count(query string, args ...any) (n int, err error) {
	err = t.one(query, args, &n)
	return n, err
}

type scanner interface{ Scan(into ...any) error }

// all reads every row of a query before it returns.
func all[T any](t *tx, read func(scanner) (T, error), query string, args ...any) ([]T, error) {
	stmt, done, err := t.prepare(query) //nolint:sqlclosecheck // the connection keeps it or done closes it
	if err != nil {
		return nil, err
	}
	defer done()
	rows, err := stmt.QueryContext(t.ctx, args...)
	if err != nil {
		return nil, t.explain(err)
	}
	defer rows.Close()
	var found []T
	for rows.Next() {
		v, err := read(rows)
		if err != nil {
			return nil, t.explain(err)
		}
		found = append(found, v)
	}
	return found, t.explain(rows.Err())
}

// first reads one row with the same function that all uses; store.ErrNotFound when there is none.
func first[T any](t *tx, read func(scanner) (T, error), query string, args ...any) (v T, err error) {
	rows, err := all(t, read, query, args...)
	if err == nil && len(rows) == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return v, err
	}
	return rows[0], nil
}

func (t *tx) prepare(query string) (*sql.Stmt, func(), error) {
	if t.over {
		return nil, nil, errOver
	}
	if t.broken != nil {
		return nil, nil, t.broken
	}
	stmt, done, err := t.c.prepare(t.ctx, query)
	return stmt, done, t.explain(err)
}

// explain turns what the driver says into the port's errors and remembers the ones that break the transaction.
func (t *tx) explain(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, sql.ErrNoRows) {
		return store.ErrNotFound
	}
	var e *driver.Error
	if !errors.As(err, &e) {
		t.broken = err
		return err
	}
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return store.ErrConflict
	case sqlite3.SQLITE_CONSTRAINT_TRIGGER:
		if strings.Contains(e.Error(), "taken:") { // how our triggers say that a key exists
			return store.ErrConflict
		}
		if strings.Contains(e.Error(), "erased:") { // and how they say that the person was erased
			return store.ErrErased
		}
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return fmt.Errorf("%w: a row that this one refers to", store.ErrNotFound)
	}
	err = fmt.Errorf("sqlite: %w", err)
	if e.Code()&0xff != sqlite3.SQLITE_CONSTRAINT {
		t.broken = err
	}
	return err
}
