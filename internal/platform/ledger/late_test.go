package ledger_test

import (
	"errors"
	"testing"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/ledger"
	"stead/internal/platform/store"
)

// sealedBatches makes what an outbox whose keys are lost delivers of the batch: pieces of at most n records.
func (b *bench) sealedBatches(batch ledger.Batch, n int) (out []ledger.SealedBatch) {
	b.Helper()
	f := audit.OutboxFile{Device: batch.Device, Epoch: batch.Epoch, Generation: 4}
	raw := make([]byte, 32)
	raw[5] = 1
	key, err := audit.NewDataKey(raw)
	if err != nil {
		b.Fatal(err)
	}
	sealedKey, err := audit.SealOutboxKey(b.ring.OutboxKey(), f, raw)
	if err != nil {
		b.Fatal(err)
	}
	for i, r := range batch.Records {
		seq := batch.FirstSeq + uint64(i)
		if i%n == 0 {
			out = append(out, ledger.SealedBatch{File: f, Key: sealedKey, Head: batch.Head, Signature: batch.Signature, FirstSeq: seq})
		}
		sealed, err := audit.SealRecord(key, f.Generation, f.Epoch, seq, audit.Sealed{Envelope: r.Envelope, Texts: r.Texts})
		if err != nil {
			b.Fatal(err)
		}
		last := &out[len(out)-1]
		last.Records = append(last.Records, sealed)
	}
	return out
}

func (b *bench) takeSealed(s ledger.SealedBatch) (next uint64, err error) {
	return b.ledger.TakeSealed(b.Context(), b.store, agent.ID, s)
}

// waits is the file that waits of the device; the zero one when none does.
func (b *bench) waits() (f store.LateFile) {
	b.Helper()
	b.update(func(tx store.Tx) (err error) {
		if f, err = tx.LateFile(b.device); errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	})
	return f
}

func TestSealedRecordsAreTakenInWhenTheLastIsHere(t *testing.T) {
	b := newBench(t)
	first := b.batch(start(b), 3, nil)
	if _, err := b.take(first); err != nil {
		t.Fatal(err)
	}
	rest := b.batch(first.Head, 7, nil)
	pieces := b.sealedBatches(rest, 3)
	var gap *ledger.GapError
	if _, err := b.takeSealed(pieces[1]); !errors.As(err, &gap) || gap.NextSeq != 4 {
		t.Fatalf("the second piece first: %v", err)
	}
	foreign := pieces[0]
	foreign.Signature = first.Signature
	if _, err := b.takeSealed(foreign); stead.CodeOf(err) != stead.CodeDeviceSignature {
		t.Errorf("a piece under a signature of another head: %v", err)
	}
	for i, want := range []uint64{7, 10, 11} {
		for range 2 { // the answer was lost the first time
			if next, err := b.takeSealed(pieces[i]); err != nil || next != want {
				t.Fatalf("piece %d: next %d, %v", i, next, err)
			}
		}
		if n := b.count(); n != map[bool]int{true: 3, false: 10}[want < 11] {
			t.Errorf("after piece %d: %d records", i, n)
		}
	}
	b.update(func(tx store.Tx) error {
		lines, err := b.ledger.Trail(tx, store.TrailFilter{Limit: 7})
		for _, l := range lines {
			if l.Facts["doubt"] != "late_untrusted" || l.Texts["reason"] == "" {
				t.Errorf("%+v", l)
			}
		}
		return err
	})
	if f := b.waits(); f.HeadSeq != 0 {
		t.Errorf("%+v still waits", f)
	}
	if next, err := b.take(b.batch(rest.Head, 1, nil)); err != nil || next != 12 {
		t.Errorf("the chain does not go on: %d, %v", next, err)
	}
}

func TestSealedRecordsThatDoNotVerifyAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*bench, *ledger.SealedBatch)
		want  stead.Code
	}{
		"an unknown device": {func(_ *bench, s *ledger.SealedBatch) {
			s.File.Device = stead.DeviceID(stead.NewPseudonym().String())
		}, stead.CodeDeviceUnknown},
		"a head of another chain": {func(_ *bench, s *ledger.SealedBatch) { s.File.Epoch = audit.NewEpoch() }, stead.CodeRecordInvalid},
		"a foreign signature":     {func(_ *bench, s *ledger.SealedBatch) { s.Signature[0] ^= 1 }, stead.CodeDeviceSignature},
		"a changed record":        {func(_ *bench, s *ledger.SealedBatch) { s.Records[1][20] ^= 1 }, stead.CodeRecordInvalid},
		"two records swapped": {func(_ *bench, s *ledger.SealedBatch) {
			s.Records[0], s.Records[1] = s.Records[1], s.Records[0]
		}, stead.CodeRecordInvalid},
		"another generation":  {func(_ *bench, s *ledger.SealedBatch) { s.File.Generation++ }, stead.CodeRecordInvalid},
		"another data key":    {func(_ *bench, s *ledger.SealedBatch) { s.Key[40] ^= 1 }, stead.CodeRecordInvalid},
		"one record too many": {func(_ *bench, s *ledger.SealedBatch) { s.Records = append(s.Records, s.Records[0]) }, stead.CodeRecordInvalid},
		"far too many": {func(b *bench, s *ledger.SealedBatch) {
			s.Head.Seq = 1_200_000
			var err error
			if s.Signature, err = audit.SignHead(b.key, s.Head); err != nil {
				b.Fatal(err)
			}
		}, stead.CodeTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			s := b.sealedBatches(b.batch(start(b), 3, nil), 3)[0]
			c.spoil(b, &s)
			if _, err := b.takeSealed(s); stead.CodeOf(err) != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if n := b.count(); n != 0 {
				t.Errorf("%d records are there", n)
			}
		})
	}
}
