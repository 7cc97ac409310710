package ledger_test

import (
	"fmt"
	"testing"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/ledger"
	"stead/internal/platform/store"
)

// later is a transaction at a later time.
type later struct {
	store.Tx
	by time.Duration
}

func (l later) Now() time.Time { return l.Tx.Now().Add(l.by) }

// meet says that the device's chain ends at the head, that much later than now.
func (b *bench) meet(after time.Duration, said ledger.SignedHead) (next uint64, why string, first bool) {
	b.Helper()
	b.update(func(tx store.Tx) error {
		n, found, err := b.ledger.Meet(later{tx, after}, agent.Pseudonym, said)
		if err != nil {
			return err
		}
		if next, why = n, ""; found != nil {
			why, first = found.Why, found.First
			if stead.CodeOf(found) != stead.CodeChainFork || found.NextSeq != n || found.Claim != said.Head {
				b.Errorf("the finding is %+v", found)
			}
		}
		return nil
	})
	return next, why, first
}

func (c *chain) says(at int) ledger.SignedHead {
	c.Helper()
	return ledger.SignedHead{Head: c.heads[at], Signature: c.sign(c.heads[at])}
}

func (b *bench) want(step string, after time.Duration, said ledger.SignedHead, why string, first bool) {
	b.Helper()
	if _, got, isFirst := b.meet(after, said); got != why || isFirst != first {
		b.Errorf("%s: got %q (first %v), want %q (first %v)", step, got, isFirst, why, first)
	}
}

func (b *bench) standing() store.DeviceStanding {
	b.Helper()
	var out store.DeviceStanding
	b.update(func(tx store.Tx) error {
		all, _, err := tx.Devices(1, "")
		out = all[0]
		return err
	})
	return out
}

// fork is another history of the same chain after n records.
func (c *chain) fork(n, more int) *chain {
	out := &chain{bench: c.bench, epoch: c.epoch, records: append([]ledger.DeviceRecord{}, c.records[:n]...), heads: append([]audit.Head{}, c.heads[:n+1]...)}
	for range more {
		out.add(nil)
	}
	return out
}

const minute = time.Minute

