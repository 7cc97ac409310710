package storetest

import (
	"time"

	"stead/internal/platform/store"
	"stead/internal/stead"
)

var comparisonTests = []test{
	{"a session is due until it was compared, and again when it is expected again", func(h *harness) {
		h.people()
		var first, second stead.SessionID
		var now time.Time
		h.update(func(tx store.Tx) {
			now = tx.Now()
			a, b := begin(lena, now), begin(tom, now)
			first, second = a.ID, b.ID
			h.ok(tx.InsertSession(a))
			h.ok(tx.InsertSession(b))
			h.ok(tx.ExpectComparison(first, now.Add(time.Minute)))
			h.ok(tx.ExpectComparison(second, now.Add(time.Second)))
			h.ok(tx.ExpectComparison(second, now.Add(time.Hour))) // the earlier time stays
			h.ok(tx.PutOffComparison(second, now.Add(2*time.Second)))
		})
		h.view(func(tx store.Tx) {
			same(h, "before", len(must(tx.DueComparisons(now.Add(2*time.Second-time.Millisecond), 10))(h)), 0)
			same(h, "one", must(tx.DueComparisons(now.Add(2*time.Second), 10))(h)[0], store.Comparison{Session: second})
			both := must(tx.DueComparisons(now.Add(time.Hour), 10))(h)
			same(h, "both", len(both), 2)
			same(h, "the order", both[0].Session, second)
			same(h, "the limit", len(must(tx.DueComparisons(now.Add(time.Hour), 1))(h)), 1)
		})
		h.update(func(tx store.Tx) { h.ok(tx.Compared(second, 3, now.Add(time.Second))) })
		h.view(func(tx store.Tx) { // another time was set since
			same(h, "still due", must(tx.DueComparisons(now.Add(time.Hour), 10))(h)[0], store.Comparison{Session: second, Missing: 3})
		})
		h.update(func(tx store.Tx) { h.ok(tx.Compared(second, 3, now.Add(2*time.Second))) })
		h.view(func(tx store.Tx) {
			same(h, "compared", must(tx.DueComparisons(now.Add(time.Hour), 10))(h)[0].Session, first)
		})
		h.update(func(tx store.Tx) { h.ok(tx.ExpectComparison(second, now)) })
		h.view(func(tx store.Tx) {
			same(h, "again", must(tx.DueComparisons(now, 10))(h)[0], store.Comparison{Session: second, Missing: 3})
		})
	}},
}
