package storetest

import (
	"time"

	"stead/internal/platform/store"
	"stead/internal/stead"
)

var deadlineTests = []test{
	{"S1_07 expiry, lost heartbeat and unopened start are overdue at their time", func(h *harness) {
		for _, tt := range []struct {
			what string
			make func(tx store.Tx, id stead.SessionID, start time.Time) // from started on
			due  time.Duration                                          // after the start
		}{
			{"nobody redeems the handoff", func(store.Tx, stead.SessionID, time.Time) {}, stead.HandoffTTL},
			{"no heartbeat after opening", func(tx store.Tx, id stead.SessionID, start time.Time) {
				h.ok(tx.MarkLive(id, start.Add(10*time.Second)))
			}, 10*time.Second + stead.HeartbeatGrace},
			{"heartbeats stop", func(tx store.Tx, id stead.SessionID, start time.Time) {
				h.ok(tx.MarkLive(id, start))
				h.ok(tx.Touch(id, start.Add(5*time.Minute)))
			}, 5*time.Minute + stead.HeartbeatGrace},
			{"heartbeats to the end", func(tx store.Tx, id stead.SessionID, start time.Time) {
				h.ok(tx.MarkLive(id, start))
				h.ok(tx.Touch(id, start.Add(stead.SessionTTL-time.Second)))
			}, stead.SessionTTL},
		} {
			h.people()
			h.update(func(tx store.Tx) {
				s := begin(lena, tx.Now())
				h.ok(tx.InsertSession(s))
				tt.make(tx, s.ID, s.StartedAt)
				due := s.StartedAt.Add(tt.due)
				same(h, tt.what+": next deadline", must(tx.NextDeadline())(h), due)
				same(h, tt.what+": just before", len(must(tx.OverdueSessions(due.Add(-time.Millisecond)))(h)), 0)
				same(h, tt.what+": at it", len(must(tx.OverdueSessions(due))(h)), 1)
				same(h, tt.what+": later", len(must(tx.OverdueSessions(due.Add(time.Hour)))(h)), 1)
				h.ok(tx.EndSession(s.ID, due, stead.CauseExpired, ""))
				same(h, tt.what+": once ended", len(must(tx.OverdueSessions(due.Add(time.Hour)))(h)), 0)
				same(h, tt.what+": nothing ahead", must(tx.NextDeadline())(h).IsZero(), true)
			})
		}
	}},
	{"the first of several deadlines is next", func(h *harness) {
		h.people()
		h.update(func(tx store.Tx) {
			same(h, "none", must(tx.NextDeadline())(h).IsZero(), true)
			a, b := begin(lena, tx.Now()), begin(tom, tx.Now())
			h.ok(tx.InsertSession(a))
			h.ok(tx.InsertSession(b))
			h.ok(tx.MarkLive(a.ID, tx.Now()))
			same(h, "next", must(tx.NextDeadline())(h), tx.Now().Add(stead.HandoffTTL))
			over := must(tx.OverdueSessions(tx.Now().Add(time.Hour)))(h)
			same(h, "overdue", len(over), 2)
			same(h, "first", over[0].ID, b.ID)
		})
	}},
}
