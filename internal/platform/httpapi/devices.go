package httpapi

import (
	"context"

	"stead/internal/api"
	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/authority"
	"stead/internal/platform/store"
)

// ListDevices implements api.StrictServerInterface.
func (s *server) ListDevices(ctx context.Context, r api.ListDevicesRequestObject) (api.ListDevicesResponseObject, error) {
	found, next, err := s.Authority.Devices(ctx, who(ctx), limitOf(r.Params.Limit), text(r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	now, err := s.now(ctx)
	out := api.ListDevices200JSONResponse{Items: make([]api.DeviceRow, 0, len(found)), NextCursor: optional(next), ServerTime: now}
	for _, d := range found {
		out.Items = append(out.Items, toDevice(d))
	}
	return out, err
}

func toDevice(d store.DeviceStanding) api.DeviceRow {
	row := api.DeviceRow{ID: string(d.ID), Name: d.Name, EnrolledAt: d.EnrolledAt, RevokedAt: optionalTime(d.RevokedAt), SeenAt: optionalTime(d.SeenAt),
		Claimed: *count(d.Claimed), Held: *count(d.Held), Pending: *count(d.Pending), Alarms: d.Alarms}
	if !d.SeenAt.IsZero() {
		row.Epoch = optional(audit.Epoch(d.Epoch).String())
	}
	return row
}

// RevokeDevice implements api.StrictServerInterface.
func (s *server) RevokeDevice(ctx context.Context, r api.RevokeDeviceRequestObject) (api.RevokeDeviceResponseObject, error) {
	key, err := requestKey(r.Params.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	d, err := s.Authority.RevokeDevice(ctx, who(ctx), key, stead.DeviceID(r.DeviceID), authority.RevokedWhy(r.Body.Why))
	return api.RevokeDevice200JSONResponse{ID: string(d.ID), Name: d.Name, RevokedAt: d.RevokedAt}, err
}
