package ledger_test

import (
	"testing"

	"stead/internal/audit"
)

// TestAnEmptyChainHidesNothing: what a device owes of one chain stays owed when it says that another one is empty.
func TestAnEmptyChainHidesNothing(t *testing.T) {
	b := newBench(t)
	c := b.owing()
	empty := b.chain()
	b.want("an empty chain", 0, empty.says(0), "abandoned", true)
	b.want("the same again", minute, empty.says(0), "abandoned", false)
	if d := b.standing(); d.Epoch != c.epoch || d.Claimed != 10 || d.Held != 5 || d.Pending != 5 || d.Alarms != 1 {
		t.Errorf("%+v", d)
	}
	b.want("the chain that it owes of", minute, c.says(10), "", false)
	if _, err := b.take(c.part(6, 10)); err != nil {
		t.Fatal(err)
	}
	b.want("an empty chain when nothing is owed", minute, empty.says(0), "", false)
	if d := b.standing(); d.Pending != 0 || d.Alarms != 1 {
		t.Errorf("at the end: %+v", d)
	}
}

// TestAChainThatDoesNotSayWhyHidesNothing: its first record is any other than the one with which a chain follows another.
func TestAChainThatDoesNotSayWhyHidesNothing(t *testing.T) {
	for name, kind := range map[string]audit.Kind{"it says why": audit.DeviceRecovery, "it does not": audit.SessionIntent} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.owing()
			next := b.chain()
			next.add(func(r *audit.Record) { r.Kind = kind })
			next.add(nil)
			b.want("its head, before its records", 0, next.says(2), "", false)
			if d := b.standing(); d.Epoch != next.epoch || d.Pending != 7 {
				t.Errorf("before its records: %+v", d)
			}
			if _, err := b.take(next.part(1, 2)); err != nil {
				t.Fatal(err)
			}
			alarms := map[bool]int{false: 1}[kind == audit.DeviceRecovery]
			if d := b.standing(); d.Pending != 5 || d.Alarms != alarms {
				t.Errorf("%d alarms expected: %+v", alarms, d)
			}
		})
	}
}

// owing is a chain of ten records of which the platform holds five and heard of all.
func (b *bench) owing() *chain {
	b.Helper()
	c := b.chain()
	for range 10 {
		c.add(nil)
	}
	if _, err := b.take(c.part(1, 5)); err != nil {
		b.Fatal(err)
	}
	b.want("what it has", 0, c.says(10), "", false)
	return c
}
