// Package casework keeps what people write about their work: close-out notes and the member's notes.
package casework

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/ledger"
	"stead/internal/platform/store"
)

// Desk writes notes. It is safe for concurrent use.
type Desk struct {
	Store  store.Store
	Ledger *ledger.Ledger
}

// WriteNote writes the close-out note of the agent's own ended session and appends it to the member's notes. The
// note is written once; the same text sent again is answered with the session as it is.
func (d *Desk) WriteNote(ctx context.Context, agent stead.Staff, id stead.SessionID, key uuid.UUID, text string) (stead.Session, error) {
	text = strings.TrimSpace(text)
	if text == "" || utf8.RuneCountInString(text) > stead.MaxTextLength {
		return stead.Session{}, stead.E(stead.CodeNoteInvalid, nil)
	}
	var s stead.Session
	err := d.Store.Update(ctx, func(tx store.Tx) error {
		row, err := tx.Session(id)
		switch {
		case errors.Is(err, store.ErrNotFound) || err == nil && row.Agent != agent.ID:
			return stead.E(stead.CodeSessionNotFound, nil)
		case err != nil:
			return err
		case row.State != stead.StateEnded:
			return stead.Errorf(stead.CodeNoteInvalid, "the session still lives")
		case !row.NoteAt.IsZero() && row.Note != text:
			return stead.Errorf(stead.CodeNoteInvalid, "the note is already written")
		}
		if row.NoteAt.IsZero() {
			if err := d.write(tx, agent, row.Session, key, text); err != nil {
				return err
			}
			row, err = tx.Session(id)
		}
		s = row.Session
		return err
	})
	return s, err
}

func (d *Desk) write(tx store.Tx, agent stead.Staff, s stead.Session, key uuid.UUID, text string) error {
	now := tx.Now()
	member, err := tx.Member(s.Member)
	if err != nil {
		return err
	}
	_, err = tx.ErasedAt(member.Pseudonym)
	if err == nil {
		text = "" // the note is no longer owed, and nothing is written about somebody who was erased
	} else if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err := tx.SetNote(s.ID, now, text); err != nil {
		return err
	}
	if err := tx.PutMemberNote(store.MemberNote{Member: s.Member, Session: s.ID, Author: agent.Name, Kind: "close_out", Text: text, At: now}); err != nil {
		return err
	}
	return d.Ledger.Write(tx, ledger.Entry{Kind: audit.NoteWritten, EventID: key, Session: s.ID, Actor: agent.Pseudonym,
		Subject: member.Pseudonym, Texts: map[string]string{"note": text}})
}
