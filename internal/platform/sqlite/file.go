package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"
	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"stead/internal/stead"
)

//go:embed migrations/*.sql
var migrations embed.FS

// claim makes the file this process's own until release is called. SQLite lets several processes share a file, two
// platforms on one file would each believe to be alone. The mark is an exclusive lock on a file beside it, taken by
// SQLite as well, because that works on every system and ends with the process however the process ends.
func claim(ctx context.Context, path string) (release func() error, err error) {
	for _, p := range []string{path, path + ".lock"} {
		if err := private(p); err != nil {
			return nil, stead.Errorf(stead.CodeDataReadOnly, "%s", path).Because(err)
		}
	}
	db, err := sql.Open("sqlite", dsn(path+".lock", "busy_timeout(250)", "locking_mode(EXCLUSIVE)", "journal_mode(OFF)"))
	if err != nil {
		return nil, err
	}
	conn, err := db.Conn(ctx)
	if err == nil {
		_, err = conn.ExecContext(ctx, "BEGIN EXCLUSIVE")
	}
	if err != nil {
		if conn != nil {
			_ = conn.Close()
		}
		_ = db.Close()
		return nil, personal(path, err)
	}
	return func() error { return errors.Join(conn.Close(), db.Close()) }, nil
}

// private creates the file for its owner alone, or takes the rights of others from the one that is there. It never
// opens an existing file: on POSIX systems closing it again would drop the locks SQLite holds in this process.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err == nil {
		return f.Close()
	}
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a file", path)
	}
	if own := info.Mode().Perm() &^ 0o077; own != info.Mode().Perm() {
		return os.Chmod(path, own)
	}
	return nil
}

// migrate brings the tables up to date. It looks at the version before it writes anything.
func migrate(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	// The default logger of a provider is quiet unless it is told to be verbose; this one is quiet whatever happens.
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files,
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return err
	}
	sources := p.ListSources()
	there, err := version(ctx, db)
	if err != nil {
		return err
	}
	if ours := sources[len(sources)-1].Version; there > ours {
		return stead.Errorf(stead.CodeDataNewer, "data has version %d, this program knows up to %d", there, ours)
	}
	// The log is switched on and something written and taken back, so that a file that cannot be written is found now.
	// BEGIN IMMEDIATE alone would not do: on a read-only file it quietly begins to read.
	probe := "PRAGMA journal_mode = WAL; BEGIN IMMEDIATE; PRAGMA user_version = 1; ROLLBACK"
	if _, err := db.ExecContext(ctx, probe); err != nil {
		return err
	}
	if there > 0 && there < overwrites {
		// Takes out what was deleted while deleting did not overwrite; before the version changes, so that a file that
		// was too large for the disk is tried again.
		if _, err := db.ExecContext(ctx, "VACUUM"); err != nil {
			return err
		}
	}
	_, err = p.Up(ctx)
	return err
}

// overwrites is the first version of the data whose file holds nothing that was deleted.
const overwrites = 8

// version is the newest migration the file has seen, 0 for a new file.
func version(ctx context.Context, db *sql.DB) (v int64, err error) {
	var tables int
	err = db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema WHERE name = ?", goose.DefaultTablename).Scan(&tables)
	if err != nil || tables == 0 {
		return 0, err
	}
	err = db.QueryRowContext(ctx, "SELECT coalesce(max(version_id), 0) FROM "+goose.DefaultTablename+" WHERE is_applied").Scan(&v)
	return v, err
}

// personal gives an error of opening the code and detail a person can use, where there is one.
func personal(path string, err error) error {
	var e *driver.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return stead.Errorf(stead.CodeAlreadyRunning, "%s", filepath.Dir(path)).Because(err)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return stead.Errorf(stead.CodeDataReadOnly, "%s", path).Because(err)
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return stead.Errorf(stead.CodeLedgerBroken, "%s is damaged or no database", path).Because(fmt.Errorf("%w: %w", ErrDamaged, err))
	}
	return fmt.Errorf("sqlite: open %s: %w", path, err)
}
