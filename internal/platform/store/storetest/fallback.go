package storetest

import (
	"time"

	"stead/internal/stead"

	"stead/internal/platform/store"
)

// fallbackCode: a code takes the handoff's place once, before the session is live, and finds its session for good.
func fallbackCode(h *harness) {
	h.people()
	var s store.SessionRow
	code := [32]byte{5}
	h.update(func(tx store.Tx) {
		s = begin(lena, tx.Now())
		h.ok(tx.InsertSession(s))
		_, err := tx.SessionByCode(code)
		h.want(err, store.ErrNotFound)
		_, err = tx.SessionByCode([32]byte{}) // sessions without a code have none, rather than this one
		h.want(err, store.ErrNotFound)
		h.want(tx.SetCode("none", code, tx.Now()), store.ErrNotFound)
		s.Mode, s.HandoffHash, s.CodeHash, s.CodeUntil = stead.ModeFallback, [32]byte{}, code, tx.Now().Add(15*time.Second)
		h.ok(tx.SetCode(s.ID, code, s.CodeUntil))
		h.want(tx.SetCode(s.ID, [32]byte{6}, s.CodeUntil), store.ErrConflict)
		equal(h, must(tx.SessionByCode(code))(h), s)
	})
	h.update(func(tx store.Tx) {
		h.ok(tx.MarkLive(s.ID, tx.Now()))
		got := must(tx.SessionByCode(code))(h)
		same(h, "mode", got.Mode, stead.ModeFallback)
		same(h, "state", got.State, stead.StateLive)
		h.ok(tx.EndSession(s.ID, tx.Now(), stead.CauseHandoffReused, ""))
		same(h, "ended", must(tx.SessionByCode(code))(h).Cause, stead.CauseHandoffReused)
		other := begin(tom, tx.Now())
		h.ok(tx.InsertSession(other))
		h.ok(tx.MarkLive(other.ID, tx.Now()))
		same(h, "the other's mode", must(tx.Session(other.ID))(h).Mode, stead.ModePipe)
		h.want(tx.SetCode(other.ID, [32]byte{7}, tx.Now()), store.ErrConflict)
	})
}
