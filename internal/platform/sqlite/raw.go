package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// raw is a connection to SQLite by its own C interface, for reading every row of a large file: database/sql and the
// driver take four times as long for a row as SQLite itself. It is for one goroutine at a time.
type raw struct {
	ctx context.Context
	tls *libc.TLS
	db  uintptr
}

// rawError is an error of SQLite with its extended result code.
type rawError struct {
	code int32
	text string
}

func (e *rawError) Error() string { return fmt.Sprintf("%s (%d)", e.text, e.code) }
func (e *rawError) Code() int     { return int(e.code) }

// openRaw opens the file of the URI for reading and carries out the statements.
func openRaw(ctx context.Context, uri string, statements ...string) (*raw, error) {
	r := &raw{ctx: ctx, tls: libc.NewTLS()}
	err := r.withString(uri, func(name uintptr) error {
		out := libc.Xcalloc(r.tls, 1, 8)
		if out == 0 {
			return errors.New("no memory")
		}
		defer libc.Xfree(r.tls, out)
		rc := sqlite3.Xsqlite3_open_v2(r.tls, name, out, sqlite3.SQLITE_OPEN_READONLY|sqlite3.SQLITE_OPEN_URI|sqlite3.SQLITE_OPEN_NOMUTEX, 0)
		r.db = libc.AtomicLoadPUintptr(out)
		return r.check(rc)
	})
	if err == nil {
		err = r.check(sqlite3.Xsqlite3_extended_result_codes(r.tls, r.db, 1))
	}
	for _, s := range statements {
		if err == nil {
			err = r.exec(s)
		}
	}
	if err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

func (r *raw) close() error {
	err := r.check(sqlite3.Xsqlite3_close_v2(r.tls, r.db))
	r.tls.Close()
	return err
}

func (r *raw) check(rc int32) error {
	if rc == sqlite3.SQLITE_OK {
		return nil
	}
	text := libc.GoString(sqlite3.Xsqlite3_errstr(r.tls, rc))
	if r.db != 0 {
		text = libc.GoString(sqlite3.Xsqlite3_errmsg(r.tls, r.db))
	}
	return &rawError{code: rc, text: text}
}

func (r *raw) withString(s string, f func(uintptr) error) error {
	p, err := libc.CString(s)
	if err != nil {
		return err
	}
	defer libc.Xfree(r.tls, p)
	return f(p)
}

// exec carries out a statement and passes over its rows.
func (r *raw) exec(query string) error {
	for _, err := range r.query(query) {
		if err != nil {
			return err
		}
	}
	return nil
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

// query yields the rows of a query. A row is good until the next one is asked for.
func (r *raw) query(query string, args ...int64) iter.Seq2[rawRow, error] {
	return func(yield func(rawRow, error) bool) {
		statement, err := r.prepare(query, args)
		if err != nil {
			yield(rawRow{}, err)
			return
		}
		defer sqlite3.Xsqlite3_finalize(r.tls, statement)
		row := rawRow{r.tls, statement}
		for n := 0; ; n++ {
			if n%256 == 0 && r.ctx.Err() != nil {
				yield(row, r.ctx.Err())
				return
			}
			switch rc := sqlite3.Xsqlite3_step(r.tls, statement); rc {
			case sqlite3.SQLITE_ROW:
			case sqlite3.SQLITE_DONE:
				return
			default:
				yield(row, r.check(rc))
				return
			}
			if !yield(row, nil) {
				return
			}
		}
	}
}

func (r *raw) prepare(query string, args []int64) (statement uintptr, err error) {
	out := libc.Xcalloc(r.tls, 1, 8)
	if out == 0 {
		return 0, errors.New("no memory")
	}
	defer libc.Xfree(r.tls, out)
	err = r.withString(query, func(text uintptr) error {
		return r.check(sqlite3.Xsqlite3_prepare_v2(r.tls, r.db, text, -1, out, 0))
	})
	statement = libc.AtomicLoadPUintptr(out)
	for i, v := range args {
		if err == nil {
			err = r.check(sqlite3.Xsqlite3_bind_int64(r.tls, statement, int32(i)+1, v))
		}
	}
	if err != nil {
		sqlite3.Xsqlite3_finalize(r.tls, statement)
	}
	return statement, err
}

// rawRow is the present row of a query.
type rawRow struct {
	tls       *libc.TLS
	statement uintptr
}

// value returns a column and its type. Values of a row may be looked at because nobody else uses the connection.
func (r rawRow) value(column int32) (v uintptr, kind int32) {
	v = sqlite3.Xsqlite3_column_value(r.tls, r.statement, column)
	return v, sqlite3.Xsqlite3_value_type(r.tls, v)
}

// integer returns a number, 0 for NULL.
func (r rawRow) integer(column int32) (int64, error) {
	switch v, kind := r.value(column); kind {
	case sqlite3.SQLITE_INTEGER:
		return sqlite3.Xsqlite3_value_int64(r.tls, v), nil
	case sqlite3.SQLITE_NULL:
		return 0, nil
	default:
		return 0, fmt.Errorf("something else (%d) is stored where a number belongs", kind)
	}
}

// bytes returns what is stored as the type, SQLITE_BLOB or SQLITE_TEXT, and nothing for NULL. It is SQLite's own copy.
func (r rawRow) bytes(column, want int32) (b []byte, null bool, err error) {
	v, kind := r.value(column)
	switch kind {
	case sqlite3.SQLITE_NULL:
		return nil, true, nil
	case want:
	default:
		return nil, false, fmt.Errorf("another type (%d) is stored where type %d belongs", kind, want)
	}
	at := sqlite3.Xsqlite3_value_blob(r.tls, v)
	n := sqlite3.Xsqlite3_value_bytes(r.tls, v)
	if at == 0 || n == 0 {
		return nil, false, nil
	}
	return libc.GoBytes(at, int(n)), false, nil
}

// fixed copies bytes of just this length; NULL becomes zeros.
func (r rawRow) fixed(column int32, into []byte) error {
	b, null, err := r.bytes(column, sqlite3.SQLITE_BLOB)
	switch {
	case err != nil:
		return err
	case null:
		clear(into)
	case len(b) != len(into):
		return fmt.Errorf("%d bytes are stored where %d belong", len(b), len(into))
	default:
		copy(into, b)
	}
	return nil
}

// text returns a copy of a text, "" for NULL. It makes none when the text is the one that was there before.
func (r rawRow) text(column int32, before string) (string, error) {
	b, _, err := r.bytes(column, sqlite3.SQLITE_TEXT)
	if err != nil || bytes.Equal(b, []byte(before)) {
		return before, err
	}
	return string(b), nil
}
