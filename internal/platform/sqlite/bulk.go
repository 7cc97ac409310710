package sqlite

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"

	sqlite3 "modernc.org/sqlite/lib"

	"stead/internal/audit"
	"stead/internal/stead"
)

// bulk is the connections for what a ledger has most of.
type bulk struct {
	watch, records, hashes *raw
	arrivals               []*raw
}

// openBulk opens a connection for each thing that is read at the same time, and one that watches for commits.
func openBulk(ctx context.Context, uri string) (b bulk, err error) {
	all := []**raw{&b.watch, &b.records, &b.hashes}
	b.arrivals = make([]*raw, runtime.GOMAXPROCS(0))
	for i := range b.arrivals {
		all = append(all, &b.arrivals[i])
	}
	for _, r := range all {
		if *r, err = openRaw(ctx, uri, "PRAGMA query_only = 1", "PRAGMA trusted_schema = 0", "PRAGMA busy_timeout = 5000"); err != nil {
			return b, errors.Join(err, b.close())
		}
	}
	return b, nil
}

// commits changes whenever somebody else committed something.
func (b *bulk) commits() (int64, error) { return b.watch.number("PRAGMA data_version") }

// each does f with every connection that reads.
func (b *bulk) each(f func(*raw) error) (err error) {
	for _, r := range append([]*raw{b.records, b.hashes}, b.arrivals...) {
		if r != nil {
			err = errors.Join(err, f(r))
		}
	}
	return err
}

func (b *bulk) begin() error {
	return b.each(func(r *raw) error {
		if err := r.exec("BEGIN"); err != nil {
			return err
		}
		_, err := r.number("SELECT count(*) FROM sqlite_schema") // a transaction sees the state of its first look
		return err
	})
}

func (b *bulk) rollBack() error { return b.each(func(r *raw) error { return r.exec("ROLLBACK") }) }

func (b *bulk) close() error {
	err := b.each((*raw).close)
	if b.watch != nil {
		err = errors.Join(err, b.watch.close())
	}
	return err
}

// Hashes implements audit.LedgerSource.
func (e *Evidence) Hashes() iter.Seq2[audit.StoredHash, error] {
	return rawRows(e.bulk.hashes, "SELECT idx, hash FROM log_hashes ORDER BY idx", func(row rawRow) (h audit.StoredHash, err error) {
		if h.At, err = row.integer(0); err == nil {
			err = row.fixed(1, h.Hash[:])
		}
		return h, err
	})
}

// Places implements audit.LedgerReaders.
func (e *Evidence) Places() iter.Seq2[audit.LedgerPlace, error] {
	return rawRows(e.bulk.records, "SELECT position, intake FROM log_entries ORDER BY position", func(row rawRow) (p audit.LedgerPlace, err error) {
		if p.Position, err = row.integer(0); err == nil {
			p.Index, err = row.integer(1)
		}
		return p, err
	})
}

// Span implements audit.LedgerReaders.
func (e *Evidence) Span() (first, last, logged int64, err error) {
	for _, n := range []struct {
		into  *int64
		query string
	}{
		{&first, "SELECT coalesce(min(idx), 0) FROM intake"}, {&last, "SELECT coalesce(max(idx), -1) FROM intake"},
		{&logged, "SELECT coalesce(max(position) + 1, 0) FROM log_entries"},
	} {
		if *n.into, err = e.bulk.records.number(n.query); err != nil {
			return 0, -1, 0, damaged(err)
		}
	}
	return first, last, logged, nil
}

// Readers implements audit.LedgerReaders.
func (e *Evidence) Readers() (readers []audit.LedgerReader) {
	for _, r := range e.bulk.arrivals {
		readers = append(readers, arrivals{r})
	}
	return readers
}

type arrivals struct{ *raw }

// everLogged is what the log names. The plus keeps SQLite from asking an index for it: what is read as evidence comes from
// the tables, which are proven, and an index can say something else.
const everLogged = "SELECT +intake FROM log_entries"

const evidenceColumns = "i.envelope, i.leaf, i.event_id, i.device, i.epoch, i.seq, i.kind, i.session, i.actor, i.subject"

// Arrivals implements audit.LedgerReader.
func (a arrivals) Arrivals(first, last int64) iter.Seq2[*audit.LedgerRow, error] {
	var row audit.LedgerRow
	return rawRows(a.raw, "SELECT -1, i.idx, 0, "+evidenceColumns+" FROM intake i WHERE i.idx BETWEEN ? AND ? ORDER BY i.idx",
		func(found rawRow) (*audit.LedgerRow, error) { return &row, readEvidence(found, &row) }, first, last)
}

// Records implements audit.LedgerSource.
func (e *Evidence) Records() iter.Seq2[audit.LedgerRow, error] {
	read := func(found rawRow) (row audit.LedgerRow, err error) { return row, readEvidence(found, &row) }
	logged := rawRows(e.bulk.records, "SELECT l.position, l.intake, i.idx IS NULL, "+evidenceColumns+
		" FROM log_entries l LEFT JOIN intake i ON i.idx = l.intake ORDER BY l.position", read)
	others := rawRows(e.bulk.records, "SELECT -1, i.idx, 0, "+evidenceColumns+
		" FROM intake i WHERE i.idx NOT IN ("+everLogged+") ORDER BY i.idx", read)
	return func(yield func(audit.LedgerRow, error) bool) {
		for _, part := range []iter.Seq2[audit.LedgerRow, error]{logged, others} {
			for row, err := range part {
				if !yield(row, err) || err != nil {
					return
				}
			}
		}
	}
}

// readEvidence reads a row. The envelope is good until the next one.
func readEvidence(found rawRow, row *audit.LedgerRow) (err error) {
	number := func(column int32) (n int64) {
		if err == nil {
			n, err = found.integer(column)
		}
		return n
	}
	fixed := func(column int32, into []byte) {
		if err == nil {
			err = found.fixed(column, into)
		}
	}
	text := func(column int32, before string) (s string) {
		if err == nil {
			s, err = found.text(column, before)
		}
		return s
	}
	c := &row.Columns
	row.Position, row.Index, row.Missing = number(0), number(1), number(2) != 0
	if err == nil {
		row.Envelope, _, err = found.bytes(3, sqlite3.SQLITE_BLOB)
	}
	fixed(4, c.Leaf[:])
	fixed(5, c.EventID[:])
	fixed(6, c.Device[:])
	fixed(7, c.Epoch[:])
	c.Seq = uint64(max(number(8), 0))
	c.Kind, c.Session = audit.Kind(text(9, string(c.Kind))), stead.SessionID(text(10, string(c.Session)))
	fixed(11, c.Actor[:])
	fixed(12, c.Subject[:])
	return err
}

// rawRows reads the rows of a query one by one.
func rawRows[T any](r *raw, query string, read func(rawRow) (T, error), args ...int64) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		for row, err := range r.query(query, args...) {
			if err != nil {
				yield(none, damaged(err))
				return
			}
			v, err := read(row)
			if err != nil {
				yield(none, fmt.Errorf("%w: %w", ErrDamaged, err))
				return
			}
			if !yield(v, nil) {
				return
			}
		}
	}
}
