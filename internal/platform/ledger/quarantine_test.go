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

// TestWhatIsNoRecordIsKeptAsEvidence: it is refused by name first; refused again, it holds its place and no more.
func TestWhatIsNoRecordIsKeptAsEvidence(t *testing.T) {
	b := newBench(t)
	c := b.chain()
	c.add(nil)
	c.addBytes([]byte("no record at all"), nil)
	c.add(nil)
	_, err := b.take(c.part(1, 3))
	if bad := new(ledger.BadRecordError); !errors.As(err, &bad) || bad.Seq != 2 || stead.CodeOf(err) != stead.CodeRecordInvalid {
		t.Fatalf("got %v, want record 2 to be named", err)
	}
	if n := b.count(); n != 0 {
		t.Fatalf("%d records of a refused batch are there", n)
	}
	for range 2 { // the second time all are duplicates
		if next, err := b.take(c.part(1, 3, 2)); err != nil || next != 4 {
			t.Fatalf("next %d, %v", next, err)
		}
	}
	if next, err := b.take(c.part(2, 3)); err != nil || next != 4 { // and it need not be marked any more
		t.Errorf("next %d, %v", next, err)
	}
	fork := c.part(2, 2, 2)
	fork.Records[0].Envelope = []byte("another one")
	if _, err := b.take(fork); stead.CodeOf(err) != stead.CodeChainFork {
		t.Errorf("another one in the place of the evidence: %v", err)
	}
	leaf := c.heads[2].Leaf
	b.update(func(tx store.Tx) error {
		lines, err := b.ledger.Trail(tx, store.TrailFilter{Limit: 10})
		if err != nil || len(lines) != 3 || lines[1].Kind != audit.ChainBridged {
			t.Fatalf("%+v, %v", lines, err)
		}
		for name, want := range map[string]string{"device": string(b.device), "epoch": c.epoch.String(), "first": "2", "last": "2",
			"leaf": hex.EncodeToString(leaf[:]), "why": "quarantined", "said": "record_invalid"} {
			if got := lines[1].Facts[name]; got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		return nil
	})
	b.sequence(b.sequencer(signer(1)))
	b.verified(3)
}

// TestAMarkedRecordThatIsGoodIsTaken: the mark opens a way, it does not close the other one.
func TestAMarkedRecordThatIsGoodIsTaken(t *testing.T) {
	b := newBench(t)
	c := b.chain()
	c.add(nil)
	c.add(nil)
	if next, err := b.take(c.part(1, 2, 1, 2)); err != nil || next != 3 {
		t.Fatalf("next %d, %v", next, err)
	}
	if n := b.count(); n != 2 {
		t.Errorf("%d records are there, want the two of the device", n)
	}
}

func TestARepeatedEventCanBeQuarantined(t *testing.T) {
	b := newBench(t)
	c := b.chain()
	event := stead.NewEventID()
	for range 60 { // more than one statement's worth
		c.add(nil)
	}
	for range 2 {
		c.add(func(r *audit.Record) { r.EventID = event })
	}
	c.add(nil)
	_, err := b.take(c.part(1, 63))
	if bad := new(ledger.BadRecordError); !errors.As(err, &bad) || bad.Seq != 62 {
		t.Fatalf("got %v, want record 62 to be named", err)
	}
	if next, err := b.take(c.part(1, 63, 62)); err != nil || next != 64 {
		t.Fatalf("next %d, %v", next, err)
	}
	b.sequence(b.sequencer(signer(1)))
	b.verified(63)
}

func TestEvidenceHasBounds(t *testing.T) {
	b := newBench(t)
	for name, bytes := range map[string][]byte{"nothing": {}, "too much": make([]byte, audit.MaxEnvelope+1)} {
		c := b.chain()
		c.addBytes(bytes, nil)
		if _, err := b.take(c.part(1, 1, 1)); stead.CodeOf(err) != stead.CodeRecordInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	c := b.chain()
	c.addBytes(make([]byte, audit.MaxEnvelope), nil)
	if next, err := b.take(c.part(1, 1, 1)); err != nil || next != 2 {
		t.Errorf("as much as a record may have: next %d, %v", next, err)
	}
	// Marked or not, the device's signature has to vouch for it.
	c.addBytes([]byte("more"), nil)
	forged := c.part(2, 2, 2)
	forged.Signature[5] ^= 1
	if _, err := b.take(forged); stead.CodeOf(err) != stead.CodeDeviceSignature {
		t.Errorf("a foreign signature: %v", err)
	}
}

func TestWhatARevokedDeviceDeliversIsLateAndUntrusted(t *testing.T) {
	b := newBench(t)
	c := b.chain()
	c.add(nil)
	if _, err := b.take(c.part(1, 1)); err != nil {
		t.Fatal(err)
	}
	b.update(func(tx store.Tx) error { return tx.RevokeDevice(b.device, tx.Now()) })
	c.add(nil)
	c.addBytes([]byte("no record"), nil)
	if next, err := b.take(c.part(1, 3, 3)); err != nil || next != 4 {
		t.Fatalf("next %d, %v", next, err)
	}
	b.update(func(tx store.Tx) error {
		lines, err := b.ledger.Trail(tx, store.TrailFilter{Kind: string(audit.SessionIntent), Limit: 2})
		if err != nil || lines[0].Facts["doubt"] != ledger.LateUntrusted || lines[1].Facts["doubt"] != "" || lines[0].Facts["delivered_by"] != "st-lena" {
			t.Errorf("%+v, %v", lines, err)
		}
		return nil
	})
	b.sequence(b.sequencer(signer(1)))
	b.verified(3)
}
