package httpapi

import (
	"context"

	"stead/internal/api"
	"stead/internal/audit"
	"stead/internal/stead"
	"stead/internal/token"

	"stead/internal/platform/authority"
	"stead/internal/platform/store"
)

func (s *server) GetVersion(ctx context.Context, _ api.GetVersionRequestObject) (api.GetVersionResponseObject, error) {
	now, err := s.now(ctx)
	if err != nil {
		return nil, err
	}
	open, err := s.Office.SetupOpen(ctx)
	return api.GetVersion200JSONResponse{Version: s.Version, API: "v1", Instance: string(s.Ledger.Instance()), Issuer: s.Issuer, ClientID: s.ClientID,
		SessionSeconds: int(stead.SessionTTL.Seconds()), ServerTime: now, SetupOpen: open,
		BrowserFallback: &s.Authority.Fallback}, err
}

func (s *server) GetJwks(context.Context, api.GetJwksRequestObject) (api.GetJwksResponseObject, error) {
	var out api.GetJwks200JSONResponse
	for id, key := range s.Authority.Keys.Public() {
		j := token.ToJWK(id, key)
		out.Keys = append(out.Keys, struct {
			Alg string `json:"alg"`
			Crv string `json:"crv"`
			Kid string `json:"kid"`
			Kty string `json:"kty"`
			Use string `json:"use"`
			X   string `json:"x"`
		}{Alg: j.Alg, Crv: j.Curve, Kid: j.ID, Kty: j.KeyType, Use: j.Use, X: j.X})
	}
	return out, nil
}

func (s *server) me(ctx context.Context, p stead.Staff) (api.Me, error) {
	m := api.Me{ID: string(p.ID), Name: p.Name, Email: p.Email, Role: api.MeRole(p.Role), Tier: p.Tier, Privilege: p.Privilege,
		Pseudonym: p.Pseudonym.String(), Actions: []string{}, Owed: []api.Session{}}
	for _, a := range stead.Actions() {
		if p.Role.May(a) && (a != stead.ActionImpersonate || p.Privilege) {
			m.Actions = append(m.Actions, string(a))
		}
	}
	err := s.Store.View(ctx, func(tx store.Tx) error {
		live, err := authority.Live(tx, p.ID)
		if err != nil {
			return err
		}
		if live != nil {
			m.Live = optional(toSession(live.Session))
		}
		owed, err := tx.OwedNotes(p.ID)
		m.Owed = toSessions(owed)
		return err
	})
	return m, err
}

func (s *server) GetMe(ctx context.Context, _ api.GetMeRequestObject) (api.GetMeResponseObject, error) {
	m, err := s.me(ctx, who(ctx))
	return api.GetMe200JSONResponse(m), err
}

func (s *server) ClaimSetup(ctx context.Context, r api.ClaimSetupRequestObject) (api.ClaimSetupResponseObject, error) {
	key, err := requestKey(r.Params.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	p, err := s.Office.Claim(ctx, callerOf(ctx).identity, key, r.Body.Code)
	if err != nil {
		return nil, err
	}
	m, err := s.me(ctx, p)
	return api.ClaimSetup200JSONResponse(m), err
}

func (s *server) CreateEnrolmentCode(ctx context.Context, r api.CreateEnrolmentCodeRequestObject) (api.CreateEnrolmentCodeResponseObject, error) {
	key, err := requestKey(r.Params.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	code, expires, err := s.Office.EnrolmentCode(ctx, who(ctx), key)
	return api.CreateEnrolmentCode200JSONResponse{Code: code, ExpiresAt: expires}, err
}

func (s *server) EnrolDevice(ctx context.Context, r api.EnrolDeviceRequestObject) (api.EnrolDeviceResponseObject, error) {
	key, err := requestKey(r.Params.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	claim := audit.EnrolClaim{Code: stead.Secret(r.Body.Code), PublicKey: r.Body.PublicKey, Name: r.Body.Name}
	id, err := s.Office.Enrol(ctx, who(ctx), key, claim, r.Body.Signature)
	return api.EnrolDevice200JSONResponse{DeviceID: string(id)}, err
}

func (s *server) FindMembers(ctx context.Context, r api.FindMembersRequestObject) (api.FindMembersResponseObject, error) {
	found, next, err := s.Desk.Find(ctx, who(ctx), r.Params.Q, limitOf(r.Params.Limit), text(r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	page := api.FindMembers200JSONResponse{Items: make([]api.MemberRow, 0, len(found)), NextCursor: optional(next)}
	for _, m := range found {
		page.Items = append(page.Items, toMember(m))
	}
	return page, nil
}

func (s *server) GetMember(ctx context.Context, r api.GetMemberRequestObject) (api.GetMemberResponseObject, error) {
	p, err := s.Desk.Open(ctx, who(ctx), stead.MemberID(r.MemberID))
	if err != nil {
		return nil, err
	}
	out := api.GetMember200JSONResponse{Member: toMember(p.Member), Pseudonym: p.Member.Pseudonym.String(), Impersonate: toVerdict(p.WhyNot),
		IdentityCheckedAt: optionalTime(p.IdentityCheckedAt), Notes: make([]api.MemberNote, 0, len(p.Notes))}
	for _, n := range p.Notes {
		out.Notes = append(out.Notes, api.MemberNote{At: n.At, Author: n.Author, Kind: api.MemberNoteKind(n.Kind), Text: n.Text, SessionID: optional(string(n.Session))})
	}
	return out, nil
}

func (s *server) CheckIdentity(ctx context.Context, r api.CheckIdentityRequestObject) (api.CheckIdentityResponseObject, error) {
	key, err := requestKey(r.Params.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	at, err := s.Desk.CheckIdentity(ctx, who(ctx), stead.MemberID(r.MemberID), key, r.Body.NameMatches, r.Body.EmailMatches)
	return api.CheckIdentity200JSONResponse{CheckedAt: at, Matches: r.Body.NameMatches && r.Body.EmailMatches}, err
}

func (s *server) WriteNote(ctx context.Context, r api.WriteNoteRequestObject) (api.WriteNoteResponseObject, error) {
	key, err := requestKey(r.Params.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	sess, err := s.Desk.WriteNote(ctx, who(ctx), stead.SessionID(r.SessionID), key, r.Body.Text)
	return api.WriteNote200JSONResponse(toSession(sess)), err
}
