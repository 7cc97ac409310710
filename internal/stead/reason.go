package stead

import (
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Category is the kind of help a session is for.
type Category string

const (
	CategoryTroubleshooting Category = "troubleshooting"
	CategoryGuidance        Category = "guidance"
	CategorySettings        Category = "settings"
	CategoryReproduce       Category = "reproduce"
	CategoryOther           Category = "other"
)

// Categories lists every category in the order the window shows them.
func Categories() []Category {
	return []Category{CategoryTroubleshooting, CategoryGuidance, CategorySettings, CategoryReproduce, CategoryOther}
}

// Reason says why a session is needed.
type Reason struct {
	Category Category
	Text     string
}

// The measure of a reason: long enough to say something, short enough for a member's notice.
const (
	MinReasonLength = 15   // characters
	MinReasonWords  = 3    // different words
	MaxTextLength   = 2000 // characters, for reasons and notes alike
)

// Sufficient reports whether the reason stands by itself: a known category and at least fifteen characters with
// three different words, so that "." or "test test test" do not pass.
func (r Reason) Sufficient() bool {
	text := strings.TrimSpace(r.Text)
	if !slices.Contains(Categories(), r.Category) || utf8.RuneCountInString(text) < MinReasonLength {
		return false
	}
	different := map[string]bool{}
	for _, w := range strings.Fields(strings.ToLower(text)) {
		different[w] = true
	}
	return len(different) >= MinReasonWords
}

// ticketPattern is a project key, a dash and a number, as Jira, Linear and YouTrack write it.
var ticketPattern = regexp.MustCompile(`^[A-Z][A-Z0-9]{1,9}-[1-9][0-9]{0,8}$`)

// ValidTicket reports whether the text has the form of a ticket, e.g. "SUP-4711".
func ValidTicket(t string) bool { return ticketPattern.MatchString(t) }

// ConsentHow is how the member agreed.
type ConsentHow string

const (
	ConsentPhone    ConsentHow = "phone"
	ConsentChat     ConsentHow = "chat"
	ConsentEmail    ConsentHow = "email"
	ConsentInPerson ConsentHow = "in_person"
)

// Consent is the member's agreement as the agent attests it.
type Consent struct {
	Attested bool
	How      ConsentHow
	At       time.Time // when the agent attested it, by the agent's clock: evidence, not order
}

// Given reports whether the consent says that and how the member agreed.
func (c Consent) Given() bool {
	switch c.How {
	case ConsentPhone, ConsentChat, ConsentEmail, ConsentInPerson:
		return c.Attested
	}
	return false
}
