package roster

import (
	"net/mail"
	"regexp"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // which time zones there are must not depend on the machine
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"
)

const (
	maxName  = 200 // characters
	maxPhone = 40
	maxEmail = 254 // RFC 5321 4.5.3.1.3, without the angle brackets
	maxPlace = 64  // bytes of a language or a time zone
	maxTier  = 9
	// maxSubject is how long a subject can be by OpenID Connect Core 2.
	maxSubject = 255
)

var idForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// cells reads the cells of one row and notes what is wrong with each.
type cells struct {
	row
	bad *problems
}

func (c cells) wrong(column, format string, args ...any) {
	c.bad.add(c.line, column+": "+format, args...)
}

// id is the cell's id. An id that is optional may be empty.
func (c cells) id(column string, optional bool) string {
	v := c.cells[column]
	if (v != "" || !optional) && !idForm.MatchString(v) {
		c.wrong(column, "%q is not 1 to 64 of A-Z a-z 0-9 . _ -", v)
	}
	return v
}

// ids are the ids in the cell, separated by spaces or semicolons, each once.
func (c cells) ids(column string) []string {
	var ids []string
	seen := map[string]bool{}
	for _, v := range strings.FieldsFunc(c.cells[column], func(r rune) bool { return r == ';' || unicode.IsSpace(r) }) {
		if !idForm.MatchString(v) {
			c.wrong(column, "%q is not 1 to 64 of A-Z a-z 0-9 . _ -", v)
		}
		if !seen[v] {
			ids = append(ids, v)
		}
		seen[v] = true
	}
	return ids
}

// text is what people read: valid UTF-8 in one line.
func (c cells) text(column string, least, most int) string {
	v := c.cells[column]
	switch n := utf8.RuneCountInString(v); {
	case !utf8.ValidString(v):
		c.wrong(column, "is not valid UTF-8")
	case n < least:
		c.wrong(column, "is empty")
	case n > most:
		c.wrong(column, "has %d characters, more than %d", n, most)
	case strings.ContainsFunc(v, unicode.IsControl):
		c.wrong(column, "has a line break or another control character")
	}
	return v
}

func (c cells) email() string {
	v := c.cells["email"]
	a, err := mail.ParseAddress(v)
	if err != nil || a.Name != "" || a.Address != v || len(v) > maxEmail {
		c.wrong("email", "%q is not an e-mail address", v)
	}
	return v
}

// language is the cell's language as BCP 47 writes it, "" where the file does not say.
func (c cells) language() string {
	v := c.cells["language"]
	if v == "" {
		return ""
	}
	tag, err := language.Parse(v)
	if err != nil || len(v) > maxPlace {
		c.wrong("language", "%q is not a language such as en or de-CH (BCP 47)", v)
		return ""
	}
	return tag.String()
}

// timeZone is the cell's time zone, "" where the file does not say.
func (c cells) timeZone() string {
	v := c.cells["time_zone"]
	if v == "" {
		return ""
	}
	if _, err := time.LoadLocation(v); err != nil || v == "Local" || len(v) > maxPlace {
		c.wrong("time_zone", "%q is not a time zone such as Europe/Zurich (IANA)", v)
	}
	return v
}

func (c cells) flag(column string) bool {
	v := c.cells[column]
	if v != "" && v != "true" && v != "false" {
		c.wrong(column, "%q is neither true nor false", v)
	}
	return v == "true"
}

func (c cells) tier() int {
	v := c.cells["tier"]
	if v == "" {
		return 0
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 || n > maxTier {
		c.wrong("tier", "%q is not a number from 0 to %d", v, maxTier)
	}
	return n
}
