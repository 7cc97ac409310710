package storetest

import (
	"bytes"
	"fmt"
	"math"
	"sync"
	"time"

	"stead/internal/platform/store"
	"stead/internal/stead"
)

var deviceTests = []test{
	{"put and read", func(h *harness) {
		h.update(func(tx store.Tx) {
			d := store.Device{ID: "d1", Name: "Lena's laptop", PublicKey: bytes.Repeat([]byte{1}, 32), EnrolledBy: lena, EnrolledAt: tx.Now()}
			h.ok(tx.PutDevice(d))
			equal(h, must(tx.Device("d1"))(h), d)
			equal(h, must(tx.DeviceByKey(d.PublicKey))(h), d)
			_, err := tx.Device("d2")
			h.want(err, store.ErrNotFound)
			_, err = tx.DeviceByKey(bytes.Repeat([]byte{2}, 32))
			h.want(err, store.ErrNotFound)
			d2 := d
			d2.PublicKey = bytes.Repeat([]byte{2}, 32)
			h.want(tx.PutDevice(d2), store.ErrConflict) // the id is taken
			d2.ID, d2.PublicKey = "d2", d.PublicKey
			h.want(tx.PutDevice(d2), store.ErrConflict) // the key is taken
			d2.PublicKey, d2.RevokedAt = bytes.Repeat([]byte{3}, 32), tx.Now()
			h.ok(tx.PutDevice(d2))
			same(h, "revoked", must(tx.Device("d2"))(h).RevokedAt, tx.Now())
		})
	}},
	{"heads of each epoch", func(h *harness) {
		h.update(func(tx store.Tx) {
			h.ok(tx.PutDevice(store.Device{ID: "d1", PublicKey: bytes.Repeat([]byte{1}, 32), EnrolledAt: tx.Now()}))
			head := func(epoch byte) string {
				seq, leaf, err := tx.DeviceHead("d1", [16]byte{epoch})
				h.ok(err)
				return fmt.Sprint(seq, leaf[0])
			}
			same(h, "none", head(1), "0 0")
			h.ok(tx.SetDeviceHead("d1", [16]byte{1}, 1, [32]byte{5}))
			h.ok(tx.SetDeviceHead("d1", [16]byte{1}, 2, [32]byte{6}))
			h.ok(tx.SetDeviceHead("d1", [16]byte{2}, 1, [32]byte{7}))
			same(h, "epochs", must(tx.DeviceEpochs("d1"))(h), 2)
			same(h, "first epoch", head(1), "2 6")
			same(h, "second epoch", head(2), "1 7")
			if tx.SetDeviceHead("d1", [16]byte{1}, math.MaxUint64, [32]byte{}) == nil {
				h.Error("a sequence number beyond every chain was taken")
			}
			h.want(tx.SetDeviceHead("d9", [16]byte{1}, 1, [32]byte{}), store.ErrNotFound)
		})
	}},
	{"codes are good once and in time", func(h *harness) {
		h.update(func(tx store.Tx) {
			h.ok(tx.PutCode(store.CodeEnrolment, [32]byte{1}, tx.Now().Add(time.Hour)))
			h.ok(tx.PutCode(store.CodeEnrolment, [32]byte{2}, tx.Now())) // over now
			h.ok(tx.PutCode(store.CodeSetup, [32]byte{3}, time.Time{}))  // never over
			h.want(tx.PutCode(store.CodeSetup, [32]byte{3}, time.Time{}), store.ErrConflict)
			same(h, "enrolment codes", must(tx.OpenCodes(store.CodeEnrolment))(h), 1)
			same(h, "setup codes", must(tx.OpenCodes(store.CodeSetup))(h), 1)
			h.want(tx.TakeCode(store.CodeSetup, [32]byte{1}), store.ErrNotFound) // of the other kind
			h.want(tx.TakeCode(store.CodeEnrolment, [32]byte{2}), store.ErrNotFound)
			h.want(tx.TakeCode(store.CodeEnrolment, [32]byte{9}), store.ErrNotFound)
			h.ok(tx.TakeCode(store.CodeEnrolment, [32]byte{1}))
		})
		h.reopen()
		h.update(func(tx store.Tx) {
			h.want(tx.TakeCode(store.CodeEnrolment, [32]byte{1}), store.ErrNotFound)
			h.want(tx.PutCode(store.CodeEnrolment, [32]byte{1}, time.Time{}), store.ErrConflict) // nor given out again
			same(h, "enrolment codes", must(tx.OpenCodes(store.CodeEnrolment))(h), 0)
			h.ok(tx.TakeCode(store.CodeSetup, [32]byte{3}))
		})
	}},
	{"one of many takes a code", func(h *harness) {
		h.update(func(tx store.Tx) { h.ok(tx.PutCode(store.CodeSetup, [32]byte{1}, time.Time{})) })
		ctx := background(h)
		taken := make(chan bool, 20)
		var wg sync.WaitGroup
		for range cap(taken) {
			wg.Go(func() {
				taken <- h.Update(ctx, func(tx store.Tx) error { return tx.TakeCode(store.CodeSetup, [32]byte{1}) }) == nil
			})
		}
		wg.Wait()
		close(taken)
		n := 0
		for ok := range taken {
			if ok {
				n++
			}
		}
		same(h, "taken", n, 1)
	}},
}

