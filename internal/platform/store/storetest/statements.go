package storetest

import "stead/internal/platform/store"

var statementTests = []test{
	{"statements, once and in their order", func(h *harness) {
		var first, second store.Statement
		h.update(func(tx store.Tx) {
			same(h, "none", len(must(tx.Statements())(h)), 0)
			first = store.Statement{Kind: store.StatementRestored, Note: "b", At: tx.Now()}
			second = store.Statement{Kind: store.StatementHandover, Note: "a", At: tx.Now()}
			h.ok(tx.PutStatement(first))
			h.ok(tx.PutStatement(second))
			h.want(tx.PutStatement(first), store.ErrConflict)
			if tx.PutStatement(store.Statement{Kind: "other", Note: "c", At: tx.Now()}) == nil {
				h.Error("a statement of no kind was taken")
			}
		})
		h.reopen()
		h.view(func(tx store.Tx) { equal(h, must(tx.Statements())(h), []store.Statement{first, second}) })
	}},
	{"cosignatures, one a witness and size", func(h *harness) {
		h.update(func(tx store.Tx) {
			_, err := tx.Cosignature()
			h.want(err, store.ErrNotFound)
			largest := store.Cosignature{Size: 9, Witness: "v", Note: "c", At: tx.Now()}
			h.ok(tx.PutCosignature(largest))
			h.ok(tx.PutCosignature(store.Cosignature{Size: 3, Witness: "w", Note: "a", At: tx.Now()}))
			h.ok(tx.PutCosignature(store.Cosignature{Size: 3, Witness: "v", Note: "b", At: tx.Now()}))
			h.want(tx.PutCosignature(store.Cosignature{Size: 3, Witness: "v", Note: "d", At: tx.Now()}), store.ErrConflict)
			same(h, "largest", must(tx.Cosignature())(h), largest)
		})
	}}, {"deliveries, the last to each place", func(h *harness) {
		h.update(func(tx store.Tx) {
			_, err := tx.Delivery([32]byte{1})
			h.want(err, store.ErrNotFound)
			first, second := store.Delivery{Place: [32]byte{1}, Size: 9, At: tx.Now()}, store.Delivery{Place: [32]byte{2}, Size: 3, At: tx.Now()}
			h.ok(tx.PutDelivery(first))
			h.ok(tx.PutDelivery(second))
			first.Size = 4
			h.ok(tx.PutDelivery(first))
			same(h, "the first", must(tx.Delivery(first.Place))(h), first)
			same(h, "the second", must(tx.Delivery(second.Place))(h), second)
		})
	}},
}
