package stead

import (
	"strings"
	"testing"
)

func agent(change func(*Staff)) Staff {
	s := Staff{ID: "st-lena", Role: RoleSupport, Tier: 1, Privilege: true, Scope: Scope{Accounts: []AccountID{"acme"}, Branches: []BranchID{"birch-north"}}}
	if change != nil {
		change(&s)
	}
	return s
}

func question(change func(*Question)) Question {
	q := Question{Agent: agent(nil), Member: &Member{ID: "m-1", Account: "acme", Branch: "acme-west"},
		Reason:  Reason{Category: CategoryTroubleshooting, Text: "plan page shows an error"},
		Consent: Consent{Attested: true, How: ConsentPhone}}
	if change != nil {
		change(&q)
	}
	return q
}

// TestDecide is the table of the rules; S0_09, S0_16 and S2_01 are rows of it.
func TestDecide_S0_09_S0_16_S2_01(t *testing.T) {
	for _, c := range []struct {
		name string
		q    func(*Question)
		want Code
	}{
		{"yes", nil, ""},
		{"a lead with the privilege may", func(q *Question) { q.Agent.Role = RoleLead }, ""},
		{"a ticket alone is reason enough", func(q *Question) { q.Reason, q.Ticket = Reason{}, "SUP-4711" }, ""},
		{"member of a branch in scope", func(q *Question) { q.Member.Account, q.Member.Branch = "birch", "birch-north" }, ""},
		{"no chain", func(q *Question) { q.Impersonating = true }, CodeChain},
		{"disabled agent", func(q *Question) { q.Agent.Disabled = true }, CodeStaffDisabled},
		{"no privilege", func(q *Question) { q.Agent.Privilege = false }, CodeNoPrivilege},
		{"an auditor never", func(q *Question) { q.Agent.Role = RoleAuditor }, CodeNoPrivilege},
		{"an unknown role never", func(q *Question) { q.Agent.Role = "owner" }, CodeNoPrivilege},
		{"unknown member", func(q *Question) { q.Member = nil }, CodeMemberNotFound},
		{"S2_01 other branch", func(q *Question) { q.Member.Account, q.Member.Branch = "birch", "birch-south" }, CodeMemberNotFound},
		{"outside the scope even a peer is not found", func(q *Question) { q.Member.Account, q.MemberIsStaff = "other", true }, CodeMemberNotFound},
		{"outside the scope even a disabled one is not found", func(q *Question) { q.Member.Account, q.Member.Disabled = "other", true }, CodeMemberNotFound},
		{"no self", func(q *Question) { q.MemberIsSelf, q.MemberIsStaff = true, true }, CodeSelf},
		{"S0_16 no peer", func(q *Question) { q.MemberIsStaff = true }, CodePeer},
		{"S0_16 no peer for a superadmin either", func(q *Question) { q.Agent.Role, q.Agent.Scope.All, q.MemberIsStaff = RoleSuperadmin, true, true }, CodePeer},
		{"disabled member", func(q *Question) { q.Member.Disabled = true }, CodeMemberDisabled},
		{"one parked note is allowed", func(q *Question) { q.NotesOwed = 1 }, ""},
		{"two owed notes are not", func(q *Question) { q.NotesOwed = 2 }, CodeNotesOwed},
		{"one overdue note is too many", func(q *Question) { q.NotesOwed, q.NoteOverdue = 1, true }, CodeNotesOwed},
		{"unless all are of the same case", func(q *Question) { q.NotesOwed, q.SameCase = 2, true }, ""},
		{"S0_09 no reason", func(q *Question) { q.Reason = Reason{} }, CodeReasonInvalid},
		{"S0_09 reason without category", func(q *Question) { q.Reason.Category = "" }, CodeReasonInvalid},
		{"S0_09 a dot is no reason", func(q *Question) { q.Reason.Text = "." }, CodeReasonInvalid},
		{"S0_09 one word repeated is no reason", func(q *Question) { q.Reason.Text = "test test test test" }, CodeReasonInvalid},
		{"reason too long even with a ticket", func(q *Question) { q.Ticket, q.Reason.Text = "SUP-1", strings.Repeat("x", MaxTextLength+1) }, CodeReasonInvalid},
		{"ticket of no form", func(q *Question) { q.Ticket = "sup 12" }, CodeTicketInvalid},
		{"ticket with something behind it", func(q *Question) { q.Ticket = "SUP-12\n" }, CodeTicketInvalid},
		{"no consent", func(q *Question) { q.Consent = Consent{} }, CodeConsentMissing},
		{"consent without how", func(q *Question) { q.Consent.How = "" }, CodeConsentMissing},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Decide(question(c.q)); got != c.want {
				t.Errorf("Decide = %q, want %q", got, c.want)
			}
		})
	}
}

// TestEligibleNeedsNoReason holds Decide to Eligible: what Eligible refuses, Decide refuses with the same code.
func TestEligibleNeedsNoReason(t *testing.T) {
	for _, change := range []func(*Question){
		func(q *Question) { q.Impersonating = true }, func(q *Question) { q.Agent.Privilege = false }, func(q *Question) { q.Member = nil },
		func(q *Question) { q.MemberIsStaff = true }, func(q *Question) { q.NotesOwed = 5 },
	} {
		q := question(change)
		q.Reason, q.Consent = Reason{}, Consent{}
		if e, d := Eligible(q), Decide(q); e == "" || e != d {
			t.Errorf("Eligible = %q, Decide = %q", e, d)
		}
	}
	q := question(func(q *Question) { q.Reason, q.Consent = Reason{}, Consent{} })
	if e := Eligible(q); e != "" {
		t.Errorf("Eligible without a reason = %q, want yes", e)
	}
}

func TestRolesAndActions(t *testing.T) {
	want := map[Role]string{
		RoleSupport:    "find_members impersonate",
		RoleLead:       "find_members impersonate see_sessions end_any read_trail enrol_devices see_devices revoke_device",
		RoleAuditor:    "see_sessions read_trail see_devices",
		RoleSuperadmin: "find_members impersonate see_sessions end_any read_trail enrol_devices see_devices revoke_device erase hold",
		"owner":        "",
	}
	for role, list := range want {
		var got []string
		for _, a := range Actions() {
			if role.May(a) {
				got = append(got, string(a))
			}
		}
		if s := strings.Join(got, " "); s != list {
			t.Errorf("%s may %q, want %q", role, s, list)
		}
	}
	if len(Roles()) != len(roleActions) {
		t.Errorf("Roles lists %d of %d roles", len(Roles()), len(roleActions))
	}
}

func TestCodesHaveSentenceAndHint(t *testing.T) {
	seen := map[string]Code{}
	for _, c := range Codes() {
		s, h := c.Sentence(), c.Hint()
		if !strings.HasSuffix(s, ".") || !strings.HasSuffix(h, ".") {
			t.Errorf("%s: sentence %q and hint %q must be sentences", c, s, h)
		}
		if other, ok := seen[s]; ok {
			t.Errorf("%s and %s say the same", c, other)
		}
		seen[s] = c
	}
	if Code("nonsense").Known() || Code("nonsense").Sentence() != CodeInternal.Sentence() {
		t.Error("an unknown code must read like an internal error")
	}
}

func TestCausesReportable(t *testing.T) {
	platformOnly := map[Cause]bool{CauseExpired: true, CauseSuperseded: true, CauseAdmin: true, CauseConnectionLost: true, CauseDeviceRevoked: true}
	for _, c := range Causes() {
		if c.Reportable() == platformOnly[c] {
			t.Errorf("%s: Reportable = %v", c, c.Reportable())
		}
	}
}
