package sqlite

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// maxQuery is the longest search in characters. Nothing a member can be found by is longer.
const maxQuery = 256

// query is what somebody typed, in the forms in which it is compared. It is always data: it reaches SQL as
// parameters only, and the full-text index as quoted trigrams.
type query struct {
	everything bool     // nothing was typed
	hopeless   bool     // nothing can match
	whole      string   // folded: compared with e-mail, id and account id
	name       string   // its words, one blank between: compared with names
	words      []string // the words of name
	digits     string   // when it is written like a phone number
}

func parseQuery(typed string) query {
	if utf8.RuneCountInString(typed) > maxQuery {
		return query{hopeless: true}
	}
	q := query{whole: fold(typed)}
	q.everything = q.whole == ""
	q.name = nameForm(q.whole)
	q.words = strings.Fields(q.name)
	if phoneLike(q.whole) {
		q.digits = phoneDigits(q.whole)
	}
	return q
}

// way is one way for a query to be in the middle of a member: all pieces are somewhere in the text, an SQL expression.
type way struct {
	text   string
	pieces []string
}

// inside lists the ways that the index can help with. The national form of a phone number drops its leading zero,
// because the stored one has a country code there.
func (q query) inside() []way {
	const anywhere = "m.name_key || char(10) || m.email_key || char(10) || m.phone_digits || char(10) || m.id_key"
	ways := []way{{anywhere, strings.Fields(q.whole)}, {"m.name_key", q.words},
		{"m.phone_digits", []string{strings.TrimLeft(q.digits, "0")}}}
	return slices.DeleteFunc(ways, func(w way) bool { return len(trigrams(w.pieces)) == 0 })
}

// maxTrigrams is how many trigrams of one way are looked up. Each hit is compared in full afterwards, so leaving some
// out costs time at most.
const maxTrigrams = 12

// trigrams are the runs of three characters in the pieces. Shorter pieces have none: the index cannot find them.
func trigrams(pieces []string) []string {
	var all []string
	for _, piece := range pieces {
		r := []rune(piece)
		for i := 0; i+3 <= len(r); i++ {
			all = append(all, string(r[i:i+3]))
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	if len(all) <= maxTrigrams {
		return all
	}
	some := make([]string, maxTrigrams)
	for i := range some {
		some[i] = all[i*len(all)/maxTrigrams]
	}
	return some
}

// match is the ways as an FTS5 expression (sqlite.org/fts5.html, section 3). Between double quotes everything is
// text but the double quote itself, which is doubled.
func match(ways []way) string {
	var or []string
	for _, w := range ways {
		var and []string
		for _, t := range trigrams(w.pieces) {
			and = append(and, `"`+strings.ReplaceAll(t, `"`, `""`)+`"`)
		}
		or = append(or, "("+strings.Join(and, " AND ")+")")
	}
	return strings.Join(or, " OR ")
}

// prefixEnd is the end of the range of texts that begin with p.
func prefixEnd(p string) string { return p + "\U0010ffff" }

// fragment is a piece of SQL with the values of its parameters.
type fragment struct {
	sql  string
	args []any
}

func sqlf(sql string, args ...any) fragment { return fragment{sql, args} }

// join puts fragments together, e.g. with " AND "; alone is what none of them makes.
func join(parts []fragment, with, alone string) fragment {
	if len(parts) == 0 {
		return sqlf(alone)
	}
	var texts []string
	var args []any
	for _, p := range parts {
		texts, args = append(texts, p.sql), append(args, p.args...)
	}
	return fragment{"(" + strings.Join(texts, with) + ")", args}
}

func and(parts ...fragment) fragment { return join(parts, " AND ", "1") }
func or(parts ...fragment) fragment  { return join(parts, " OR ", "0") }
func not(f fragment) fragment        { return fragment{"NOT " + f.sql, f.args} }

// begins compares a column with the beginning of texts by range, so that an index can serve it.
func begins(column, with string) fragment {
	if with == "" {
		return sqlf("0")
	}
	return sqlf("("+column+" >= ? AND "+column+" < ?)", with, prefixEnd(with))
}
