package stead

import (
	"time"
	"unicode/utf8"
)

// How many close-out notes an agent may owe, and for how long, and still start another session.
const (
	MaxParkedNotes = 1
	NoteDue        = 2 * time.Hour
)

// Question is everything a decision depends on. Decide looks at nothing else.
type Question struct {
	Agent         Staff
	Impersonating bool    // the caller came with an impersonation credential
	Member        *Member // nil when there is no such member
	MemberIsStaff bool    // a staff member of any role and tier, linked by identifier
	MemberIsSelf  bool    // that staff member is the agent
	NotesOwed     int     // close-out notes the agent still owes
	NoteOverdue   bool    // one of them for longer than NoteDue
	SameCase      bool    // every owed note is about this member and this ticket
	Reason        Reason
	Ticket        string
	Consent       Consent
}

// Decide answers whether the agent may start a session for the member, with that reason and consent: the empty
// code for yes, else the first rule that says no. It is pure, and the only place where these rules are written.
//
// What concerns the agent alone comes first and the scope second, so that a refusal never tells somebody outside
// the scope whether the member exists (CVE-2021-21424 is that mistake elsewhere).
func Decide(q Question) Code {
	if c := Eligible(q); c != "" {
		return c
	}
	switch {
	case utf8.RuneCountInString(q.Reason.Text) > MaxTextLength:
		return CodeReasonInvalid
	case q.Ticket != "" && !ValidTicket(q.Ticket):
		return CodeTicketInvalid
	case q.Ticket == "" && !q.Reason.Sufficient():
		return CodeReasonInvalid
	case !q.Consent.Given():
		return CodeConsentMissing
	}
	return ""
}

// Eligible is the part of Decide that needs no reason yet: whether to offer the action at all.
func Eligible(q Question) Code {
	switch {
	case q.Impersonating:
		return CodeChain
	case q.Agent.Disabled:
		return CodeStaffDisabled
	case !q.Agent.Role.May(ActionImpersonate) || !q.Agent.Privilege:
		return CodeNoPrivilege
	case q.Member == nil || !q.Agent.Scope.Covers(q.Member.Account, q.Member.Branch):
		return CodeMemberNotFound
	case q.MemberIsSelf:
		return CodeSelf
	case q.MemberIsStaff:
		return CodePeer
	case q.Member.Disabled:
		return CodeMemberDisabled
	case (q.NotesOwed > MaxParkedNotes || q.NoteOverdue) && !q.SameCase:
		return CodeNotesOwed
	}
	return ""
}
