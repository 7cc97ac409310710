package httpapi

import (
	"context"
	"errors"

	"stead/internal/api"
	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/authority"
	"stead/internal/platform/ledger"
	"stead/internal/platform/store"
)

func (s *server) StartSession(ctx context.Context, r api.StartSessionRequestObject) (api.StartSessionResponseObject, error) {
	key, err := requestKey(r.Params.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	head, err := toHead(r.Body.Record)
	if err != nil {
		return nil, err
	}
	req := authority.StartRequest{Key: key, Member: stead.MemberID(r.Body.MemberID), Account: stead.AccountID(r.Body.Account),
		Reason: stead.Reason{Category: stead.Category(r.Body.Reason.Category), Text: r.Body.Reason.Text}, Ticket: text(r.Body.Ticket),
		Consent: stead.Consent{Attested: r.Body.Consent.Attested, How: stead.ConsentHow(r.Body.Consent.How)},
		Record:  head, Signature: r.Body.Signature}
	if r.Body.Consent.At != nil {
		req.Consent.At = *r.Body.Consent.At
	}
	st, err := s.Authority.Start(ctx, who(ctx), req)
	if err != nil {
		return nil, err
	}
	return api.StartSession200JSONResponse{Session: toSession(st.Session), Descriptor: st.Descriptor, Handoff: st.Handoff, ServerTime: st.Now}, nil
}

func toHead(r api.RecordRef) (audit.Head, error) {
	epoch, err := audit.ParseEpoch(r.Epoch)
	if err != nil || len(r.Leaf) != 32 {
		return audit.Head{}, stead.Errorf(stead.CodeBadRequest, "field record").Because(err)
	}
	h := audit.Head{Device: stead.DeviceID(r.DeviceID), Epoch: epoch, Seq: uint64(r.Seq)} //nolint:gosec // the contract's minimum is 1
	copy(h.Leaf[:], r.Leaf)
	return h, nil
}

func (s *server) RedeemHandoff(ctx context.Context, r api.RedeemHandoffRequestObject) (api.RedeemHandoffResponseObject, error) {
	if r.Body.Mode != nil && *r.Body.Mode == api.RedeemRequestModeFallback {
		return s.handOver(ctx, r)
	}
	o, err := s.Authority.Redeem(ctx, who(ctx), stead.SessionID(r.SessionID), stead.Secret(r.Body.Code), r.Body.Signature)
	if err != nil {
		return nil, err
	}
	downloads := api.OpenedDownloadsDeny
	if o.App.Downloads {
		downloads = api.OpenedDownloadsSession
	}
	return api.RedeemHandoff200JSONResponse{Session: toSession(o.Session), StartURL: o.App.StartURL,
		Origins: listed(o.App.Origins), OtherPages: listed(o.App.OtherPages), OtherFrames: listed(o.App.OtherFrames), Downloads: &downloads,
		Cookie: &api.Cookie{Name: o.App.CookieName, Value: o.Token, HTTPOnly: true, Secure: true, SameSite: api.Strict}}, nil
}

func (s *server) handOver(ctx context.Context, r api.RedeemHandoffRequestObject) (api.RedeemHandoffResponseObject, error) {
	h, err := s.Authority.HandOver(ctx, who(ctx), stead.SessionID(r.SessionID), stead.Secret(r.Body.Code), r.Body.Signature)
	if err != nil {
		return nil, err
	}
	return api.RedeemHandoff200JSONResponse{Session: toSession(h.Session), StartURL: s.Authority.App.StartURL,
		Handover: &api.Handover{Code: h.Code, PostURL: h.PostURL}}, nil
}

// listed leaves an empty list out.
func listed(list []string) *[]string {
	if len(list) == 0 {
		return nil
	}
	return &list
}

func (s *server) Heartbeat(ctx context.Context, r api.HeartbeatRequestObject) (api.HeartbeatResponseObject, error) {
	var said *ledger.SignedHead
	if r.Body != nil {
		head, err := toSignedHead("", r.Body.Epoch, r.Body.Seq, r.Body.Leaf, r.Body.Signature)
		if err != nil {
			return nil, err
		}
		said = &head
	}
	sess, now, err := s.Authority.Heartbeat(ctx, who(ctx), stead.SessionID(r.SessionID), said)
	return api.Heartbeat200JSONResponse{State: api.PulseState(sess.State), Cause: optional(string(sess.Cause)), ExpiresAt: sess.ExpiresAt, ServerTime: now}, err
}

func (s *server) EndSession(ctx context.Context, r api.EndSessionRequestObject) (api.EndSessionResponseObject, error) {
	sess, err := s.Authority.End(ctx, who(ctx), stead.SessionID(r.SessionID), stead.Cause(r.Body.Cause))
	return api.EndSession200JSONResponse(toSession(sess)), err
}

func (s *server) GetSession(ctx context.Context, r api.GetSessionRequestObject) (api.GetSessionResponseObject, error) {
	var out api.GetSession200JSONResponse
	me := who(ctx)
	err := s.Store.View(ctx, func(tx store.Tx) error {
		row, err := tx.Session(stead.SessionID(r.SessionID))
		if errors.Is(err, store.ErrNotFound) || err == nil && row.Agent != me.ID && !me.Role.May(stead.ActionSeeSessions) {
			return stead.E(stead.CodeSessionNotFound, nil)
		}
		out = api.GetSession200JSONResponse(toSession(row.Session))
		return err
	})
	return out, err
}

func (s *server) ListSessions(ctx context.Context, r api.ListSessionsRequestObject) (api.ListSessionsResponseObject, error) {
	f := store.SessionFilter{State: text(r.Params.State), After: text(r.Params.Cursor), Limit: limitOf(r.Params.Limit)}
	me := who(ctx)
	if !me.Role.May(stead.ActionSeeSessions) {
		f.Agent = me.ID
	}
	var out api.ListSessions200JSONResponse
	err := s.Store.View(ctx, func(tx store.Tx) error {
		rows, next, err := tx.ListSessions(f)
		out = api.ListSessions200JSONResponse{Items: toSessions(rows), NextCursor: optional(next), ServerTime: tx.Now()}
		return err
	})
	return out, err
}
