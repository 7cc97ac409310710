package ledger_test

import (
	"testing"

	"stead/internal/platform/store"
)

// TestARestoreExcusesOneLostBeginning: a device cannot begin chains in the middle as often as it likes, and what it
// begins so is marked.
func TestARestoreExcusesOneLostBeginning(t *testing.T) {
	b := newBench(t)
	b.write(1)
	chains := []*chain{b.chain(), b.chain(), b.chain()}
	for _, c := range chains {
		for range 8 {
			c.add(nil)
		}
	}
	takes := func(c *chain, want bool) {
		t.Helper()
		b.epoch = c.epoch
		if !want {
			b.wantGap(c.part(6, 8), 1)
			return
		}
		if next, err := b.take(c.part(6, 8)); err != nil || next != 9 {
			t.Fatalf("next %d, %v", next, err)
		}
	}
	b.declare("disk failed")
	takes(chains[0], true)
	takes(chains[1], false)
	b.update(func(tx store.Tx) error {
		lines, err := b.ledger.Trail(tx, store.TrailFilter{Kind: "session.intent", Limit: 3})
		want := []string{"", "", "its chain's beginning was lost in a restore"} // the newest first
		for i, l := range lines {
			if l.Facts["doubt"] != want[i] {
				t.Errorf("record %d from the end: doubt %q", i, l.Facts["doubt"])
			}
		}
		return err
	})
	b.declare("disk failed again")
	takes(chains[1], true)
	takes(chains[2], false)
}

// TestEvidenceDoesNotHideALostBeginning: the first record is marked, though what is no record came before it by itself.
func TestEvidenceDoesNotHideALostBeginning(t *testing.T) {
	b := newBench(t)
	b.write(1)
	c := b.chain()
	for range 5 {
		c.add(nil)
	}
	c.addBytes([]byte("no record"), nil)
	c.addBytes([]byte("nor is this"), nil)
	c.add(nil)
	c.add(nil)
	b.declare("disk failed")
	for _, seq := range []int{6, 7, 8, 9} {
		if _, err := b.take(c.part(seq, seq, 6, 7)); err != nil {
			t.Fatal(err)
		}
	}
	b.update(func(tx store.Tx) error {
		lines, err := b.ledger.Trail(tx, store.TrailFilter{Kind: "session.intent", Limit: 2})
		if len(lines) != 2 || lines[0].Facts["doubt"] != "" || lines[1].Facts["doubt"] != "its chain's beginning was lost in a restore" {
			t.Errorf("%+v", lines)
		}
		return err
	})
}
