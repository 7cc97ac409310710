package sqlite

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"stead/internal/platform/store"
	"stead/internal/stead"
)

// town is a store of 300 members whose names are alike, in three accounts of two branches.
func town(t *testing.T) *Store {
	t.Helper()
	s := open(t, filepath.Join(t.TempDir(), "stead.db"))
	first, last := []string{"Ana", "Bo", "José", "Li", "Öznur"}, []string{"Almeida", "Santos", "Sanna", "Wu"}
	err := s.Update(t.Context(), func(tx store.Tx) error {
		for _, a := range []stead.AccountID{"elm", "fir", "oak"} {
			if err := tx.PutAccount(a, string(a)+" & Co"); err != nil {
				return err
			}
			for _, b := range []stead.BranchID{"-1", "-2"} {
				if err := tx.PutBranch(stead.BranchID(a)+b, a, string(b)); err != nil {
					return err
				}
			}
		}
		for i := range 300 {
			a := []stead.AccountID{"elm", "fir", "oak"}[i%3]
			err := tx.PutMember(stead.Member{ID: stead.MemberID(fmt.Sprintf("m-%04d", i)), Account: a, Level: stead.LevelMember,
				Branch: stead.BranchID(fmt.Sprintf("%s-%d", a, 1+i%2)), Name: first[i%5] + " " + last[i%4],
				Email: fmt.Sprintf("p%d@%s.example", i, a), Phone: fmt.Sprintf("+1 212 555 %04d", i)}, "")
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func searchAll(t *testing.T, s *Store, query string, scope stead.Scope) (ids []stead.MemberID) {
	t.Helper()
	err := s.View(t.Context(), func(tx store.Tx) error {
		for after := ""; ; {
			found, next, err := tx.FindMembers(query, scope, 33, after)
			if err != nil {
				return err
			}
			for _, m := range found {
				if !scope.Covers(m.Account, m.Branch) {
					t.Errorf("%q: %s is outside %+v", query, m.ID, scope)
				}
				ids = append(ids, m.ID)
			}
			if after = next; next == "" {
				return nil
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// A small scope is walked, a large one filters what the indexes offer. Both must find the same.
func TestS2_01_WalkedAndFilteredScopesFindTheSame(t *testing.T) {
	s := town(t)
	for _, scope := range []stead.Scope{
		{Accounts: []stead.AccountID{"elm"}},
		{Branches: []stead.BranchID{"fir-1", "oak-2"}},
		{Accounts: []stead.AccountID{"oak"}, Branches: []stead.BranchID{"oak-1", "elm-2"}},
	} {
		for _, query := range []string{"", "jose", "san", "santos j", "wu li", "elm", "m-01", "555 01", "anna", "@fir", "0@oak", "nobody"} {
			s.bounds.walk = 1000
			walked := searchAll(t, s, query, scope)
			s.bounds.walk = 0
			filtered := searchAll(t, s, query, scope)
			if !slices.Equal(walked, filtered) {
				t.Errorf("%q in %+v: walked %d, filtered %d", query, scope, len(walked), len(filtered))
			}
		}
	}
}

// What is left out when too much matches must never be what lies in the scope while others' members come in.
func TestS2_01_OthersMembersDoNotCrowdOutOnesOwn(t *testing.T) {
	s := town(t)
	s.bounds = bounds{hits: 10, walk: 0}
	mine := stead.Scope{Branches: []stead.BranchID{"oak-2"}} // 50 of 300
	for _, query := range []string{"san", "antos", ".example"} {
		if n := len(searchAll(t, s, query, mine)); n != 10 {
			t.Errorf("%q found %d members, want the 10 that are brought into order", query, n)
		}
	}
}

// fullScan is a plan that reads all of a table: not by an index, not by a full-text match.
var fullScan = regexp.MustCompile(`^SCAN (m|members|t|a|accounts)( |$)(USING COVERING INDEX|[^U]|$)|^SCAN member_text VIRTUAL TABLE INDEX [0-9]+:$`)

// Every way to the members must enter an index: reading whole tables is what makes a search slow.
func TestS0_01_SearchEntersAnIndex(t *testing.T) {
	s := town(t)
	for _, bound := range []bounds{{hits: 500, walk: 0}, {hits: 500, walk: 2000}} {
		for _, scope := range []stead.Scope{{All: true}, {Accounts: []stead.AccountID{"elm"}, Branches: []stead.BranchID{"oak-1"}}} {
			for _, query := range []string{"", "jose", "wu li", "0@oak", "555 01"} {
				for _, line := range plans(t, s, bound, query, scope) {
					if fullScan.MatchString(line) {
						t.Errorf("%q in %+v: %s", query, scope, line)
					}
				}
			}
		}
	}
}

// plans is what SQLite plans for every statement of a search.
func plans(t *testing.T, s *Store, bound bounds, query string, scope stead.Scope) (lines []string) {
	t.Helper()
	c, err := s.readers.take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.readers.put(c)
	x := &tx{ctx: t.Context(), c: c, bounds: bound}
	c.stmts = map[string]*sql.Stmt{} // so that what is prepared from here on is this search's
	if _, _, err := x.FindMembers(query, scope, 20, ""); err != nil {
		t.Fatal(err)
	}
	for q := range c.stmts {
		lines = append(lines, plan(t, c, q)...)
	}
	return lines
}

func plan(t *testing.T, c *connection, query string) (lines []string) {
	t.Helper()
	rows, err := c.conn.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, make([]any, strings.Count(query, "?"))...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, detail)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}
