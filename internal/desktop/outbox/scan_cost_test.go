package outbox

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

// TestCraftedCandidatesCostLittle: whoever can write to the file can make much of it look as if something began there.
func TestCraftedCandidatesCostLittle(t *testing.T) {
	w := newWreck(t)
	path := newPath(t)
	o := open(t, path)
	settled(t, o, newLedger(), 3)
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	var own, known []byte
	err := update(path, func(meta, _ *bolt.Bucket) error {
		own, known = bytes.Clone(meta.Get([]byte("card"))), bytes.Clone(meta.Get(proofKey))
		return nil
	})
	if err != nil || len(known) < 40 {
		t.Fatalf("%d bytes are known of the log, %v", len(known), err)
	}
	for name, data := range map[string][]byte{
		"names of proofs":       append(bytes.Clone(own), bytes.Repeat([]byte("proof"), 20_000)...),
		"beginnings of proofs":  append(bytes.Clone(own), bytes.Repeat(append([]byte("proof"), known[:40]...), 20_000)...),
		"beginnings of records": append(bytes.Clone(w.cards[0]), bytes.Repeat(w.sealed[31][:40], 20_000)...),
	} {
		data = append(data, bytes.Repeat([]byte{1}, 1<<20)...)
		began := time.Now()
		if f, err := scan(t.Context(), bytes.NewReader(data), int64(len(data)), testConfig().Sealer); err != nil || len(f.keys) != 1 || len(f.spots) != 0 || f.proof != nil {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
		took := time.Since(began)
		t.Logf("20,000 %s: %v", name, took)
		if took > 20*time.Second { // hours, were it not linear
			t.Errorf("20,000 %s take %v", name, took)
		}
	}
}

// TestScanningEndsWithItsContext, in the middle of a window too.
func TestScanningEndsWithItsContext(t *testing.T) {
	w := newWreck(t)
	data := append(bytes.Clone(w.cards[0]), bytes.Repeat(w.sealed[31][:40], 4000)...)
	found := &finds{}
	whole, err := scan(t.Context(), bytes.NewReader(data), int64(len(data)), testConfig().Sealer)
	if err != nil || whole.wrong[wrongRecord] == 0 {
		t.Fatalf("nothing begins like a record, %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	found.keys = whole.keys
	err = piecewise(ctx, bytes.NewReader(data), int64(len(data)), func(at int64, b []byte, n int) int {
		cancel()
		return found.records(ctx, at, b, n)
	})
	if !errors.Is(err, context.Canceled) || found.wrong[wrongRecord] != 0 {
		t.Errorf("%d were looked at, %v", found.wrong[wrongRecord], err)
	}
}
