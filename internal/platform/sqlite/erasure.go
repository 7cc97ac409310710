package sqlite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"stead/internal/platform/store"
	"stead/internal/stead"
)

// ErasePerson implements store.ErasureTx.
func (t *tx) ErasePerson(p store.Person, at time.Time) error {
	_, err := t.exec("INSERT INTO erasures (pseudonym, member, staff, at) VALUES (?, ?, ?, ?)",
		p.Pseudonym[:], textOrNull(string(p.Member)), textOrNull(string(p.Staff)), millis(at))
	if err != nil {
		return err
	}
	if p.Member != "" {
		err = t.eraseMember(p.Member)
	} else {
		err = t.eraseStaff(p.Staff)
	}
	if err != nil {
		return err
	}
	_, err = t.DestroyKeys(p.Pseudonym)
	return err
}

func (t *tx) eraseMember(id stead.MemberID) error {
	k, err := first(t, readKeys, "SELECT seq, id_key, name_key, email_key, phone_digits FROM members WHERE id = ?", id)
	if err != nil {
		return err
	}
	terms := k.terms()
	return t.each([]statement{
		{"DELETE FROM member_terms WHERE member = ? AND term IN (SELECT value FROM json_each(?))", []any{k.seq, list[string]{&terms}.text()}},
		{"DELETE FROM member_text WHERE rowid = ?", []any{k.seq}},
		{`UPDATE members SET name = '', email = '', phone = '', name_key = '', email_key = '', phone_digits = '', language = '', time_zone = '',
			staff = NULL, disabled = 1 WHERE id = ?`, []any{id}},
		{`UPDATE sessions SET member_name = '', member_email = '', reason_text = '', note = '', request_hash = zeroblob(32)
			WHERE member = ?`, []any{id}},
		{"UPDATE notices SET reason = '', address = '' WHERE member = ?", []any{id}},
		{"UPDATE member_notes SET text = '' WHERE member = ?", []any{id}},
	})
}

func (t *tx) eraseStaff(id stead.StaffID) error {
	return t.each([]statement{
		{"UPDATE staff SET name = '', email = '', email_key = '', issuer = NULL, subject = NULL WHERE id = ?", []any{id}},
		{"UPDATE sessions SET agent_name = '' WHERE agent = ?", []any{id}},
		{"UPDATE notices SET agent_name = '' WHERE session IN (SELECT id FROM sessions WHERE agent = ?)", []any{id}},
		{"UPDATE member_notes SET author = '' WHERE session IN (SELECT id FROM sessions WHERE agent = ?)", []any{id}},
		{"UPDATE devices SET name = '' WHERE enrolled_by = ?", []any{id}}, // people name machines after themselves
	})
}

// statement is one to execute, with its parameters.
type statement struct {
	sql  string
	args []any
}

// each executes the statements one after the other, up to the first that fails.
func (t *tx) each(statements []statement) error {
	for _, s := range statements {
		if _, err := t.exec(s.sql, s.args...); err != nil {
			return err
		}
	}
	return nil
}

// ErasedAt implements store.ErasureTx.
func (t *tx) ErasedAt(p stead.Pseudonym) (at time.Time, err error) {
	err = t.one("SELECT at FROM erasures WHERE pseudonym = ?", []any{p[:]}, stamp{&at})
	return at, err
}

// Erasures implements store.ErasureTx.
func (t *tx) Erasures() ([]stead.Pseudonym, error) {
	return all(t, func(row scanner) (p stead.Pseudonym, err error) {
		err = row.Scan(fixed(p[:]))
		return p, err
	}, "SELECT pseudonym FROM erasures ORDER BY at, pseudonym")
}

// DestroyKeys implements store.ErasureTx.
func (t *tx) DestroyKeys(p stead.Pseudonym) (int, error) {
	n, err := t.exec("DELETE FROM person_keys WHERE pseudonym = ?", p[:])
	return int(n), err
}

const (
	// scrubPatience is how long Scrub waits for readers that began before; writers wait as long.
	scrubPatience = 500 * time.Millisecond
	// scrubPages is how much of the index of texts is written anew in one go; other writers come in between.
	scrubPages = 50
)

// Scrub implements store.Store. The index of texts is written anew, for deleting only marks a row in it. Then what the
// write-ahead log holds goes into the file, where it replaces what was there, and the log is cut to nothing.
func (s *Store) Scrub(ctx context.Context) error {
	pages := -scrubPages // begins to merge all of it; positive goes on with that
	for {
		done, err := s.mergeTexts(ctx, pages)
		if err != nil {
			return fmt.Errorf("sqlite: scrub: %w", err)
		}
		if done {
			return s.emptyLog(ctx)
		}
		pages = scrubPages
	}
}

// mergeTexts writes up to that many pages of the index of texts anew, without what is marked in them, and reports
// whether there was nothing left to do.
func (s *Store) mergeTexts(ctx context.Context, pages int) (done bool, err error) {
	err = s.Update(ctx, func(port store.Tx) error {
		t := port.(*tx)
		before, err := t.count("SELECT total_changes()")
		if err != nil {
			return err
		}
		if _, err := t.exec("INSERT INTO member_text (member_text, rank) VALUES ('merge', ?)", pages); err != nil {
			return err
		}
		after, err := t.count("SELECT total_changes()")
		done = after-before < 2 // as sqlite.org/fts5.html tells it
		return err
	})
	return done, err
}

func (s *Store) emptyLog(ctx context.Context) (err error) {
	c, err := s.writer.take(ctx)
	if err != nil {
		return err
	}
	defer s.writer.put(c)
	if _, err := c.conn.ExecContext(ctx, fmt.Sprintf("PRAGMA busy_timeout = %d", scrubPatience.Milliseconds())); err != nil {
		return fmt.Errorf("sqlite: scrub: %w", err)
	}
	defer func() {
		_, back := c.conn.ExecContext(context.WithoutCancel(ctx), "PRAGMA busy_timeout = 5000")
		err = errors.Join(err, back)
	}()
	var busy, logged, moved int
	if err := c.conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &logged, &moved); err != nil {
		return fmt.Errorf("sqlite: scrub: %w", err)
	}
	if busy != 0 {
		return errors.New("sqlite: scrub: somebody is still reading what was there before")
	}
	return nil
}
