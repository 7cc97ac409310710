// Package sqlite keeps the platform's data in one SQLite file, member search included.
//
// One connection writes, a few read; each commit is flushed to disk before Update returns. What must never change is
// guarded by the database itself (migrations/), not only by this code.
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	_ "modernc.org/sqlite" // the driver "sqlite": SQLite without cgo

	"stead/internal/platform/store"
)

// Store is a store.Store in one file. It is safe for concurrent use.
type Store struct {
	writer, readers *pool
	bounds          bounds // of a search; standardBounds
	close           func() error
}

var _ store.Store = (*Store)(nil)

// Open opens the file, creates it when it is not there and brings its tables up to date. The folder must exist.
// The file belongs to one process at a time and only its owner can read it.
//
// Errors a person can meet: stead.CodeDataReadOnly (the folder or file cannot be written), stead.CodeDataNewer
// (written by a later version; left as it is) and stead.CodeAlreadyRunning (another process, or another Store of
// this one, has it open).
func Open(ctx context.Context, path string) (*Store, error) {
	release, err := claim(ctx, path)
	if err != nil {
		return nil, err
	}
	s := &Store{bounds: standardBounds}
	s.close = sync.OnceValue(func() error {
		// Readers first: the last connection that goes empties the write-ahead log into the file.
		return errors.Join(s.readers.close(), s.writer.close(), release())
	})
	if err := s.open(ctx, path); err != nil {
		_ = s.close() // what hindered opening is the answer
		return nil, personal(path, err)
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, path string) (err error) {
	// fullfsync makes macOS flush the drive's cache too; elsewhere it changes nothing. secure_delete overwrites what is
	// deleted with zeros, so that what was erased is not left in the file's free space.
	pragmas := []string{"busy_timeout(5000)", "foreign_keys(1)", "synchronous(FULL)", "fullfsync(1)",
		"checkpoint_fullfsync(1)", "trusted_schema(0)", "secure_delete(1)"}
	// Room for the pages of the indexes that every record goes into, and a write-ahead log of 16 MiB, so that such a page
	// is copied from there into the file once for thousands of records.
	if s.writer, err = newPool(dsn(path, append(pragmas, "cache_size(-16384)", "wal_autocheckpoint(4096)")...)); err != nil {
		return err
	}
	if err := migrate(ctx, s.writer.db); err != nil {
		return err
	}
	if err := s.writer.fill(ctx, 1); err != nil {
		return err
	}
	if s.readers, err = newPool(dsn(path, append(pragmas, "query_only(1)")...)); err != nil {
		return err
	}
	return s.readers.fill(ctx, max(4, runtime.GOMAXPROCS(0)))
}

// View implements store.Store. f must not call View of the same Store: with enough callers all would wait.
func (s *Store) View(ctx context.Context, f func(store.Tx) error) error {
	return s.run(ctx, s.readers, "BEGIN", f)
}

// Update implements store.Store. Updates run one after the other. f must not call Update: it would wait for itself.
func (s *Store) Update(ctx context.Context, f func(store.Tx) error) error {
	return s.run(ctx, s.writer, "BEGIN IMMEDIATE", f)
}

func (s *Store) run(ctx context.Context, from *pool, begin string, f func(store.Tx) error) error {
	c, err := from.take(ctx)
	if err != nil {
		return err
	}
	defer from.put(c)
	if _, err := c.conn.ExecContext(ctx, begin); err != nil {
		// It may have begun all the same, if ctx ended just then, and the next caller would find itself inside of it.
		_, _ = c.conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		return fmt.Errorf("sqlite: begin: %w", err)
	}
	t := &tx{ctx: ctx, c: c, bounds: s.bounds}
	committed := false
	defer func() { // also when f panics
		t.over = true
		if !committed {
			// After some errors SQLite has rolled back by itself and complains here; either way nothing is left.
			_, _ = c.conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		}
	}()
	if err := t.readClock(); err != nil {
		return err
	}
	if err := f(t); err != nil {
		return err
	}
	if t.broken != nil {
		return t.broken
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	// From here on it is done or not done, whatever happens to the caller.
	if _, err := c.conn.ExecContext(context.WithoutCancel(ctx), "COMMIT"); err != nil {
		return fmt.Errorf("sqlite: commit: %w", err)
	}
	committed = true
	return nil
}

// Close implements store.Store. Called from inside a transaction it would wait for itself.
func (s *Store) Close() error { return s.close() }
