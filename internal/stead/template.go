package stead

import (
	"net/url"
	"strings"
)

const (
	maxSegment  = 32  // a longer segment is an id, whatever it is made of
	maxRun      = 20  // so is one with a longer run of letters: no word has as many
	maxCapitals = 8   // in a row
	maxHumps    = 2   // capitals behind a small letter, as in supportAccessList
	maxTemplate = 200 // bytes of a template
)

// PathTemplate is an address's path as a record holds it: "/orders/4711/edit" becomes "/orders/{id}/edit". A segment
// stays only if it looks like words; digits, UUIDs, hashes, tokens, e-mail addresses and whatever else could be
// somebody's become {id}. So does a placeholder in the path templates of other programs (":id", "{name}", "<int:n>"). A
// last "*" stays. What is longer than 200 bytes ends in "/*". Neither query nor fragment may be in it.
func PathTemplate(path string) string {
	var b strings.Builder
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, s := range segments {
		if rest := s == "*" && i == len(segments)-1; !rest && !wordy(s) {
			s = "{id}"
		}
		if b.Len()+1+len(s) > maxTemplate-len("/*") {
			b.WriteString("/*")
			break
		}
		b.WriteByte('/')
		b.WriteString(s)
	}
	return b.String()
}

// wordy reports whether a segment looks like words of a program's author: letters with -, _ and . between them, with
// no digit but in a version ("v2").
func wordy(s string) bool {
	if len(s) > maxSegment {
		return false
	}
	if version := strings.TrimLeft(s, "v"); len(s)-len(version) == 1 && len(version) <= 2 && strings.Trim(version, "0123456789") == "" {
		return true
	}
	run, capitals, humps := 0, 0, 0
	for i, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z':
			run, capitals = run+1, 0
		case c >= 'A' && c <= 'Z':
			run, capitals = run+1, capitals+1
			if i > 0 && s[i-1] >= 'a' && s[i-1] <= 'z' {
				humps++
			}
		case c == '-' || c == '_' || c == '.':
			run, capitals = 0, 0
		default:
			return false
		}
		if run > maxRun || capitals > maxCapitals || humps > maxHumps {
			return false
		}
	}
	return true
}

// PathOf is the template of an address's path; "" when it is none.
func PathOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return PathTemplate(u.EscapedPath())
}

// TemplateFits reports whether a request whose path has the template seen is one that a program's own template of that
// path may be about: each "{id}" in it stands for any one segment, and a last "*" for any rest.
func TemplateFits(template, seen string) bool {
	want, got := strings.Split(PathTemplate(template), "/"), strings.Split(seen, "/")
	for i, w := range want {
		if w == "*" || i < len(got) && got[i] == "*" {
			return true
		}
		if i >= len(got) || w != "{id}" && w != got[i] {
			return false
		}
	}
	return len(want) == len(got)
}
