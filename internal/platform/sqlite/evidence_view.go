package sqlite

import (
	"database/sql"
	"iter"

	"stead/internal/stead"

	"stead/internal/platform/store"
)

// kept is a transaction as a session: it ends with the Evidence, not before.
type kept struct{ *sql.Tx }

func (kept) Close() error { return nil }

// Tx is the state that the Evidence shows, for what reads a store. Whatever writes to it fails. It ends with the Evidence.
func (e *Evidence) Tx() (store.Tx, error) {
	t := &tx{ctx: e.ctx, c: &connection{conn: kept{e.tx}, stmts: map[string]*sql.Stmt{}}, bounds: standardBounds}
	if err := t.readClock(); err != nil {
		return nil, damaged(err)
	}
	return t, nil
}

// Entries yields the records with what lies beside them: those of the log by position, and then those that are not in
// it in the order of arrival, with position -1. A record that the log names and that is not there is passed over.
func (e *Evidence) Entries() iter.Seq2[store.LoggedEntry, error] {
	read := func(row scanner) (l store.LoggedEntry, err error) {
		l.IntakeEntry, err = readEntry(after{row, &l.Position})
		return l, err
	}
	logged := rows(e, "SELECT l.position, "+intakeColumns+" FROM log_entries l JOIN intake ON idx = l.intake ORDER BY l.position", read)
	others := rows(e, "SELECT -1, "+intakeColumns+
		" FROM intake WHERE idx NOT IN ("+everLogged+") ORDER BY idx", read)
	return func(yield func(store.LoggedEntry, error) bool) {
		for _, part := range []iter.Seq2[store.LoggedEntry, error]{logged, others} {
			for entry, err := range part {
				if !yield(entry, err) || err != nil {
					return
				}
			}
		}
	}
}

// after scans one column before the others.
type after struct {
	scanner
	first any
}

func (a after) Scan(into ...any) error { return a.scanner.Scan(append([]any{a.first}, into...)...) }

// Devices yields the devices, by id.
func (e *Evidence) Devices() iter.Seq2[store.Device, error] {
	return rows(e, "SELECT "+deviceColumns+" FROM devices ORDER BY id", readDevice)
}

// Staff yields everybody who works here, by id.
func (e *Evidence) Staff() iter.Seq2[stead.Staff, error] {
	return rows(e, "SELECT "+staffColumns+" FROM staff s ORDER BY s.id", readStaff)
}

// Notices yields all notices, hidden ones too, the oldest first.
func (e *Evidence) Notices() iter.Seq2[store.Notice, error] {
	return rows(e, "SELECT "+noticeColumns+" FROM notices ORDER BY id", readNotice)
}