func TestWhatADeviceSaysIsRemembered(t *testing.T) {
	b := newBench(t)
	c := b.chain()
	for range 5 {
		c.add(nil)
	}
	if d := b.standing(); !d.SeenAt.IsZero() {
		t.Errorf("before the first contact: %+v", d)
	}
	b.want("an empty chain", 0, c.says(0), "", false)
	if d := b.standing(); d.SeenAt.IsZero() || d.Epoch != c.epoch || d.Claimed != 0 {
		t.Errorf("an empty chain: %+v", d)
	}
	b.want("what it has not delivered", 0, c.says(4), "", false)
	if _, err := b.take(c.part(1, 2)); err != nil {
		t.Fatal(err)
	}
	if d := b.standing(); d.Claimed != 4 || d.Held != 2 || d.Alarms != 0 {
		t.Errorf("with two of four delivered: %+v", d)
	}
	if _, err := b.take(c.part(3, 5)); err != nil {
		t.Fatal(err)
	}
	if d := b.standing(); d.Claimed != 5 || d.Held != 5 {
		t.Errorf("a batch is signed, too: %+v", d)
	}
	if next, _, _ := b.meet(0, c.says(5)); next != 6 {
		t.Errorf("next %d", next)
	}
	unknown := c.says(5)
	unknown.Device = stead.DeviceID(stead.NewPseudonym().String())
	forged := c.says(5)
	forged.Signature[7] ^= 1
	for want, said := range map[stead.Code]ledger.SignedHead{stead.CodeDeviceUnknown: unknown, stead.CodeDeviceSignature: forged} {
		err := b.store.Update(t.Context(), func(tx store.Tx) error {
			_, _, err := b.ledger.Meet(tx, agent.Pseudonym, said)
			return err
		})
		if stead.CodeOf(err) != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	b.update(func(tx store.Tx) error { return tx.RevokeDevice(b.device, tx.Now()) })
	b.want("a revoked device is heard all the same", minute, c.says(5), "", false)
	if n := b.count(); n != 5 {
		t.Errorf("%d records: there was nothing to raise an alarm about", n)
	}
}

func TestAChainThatWasSetBackOrForkedIsFound(t *testing.T) {
	b := newBench(t)
	c := b.chain()
	for range 6 {
		c.add(nil)
	}
	if _, err := b.take(c.part(1, 4)); err != nil {
		t.Fatal(err)
	}
	b.want("set back below what is held", 0, c.says(3), "rolled_back", true)
	b.want("the same again", minute, c.says(3), "rolled_back", false)
	b.want("set back to nothing", 0, c.says(0), "rolled_back", true)
	b.want("another record in the last place", 0, c.fork(3, 1).says(4), "forked", true)
	b.want("another record in an earlier place", 0, c.fork(1, 1).says(2), "forked", true)
	b.want("as it is", 0, c.says(4), "", false)
	b.want("further than what is held", 0, c.says(6), "", false)
	b.want("another record beyond what is held", 0, c.fork(4, 2).says(6), "forked", true)
	b.want("set back below what it said", minute, c.says(5), "rolled_back", true)
	b.want("as it is, again", minute, c.says(6), "", false)
	if d := b.standing(); d.Alarms != 6 || d.Claimed != 6 {
		t.Errorf("%+v", d)
	}
	b.update(func(tx store.Tx) error {
		lines, err := b.ledger.Trail(tx, store.TrailFilter{Kind: string(audit.DeviceAlarm), Limit: 20})
		if err != nil || len(lines) != 6 {
			t.Fatalf("%d alarms, %v", len(lines), err)
		}
		f := lines[5].Facts // the first
		if f["device"] != string(b.device) || f["epoch"] != c.epoch.String() || f["held"] != "4" || f["said"] != "3" || f["why"] != "rolled_back" || lines[5].Actor.ID != "st-lena" {
			t.Errorf("%+v", lines[5])
		}
		return nil
	})
	b.sequence(b.sequencer(signer(1)))
	b.verified(10)
}

// TestWhatWasOvertakenIsNoAlarm: a message that was on its way while a later one arrived says nothing of the chain.
func TestWhatWasOvertakenIsNoAlarm(t *testing.T) {
	b := newBench(t)
	c := b.chain()
	for range 4 {
		c.add(nil)
	}
	if _, err := b.take(c.part(1, 3)); err != nil {
		t.Fatal(err)
	}
	beat := c.says(2)
	beat.Aside = true
	b.want("a heartbeat that records have overtaken", 10*time.Second, beat, "", false)
	b.want("a heartbeat long after", minute, beat, "rolled_back", true)
	b.want("further", 2*minute, c.says(4), "", false)
	if _, err := b.take(c.part(4, 4)); err != nil {
		t.Fatal(err)
	}
	b2 := newBench(t)
	d := b2.chain()
	for range 3 {
		d.add(nil)
	}
	b2.want("a head", 0, d.says(3), "", false)
	b2.want("one from before it, right after", 10*time.Second, d.says(2), "", false)
	b2.want("one from before it, long after", minute, d.says(2), "rolled_back", true)
	if s := b2.standing(); s.Claimed != 3 {
		t.Errorf("%+v", s)
	}
}

func TestAnOlderChainOfADeviceIsFound(t *testing.T) {
	b := newBench(t)
	old, young := b.chain(), b.chain()
	old.add(nil)
	old.add(nil)
	young.add(func(r *audit.Record) { r.Kind = audit.DeviceRecovery })
	young.add(nil)
	if _, err := b.take(old.part(1, 1)); err != nil {
		t.Fatal(err)
	}
	b.want("its only chain", 0, old.says(1), "", false)
	if _, err := b.take(young.part(1, 2)); err != nil { // it says why the one before it ended
		t.Fatal(err)
	}
	b.want("the older one", 0, old.says(1), "older_epoch", true)
	b.want("the older one, further on", 0, old.says(2), "older_epoch", true)
	b.want("the younger one", 0, young.says(2), "", false)
	if d := b.standing(); d.Epoch != young.epoch || d.Claimed != 2 {
		t.Errorf("%+v", d)
	}
	if _, err := b.take(old.part(2, 2)); err != nil { // what was salvaged of it may still come
		t.Fatal(err)
	}
	b.want("the younger one after that", 0, young.says(2), "", false)
	// A chain from before that nobody heard of, salvaged late, does not count as begun last.
	lost := b.chain()
	lost.add(nil)
	if _, err := b.take(lost.part(1, 1)); err != nil {
		t.Fatal(err)
	}
	b.want("the younger one after a salvage", 0, young.says(2), "", false)
	b.want("the salvaged one", 0, lost.says(1), "older_epoch", true)
	third := b.chain()
	b.want("a new chain is begun by its first head", 0, third.says(0), "", false)
	b.want("the younger one is the older now", 0, young.says(2), "older_epoch", true)
}

// TestAlarmsDoNotFillTheLog: a device that contradicts itself all the time is known for it after a hundred times.
func TestAlarmsDoNotFillTheLog(t *testing.T) {
	b := newBench(t)
	c := b.chain()
	c.add(nil)
	if _, err := b.take(c.part(1, 1)); err != nil {
		t.Fatal(err)
	}
	n := 0
	for i := range 130 {
		h := c.heads[1]
		h.Leaf = [32]byte{1, byte(i)}
		_, why, first := b.meet(0, ledger.SignedHead{Head: h, Signature: c.sign(h)})
		if why != "forked" {
			t.Fatal(why)
		}
		if first {
			n++
		}
	}
	if records := b.count(); n != 100 || records != 101 {
		t.Errorf("%s", fmt.Sprint(n, " alarms and ", records, " records"))
	}
}
