package storetest

import (
	"bytes"
	"fmt"
	"time"

	"stead/internal/stead"

	"stead/internal/platform/store"
)

var lateTests = []test{
	{"wait in order and go", func(h *harness) {
		f := store.LateFile{Device: "d1", Epoch: [16]byte{1}, Generation: 4, Seq: 11, Leaf: [32]byte{2}, HeadSeq: 12, HeadLeaf: [32]byte{3}, Bytes: 3}
		h.update(func(tx store.Tx) {
			for i, id := range []string{"d1", "d2"} {
				h.ok(tx.PutDevice(store.Device{ID: stead.DeviceID(id), PublicKey: bytes.Repeat([]byte{byte(i)}, 32), EnrolledAt: tx.Now()}))
			}
			_, err := tx.LateFile("d1")
			h.want(err, store.ErrNotFound)
			h.want(tx.PutLate("d1", 1, []byte("of no file")), store.ErrNotFound)
			h.want(tx.PutLateFile(store.LateFile{Device: "d9", HeadSeq: 1, TouchedAt: tx.Now()}), store.ErrNotFound)
			f.TouchedAt = tx.Now()
			h.ok(tx.PutLateFile(f))
			for _, seq := range []uint64{9, 10, 11} {
				h.ok(tx.PutLate("d1", seq, []byte{byte(seq)}))
			}
			h.ok(tx.PutLateFile(store.LateFile{Device: "d2", HeadSeq: 1, TouchedAt: tx.Now().Add(-time.Hour)}))
			h.ok(tx.PutLate("d2", 3, []byte("another device's")))
			h.want(tx.PutLate("d1", 10, []byte("again")), store.ErrConflict)
		})
		h.reopen()
		h.update(func(tx store.Tx) {
			f.Seq, f.Bytes = 12, 4
			h.ok(tx.PutLateFile(f))
			got := must(tx.LateFile("d1"))(h)
			same(h, "touched", got.TouchedAt.UnixMilli(), f.TouchedAt.UnixMilli())
			got.TouchedAt = f.TouchedAt
			same(h, "the file", got, f)
			same(h, "from the second on", fmt.Sprint(must(tx.LateRecords("d1", 10, 5))(h)), "[[10] [11]]")
			same(h, "no more than asked for", fmt.Sprint(must(tx.LateRecords("d1", 1, 2))(h)), "[[9] [10]]")
			h.ok(tx.DropLate("d1", 10))
			same(h, "after two went", fmt.Sprint(must(tx.LateRecords("d1", 1, 5))(h)), "[[11]]")
			h.ok(tx.DropLateFiles(tx.Now().Add(-time.Minute)))
			_, err := tx.LateFile("d2")
			h.want(err, store.ErrNotFound)
			same(h, "records of what was dropped", len(must(tx.LateRecords("d2", 1, 5))(h)), 0)
			h.ok(tx.DropLateFile("d1"))
			h.ok(tx.PutLateFile(f))
			same(h, "records of the file before", len(must(tx.LateRecords("d1", 1, 5))(h)), 0)
		})
	}},
}
