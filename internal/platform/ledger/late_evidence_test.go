package ledger_test

import (
	"crypto/ed25519"
	"testing"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/store"
)

// TestASealedFileIsNotLostToOneRecord: what its device can no longer mark as refused is kept as evidence all the same.
func TestASealedFileIsNotLostToOneRecord(t *testing.T) {
	b := newBench(t)
	c := b.chain()
	b.epoch = c.epoch
	for range 3 {
		c.add(nil)
	}
	c.addBytes([]byte("no record"), nil)
	c.addBytes([]byte("nor is this"), nil)
	c.add(nil)
	c.add(func(r *audit.Record) { r.KeyID = audit.KeyID(signer(9).Public().(ed25519.PublicKey)) })
	c.add(nil)
	c.addBytes([]byte("at the end"), nil)
	bad := map[uint64]bool{4: true, 5: true, 7: true, 9: true}
	for _, p := range b.sealedBatches(c.part(1, 9), 2) {
		if _, err := b.takeSealed(p); err != nil {
			t.Fatal(err)
		}
	}
	source, err := stead.ParsePseudonym(string(b.device))
	if err != nil {
		t.Fatal(err)
	}
	b.update(func(tx store.Tx) error {
		for seq := uint64(1); seq <= 9; seq++ {
			e, isRecord := tx.IntakeAt(source, c.epoch, seq)
			q, isEvidence := tx.QuarantinedAt(source, c.epoch, seq)
			switch {
			case bad[seq] && (isEvidence != nil || q.Said != "late" || string(q.Envelope) != string(c.records[seq-1].Envelope)):
				t.Errorf("%d is no evidence: %v %+v", seq, isEvidence, q)
			case !bad[seq] && (isRecord != nil || e.Doubt != "late_untrusted"):
				t.Errorf("%d is no record: %v %+v", seq, isRecord, e)
			}
		}
		return nil
	})
	b.sequence(b.sequencer(signer(1)))
	b.verified(9)
}
