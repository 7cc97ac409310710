package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"path/filepath"
	"sync"
)

var errClosed = errors.New("sqlite: the store is closed")

// pool lends out a fixed number of connections, each to one transaction at a time. database/sql's own pool is not
// enough: it cannot wait for transactions when it closes, and forgets prepared statements with the transaction.
type pool struct {
	db      *sql.DB
	free    chan *connection
	size    int
	closing chan struct{}
	once    sync.Once
}

func newPool(dsn string) (*pool, error) {
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	return &pool{db: db, closing: make(chan struct{})}, nil
}

// fill opens n connections. It is called once, before anything is taken.
func (p *pool) fill(ctx context.Context, n int) error {
	p.free = make(chan *connection, n)
	for range n {
		conn, err := p.db.Conn(ctx)
		if err != nil {
			return err
		}
		p.free <- &connection{conn: conn, stmts: map[string]*sql.Stmt{}}
		p.size++
	}
	return nil
}

// take waits for a connection. It fails when ctx is done first or the pool closes.
func (p *pool) take(ctx context.Context) (*connection, error) {
	select { // by itself, because the select below picks by chance among what is ready
	case <-p.closing:
		return nil, errClosed
	default:
	}
	select {
	case c := <-p.free:
		return c, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.closing:
		return nil, errClosed
	}
}

func (p *pool) put(c *connection) { p.free <- c }

// close waits until every connection is back. A nil pool is closed.
func (p *pool) close() error {
	if p == nil {
		return nil
	}
	p.once.Do(func() { close(p.closing) })
	var errs []error
	for range p.size {
		errs = append(errs, (<-p.free).close())
	}
	p.size = 0
	return errors.Join(append(errs, p.db.Close())...)
}

// connection is one connection and the statements prepared on it.
type connection struct {
	conn  session
	stmts map[string]*sql.Stmt
}

// session is what a connection's statements run in: a *sql.Conn, or a transaction that somebody else ends.
type session interface {
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	Close() error
}

// maxStatements bounds the statements kept. All fixed ones fit; searches vary in their shape.
const maxStatements = 256

// prepare returns the statement and what to call when it is no longer needed.
func (c *connection) prepare(ctx context.Context, query string) (*sql.Stmt, func(), error) {
	if stmt, ok := c.stmts[query]; ok {
		return stmt, func() {}, nil
	}
	stmt, err := c.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, nil, err
	}
	if len(c.stmts) >= maxStatements {
		return stmt, func() { _ = stmt.Close() }, nil
	}
	c.stmts[query] = stmt
	return stmt, func() {}, nil
}

func (c *connection) close() error {
	var errs []error
	for _, stmt := range c.stmts {
		errs = append(errs, stmt.Close())
	}
	return errors.Join(append(errs, c.conn.Close())...)
}

// dsn is the driver's name for a file. The path is escaped: "?" and "#" are legal in a folder's name.
func dsn(path string, pragmas ...string) string {
	p := filepath.ToSlash(path)
	if filepath.VolumeName(path) != "" {
		p = "/" + p
	}
	return "file:" + (&url.URL{Path: p}).EscapedPath() + "?" + url.Values{"_pragma": pragmas}.Encode()
}
