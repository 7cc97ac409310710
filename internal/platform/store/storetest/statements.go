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
	}},
}
