package memberapp

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver, registered as "sqlite"

	"stead/internal/stead"
)

const (
	schemaVersion = 1
	signInTTL     = 8 * time.Hour
	historyLimit  = 5 // searches that are shown and kept
)

const schema = `
CREATE TABLE profile (
	member    TEXT PRIMARY KEY,
	nickname  TEXT NOT NULL,
	zip       TEXT NOT NULL,
	large     INTEGER NOT NULL,
	paperless INTEGER NOT NULL
) STRICT;
CREATE TABLE search (
	id     INTEGER PRIMARY KEY,
	member TEXT NOT NULL,
	zip    TEXT NOT NULL,
	at     INTEGER NOT NULL
) STRICT;
CREATE INDEX search_member ON search (member, id);
CREATE TABLE sign_in (
	hash    BLOB PRIMARY KEY,
	member  TEXT NOT NULL,
	expires INTEGER NOT NULL
) STRICT;
PRAGMA user_version = 1;`

// profile is what a member has set.
type profile struct {
	Nickname  string // how the portal greets them
	Zip       string // where they live
	Large     bool   // larger text
	Paperless bool   // letters online instead of by post
}

// data is the portal's own database.
type data struct{ db *sql.DB }

// openData opens or makes the file. Errors are *stead.Error with CodeDataReadOnly or CodeDataNewer.
func openData(path string) (*data, error) {
	full, err := filepath.Abs(path)
	if err != nil {
		return nil, stead.Errorf(stead.CodeDataReadOnly, "%s", path).Because(err)
	}
	// Made here, so that nobody else on the machine can read it.
	f, err := os.OpenFile(full, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, stead.Errorf(stead.CodeDataReadOnly, "the folder of %s is not there", full).Because(err)
		}
		return nil, stead.Errorf(stead.CodeDataReadOnly, "%s", full).Because(err)
	}
	if err := f.Close(); err != nil {
		return nil, stead.Errorf(stead.CodeDataReadOnly, "%s", full).Because(err)
	}
	dsn := (&url.URL{Scheme: "file", Path: full, RawQuery: "_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_txlock=immediate"}).String()
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, stead.Errorf(stead.CodeDataReadOnly, "%s", full).Because(err)
	}
	d := &data{db: db}
	if err := d.migrate(full); err != nil {
		_ = db.Close() // the first error is the one to tell
		return nil, err
	}
	return d, nil
}

func (d *data) migrate(path string) error {
	tx, err := d.db.Begin()
	if err != nil {
		return stead.Errorf(stead.CodeDataReadOnly, "%s", path).Because(err)
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	var version int
	if err := tx.QueryRow("PRAGMA user_version").Scan(&version); err != nil {
		return stead.Errorf(stead.CodeDataReadOnly, "%s", path).Because(err)
	}
	switch {
	case version > schemaVersion:
		return stead.Errorf(stead.CodeDataNewer, "%s", path)
	case version == schemaVersion:
		return nil
	}
	if _, err := tx.Exec(schema); err != nil {
		return stead.Errorf(stead.CodeDataReadOnly, "%s", path).Because(err)
	}
	return tx.Commit()
}

func (d *data) close() error { return d.db.Close() }

// profile answers what the member has set, or what holds for everybody who has not set anything.
func (d *data) profile(ctx context.Context, m Member) (profile, error) {
	first, _, _ := strings.Cut(m.Name, " ")
	p := profile{Nickname: first, Zip: m.Zip}
	err := d.db.QueryRowContext(ctx, "SELECT nickname, zip, large, paperless FROM profile WHERE member = ?", string(m.ID)).
		Scan(&p.Nickname, &p.Zip, &p.Large, &p.Paperless)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return profile{}, fmt.Errorf("memberapp: profile: %w", err)
	}
	if p.Nickname == "" {
		p.Nickname = first
	}
	return p, nil
}

