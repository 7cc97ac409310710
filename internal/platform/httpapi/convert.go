package httpapi

import (
	"time"

	"github.com/google/uuid"

	"stead/internal/api"
	"stead/internal/stead"

	"stead/internal/platform/ledger"
	"stead/internal/platform/store"
)

func optional[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

func optionalTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func toSession(s stead.Session) api.Session {
	return api.Session{
		ID: string(s.ID), DeviceID: string(s.Device), Agent: api.Person{ID: string(s.Agent), Name: s.AgentName},
		Member:  api.Person{ID: string(s.Member), Name: s.MemberName, Email: s.MemberEmail},
		Account: string(s.Account), State: api.SessionState(s.State), Mode: optional(api.SessionMode(s.Mode)), Scope: s.Scope,
		Reason: api.Reason{Category: string(s.Reason.Category), Text: s.Reason.Text}, Ticket: s.Ticket,
		Consent:   api.Consent{Attested: s.Consent.Attested, How: string(s.Consent.How), At: optionalTime(s.Consent.At)},
		StartedAt: s.StartedAt, ExpiresAt: s.ExpiresAt, LastSeen: s.LastSeen, OpenedAt: optionalTime(s.OpenedAt), EndedAt: optionalTime(s.EndedAt),
		Cause: optional(string(s.Cause)), EndedBy: optional(string(s.EndedBy)), Note: s.Note, NoteOwed: s.NoteOwed(),
	}
}

func toSessions(rows []store.SessionRow) []api.Session {
	out := make([]api.Session, 0, len(rows))
	for _, r := range rows {
		out = append(out, toSession(r.Session))
	}
	return out
}

func toMember(m stead.Member) api.MemberRow {
	return api.MemberRow{ID: string(m.ID), Name: m.Name, Email: m.Email, Phone: m.Phone, Language: m.Language, TimeZone: m.TimeZone, Account: string(m.Account), AccountName: m.AccountName,
		Branch: string(m.Branch), BranchName: m.BranchName, Level: api.MemberRowLevel(m.Level), Disabled: m.Disabled}
}

func toPerson(p *ledger.Person) *api.Person {
	if p == nil {
		return nil
	}
	return &api.Person{ID: p.ID, Name: p.Name, Email: p.Email}
}

func toTrailEntry(l ledger.Line) api.TrailEntry {
	return api.TrailEntry{Index: l.Index, ReceivedAt: l.ReceivedAt, At: l.At, Source: l.Source, Kind: string(l.Kind),
		SessionID: optional(string(l.Session)), Actor: toPerson(l.Actor), Subject: toPerson(l.Subject), Texts: l.Texts, Facts: l.Facts, Leaf: l.Leaf,
		TextsState: optional(api.TrailEntryTextsState(l.State))}
}

func toVerdict(c stead.Code) api.Verdict {
	if c == "" {
		return api.Verdict{Allowed: true}
	}
	return api.Verdict{Code: optional(api.ProblemCode(c)), Sentence: optional(c.Sentence()), Hint: optional(c.Hint())}
}

// requestKey reads an idempotency key. It becomes the event id of the record the request writes, so it must be one.
func requestKey(k api.IdempotencyKey) (uuid.UUID, error) {
	if k.Version() != 7 || k.Variant() != uuid.RFC4122 {
		return uuid.Nil, stead.Errorf(stead.CodeBadRequest, "Idempotency-Key must be a UUIDv7")
	}
	return k, nil
}

func limitOf(l *api.Limit) int {
	if l == nil {
		return 20
	}
	return *l
}

func text[T ~string](s *T) string {
	if s == nil {
		return ""
	}
	return string(*s)
}
