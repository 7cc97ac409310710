package storetest

import (
	"bytes"
	"fmt"

	"stead/internal/platform/store"
)

var lateTests = []test{
	{"wait in order and go", func(h *harness) {
		a, b := [16]byte{1}, [16]byte{2}
		h.update(func(tx store.Tx) {
			h.ok(tx.PutDevice(store.Device{ID: "d1", PublicKey: bytes.Repeat([]byte{1}, 32), EnrolledAt: tx.Now()}))
			same(h, "none", must(tx.LateSeq("d1", a))(h), 0)
			for _, seq := range []uint64{9, 10, 11} {
				h.ok(tx.PutLate("d1", a, seq, []byte{byte(seq)}))
			}
			h.ok(tx.PutLate("d1", b, 3, []byte("another chain")))
			h.want(tx.PutLate("d1", a, 10, []byte("again")), store.ErrConflict)
			h.want(tx.PutLate("d9", a, 1, []byte("nobody's")), store.ErrNotFound)
		})
		h.reopen()
		h.update(func(tx store.Tx) {
			same(h, "the highest", must(tx.LateSeq("d1", a))(h), 11)
			same(h, "from the second on", fmt.Sprint(must(tx.LateRecords("d1", a, 10))(h)), "[[10] [11]]")
			h.ok(tx.DropLate("d1", a))
			same(h, "after they went", must(tx.LateSeq("d1", a))(h), 0)
			same(h, "the other chain", must(tx.LateSeq("d1", b))(h), 3)
		})
	}},
}
