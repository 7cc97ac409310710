package httpapi

import (
	"context"
	"encoding/hex"

	"stead/internal/api"
	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/authority"
	"stead/internal/platform/notify"
	"stead/internal/platform/store"
)

func (s *server) Introspect(ctx context.Context, r api.IntrospectRequestObject) (api.IntrospectResponseObject, error) {
	c, err := s.Authority.Introspect(ctx, r.Body.Token)
	if err != nil || c == nil {
		return api.Introspect200JSONResponse{Active: false}, err
	}
	exp := c.ExpiresAt.Unix()
	return api.Introspect200JSONResponse{Active: true, Iss: &c.Issuer, Sub: &c.Subject, Aud: &c.Audience[0], Act: &api.Actor{Sub: c.Actor.Subject},
		Sid: &c.SessionID, Account: &c.Account, Scope: &c.Scope, Exp: &exp, TokenType: optional("at+jwt"),
		SteadMode: optional(api.IntrospectionSteadMode(c.Mode))}, nil
}

// ExchangeHandoff answers a cookie that browsers send although the way to the member app began on another site: with
// Strict, the page after the form post would come without it.
func (s *server) ExchangeHandoff(ctx context.Context, r api.ExchangeHandoffRequestObject) (api.ExchangeHandoffResponseObject, error) {
	o, err := s.Authority.Exchange(ctx, stead.Secret(r.Body.Code))
	if err != nil {
		return nil, err
	}
	return api.ExchangeHandoff200JSONResponse{SessionID: string(o.Session.ID), StartURL: o.App.StartURL,
		Cookie: api.Cookie{Name: o.App.CookieName, Value: o.Token, HTTPOnly: true, Secure: true, SameSite: api.Lax}}, nil
}

func (s *server) EndFromApp(ctx context.Context, r api.EndFromAppRequestObject) (api.EndFromAppResponseObject, error) {
	return api.EndFromApp204Response{}, s.Authority.EndFromApp(ctx, r.Body.Token)
}

func (s *server) ReportActions(ctx context.Context, r api.ReportActionsRequestObject) (api.ReportActionsResponseObject, error) {
	actions := make([]authority.Action, 0, len(r.Body.Actions))
	for _, a := range r.Body.Actions {
		actions = append(actions, authority.Action{ID: a.ID, Session: stead.SessionID(a.SessionID), Method: a.Method, Path: a.Path,
			Status: a.Status, Words: a.Words, At: a.At})
	}
	return api.ReportActions204Response{}, s.Authority.Report(ctx, actions)
}

func (s *server) ListNotices(ctx context.Context, r api.ListNoticesRequestObject) (api.ListNoticesResponseObject, error) {
	list, unread, err := notify.Notices(ctx, s.Store, stead.MemberID(r.MemberID))
	if err != nil {
		return nil, err
	}
	out := api.ListNotices200JSONResponse{Items: make([]api.Notice, 0, len(list)), Unread: unread}
	for _, n := range list {
		out.Items = append(out.Items, api.Notice{ID: n.ID, Kind: api.NoticeKind(n.Kind), AgentName: n.AgentName, Reason: optional(n.Reason),
			Cause: optional(string(n.Cause)), At: n.CreatedAt, Read: !n.ReadAt.IsZero(), SessionID: string(n.Session), Proof: noticeProof(n.Proof)})
	}
	return out, nil
}

// noticeProof is nil when nothing was signed by then.
func noticeProof(note string) *api.NoticeProof {
	c, err := audit.ParseCheckpoint([]byte(note))
	if err != nil {
		return nil
	}
	return &api.NoticeProof{Size: c.Size, Root: hex.EncodeToString(c.Root[:]), Checkpoint: note}
}

func (s *server) MarkNoticesRead(ctx context.Context, r api.MarkNoticesReadRequestObject) (api.MarkNoticesReadResponseObject, error) {
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		return tx.MarkNoticesRead(stead.MemberID(r.MemberID), r.Body.UpTo, tx.Now())
	})
	return api.MarkNoticesRead204Response{}, err
}

func (s *server) ListMemberSessions(ctx context.Context, r api.ListMemberSessionsRequestObject) (api.ListMemberSessionsResponseObject, error) {
	visits, err := notify.Visits(ctx, s.Store, s.Ledger, stead.MemberID(r.MemberID))
	if err != nil {
		return nil, err
	}
	out := api.ListMemberSessions200JSONResponse{Items: make([]api.Visit, 0, len(visits))}
	for _, v := range visits {
		out.Items = append(out.Items, api.Visit{SessionID: string(v.Session), AgentName: v.AgentName, Reason: v.Reason, StartedAt: v.StartedAt,
			ExpiresAt: v.ExpiresAt, EndedAt: optionalTime(v.EndedAt), Viewed: notNil(v.Viewed), Changed: notNil(v.Changed)})
	}
	return out, nil
}

func notNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
