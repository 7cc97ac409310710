package storetest

import (
	"bytes"
	"fmt"
	"math"
	"time"

	"stead/internal/platform/store"
	"stead/internal/stead"
)

// device puts a device in whose id begins with n.
func (h *harness) device(tx store.Tx, n byte, enrolled time.Time) stead.DeviceID {
	h.Helper()
	id := stead.DeviceID(fmt.Sprintf("%02x%030x", n, 0))
	h.ok(tx.PutDevice(store.Device{ID: id, Name: fmt.Sprint("laptop ", n), PublicKey: bytes.Repeat([]byte{n}, 32), EnrolledBy: lena, EnrolledAt: enrolled}))
	return id
}

var chainTests = []test{
	{"entries are added in order until one is taken", func(h *harness) {
		h.update(func(tx store.Tx) {
			var list []store.IntakeEntry
			for n := range byte(120) {
				list = append(list, entry(n+1, tx.Now()))
			}
			list[3].SealedTexts, list[3].TextsOf = []byte("sealed"), pseudonym(11)
			same(h, "added", must(tx.AppendIntakes(list[:110]))(h), 110)
			for i, e := range list[:110] {
				e.Index = int64(i + 1)
				equal(h, must(tx.IntakeAt(e.Device, e.Epoch, e.Seq))(h), e)
			}
			same(h, "none", must(tx.AppendIntakes(nil))(h), 0)
			for _, at := range []int{0, 7, 49, 50, 64} { // in a group, and in the rest behind the last one
				more := make([]store.IntakeEntry, 65)
				for i := range more {
					more[i] = entry(1+byte(i), tx.Now())
					more[i].Epoch = [16]byte{9, byte(at)}
				}
				more[at].EventID = list[5].EventID
				n, err := tx.AppendIntakes(more)
				h.want(err, store.ErrConflict)
				same(h, "added before the one that is taken", n, at)
				_, err = tx.IntakeAt([16]byte{1}, [16]byte{9, byte(at)}, uint64(at)+1)
				h.want(err, store.ErrNotFound)
				same(h, "added before it, and no more", len(must(tx.ChainPlaces([16]byte{1}, [16]byte{9, byte(at)}, 1, 100))(h)), at)
			}
			huge := entry(1, tx.Now())
			huge.Seq = math.MaxUint64
			if _, err := tx.AppendIntakes([]store.IntakeEntry{huge}); err == nil {
				h.Error("a sequence number beyond every chain was taken")
			}
		})
	}},
	{"a place holds a record or a quarantined one", func(h *harness) {
		h.update(func(tx store.Tx) {
			q := store.Quarantined{Device: [16]byte{1}, Epoch: [16]byte{2}, Seq: 2, Leaf: [32]byte{7}, Envelope: []byte{0xff}, Said: "record_invalid",
				ReceivedAt: tx.Now(), DeliveredBy: lena}
			h.ok(tx.PutQuarantined(q))
			equal(h, must(tx.QuarantinedAt(q.Device, q.Epoch, 2))(h), q)
			h.want(tx.PutQuarantined(q), store.ErrConflict)
			_, err := tx.AppendIntake(entry(2, tx.Now()))
			h.want(err, store.ErrConflict)
			must(tx.AppendIntake(entry(1, tx.Now())))(h)
			q.Seq = 1
			h.want(tx.PutQuarantined(q), store.ErrConflict)
			for _, seq := range []uint64{1, 3, math.MaxUint64} {
				_, err = tx.QuarantinedAt(q.Device, q.Epoch, seq)
				h.want(err, store.ErrNotFound)
			}
			q.Seq = math.MaxUint64
			if tx.PutQuarantined(q) == nil {
				h.Error("a sequence number beyond every chain was taken")
			}
		})
	}},
	{"where a chain stands in the log", func(h *harness) {
		h.update(func(tx store.Tx) {
			places := func(first, last uint64) string {
				return fmt.Sprint(must(tx.ChainPlaces([16]byte{1}, [16]byte{2}, first, last))(h))
			}
			same(h, "none", places(1, 9), "[]")
			h.logged(tx, 4, 3)
			same(h, "all", places(1, 9), "[{1 0} {2 1} {3 2} {4 -1}]")
			same(h, "some", places(2, 3), "[{2 1} {3 2}]")
			same(h, "from the beginning", places(0, 1), "[{1 0}]")
			same(h, "to the end", places(4, math.MaxUint64), "[{4 -1}]")
			same(h, "beyond", places(math.MaxUint64, math.MaxUint64), "[]")
			same(h, "backwards", places(3, 2), "[]")
			same(h, "another chain", len(must(tx.ChainPlaces([16]byte{1}, [16]byte{3}, 1, 9))(h)), 0)
		})
	}},
	{"many hashes, in the order asked for", func(h *harness) {
		h.update(func(tx store.Tx) {
			must(tx.AppendIntake(entry(1, tx.Now())))(h)
			hashes := make([][32]byte, 600)
			for i := range hashes {
				hashes[i] = [32]byte{byte(i), byte(i >> 8)}
			}
			h.ok(tx.AppendLog(0, []int64{1}, 0, hashes))
			at := []int64{}
			for i := int64(598); i > 0; i -= 2 {
				at = append(at, i)
			}
			got := must(tx.LogHashes(append(at, 5, 5)))(h)
			for i, a := range append(at, 5, 5) {
				same(h, "hash", got[i], hashes[a])
			}
			_, err := tx.LogHashes(append(at, 600))
			h.want(err, store.ErrNotFound)
			same(h, "none", len(must(tx.LogHashes(nil))(h)), 0)
		})
	}},
	{"what devices said last", func(h *harness) {
		h.update(func(tx store.Tx) {
			d := h.device(tx, 1, tx.Now())
			other := h.device(tx, 2, tx.Now())
			same(h, "none", len(must(tx.Contacts(d))(h)), 0)
			first := store.Contact{Device: d, Epoch: [16]byte{1}, Turn: 1, Seq: 0, ClaimedAt: tx.Now(), SeenAt: tx.Now()}
			second := store.Contact{Device: d, Epoch: [16]byte{2}, Turn: 2, Seq: 4, Leaf: [32]byte{4}, ClaimedAt: tx.Now(), SeenAt: tx.Now()}
			h.ok(tx.PutContact(first))
			h.ok(tx.PutContact(second))
			first.Seq, first.Leaf, first.SeenAt = 9, [32]byte{9}, tx.Now().Add(time.Minute)
			h.ok(tx.PutContact(first))
			equal(h, must(tx.Contacts(d))(h), []store.Contact{second, first})
			h.want(tx.PutContact(store.Contact{Device: d, Epoch: [16]byte{3}, Turn: 2, ClaimedAt: tx.Now(), SeenAt: tx.Now()}), store.ErrConflict)
			h.ok(tx.PutContact(store.Contact{Device: other, Epoch: [16]byte{1}, Turn: 1, ClaimedAt: tx.Now(), SeenAt: tx.Now()}))
			h.want(tx.PutContact(store.Contact{Device: "nobody", Epoch: [16]byte{1}, Turn: 1, ClaimedAt: tx.Now(), SeenAt: tx.Now()}), store.ErrNotFound)
		})
	}},
	{"the newest signatures over a chain", func(h *harness) {
		h.update(func(tx store.Tx) {
			d := h.device(tx, 1, tx.Now())
			at := func(epoch byte, seq uint64) store.SignedHead {
				return store.SignedHead{Device: d, Epoch: [16]byte{epoch}, Seq: seq, Leaf: [32]byte{byte(seq)}, Signature: bytes.Repeat([]byte{byte(seq)}, 64)}
			}
			other := at(1, 4)
			other.Leaf = [32]byte{9}
			for _, s := range []store.SignedHead{at(1, 4), at(1, 2), other} {
				h.ok(tx.PutSignedHead(s, true))
			}
			h.ok(tx.PutSignedHead(at(1, 3), false)) // claimed, and held since
			h.ok(tx.PutSignedHead(at(2, 5), false))
			equal(h, must(tx.SignedHeads())(h), []store.SignedHead{at(1, 4), at(2, 5)})
			h.ok(tx.PutSignedHead(at(1, 7), false))
			h.ok(tx.PutSignedHead(at(1, 6), true))
			equal(h, must(tx.SignedHeads())(h), []store.SignedHead{at(1, 6), at(1, 7), at(2, 5)})
			h.want(tx.PutSignedHead(store.SignedHead{Device: "nobody", Seq: 1, Signature: make([]byte, 64)}, true), store.ErrNotFound)
		})
	}},
	{"an alarm once for each head", func(h *harness) {
		h.update(func(tx store.Tx) {
			d := h.device(tx, 1, tx.Now())
			a := store.Alarm{Device: d, Epoch: [16]byte{1}, Seq: 3, Leaf: [32]byte{3}, Signature: []byte{1}, Why: "forked", At: tx.Now()}
			h.ok(tx.PutAlarm(a))
			h.want(tx.PutAlarm(a), store.ErrConflict)
			a.Leaf = [32]byte{4}
			h.ok(tx.PutAlarm(a))
			same(h, "alarms", must(tx.CountAlarms(d))(h), 2)
			same(h, "of nobody", must(tx.CountAlarms("nobody"))(h), 0)
		})
	}},
	{"a device is revoked once", func(h *harness) {
		h.update(func(tx store.Tx) {
			d := h.device(tx, 1, tx.Now())
			h.want(tx.RevokeDevice("nobody", tx.Now()), store.ErrNotFound)
			h.ok(tx.RevokeDevice(d, tx.Now()))
			h.want(tx.RevokeDevice(d, tx.Now().Add(time.Hour)), store.ErrConflict)
			same(h, "revoked", must(tx.Device(d))(h).RevokedAt, tx.Now())
		})
	}},
	{"the open sessions of a device", func(h *harness) {
		h.people()
		h.update(func(tx store.Tx) {
			for i, s := range []stead.Session{
				{ID: "s1", Agent: lena, Device: "d1"}, {ID: "s2", Agent: lena, Device: "d1"}, {ID: "s3", Agent: tom, Device: "d2"},
			} {
				s.Member, s.State, s.StartedAt, s.ExpiresAt = "m-0001", stead.StateStarted, tx.Now(), tx.Now().Add(stead.SessionTTL)
				h.ok(tx.InsertSession(store.SessionRow{Session: s, RequestKey: stead.NewEventID(), RequestHash: [32]byte{byte(i)}}))
				if s.ID == "s1" {
					h.ok(tx.EndSession("s1", tx.Now(), stead.CauseAgent, lena))
				}
			}
			open := must(tx.OpenSessionsOf("d1"))(h)
			if len(open) != 1 || open[0].ID != "s2" {
				h.Errorf("got %v", open)
			}
			same(h, "of no device", len(must(tx.OpenSessionsOf("d9"))(h)), 0)
		})
	}},
	{"devices with what is known of them", func(h *harness) {
		h.update(func(tx store.Tx) {
			now := tx.Now()
			silent, behind, revoked := h.device(tx, 1, now.Add(-time.Hour)), h.device(tx, 2, now), h.device(tx, 3, now)
			h.ok(tx.SetDeviceHead(behind, [16]byte{1}, 7, [32]byte{7}))
			h.ok(tx.SetDeviceHead(behind, [16]byte{2}, 3, [32]byte{3}))
			h.ok(tx.PutContact(store.Contact{Device: behind, Epoch: [16]byte{1}, Turn: 1, Seq: 11, ClaimedAt: now, SeenAt: now.Add(time.Minute)}))
			h.ok(tx.PutContact(store.Contact{Device: behind, Epoch: [16]byte{2}, Turn: 2, Seq: 5, ClaimedAt: now, SeenAt: now}))
			h.ok(tx.PutAlarm(store.Alarm{Device: behind, Epoch: [16]byte{1}, Seq: 3, Signature: []byte{1}, Why: "forked", At: now}))
			h.ok(tx.RevokeDevice(revoked, now))
			show := func(list []store.DeviceStanding) string {
				out := ""
				for _, d := range list {
					out += fmt.Sprintf("%.2s %v %v %d %d %d %d %d; ", d.ID, d.RevokedAt.IsZero(), d.SeenAt.Sub(now) == time.Minute, d.Epoch[0], d.Claimed, d.Held, d.Pending, d.Alarms)
				}
				return out
			}
			want := []string{"03 false false 0 0 0 0 0; ", "02 true true 2 5 3 6 1; ", "01 true false 0 0 0 0 0; "}
			all, next, err := tx.Devices(10, "")
			h.ok(err)
			same(h, "all", show(all), want[0]+want[1]+want[2])
			same(h, "next", next, "")
			same(h, "the silent one", all[2].ID == silent && all[2].SeenAt.IsZero(), true)
			for i, cursor := 0, ""; i < 3; i++ {
				var one []store.DeviceStanding
				one, cursor, err = tx.Devices(1, cursor)
				h.ok(err)
				same(h, "one by one", show(one), want[i])
				same(h, "more follow", cursor != "", i < 2)
			}
			_, _, err = tx.Devices(1, "nonsense")
			same(h, "a damaged cursor", stead.CodeOf(err), stead.CodeBadRequest)
		})
	}},
}
