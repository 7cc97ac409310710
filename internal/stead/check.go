package stead

// Check is one thing that a part of Stead looked at on this machine. Each part supplies its own, and whoever reads
// them needs no other knowledge of it.
type Check struct {
	Name  string     `json:"name"` // the part and what was looked at, e.g. "browser.found"; stable, for other programs
	State CheckState `json:"state"`
	What  string     `json:"what"`         // what was seen, in a sentence
	Why   string     `json:"why"`          // why it matters
	Do    string     `json:"do,omitempty"` // what a person can do; "" when nothing is wrong
}

// CheckState says how a check came out.
type CheckState string

// The states of a check. Only CheckFailed means that sessions do not work on this machine.
const (
	CheckOK      CheckState = "ok"
	CheckWarning CheckState = "warning"
	CheckFailed  CheckState = "failed"
)
