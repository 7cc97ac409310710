package session

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/uuid"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/desktop/browser"
)

// entry is what the journal says of a session that has begun on this machine and is not concluded. It holds ids
// only: no name, no credential.
type entry struct {
	Intent  uuid.UUID       `json:"intent"`
	Subject string          `json:"subject"` // pseudonym
	Session stead.SessionID `json:"session,omitempty"`
}

func entryOf(r *run) entry {
	return entry{Intent: r.intent, Subject: r.ask.Subject.String(), Session: r.id}
}

// journal notes the run, and beside it the session that still lives while the new one starts.
func (c *Control) journal(r, previous *run) error {
	entries := []entry{entryOf(r)}
	if previous != nil {
		entries = append(entries, entryOf(previous))
	}
	return writeJournal(c.Journal, entries)
}

// clearJournal removes the journal, or leaves just the session that still lives.
func (c *Control) clearJournal(living *run) error {
	if living != nil {
		return c.journal(living, nil)
	}
	return writeJournal(c.Journal, nil)
}

// forget takes one concluded session out of the journal.
func (c *Control) forget(r *run) error {
	entries, err := readJournal(c.Journal)
	if err != nil {
		return err
	}
	var rest []entry
	for _, e := range entries {
		if e.Intent != r.intent {
			rest = append(rest, e)
		}
	}
	return writeJournal(c.Journal, rest)
}

// writeJournal replaces the journal durably: whole or not at all.
func writeJournal(path string, entries []entry) error {
	data, err := json.Marshal(entries)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".journal-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	_, err = tmp.Write(data)
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	return dir.Sync()
}

func readJournal(path string) ([]entry, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var entries []entry
	return entries, json.Unmarshal(data, &entries)
}

// Recover puts right what a crash or a kill left behind: browsers are removed, sessions that were running are ended
// at the platform, and each unfinished start or session gets its outcome. It must run before the first Start. What
// it could not finish (the platform was away) stays in the journal for the next time; the platform ends such a
// session by itself.
func (c *Control) Recover(ctx context.Context) ([]browser.Swept, error) {
	swept, err := c.Browsers.Sweep(ctx)
	if err != nil {
		return swept, err
	}
	entries, err := readJournal(c.Journal)
	if err != nil {
		return swept, stead.Errorf(stead.CodeOutboxDamaged, "%s", filepath.Base(c.Journal)).Because(err)
	}
	var rest []entry
	for _, e := range entries {
		if err := c.recoverOne(ctx, e); err != nil {
			c.Log.Warn("a session from before could not be concluded yet", "session", e.Session, "err", err)
			rest = append(rest, e)
		}
	}
	if len(entries) == 0 {
		return swept, nil
	}
	return swept, writeJournal(c.Journal, rest)
}

func (c *Control) recoverOne(ctx context.Context, e entry) error {
	subject, err := stead.ParsePseudonym(e.Subject)
	if err != nil {
		return err
	}
	if e.Session == "" {
		// Killed between the intent and the platform's answer. If there is a session after all, it was never opened
		// and the platform ends it within stead.HandoffTTL.
		return c.record(ctx, audit.SessionOutcome, subject, e.Intent, "", audit.Body{"result": "unknown", "why": "stead_closed"})
	}
	s, err := c.Platform.End(ctx, e.Session, stead.CauseSteadClosed)
	if err != nil && stead.CodeOf(err) != stead.CodeSessionNotFound {
		return err
	}
	facts := audit.Body{"cause": string(stead.CauseSteadClosed), "confirmed": err == nil, "wiped": true, "recovered": true}
	if s.Cause != nil {
		facts["platform_cause"] = *s.Cause
	}
	return c.record(ctx, audit.SessionObservedEnd, subject, e.Intent, e.Session, facts)
}
