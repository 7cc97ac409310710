package authority

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/ledger"
	"stead/internal/platform/store"
)

// RevokedWhy says why a device is revoked.
type RevokedWhy string

const (
	WhyLost     RevokedWhy = "lost"
	WhyStolen   RevokedWhy = "stolen"
	WhyReturned RevokedWhy = "returned"
)

// RevokeDevice ends a device for good and its open sessions with it, in one transaction. From then on it starts,
// opens and watches nothing; what it still delivers is taken in as late and untrusted. Revoking a revoked device
// changes nothing. CodeRoleForbidden when the role does not allow it, CodeDeviceUnknown when there is no such device.
func (a *Authority) RevokeDevice(ctx context.Context, by stead.Staff, key uuid.UUID, id stead.DeviceID, why RevokedWhy) (store.Device, error) {
	if !by.Role.May(stead.ActionRevokeDevice) {
		return store.Device{}, stead.E(stead.CodeRoleForbidden, nil)
	}
	if why != WhyLost && why != WhyStolen && why != WhyReturned {
		return store.Device{}, stead.Errorf(stead.CodeBadRequest, "why")
	}
	var device store.Device
	var ended []stead.SessionID
	err := a.Store.Update(ctx, func(tx store.Tx) error {
		ended = nil
		err := tx.RevokeDevice(id, tx.Now())
		switch {
		case errors.Is(err, store.ErrNotFound):
			return stead.E(stead.CodeDeviceUnknown, nil)
		case err == nil:
			if ended, err = a.revoked(tx, by, key, id, why); err != nil {
				return err
			}
		case !errors.Is(err, store.ErrConflict): // it was revoked before
			return err
		}
		device, err = tx.Device(id)
		return err
	})
	if err != nil {
		return store.Device{}, err
	}
	for _, s := range ended {
		a.guard.disarm(s)
	}
	return device, nil
}

// revoked records it and ends what is open.
func (a *Authority) revoked(tx store.Tx, by stead.Staff, key uuid.UUID, id stead.DeviceID, why RevokedWhy) (ended []stead.SessionID, err error) {
	err = a.Ledger.Write(tx, ledger.Entry{Kind: audit.DeviceRevoked, EventID: key, Actor: by.Pseudonym,
		Facts: audit.Body{"device": string(id), "why": string(why)}})
	if err != nil {
		return nil, err
	}
	open, err := tx.OpenSessionsOf(id)
	if err != nil {
		return nil, err
	}
	for _, row := range open {
		// A session whose time is over has ended by that, even if nobody has written it down yet.
		cause, who, due := stead.CauseDeviceRevoked, &by, time.Time{}
		if over, since := a.overdue(row.Session, tx.Now()); over != "" {
			cause, who, due = over, nil, since
		}
		if err := a.endTx(tx, row.Session, cause, who, due); err != nil {
			return nil, err
		}
		ended = append(ended, row.ID)
	}
	return ended, nil
}

// Devices lists the enrolled devices, the one enrolled last first, with what they last said of themselves.
// CodeRoleForbidden when the role does not allow it.
func (a *Authority) Devices(ctx context.Context, by stead.Staff, limit int, after string) (found []store.DeviceStanding, next string, err error) {
	if !by.Role.May(stead.ActionSeeDevices) {
		return nil, "", stead.E(stead.CodeRoleForbidden, nil)
	}
	err = a.Store.View(ctx, func(tx store.Tx) error {
		found, next, err = tx.Devices(limit, after)
		return err
	})
	return found, next, err
}
