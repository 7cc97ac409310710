package authority_test

import (
	"testing"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/authority"
	"stead/internal/platform/ledger"
	"stead/internal/platform/store"
)

// revoke revokes the device, by a lead.
func (w *world) revoke(d *device) error {
	w.Helper()
	_, err := w.auth.RevokeDevice(w.Context(), priya, stead.NewEventID(), d.id, authority.WhyStolen)
	return err
}

// TestARevokedDeviceIsDead: its open session ends with it, nobody else's does, and nothing begins on it any more.
func TestARevokedDeviceIsDead(t *testing.T) {
	w := newWorld(t)
	o, others := w.live(lena, ana), w.live(tom, bo)
	for _, by := range []stead.Staff{lena, tom} {
		_, err := w.auth.RevokeDevice(t.Context(), by, stead.NewEventID(), w.devices[lena.ID].id, authority.WhyLost)
		w.wantCode(err, stead.CodeRoleForbidden)
	}
	_, err := w.auth.RevokeDevice(t.Context(), priya, stead.NewEventID(), stead.DeviceID(stead.NewPseudonym().String()), authority.WhyLost)
	w.wantCode(err, stead.CodeDeviceUnknown)
	_, err = w.auth.RevokeDevice(t.Context(), priya, stead.NewEventID(), w.devices[lena.ID].id, "bored")
	w.wantCode(err, stead.CodeBadRequest)
	if !w.active(o.Token) {
		t.Fatal("a refused revocation ended the session")
	}
	w.must(w.revoke(w.devices[lena.ID]))
	s := w.session(o.Session.ID)
	if s.State != stead.StateEnded || s.Cause != stead.CauseDeviceRevoked || s.EndedBy != priya.ID || w.active(o.Token) {
		t.Errorf("%+v", s)
	}
	if !w.active(others.Token) {
		t.Error("another device's session ended")
	}
	if list := w.notices(ana); len(list) != 2 || list[0].Kind != "ended" || list[0].Cause != stead.CauseDeviceRevoked {
		t.Errorf("the member was not told: %+v", list)
	}
	w.must(w.revoke(w.devices[lena.ID])) // again: nothing changes
	if ends := w.ends(o.Session.ID); len(ends) != 1 || ends[0] != "device_revoked" {
		t.Errorf("the session ended by %v", ends)
	}
	w.wantCode(w.startErr(lena, bo), stead.CodeDeviceUnknown) // and yet its intent was taken in
	beat, _, err := w.auth.Heartbeat(t.Context(), lena, o.Session.ID, nil)
	if err != nil || beat.State != stead.StateEnded || beat.Cause != stead.CauseDeviceRevoked {
		t.Errorf("a heartbeat after it: %+v, %v", beat, err)
	}
	w.must(w.store.View(t.Context(), func(tx store.Tx) error {
		lines, err := w.ledger.Trail(tx, store.TrailFilter{Kind: string(audit.DeviceRevoked), Limit: 10})
		if len(lines) != 1 || lines[0].Facts["why"] != "stolen" || lines[0].Facts["device"] != string(w.devices[lena.ID].id) || lines[0].Actor.ID != string(priya.ID) {
			t.Errorf("%+v", lines)
		}
		return err
	}))
}

// TestRevokedBeforeTheHandoffIsRedeemed: a start that was not opened yet ends as well, and its handoff opens nothing.
func TestRevokedBeforeTheHandoffIsRedeemed(t *testing.T) {
	w := newWorld(t)
	started := w.start(lena, ana)
	w.must(w.revoke(w.devices[lena.ID]))
	_, err := w.redeem(lena, started)
	w.wantCode(err, stead.CodeSessionEnded)
	if list := w.notices(ana); len(list) != 0 {
		t.Errorf("nobody was in, and the member was told: %+v", list)
	}
}

// TestASessionThatWasOverIsNotEndedByTheRevocation: its time ended it, whoever writes that down.
func TestASessionThatWasOverIsNotEndedByTheRevocation(t *testing.T) {
	w := newWorld(t)
	o := w.live(lena, ana)
	w.store.pass(stead.HeartbeatGrace + time.Second)
	w.must(w.revoke(w.devices[lena.ID]))
	if s := w.session(o.Session.ID); s.Cause != stead.CauseConnectionLost {
		t.Errorf("%+v", s)
	}
}

func TestHeartbeatsSayWhereTheChainEnds(t *testing.T) {
	w := newWorld(t)
	o := w.live(lena, ana)
	d := w.devices[lena.ID]
	beat := func(h audit.Head, spoil bool) error {
		sig, err := audit.SignHead(d.key, h)
		w.must(err)
		if spoil {
			sig[0] ^= 1
		}
		said := ledger.SignedHead{Head: h, Signature: sig}
		said.Device = "" // the platform knows which one the session's is
		_, _, err = w.auth.Heartbeat(t.Context(), lena, o.Session.ID, &said)
		return err
	}
	alarms := func() (n int) {
		w.must(w.store.View(t.Context(), func(tx store.Tx) (err error) {
			n, err = tx.CountAlarms(d.id)
			return err
		}))
		return n
	}
	w.must(beat(audit.Head{Device: d.id, Epoch: d.epoch}, false)) // sent before the intent, which overtook it
	if alarms() != 0 {
		t.Error("a heartbeat that was overtaken by a record raised an alarm")
	}
	before := w.session(o.Session.ID).LastSeen
	w.store.pass(time.Minute)
	w.wantCode(beat(d.head, true), stead.CodeDeviceSignature)
	if w.session(o.Session.ID).LastSeen != before {
		t.Error("a heartbeat that the device did not sign kept the session alive")
	}
	w.must(beat(d.head, false))
	if seen := w.session(o.Session.ID).LastSeen; !seen.After(before) || alarms() != 0 {
		t.Errorf("seen %v, %d alarms", seen, alarms())
	}
	w.must(beat(audit.Head{Device: d.id, Epoch: d.epoch}, false)) // set back, and the record it lacks came a minute ago
	if !w.active(o.Token) || alarms() != 1 {
		t.Errorf("active %v, %d alarms: want the alarm, and the session left to people", w.active(o.Token), alarms())
	}
}

func TestWhoSeesDevices(t *testing.T) {
	w := newWorld(t)
	for _, by := range []stead.Staff{lena, priya} {
		list, _, err := w.auth.Devices(t.Context(), by, 10, "")
		if by.Role == stead.RoleSupport {
			w.wantCode(err, stead.CodeRoleForbidden)
		} else if err != nil || len(list) != 2 {
			t.Errorf("%s: %d devices, %v", by.ID, len(list), err)
		}
	}
}
