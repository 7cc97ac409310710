package ledger_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/ledger"
	"stead/internal/platform/store"
)

// TestSealedJunkIsRefusedWhenItComes: the platform has the key, so what does not open need not wait for its end.
func TestSealedJunkIsRefusedWhenItComes(t *testing.T) {
	b := newBench(t)
	b.update(func(tx store.Tx) error { return tx.RevokeDevice(b.device, tx.Now()) })
	good := b.sealedBatches(b.batch(start(b), 10, nil), 2)
	b.epoch = audit.NewEpoch()
	fork := b.sealedBatches(b.batch(audit.Head{Device: b.device, Epoch: good[0].File.Epoch, Seq: 2, Leaf: [32]byte{1}}, 2, nil), 2)[0]
	for name, c := range map[string]struct {
		spoil func(s *ledger.SealedBatch)
		want  stead.Code
	}{
		"bytes":           {func(s *ledger.SealedBatch) { s.Records[1] = make([]byte, 160<<10) }, stead.CodeRecordInvalid},
		"too many bytes":  {func(s *ledger.SealedBatch) { s.Records[1] = make([]byte, 160<<10+1) }, stead.CodeTooLarge},
		"another key":     {func(s *ledger.SealedBatch) { s.Key = []byte("x") }, stead.CodeRecordInvalid},
		"another's chain": {func(s *ledger.SealedBatch) { s.Records = fork.Records }, stead.CodeRecordInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			if next, err := b.takeSealed(good[0]); err != nil || next != 3 {
				t.Fatalf("next %d, %v", next, err)
			}
			s := good[1]
			s.Records = append([][]byte{}, s.Records...)
			c.spoil(&s)
			if _, err := b.takeSealed(s); stead.CodeOf(err) != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if f := b.waits(); f.HeadSeq != 0 {
				t.Errorf("%+v still waits", f)
			}
		})
	}
}

// TestOneSealedFileOfADeviceWaits: a second one takes the place of the first, and what nobody touches goes.
func TestOneSealedFileOfADeviceWaits(t *testing.T) {
	b := newBench(t)
	first := b.sealedBatches(b.batch(start(b), 4, nil), 2)
	b.epoch = audit.NewEpoch()
	second := b.sealedBatches(b.batch(start(b), 4, nil), 2)
	for _, p := range []ledger.SealedBatch{first[0], second[0]} {
		if next, err := b.takeSealed(p); err != nil || next != 3 {
			t.Fatalf("next %d, %v", next, err)
		}
	}
	if f := b.waits(); f.Epoch != second[0].File.Epoch || f.Seq != 2 {
		t.Fatalf("%+v", f)
	}
	unsigned := first[0]
	unsigned.Signature = make([]byte, 64)
	if _, err := b.takeSealed(unsigned); stead.CodeOf(err) != stead.CodeDeviceSignature || b.waits().Seq != 2 {
		t.Errorf("what the device did not sign: %v, %+v waits", err, b.waits())
	}
	b.update(func(tx store.Tx) error {
		f, err := tx.LateFile(b.device)
		if err != nil {
			return err
		}
		f.TouchedAt = tx.Now().Add(-8 * 24 * time.Hour)
		return tx.PutLateFile(f)
	})
	if _, err := b.takeSealed(second[1]); stead.CodeOf(err) != stead.CodeChainGap {
		t.Errorf("behind records that waited for eight days: %v", err)
	}
	for _, p := range second {
		if _, err := b.takeSealed(p); err != nil {
			t.Fatal(err)
		}
	}
	if n := b.count(); n != 4 {
		t.Errorf("%d records are there", n)
	}
}

// TestASealedFileHasABound: so much of a device waits and no more.
func TestASealedFileHasABound(t *testing.T) {
	b := newBench(t)
	piece := b.sealedBatches(b.batch(start(b), 4, nil), 2)
	if _, err := b.takeSealed(piece[0]); err != nil {
		t.Fatal(err)
	}
	b.update(func(tx store.Tx) error {
		f, err := tx.LateFile(b.device)
		if err != nil {
			return err
		}
		f.Bytes = 2<<30 - 10
		return tx.PutLateFile(f)
	})
	if _, err := b.takeSealed(piece[1]); stead.CodeOf(err) != stead.CodeTooLarge {
		t.Errorf("got %v", err)
	}
}

// TestALargeSealedFileComesInParts: a file that a device filled for long is not too large, since it comes bit by bit.
func TestALargeSealedFileComesInParts(t *testing.T) {
	const n = 1100 // of 64,000 bytes: more than 64 MiB
	b := newBench(t)
	pad := strings.Repeat("x", 64_000)
	batch := b.batch(start(b), n, func(r *audit.Record) { r.Body = audit.Body{"pad": pad} })
	for _, p := range b.sealedBatches(batch, 15) {
		if _, err := b.takeSealed(p); err != nil {
			t.Fatalf("from record %d on: %v", p.FirstSeq, err)
		}
	}
	b.sequence(b.sequencer(signer(1)))
	b.verified(n)
	if b.waits().HeadSeq != 0 {
		t.Errorf("%+v waits", b.waits())
	}
}

// TestALongSealedFileIsTakenInBitByBit: the one writer is not held for all of it, and what was cut short goes on.
func TestALongSealedFileIsTakenInBitByBit(t *testing.T) {
	const n = 1200
	b := newBench(t)
	batch := b.batch(start(b), n, nil)
	pieces := b.sealedBatches(batch, 200)
	for _, p := range pieces[:5] {
		if _, err := b.takeSealed(p); err != nil {
			t.Fatal(err)
		}
	}
	cut := &shortStore{Store: b.store, left: 2}
	if _, err := b.ledger.TakeSealed(t.Context(), cut, agent.ID, pieces[5]); err == nil {
		t.Fatal("it took one transaction for all")
	}
	held := func() (seq uint64) {
		b.update(func(tx store.Tx) (err error) {
			seq, _, err = tx.DeviceHead(b.device, b.epoch)
			return err
		})
		return seq
	}
	if seq := held(); seq == 0 || seq > 500 {
		t.Fatalf("two transactions took %d records", seq)
	}
	b.restart()
	if next, err := b.takeSealed(pieces[0]); err != nil || next != n+1 || held() != n {
		t.Fatalf("next %d, %d held, %v", next, held(), err)
	}
	if f := b.waits(); f.HeadSeq != 0 {
		t.Errorf("%+v still waits", f)
	}
	b.sequence(b.sequencer(signer(1)))
	b.verified(n)
}

// shortStore refuses transactions after some.
type shortStore struct {
	store.Store
	left int
}

func (s *shortStore) Update(ctx context.Context, f func(tx store.Tx) error) error {
	if s.left--; s.left < 0 {
		return errors.New("the power went")
	}
	return s.Store.Update(ctx, f)
}

// TestASealedFileGivesWayToAnotherChain: its device, or whoever has its key, delivered another record meanwhile.
func TestASealedFileGivesWayToAnotherChain(t *testing.T) {
	b := newBench(t)
	pieces := b.sealedBatches(b.batch(start(b), 4, nil), 2)
	if _, err := b.takeSealed(pieces[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := b.take(b.batch(start(b), 1, nil)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.takeSealed(pieces[1]); stead.CodeOf(err) != stead.CodeChainFork {
		t.Errorf("got %v", err)
	}
	if n := b.count(); n != 1 || b.waits().HeadSeq != 0 {
		t.Errorf("%d records are there, %+v waits", n, b.waits())
	}
}
