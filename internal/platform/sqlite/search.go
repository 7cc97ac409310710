package sqlite

import (
	"slices"
	"strings"

	"stead/internal/stead"
)

// Search goes through stages, each in the order of names, and stops as soon as the page is full: what most people
// type is answered by the first. Nobody is found by two stages, because each excludes the ones before.
type stage int

const (
	nameBegins  stage = iota // the name begins with the query; everybody when nothing was typed
	otherBegins              // another word, e-mail, phone, id or account begins with it
	hasInside                // it is somewhere in the middle
	noStage
)

// bounds keep a search of "a" or "gmail" as fast as one that finds little.
type bounds struct {
	// hits is how many members the second and the third stage bring into order, each. When more match, the rest
	// cannot be paged to: the query has to become longer.
	hits int
	// walk is up to how many members a scope is walked instead of an index of all: somebody who looks after few would
	// else wait while the index offers everybody else's.
	walk int
}

var standardBounds = bounds{hits: 500, walk: 2000}

// place is a cursor: a stage and the last row taken from it.
type place struct {
	Stage    stage
	Name, ID string
}

// FindMembers implements store.MemberTx.
func (t *tx) FindMembers(typed string, scope stead.Scope, limit int, after string) ([]stead.Member, string, error) {
	var at place
	if after != "" {
		if err := decodeCursor(after, &at); err != nil {
			return nil, "", err
		}
		if at.Stage < nameBegins || at.Stage >= noStage {
			return nil, "", stead.Errorf(stead.CodeBadRequest, "cursor")
		}
	}
	s := search{tx: t, query: parseQuery(typed)}
	if s.hopeless || !s.within(scope) {
		return nil, "", nil
	}
	if err := s.measure(); err != nil {
		return nil, "", err
	}
	limit = page(limit, 20, 200)
	var found []hit
	for ; at.Stage < noStage && len(found) <= limit; at = (place{Stage: at.Stage + 1}) {
		hits, err := s.run(at, limit+1-len(found))
		if err != nil {
			return nil, "", err
		}
		found = append(found, hits...)
	}
	next := ""
	if len(found) > limit {
		found = found[:limit]
		next = encodeCursor(found[limit-1].place)
	}
	members := make([]stead.Member, len(found))
	for i, h := range found {
		members[i] = h.Member
	}
	return members, next, nil
}

// search is one call of FindMembers.
type search struct {
	*tx
	query
	scope  fragment // condition on m: the member is inside the scope
	mine   fragment // the seqs of the members inside the scope
	ours   fragment // condition on accounts: some of its members can be inside the scope
	all    bool
	walked bool // the scope is small: walk it
}

type hit struct {
	stead.Member
	place
}

// within takes the scope over into conditions; false when it covers nobody.
func (s *search) within(scope stead.Scope) bool {
	if scope.All {
		s.all, s.scope, s.ours = true, sqlf("1"), sqlf("1")
		return true
	}
	accounts := slices.DeleteFunc(slices.Clone(scope.Accounts), func(a stead.AccountID) bool { return a == "" })
	branches := slices.DeleteFunc(slices.Clone(scope.Branches), func(b stead.BranchID) bool { return b == "" })
	in := []any{list[stead.AccountID]{&accounts}.text(), list[stead.BranchID]{&branches}.text()}
	// The plus signs keep the planner from choosing these columns' indexes.
	s.scope = sqlf("(+m.account IN (SELECT value FROM json_each(?)) OR +m.branch IN (SELECT value FROM json_each(?)))", in...)
	s.mine = sqlf(`SELECT seq FROM members WHERE account IN (SELECT value FROM json_each(?))
		UNION ALL SELECT seq FROM members WHERE branch IN (SELECT value FROM json_each(?))`, in...)
	s.ours = sqlf(`(id IN (SELECT value FROM json_each(?))
		OR id IN (SELECT account FROM branches WHERE id IN (SELECT value FROM json_each(?))))`, in...)
	return len(accounts)+len(branches) > 0
}

// measure finds out whether the scope is small.
func (s *search) measure() error {
	if s.all {
		return nil
	}
	n, err := s.count("SELECT count(*) FROM ("+s.mine.sql+" LIMIT ?)", append(slices.Clone(s.mine.args), s.bounds.walk+1)...)
	s.walked = n <= s.bounds.walk
	return err
}