func (d *data) saveProfile(ctx context.Context, m stead.MemberID, p profile) error {
	_, err := d.db.ExecContext(ctx, `INSERT INTO profile (member, nickname, zip, large, paperless) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (member) DO UPDATE SET nickname = excluded.nickname, zip = excluded.zip, large = excluded.large, paperless = excluded.paperless`,
		string(m), p.Nickname, p.Zip, p.Large, p.Paperless)
	if err != nil {
		return fmt.Errorf("memberapp: save profile: %w", err)
	}
	return nil
}

// searches are the zip codes a member last looked for, the newest first, each once.
func (d *data) searches(ctx context.Context, m stead.MemberID) ([]string, error) {
	rows, err := d.db.QueryContext(ctx, "SELECT zip FROM search WHERE member = ? GROUP BY zip ORDER BY max(id) DESC LIMIT ?", string(m), historyLimit)
	if err != nil {
		return nil, fmt.Errorf("memberapp: searches: %w", err)
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what went wrong
	var zips []string
	for rows.Next() {
		var z string
		if err := rows.Scan(&z); err != nil {
			return nil, fmt.Errorf("memberapp: searches: %w", err)
		}
		zips = append(zips, z)
	}
	return zips, rows.Err()
}

// remember adds a search and forgets the ones that are not shown any more.
func (d *data) remember(ctx context.Context, m stead.MemberID, zip string, at time.Time) error {
	tx, err := d.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("memberapp: remember: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	if _, err := tx.ExecContext(ctx, "DELETE FROM search WHERE member = ? AND zip = ?", string(m), zip); err != nil {
		return fmt.Errorf("memberapp: remember: %w", err)
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO search (member, zip, at) VALUES (?, ?, ?)", string(m), zip, at.UnixMilli()); err != nil {
		return fmt.Errorf("memberapp: remember: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM search WHERE member = ?1 AND id NOT IN
		(SELECT id FROM search WHERE member = ?1 ORDER BY id DESC LIMIT ?2)`, string(m), historyLimit); err != nil {
		return fmt.Errorf("memberapp: remember: %w", err)
	}
	return tx.Commit()
}

// signIn keeps a member's own sign-in under the hash of its cookie.
func (d *data) signIn(ctx context.Context, cookie string, m stead.MemberID) error {
	sum := sha256.Sum256([]byte(cookie))
	now := time.Now()
	if _, err := d.db.ExecContext(ctx, "DELETE FROM sign_in WHERE expires <= ?", now.UnixMilli()); err != nil {
		return fmt.Errorf("memberapp: sign in: %w", err)
	}
	if _, err := d.db.ExecContext(ctx, "INSERT INTO sign_in (hash, member, expires) VALUES (?, ?, ?)", sum[:], string(m), now.Add(signInTTL).UnixMilli()); err != nil {
		return fmt.Errorf("memberapp: sign in: %w", err)
	}
	return nil
}

// signedIn answers whose sign-in a cookie is; errNobody when it is nobody's, or not any more.
func (d *data) signedIn(ctx context.Context, cookie string) (stead.MemberID, error) {
	sum := sha256.Sum256([]byte(cookie))
	var m string
	err := d.db.QueryRowContext(ctx, "SELECT member FROM sign_in WHERE hash = ? AND expires > ?", sum[:], time.Now().UnixMilli()).Scan(&m)
	if errors.Is(err, sql.ErrNoRows) {
		return "", errNobody
	}
	if err != nil {
		return "", fmt.Errorf("memberapp: signed in: %w", err)
	}
	return stead.MemberID(m), nil
}

func (d *data) signOut(ctx context.Context, cookie string) error {
	sum := sha256.Sum256([]byte(cookie))
	if _, err := d.db.ExecContext(ctx, "DELETE FROM sign_in WHERE hash = ?", sum[:]); err != nil {
		return fmt.Errorf("memberapp: sign out: %w", err)
	}
	return nil
}
