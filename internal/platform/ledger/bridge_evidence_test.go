package ledger_test

import (
	"encoding/hex"
	"errors"
	"testing"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/ledger"
	"stead/internal/platform/store"
)

// TestAChainGoesOnBehindARestoreThoughItsNextIsNoRecord: the refusal names it, and marked it is kept as evidence.
func TestAChainGoesOnBehindARestoreThoughItsNextIsNoRecord(t *testing.T) {
	for name, last := range map[string]int{"with records behind it": 9, "with another one behind it": 7, "alone": 6} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			c := b.chain()
			b.epoch = c.epoch
			for range 5 {
				c.add(nil)
			}
			c.addBytes([]byte("no record"), nil)
			c.addBytes([]byte("nor is this"), nil)
			for range 3 {
				c.add(nil)
			}
			if _, err := b.take(c.part(1, 2)); err != nil {
				t.Fatal(err)
			}
			b.declare("disk failed")
			bad := new(ledger.BadRecordError)
			if _, err := b.take(c.part(6, last)); !errors.As(err, &bad) || bad.Seq != 6 {
				t.Fatalf("it is not named: %v", err)
			}
			forged := c.part(6, last, 6, 7)
			forged.Signature = make([]byte, 64)
			if _, err := b.take(forged); stead.CodeOf(err) != stead.CodeDeviceSignature {
				t.Fatalf("a chain that its device did not sign: %v", err)
			}
			for range 2 { // the second time all are there
				if next, err := b.take(c.part(6, last, 6, 7)); err != nil || next != uint64(last)+1 {
					t.Fatalf("next %d, %v", next, err)
				}
			}
			if last == 6 {
				if got, want := b.bridges(), "3-6 "+hex.EncodeToString(c.heads[6].Leaf[:]); len(got) != 1 || got[0] != want {
					t.Errorf("%v, want %s", got, want)
				}
			}
			b.wantEvidence(c, 6)
			if next, err := b.take(c.part(last+1, 10, 7)); err != nil || next != 11 {
				t.Errorf("the chain does not go on: %d, %v", next, err)
			}
			b.sequence(b.sequencer(signer(1)))
			if proof, err := verify(t, b.file(), audit.LedgerCheck{Keys: keysOf(t, signer(1))}); err != nil || proof.Bridged != 5 {
				t.Errorf("%+v, %v", proof, err)
			}
		})
	}
}

func (b *bench) wantEvidence(c *chain, seq uint64) {
	b.Helper()
	source, err := stead.ParsePseudonym(string(b.device))
	if err != nil {
		b.Fatal(err)
	}
	b.update(func(tx store.Tx) error {
		q, err := tx.QuarantinedAt(source, c.epoch, seq)
		if err != nil || string(q.Envelope) != string(c.records[seq-1].Envelope) {
			b.Errorf("%d is no evidence: %+v, %v", seq, q, err)
		}
		return nil
	})
}