// run answers up to limit members of one stage, after the place.
func (s *search) run(at place, limit int) ([]hit, error) {
	condition, ok := s.condition(at.Stage)
	if !ok {
		return nil, nil
	}
	condition = and(condition, s.scope, sqlf("NOT EXISTS (SELECT 1 FROM erasures e WHERE e.member = m.id)"))
	from := sqlf("members m")
	switch {
	case s.walked:
		from = fragment{"(SELECT DISTINCT seq FROM (" + s.mine.sql + ")) h CROSS JOIN members m ON m.seq = h.seq", s.mine.args}
	case at.Stage != nameBegins:
		hits, err := s.hits(at.Stage, condition)
		if err != nil {
			return nil, err
		}
		from = fragment{"(" + hits.sql + ") h CROSS JOIN members m ON m.seq = h.seq", hits.args}
		condition = sqlf("1") // the hits meet it
	case s.name < at.Name:
		condition = and(condition, sqlf("m.name_key >= ?", at.Name)) // where the index is entered
	}
	if at.ID != "" {
		condition = and(condition, sqlf("(m.name_key, m.id) > (?, ?)", at.Name, at.ID))
	}
	args := append(slices.Concat(from.args, condition.args), limit)
	return all(s.tx, func(row scanner) (h hit, err error) {
		h.place.Stage = at.Stage
		h.Member, err = readMember(also{row, &h.place.Name})
		h.place.ID = string(h.Member.ID)
		return h, err
	}, "SELECT "+memberColumns+", m.name_key FROM "+from.sql+
		" CROSS JOIN accounts a ON a.id = m.account LEFT JOIN branches b ON b.id = m.branch WHERE "+condition.sql+
		" ORDER BY m.name_key, m.id LIMIT ?", args...)
}

// condition is what a member of the stage meets; false when nobody can.
func (s *search) condition(g stage) (fragment, bool) {
	if s.everything {
		return sqlf("1"), g == nameBegins
	}
	first := begins("m.name_key", s.name)
	if g == nameBegins {
		return first, s.name != ""
	}
	var words []fragment
	for _, w := range s.words {
		words = append(words, sqlf("instr(' ' || m.name_key, ?) > 0", " "+w))
	}
	second := or(join(words, " AND ", "0"), begins("m.email_key", s.whole), begins("m.id_key", s.whole),
		begins("m.phone_digits", s.digits), begins("a.id_key", s.whole), begins("a.name_key", s.name))
	if g == otherBegins {
		return and(not(first), second), true
	}
	var ways []fragment
	for _, w := range s.inside() {
		var pieces []fragment
		for _, piece := range w.pieces {
			pieces = append(pieces, sqlf("instr("+w.text+", ?) > 0", piece))
		}
		ways = append(ways, and(pieces...))
	}
	return and(not(first), not(second), or(ways...)), len(ways) > 0
}

// hits finds up to bounds.hits members that meet the condition, through the index that offers the fewest others.
func (s *search) hits(g stage, condition fragment) (fragment, error) {
	pick := func(from string, by fragment) fragment {
		return fragment{"SELECT seq FROM (SELECT m.seq FROM " + from + " CROSS JOIN accounts a ON a.id = m.account WHERE " +
			by.sql + " AND " + condition.sql + " LIMIT ?)", append(slices.Concat(by.args, condition.args), s.bounds.hits)}
	}
	if g == hasInside {
		return pick("member_text CROSS JOIN members m ON m.seq = member_text.rowid",
			sqlf("member_text MATCH ?", match(s.inside()))), nil
	}
	word, err := s.rarest()
	if err != nil {
		return fragment{}, err
	}
	starts := []string{word, s.whole, s.digits}
	slices.Sort(starts)
	var parts []fragment
	for _, start := range slices.Compact(starts) {
		if start != "" {
			parts = append(parts, pick("member_terms t CROSS JOIN members m ON m.seq = t.member", begins("t.term", start)))
		}
	}
	for _, b := range []fragment{begins("id_key", s.whole), begins("name_key", s.name)} {
		ours := and(b, s.ours)
		parts = append(parts, pick("(SELECT id FROM accounts WHERE "+ours.sql+
			") o CROSS JOIN members m INDEXED BY members_by_account ON m.account = o.id", sqlf("1")).after(ours.args))
	}
	union := join(parts, " UNION ", "")
	return fragment{strings.TrimSuffix(strings.TrimPrefix(union.sql, "("), ")"), union.args}, nil
}

// after is the fragment with parameters that stand before its own.
func (f fragment) after(args []any) fragment { return fragment{f.sql, slices.Concat(args, f.args)} }

// rarest is the word of the query that begins the fewest terms; counting stops where it no longer matters.
func (s *search) rarest() (rarest string, err error) {
	if len(s.words) == 1 {
		return s.words[0], nil
	}
	least := 0
	for _, w := range s.words {
		n, err := s.count("SELECT count(*) FROM (SELECT 1 FROM member_terms WHERE term >= ? AND term < ? LIMIT ?)",
			w, prefixEnd(w), 4*s.bounds.hits)
		if err != nil {
			return "", err
		}
		if rarest == "" || n < least {
			rarest, least = w, n
		}
	}
	return rarest, nil
}

// also scans one column more than the function it is handed to asks for.
type also struct {
	scanner
	last any
}

func (a also) Scan(into ...any) error { return a.scanner.Scan(append(into, a.last)...) }