func entry(n byte, at time.Time) store.IntakeEntry {
	return store.IntakeEntry{EventID: stead.NewEventID(), Device: [16]byte{1}, Epoch: [16]byte{2}, Seq: uint64(n), Leaf: [32]byte{n},
		Envelope: []byte{0xa1, n}, Kind: "session.intent", Session: "s1", Actor: pseudonym(1), Subject: pseudonym(11), ReceivedAt: at,
		DeliveredBy: "st-lena", Doubt: "a reason"}
}

var intakeTests = []test{
	{"append, read, order", func(h *harness) {
		h.update(func(tx store.Tx) {
			for n := byte(1); n <= 3; n++ {
				e := entry(n, tx.Now())
				if n == 2 {
					e.SealedTexts, e.TextsOf = []byte("sealed"), pseudonym(11)
					e.Subject, e.Session = stead.Pseudonym{}, ""
				}
				e.Index = must(tx.AppendIntake(e))(h)
				same(h, "index", e.Index, int64(n))
				equal(h, must(tx.IntakeAt(e.Device, e.Epoch, e.Seq))(h), e)
			}
			_, err := tx.IntakeAt([16]byte{1}, [16]byte{2}, 4)
			h.want(err, store.ErrNotFound)
			_, err = tx.IntakeAt([16]byte{1}, [16]byte{3}, 1)
			h.want(err, store.ErrNotFound)
			_, err = tx.IntakeAt([16]byte{1}, [16]byte{2}, math.MaxUint64)
			h.want(err, store.ErrNotFound)
		})
		h.reopen()
		h.view(func(tx store.Tx) { same(h, "entries", len(must(tx.Trail(store.TrailFilter{}))(h)), 3) })
	}},
	{"a place or an event comes once", func(h *harness) {
		h.update(func(tx store.Tx) {
			a := entry(1, tx.Now())
			must(tx.AppendIntake(a))(h)
			b := entry(1, tx.Now())
			_, err := tx.AppendIntake(b)
			h.want(err, store.ErrConflict)
			b.Seq, b.EventID = 2, a.EventID
			_, err = tx.AppendIntake(b)
			h.want(err, store.ErrConflict)
			b = entry(1, tx.Now())
			b.Epoch = [16]byte{3}
			same(h, "index", must(tx.AppendIntake(b))(h), int64(2))
			for range 2 { // the platform's own have no place in a chain
				own := entry(0, tx.Now())
				must(tx.AppendIntake(own))(h)
			}
			_, err = tx.IntakeAt([16]byte{1}, [16]byte{2}, 0)
			h.want(err, store.ErrNotFound)
			huge := entry(1, tx.Now())
			huge.Seq = math.MaxUint64
			if _, err := tx.AppendIntake(huge); err == nil {
				h.Error("a sequence number beyond every chain was taken")
			}
		})
	}},
	{"S0_08 the trail is filtered and read backwards", func(h *harness) {
		h.update(func(tx store.Tx) {
			for n := byte(1); n <= 6; n++ {
				e := entry(n, tx.Now())
				e.Session = stead.SessionID(fmt.Sprint("s", n%2))
				e.Actor = pseudonym(1 + n%3)
				if n > 4 {
					e.Kind = "session.end"
				}
				must(tx.AppendIntake(e))(h)
			}
			for _, tt := range []struct {
				f    store.TrailFilter
				want string
			}{
				{store.TrailFilter{}, "[6 5 4 3 2 1]"},
				{store.TrailFilter{Limit: 2}, "[6 5]"},
				{store.TrailFilter{Limit: 2, Before: 5}, "[4 3]"},
				{store.TrailFilter{Before: 1}, "[]"},
				{store.TrailFilter{Session: "s1"}, "[5 3 1]"},
				{store.TrailFilter{Actor: pseudonym(1)}, "[6 3]"},
				{store.TrailFilter{Kind: "session.end"}, "[6 5]"},
				{store.TrailFilter{Kind: "session.end", Session: "s1", Actor: pseudonym(3)}, "[5]"},
				{store.TrailFilter{Session: "none"}, "[]"},
			} {
				got := []int64{}
				for _, e := range must(tx.Trail(tt.f))(h) {
					got = append(got, e.Index)
				}
				same(h, fmt.Sprintf("%+v", tt.f), fmt.Sprint(got), tt.want)
			}
		})
	}},
	{"S1_06 a pseudonym leads back to the person", func(h *harness) {
		h.people()
		h.view(func(tx store.Tx) {
			s, m, err := tx.PersonOf(pseudonym(1))
			h.ok(err)
			if s == nil || m != nil || s.ID != lena {
				h.Errorf("staff: got %v, %v", s, m)
			}
			s, m, err = tx.PersonOf(pseudonym(12))
			h.ok(err)
			if s != nil || m == nil || m.ID != "m-0002" {
				h.Errorf("member: got %v, %v", s, m)
			}
			for _, p := range []stead.Pseudonym{{}, pseudonym(99)} {
				_, _, err = tx.PersonOf(p)
				h.want(err, store.ErrNotFound)
			}
		})
	}},
}

