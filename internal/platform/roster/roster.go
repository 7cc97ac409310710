// Package roster brings members and staff from a file into the store: all of its rows, or none.
//
// A file names columns and rows. CSV (RFC 4180) names the columns in its first line; NDJSON has one flat object a line,
// whose keys are the columns. Rows are inserted or replaced by id, and a person who is known keeps their pseudonym. What a
// file has no column for stays as it is for people who are known, and is the default for new ones; an empty cell is the
// default for both. Who is not in the file is left alone.
package roster

import (
	"errors"
	"fmt"
	"slices"

	"stead/internal/stead"

	"stead/internal/platform/store"
)

// Problem is what is wrong with one line of a file.
type Problem struct {
	Line int // 1 for the first line of the file
	What string
}

func (p Problem) String() string { return fmt.Sprintf("line %d: %s", p.Line, p.What) }

// Counts says what an import did.
type Counts struct {
	New, Changed, Unchanged int
}

// Total is how many rows the file had.
func (c Counts) Total() int { return c.New + c.Changed + c.Unchanged }

// problems collects what is wrong, for all lines.
type problems []Problem

func (p *problems) add(line int, format string, args ...any) {
	*p = append(*p, Problem{line, fmt.Sprintf(format, args...)})
}

// refusal is nil without problems. With them it puts them into the order of the lines.
func (p problems) refusal() error {
	if len(p) == 0 {
		return nil
	}
	slices.SortStableFunc(p, func(a, b Problem) int { return a.Line - b.Line })
	return stead.E(stead.CodeImportInvalid, nil)
}

// staysErased finds fault with a line that would bring back who was erased, and reports whether it did.
func staysErased(tx store.Tx, line int, p stead.Pseudonym, bad *problems) (bool, error) {
	at, err := tx.ErasedAt(p)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err == nil {
		bad.add(line, "id: this person was erased on %s; leave them out, or give a new person a new id", at.Format("2006-01-02"))
	}
	return err == nil, err
}
