package app

import (
	"cmp"
	"encoding/hex"
	"slices"
	"time"

	"stead/internal/api"
	"stead/internal/desktop"
	"stead/internal/desktop/session"
	"stead/internal/stead"
)

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func deref[T any](p *T) T {
	var zero T
	if p == nil {
		return zero
	}
	return *p
}

func personView(m api.Me) *PersonView {
	return &PersonView{ID: m.ID, Name: m.Name, Email: m.Email, Role: string(m.Role), Tier: m.Tier, Privilege: m.Privilege, Actions: m.Actions}
}

func memberView(m api.MemberRow) MemberView {
	return MemberView{ID: m.ID, Name: m.Name, Email: m.Email, Phone: m.Phone, Account: m.Account, AccountName: m.AccountName,
		BranchName: m.BranchName, Power: string(m.Level) == string(stead.LevelPower), Disabled: m.Disabled}
}

func membersView(p api.MemberPage) MembersView {
	out := MembersView{Items: []MemberView{}, Next: deref(p.NextCursor)}
	for _, m := range p.Items {
		out.Items = append(out.Items, memberView(m))
	}
	return out
}

func profileView(p api.Profile) ProfileView {
	out := ProfileView{Member: memberView(p.Member), MayImpersonate: p.Impersonate.Allowed, IdentityCheckedAt: millis(deref(p.IdentityCheckedAt)), Notes: []NoteView{}}
	if v := p.Impersonate; !v.Allowed {
		out.WhyNot = &ProblemView{Code: string(deref(v.Code)), Sentence: deref(v.Sentence), Hint: deref(v.Hint)}
	}
	for _, n := range p.Notes {
		out.Notes = append(out.Notes, NoteView{At: millis(n.At), Author: n.Author, Kind: string(n.Kind), Text: n.Text})
	}
	return out
}

// toAsk turns what the dialog confirmed into what is asked, for the member as the platform has just shown them.
func toAsk(v StartView, p api.Profile) (session.Ask, error) {
	subject, err := stead.ParsePseudonym(p.Pseudonym)
	if err != nil {
		return session.Ask{}, stead.E(stead.CodeVersion, err)
	}
	checked := p.IdentityCheckedAt != nil
	return session.Ask{Member: p.Member, Subject: subject, Reason: stead.Reason{Category: stead.Category(v.Category), Text: v.Reason}, Ticket: v.Ticket,
		Consent:   stead.Consent{Attested: v.Consent, How: stead.ConsentHow(v.ConsentHow), At: time.Now()},
		NameMatch: checked || v.NameChecked, MailMatch: checked || v.MailChecked}, nil
}

func liveView(s session.State) LiveView {
	v := LiveView{Phase: string(s.Phase), Step: string(s.Step), SessionID: string(s.ID), MemberID: s.Member.ID, MemberName: s.Member.Name,
		MemberEmail: s.Member.Email, Account: s.Member.AccountName, Scope: s.Scope, View: string(s.View), EndsAt: millis(s.EndsAt), LostAt: millis(s.LostAt),
		Cause: string(s.Cause), Confirmed: s.Confirmed, Wiped: s.Wiped, Unguarded: s.Mode == stead.ModeFallback,
		NoteOwed: s.Phase == session.PhaseEnded && s.Cause != stead.CauseNotOpened}
	if s.Problem != nil {
		v.Problem = problem(s.Problem)
	}
	return v
}

// sessionView translates a session; offset is the platform's clock minus this machine's.
func (c *core) sessionView(s api.Session, offset time.Duration) SessionView {
	mine, may := c.mayEnd(s.Agent.ID)
	return SessionView{ID: s.ID, AgentID: s.Agent.ID, AgentName: named(s.Agent),
		MemberID: s.Member.ID, MemberName: named(s.Member), MemberEmail: s.Member.Email, Account: s.Account, State: string(s.State), Category: s.Reason.Category, Reason: s.Reason.Text, Ticket: s.Ticket, StartedAt: millis(s.StartedAt),
		EndsAt: millis(s.ExpiresAt.Add(-offset)), EndedAt: millis(deref(s.EndedAt)), Cause: deref(s.Cause), EndedBy: deref(s.EndedBy), Note: s.Note,
		NoteOwed: s.NoteOwed, Mine: mine, MayEnd: may && s.State != "ended"}
}

func recordView(e api.TrailEntry) RecordView {
	v := RecordView{Index: e.Index, At: millis(e.At), Source: e.Source, Kind: e.Kind, SessionID: deref(e.SessionID),
		Texts: string(deref(e.TextsState)), Leaf: e.Leaf, Facts: []FactView{}}
	if e.Actor != nil {
		v.Actor = named(*e.Actor)
	}
	if e.Subject != nil {
		v.Subject = named(*e.Subject)
	}
	for _, m := range []map[string]string{e.Facts, e.Texts} {
		for name, value := range m {
			v.Facts = append(v.Facts, FactView{Name: name, Value: value})
		}
	}
	slices.SortFunc(v.Facts, func(a, b FactView) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return v
}

// named is what a person is called: by their id when they were erased, for then they have no name.
func named(p api.Person) string { return cmp.Or(p.Name, p.ID) }

// outboxView is the outbox as the window shows it.
func outboxView(d *desktop.Desk) (OutboxView, error) {
	ob, err := d.Outbox()
	if err != nil {
		return OutboxView{}, err
	}
	s := ob.State()
	v := OutboxView{Pending: int(s.Pending), OldestAt: millis(s.Oldest), NextTryAt: millis(s.NextTry), Acknowledged: s.Acknowledged, //nolint:gosec // a count of records
		Proven: s.Receipted, Quarantined: int(s.Quarantined), Alarm: s.Alarm || s.LowDisk, //nolint:gosec // a count of records
		Problem: problemOf(cmp.Or(s.Broken, s.LastError, s.ReceiptError)), Blocked: problemOf(cmp.Or(s.Broken, stead.CodeOf(ob.MayStart())))}
	if r, ok := d.Recovery(); ok {
		v.Recovered = recoveredView(r)
	}
	return v, nil
}

func recoveredView(r desktop.Recovery) *RecoveredView {
	v := &RecoveredView{Evidence: r.File, Salvaged: r.Salvaged, Missing: r.Missing}
	if r.File != "" {
		v.SHA256 = hex.EncodeToString(r.SHA256[:])
	}
	return v
}

// problemOf is what a person reads of a code; nil for none.
func problemOf(code stead.Code) *ProblemView {
	if code == "" {
		return nil
	}
	return &ProblemView{Code: string(code), Sentence: code.Sentence(), Hint: code.Hint()}
}
