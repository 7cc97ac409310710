package storetest

import (
	"fmt"

	"stead/internal/platform/store"
)

// logged appends n records to the intake and puts the first of them into the log.
func (h *harness) logged(tx store.Tx, n, inLog byte) {
	h.Helper()
	for i := byte(1); i <= n; i++ {
		must(tx.AppendIntake(entry(i, tx.Now())))(h)
	}
	for i := range int64(inLog) {
		h.ok(tx.AppendLog(i, []int64{i + 1}, 2*i, [][32]byte{{byte(i + 1)}, {100 + byte(i)}}))
	}
}

func places(h *harness, entries []store.LogEntry) string {
	h.Helper()
	out := []string{}
	for _, e := range entries {
		out = append(out, fmt.Sprintf("%d:%d:%d:%x", e.Position, e.Index, e.Leaf[0], e.Envelope))
	}
	return fmt.Sprint(out)
}

var logTests = []test{
	{"what is not in the log, in order", func(h *harness) {
		h.update(func(tx store.Tx) {
			same(h, "none", len(must(tx.Unlogged(10))(h)), 0)
			same(h, "size", must(tx.LogSize())(h), int64(0))
			h.logged(tx, 4, 0)
			same(h, "all", places(h, must(tx.Unlogged(10))(h)), "[0:1:1:a101 0:2:2:a102 0:3:3:a103 0:4:4:a104]")
			h.ok(tx.AppendLog(0, []int64{1}, 0, [][32]byte{{1}}))
			h.ok(tx.AppendLog(1, []int64{2}, 1, [][32]byte{{2}, {3}}))
			same(h, "the next", places(h, must(tx.Unlogged(1))(h)), "[0:3:3:a103]")
			same(h, "size", must(tx.LogSize())(h), int64(2))
		})
		h.reopen()
		h.view(func(tx store.Tx) {
			same(h, "in the log", places(h, must(tx.LogEntries(0, 10))(h)), "[0:1:1:a101 1:2:2:a102]")
			same(h, "from a position", places(h, must(tx.LogEntries(1, 10))(h)), "[1:2:2:a102]")
			same(h, "beyond", len(must(tx.LogEntries(2, 10))(h)), 0)
			hashes := must(tx.LogHashes([]int64{2, 0}))(h)
			same(h, "hashes", fmt.Sprint(hashes[0][0], hashes[1][0]), "3 1")
			_, err := tx.LogHashes([]int64{0, 3})
			h.want(err, store.ErrNotFound)
		})
	}},
	{"the log grows at its end only", func(h *harness) {
		h.update(func(tx store.Tx) {
			h.logged(tx, 4, 2)
			h.want(tx.AppendLog(0, []int64{3}, 4, nil), store.ErrConflict)             // the position is taken
			h.want(tx.AppendLog(2, []int64{2}, 4, nil), store.ErrConflict)             // the record is in the log
			h.want(tx.AppendLog(2, []int64{3}, 1, [][32]byte{{1}}), store.ErrConflict) // the hash is taken
			if tx.AppendLog(4, []int64{4}, 4, nil) == nil || tx.AppendLog(-1, []int64{4}, 4, nil) == nil {
				h.Error("a gap in the log")
			}
			if tx.AppendLog(3, []int64{4}, 9, [][32]byte{{1}}) == nil {
				h.Error("a gap in the hashes")
			}
		})
	}},
	{"one append of a place wins", func(h *harness) {
		h.update(func(tx store.Tx) { h.logged(tx, 2, 0) })
		h.ok(h.Update(h.Context(), func(tx store.Tx) error { return tx.AppendLog(0, []int64{1}, 0, [][32]byte{{1}}) }))
		h.want(h.Update(h.Context(), func(tx store.Tx) error { return tx.AppendLog(0, []int64{1}, 0, [][32]byte{{1}}) }), store.ErrConflict)
		h.view(func(tx store.Tx) { same(h, "size", must(tx.LogSize())(h), int64(1)) })
	}},
	{"checkpoints and keys", func(h *harness) {
		h.update(func(tx store.Tx) {
			_, err := tx.Checkpoint()
			h.want(err, store.ErrNotFound)
			h.ok(tx.PutCheckpoint(store.Checkpoint{Size: 0, Note: "a", At: tx.Now()}))
			newest := store.Checkpoint{Size: 3, Note: "b", At: tx.Now()}
			h.ok(tx.PutCheckpoint(newest))
			h.want(tx.PutCheckpoint(store.Checkpoint{Size: 3, Note: "c", At: tx.Now()}), store.ErrConflict)
			if tx.PutCheckpoint(store.Checkpoint{Size: 2, Note: "c", At: tx.Now()}) == nil {
				h.Error("a checkpoint before the newest was taken")
			}
			same(h, "newest", must(tx.Checkpoint())(h), newest)
			h.ok(tx.PutLogKey("k1"))
			h.ok(tx.PutLogKey("k2"))
			h.ok(tx.PutLogKey("k1"))
			equal(h, must(tx.LogKeys())(h), []string{"k1", "k2"})
		})
	}},
}
