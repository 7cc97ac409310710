package httpapi

import (
	"context"

	"stead/internal/api"
	"stead/internal/stead"

	"stead/internal/platform/erasure"
	"stead/internal/platform/store"
)

func (s *server) EraseMember(ctx context.Context, r api.EraseMemberRequestObject) (api.EraseMemberResponseObject, error) {
	key, err := requestKey(r.Params.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	at, err := s.Erasure.Erase(ctx, erasure.By{Staff: who(ctx)}, member(r.MemberID), key, r.Body.Reason)
	return api.EraseMember200JSONResponse{ErasedAt: at}, err
}

func (s *server) PlaceHold(ctx context.Context, r api.PlaceHoldRequestObject) (api.PlaceHoldResponseObject, error) {
	key, err := requestKey(r.Params.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	h, err := s.Erasure.Place(ctx, erasure.By{Staff: who(ctx)}, member(r.MemberID), key, r.Body.Reason)
	return api.PlaceHold200JSONResponse{PlacedAt: h.PlacedAt, PlacedBy: string(h.PlacedBy)}, err
}

func (s *server) ReleaseHold(ctx context.Context, r api.ReleaseHoldRequestObject) (api.ReleaseHoldResponseObject, error) {
	key, err := requestKey(r.Params.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	return api.ReleaseHold204Response{}, s.Erasure.Release(ctx, erasure.By{Staff: who(ctx)}, member(r.MemberID), key, r.Body.Reason)
}

func member(id api.MemberID) store.Person { return store.Person{Member: stead.MemberID(id)} }
