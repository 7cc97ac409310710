package ledger

import (
	"errors"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/store"
)

// How much one file may bring of what the platform does not hold.
const (
	maxLate   = 100_000
	maxSealed = 160 << 10 // bytes of one sealed record; a device seals less
)

// SealedBatch is a run of records of an outbox whose keys its device has lost. The platform opens them with its own
// key; the device signed the head while it had one.
type SealedBatch struct {
	File      audit.OutboxFile
	Key       []byte // the data key, sealed for this platform
	Head      audit.Head
	Signature []byte
	FirstSeq  uint64
	Records   [][]byte
}

// TakeSealed keeps the batch until the file's last record is here, then opens all of them, verifies the chain from
// what is held to the signed head, and takes them in like TakeIn, each with the doubt late_untrusted. It returns the
// sequence expected next. A batch that begins beyond it leaves a gap (*GapError); what is held already is harmless.
//
// CodeDeviceUnknown, CodeDeviceSignature when the head is not the device's, CodeRecordInvalid when a record does not
// open or does not lead to the head, CodeTooLarge when there are too many.
func (l *Ledger) TakeSealed(tx store.Tx, by stead.StaffID, b SealedBatch) (next uint64, err error) {
	device, err := tx.Device(b.File.Device)
	if errors.Is(err, store.ErrNotFound) {
		return 0, stead.E(stead.CodeDeviceUnknown, err)
	}
	if err != nil {
		return 0, err
	}
	if b.Head.Device != b.File.Device || b.Head.Epoch != b.File.Epoch {
		return 0, stead.Errorf(stead.CodeRecordInvalid, "the head is of another chain")
	}
	if err := audit.VerifyHead(device.PublicKey, b.Head, b.Signature); err != nil {
		return 0, stead.E(stead.CodeDeviceSignature, err)
	}
	held, leaf, err := tx.DeviceHead(b.File.Device, b.File.Epoch)
	switch {
	case err != nil:
		return 0, err
	case held == b.Head.Seq && leaf != b.Head.Leaf:
		return 0, stead.Errorf(stead.CodeChainFork, "record %d", held)
	case held >= b.Head.Seq:
		return held + 1, tx.DropLate(b.File.Device, b.File.Epoch)
	case b.Head.Seq-held > maxLate:
		return 0, stead.Errorf(stead.CodeTooLarge, "%d records", b.Head.Seq-held)
	}
	if next, err = wait(tx, held, b); err != nil || next <= b.Head.Seq {
		return next, err
	}
	return next, l.openLate(tx, by, held, b)
}

// wait adds what is new of the batch to what waits, and returns what is expected next.
func wait(tx store.Tx, held uint64, b SealedBatch) (next uint64, err error) {
	waiting, err := tx.LateSeq(b.File.Device, b.File.Epoch)
	if err != nil {
		return 0, err
	}
	next = max(held, waiting) + 1
	if b.FirstSeq > next {
		return 0, &GapError{NextSeq: next}
	}
	for i, sealed := range b.Records {
		switch seq := b.FirstSeq + uint64(i); {
		case seq < next:
			continue
		case seq > b.Head.Seq:
			return 0, stead.Errorf(stead.CodeRecordInvalid, "record %d lies beyond the head", seq)
		case len(sealed) > maxSealed:
			return 0, stead.Errorf(stead.CodeTooLarge, "record %d", seq)
		}
		if err := tx.PutLate(b.File.Device, b.File.Epoch, next, sealed); err != nil {
			return 0, err
		}
		next++
	}
	return next, nil
}

// openLate takes in what waits, now that all of it is here.
func (l *Ledger) openLate(tx store.Tx, by stead.StaffID, held uint64, b SealedBatch) error {
	raw, err := l.keys.OpenOutboxKey(b.File, b.Key)
	if err != nil {
		return stead.Errorf(stead.CodeRecordInvalid, "the data key").Because(err)
	}
	key, err := audit.NewDataKey(raw)
	if err != nil {
		return stead.Errorf(stead.CodeRecordInvalid, "the data key").Because(err)
	}
	waiting, err := tx.LateRecords(b.File.Device, b.File.Epoch, held+1)
	if err != nil {
		return err
	}
	batch := Batch{Device: b.File.Device, Epoch: b.File.Epoch, FirstSeq: held + 1, Head: b.Head, Signature: b.Signature, Late: true}
	for i, sealed := range waiting {
		seq := held + 1 + uint64(i)
		rec, err := audit.OpenRecord(key, b.File.Generation, b.File.Epoch, seq, sealed)
		if err != nil {
			return stead.Errorf(stead.CodeRecordInvalid, "record %d", seq).Because(err)
		}
		batch.Records = append(batch.Records, DeviceRecord{Envelope: rec.Envelope, Texts: rec.Texts})
	}
	if _, err := l.TakeIn(tx, by, batch); err != nil {
		return err
	}
	return tx.DropLate(b.File.Device, b.File.Epoch)
}
