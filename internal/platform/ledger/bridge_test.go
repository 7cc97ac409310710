package ledger_test

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"stead/internal/audit"

	"stead/internal/platform/ledger"
	"stead/internal/platform/store"
)

// bridgedHistory is a ledger with the records 1 to 3 of a device, then what stands in facts, then 7 and 8, which follow a
// record 6 that nobody has. With late, what stands in facts comes at the end.
func bridgedHistory(t *testing.T, late bool, facts func(b *bench, leaf string) audit.Body) (file string) {
	t.Helper()
	b := newBench(t)
	first := b.batch(start(b), 3, nil)
	if _, err := b.take(first); err != nil {
		t.Fatal(err)
	}
	lost := b.batch(first.Head, 3, nil).Head
	next := b.batch(lost, 2, nil)
	bridge := func() {
		if body := facts(b, hex.EncodeToString(lost.Leaf[:])); body != nil {
			b.update(func(tx store.Tx) error {
				return b.ledger.Write(tx, ledger.Entry{Kind: audit.ChainBridged, Facts: body})
			})
		}
	}
	if !late {
		bridge()
	}
	b.update(func(tx store.Tx) error { return tx.SetDeviceHead(b.device, b.epoch, lost.Seq, lost.Leaf) })
	if _, err := b.take(next); err != nil {
		t.Fatal(err)
	}
	if late {
		bridge()
	}
	b.sequence(b.sequencer(signer(1)))
	if err := b.store.Close(); err != nil {
		t.Fatal(err)
	}
	return b.file()
}

func TestARecordOfThePlatformLetsAChainGoOn(t *testing.T) {
	good := func(b *bench, leaf string) audit.Body {
		return audit.Body{"device": string(b.device), "epoch": b.epoch.String(), "first": int64(4), "last": int64(6), "leaf": leaf, "why": "poison"}
	}
	with := func(name string, value any) func(b *bench, leaf string) audit.Body {
		return func(b *bench, leaf string) audit.Body {
			body := good(b, leaf)
			if body[name] = value; value == nil {
				delete(body, name)
			}
			return body
		}
	}
	none := func(*bench, string) audit.Body { return nil }
	for name, c := range map[string]struct {
		facts func(b *bench, leaf string) audit.Body
		late  bool
		index int64 // of the record that is named: 4 is the bridge, 5 the device's record behind it; 0 for none
		what  string
	}{
		"as it should be":           {facts: good},
		"no bridge":                 {facts: none, index: 4, what: "has sequence 7 in its device's chain, where 4 belongs"},
		"the bridge comes too late": {facts: good, late: true, index: 4, what: "has sequence 7"},
		"no device":                 {facts: with("device", nil), index: 4, what: "device is not 16 bytes"},
		"device in capitals":        {facts: with("device", strings.Repeat("AB", 16)), index: 4, what: "device is not 16 bytes"},
		"another device":            {facts: with("device", strings.Repeat("ab", 16)), index: 4, what: "whose chain ends at 0"},
		"an epoch too short":        {facts: with("epoch", "abcd"), index: 4, what: "epoch is not 16 bytes"},
		"another epoch":             {facts: with("epoch", strings.Repeat("ab", 16)), index: 4, what: "whose chain ends at 0"},
		"no leaf":                   {facts: with("leaf", nil), index: 4, what: "leaf is not 32 bytes"},
		"another leaf":              {facts: with("leaf", strings.Repeat("ab", 32)), index: 5, what: "does not follow"},
		"no first":                  {facts: with("first", nil), index: 4, what: "not the places"},
		"first as a text":           {facts: with("first", "4"), index: 4, what: "not the places"},
		"first is zero":             {facts: with("first", int64(0)), index: 4, what: "not the places"},
		"first is negative":         {facts: with("first", int64(-4)), index: 4, what: "not the places"},
		"over records it has":       {facts: with("first", int64(3)), index: 4, what: "whose chain ends at 3"},
		"a hole before it":          {facts: with("first", int64(5)), index: 4, what: "whose chain ends at 3"},
		"last before first":         {facts: with("last", int64(3)), index: 4, what: "not the places"},
		"no last":                   {facts: with("last", nil), index: 4, what: "not the places"},
		"it ends too early":         {facts: with("last", int64(5)), index: 5, what: "has sequence 7 in its device's chain, where 6 belongs"},
		"it ends too late":          {facts: with("last", int64(7)), index: 5, what: "has sequence 7 in its device's chain, where 8 belongs"},
		"it does not say why":       {facts: with("why", nil), index: 4, what: "does not say why"},
		"why is a number":           {facts: with("why", int64(7)), index: 4, what: "does not say why"},
	} {
		t.Run(name, func(t *testing.T) {
			proof, err := verify(t, bridgedHistory(t, c.late, c.facts), audit.LedgerCheck{Keys: keysOf(t, signer(1))})
			var found *audit.LedgerBroken
			switch {
			case c.index == 0:
				if err != nil || proof.Bridged != 3 || proof.Chains != 1 {
					t.Errorf("%+v, %v", proof, err)
				}
			case !errors.As(err, &found):
				t.Errorf("not reported: %+v, %v", proof, err)
			case found.Index != c.index || !strings.Contains(found.What, c.what):
				t.Errorf("got record %d: %s", found.Index, found)
			}
		})
	}
}

// TestABridgeEndsAtTheAcknowledgedRecord: who acknowledged less or more than a bridge says contradicts it.
func TestABridgeEndsAtTheAcknowledgedRecord(t *testing.T) {
	b := newBench(t)
	b.write(1)
	b.update(func(tx store.Tx) error {
		return b.ledger.Write(tx, ledger.Entry{Kind: audit.ChainBridged, Facts: audit.Body{"device": string(b.device), "epoch": b.epoch.String(),
			"first": int64(1), "last": int64(6), "leaf": strings.Repeat("ab", 32), "why": "poison"}})
	})
	b.sequence(b.sequencer(signer(1)))
	keys := keysOf(t, signer(1))
	if proof, err := verify(t, b.file(), audit.LedgerCheck{Keys: keys}); err != nil || proof.Bridged != 6 || proof.Chains != 1 {
		t.Errorf("%+v, %v", proof, err)
	}
	b.update(func(tx store.Tx) error { return tx.SetDeviceHead(b.device, b.epoch, 7, [32]byte{1}) })
	if _, err := verify(t, b.file(), audit.LedgerCheck{Keys: keys}); err == nil || !strings.Contains(err.Error(), "record 7 was acknowledged, and its chain ends at 6") {
		t.Errorf("%v", err)
	}
}