var keyTests = []test{
	{"signing keys, newest first", func(h *harness) {
		h.update(func(tx store.Tx) {
			same(h, "none", len(must(tx.SigningKeys())(h)), 0)
			old := store.SigningKey{ID: "k1", Sealed: []byte{1}, CreatedAt: tx.Now()}
			young := store.SigningKey{ID: "k2", Sealed: []byte{2}, CreatedAt: tx.Now().Add(time.Second)}
			h.ok(tx.PutSigningKey(old))
			h.ok(tx.PutSigningKey(young))
			h.want(tx.PutSigningKey(old), store.ErrConflict)
			h.ok(tx.RetireSigningKey("k1", tx.Now()))
			h.ok(tx.RetireSigningKey("k1", tx.Now().Add(time.Hour)))
			h.want(tx.RetireSigningKey("k9", tx.Now()), store.ErrNotFound)
			old.RetiredAt = tx.Now()
			equal(h, must(tx.SigningKeys())(h), []store.SigningKey{young, old})
		})
	}},
	{"a person's key is not replaced", func(h *harness) {
		h.update(func(tx store.Tx) {
			m := store.MonthOf(tx.Now())
			next := store.MonthOf(m.Until())
			_, err := tx.PersonKey(pseudonym(1), m)
			h.want(err, store.ErrNotFound)
			h.ok(tx.PutPersonKey(pseudonym(1), m, []byte("sealed")))
			h.want(tx.PutPersonKey(pseudonym(1), m, []byte("other")), store.ErrConflict)
			h.ok(tx.PutPersonKey(pseudonym(1), next, []byte("next")))
			same(h, "key", string(must(tx.PersonKey(pseudonym(1), m))(h)), "sealed")
			same(h, "the next month's", string(must(tx.PersonKey(pseudonym(1), next))(h)), "next")
		})
	}},
	{"values", func(h *harness) {
		h.update(func(tx store.Tx) {
			_, err := tx.Value("instance")
			h.want(err, store.ErrNotFound)
			h.ok(tx.SetValue("instance", "a"))
			h.ok(tx.SetValue("instance", "b"))
			h.ok(tx.SetValue("empty", ""))
			same(h, "value", must(tx.Value("instance"))(h), "b")
			same(h, "empty", must(tx.Value("empty"))(h), "")
		})
	}},
}
