package ledger

import (
	"crypto/ed25519"
	"errors"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/store"
)

// DeviceRecord is a record as a device delivers it.
type DeviceRecord struct {
	Envelope []byte
	Texts    []audit.Text
}

// Batch is records of one device's epoch in order, with the signed head after the last of them.
type Batch struct {
	Device    stead.DeviceID
	Epoch     audit.Epoch
	FirstSeq  uint64
	Records   []DeviceRecord
	Head      audit.Head
	Signature []byte
}

// GapError says that records are missing before the batch.
type GapError struct{ NextSeq uint64 }

func (e *GapError) Error() string { return string(stead.CodeChainGap) }
func (e *GapError) Unwrap() error { return stead.E(stead.CodeChainGap, nil) }

// TakeIn adds the records of the batch that are new and returns the sequence expected next. Records that are there
// already with the same leaf are harmless. Another record at a taken place is a fork (CodeChainFork); a batch that
// starts after the next place leaves a gap (*GapError). Whoever is signed in delivers what the device holds, a
// colleague's records from before included: the device's signature vouches for them.
func (l *Ledger) TakeIn(tx store.Tx, b Batch) (next uint64, err error) {
	device, err := tx.Device(b.Device)
	if errors.Is(err, store.ErrNotFound) || err == nil && !device.RevokedAt.IsZero() {
		return 0, stead.E(stead.CodeDeviceUnknown, err)
	}
	if err != nil {
		return 0, err
	}
	seq, leaf, err := tx.DeviceHead(b.Device, b.Epoch)
	if err != nil {
		return 0, err
	}
	if b.FirstSeq > seq+1 {
		return 0, &GapError{NextSeq: seq + 1}
	}
	fresh, err := skipKnown(tx, b, seq)
	if err != nil {
		return 0, err
	}
	head := audit.Head{Device: b.Device, Epoch: b.Epoch, Seq: seq, Leaf: leaf}
	for _, r := range fresh {
		if head, err = l.takeOne(tx, head, r, device.PublicKey); err != nil {
			return 0, err
		}
	}
	if len(fresh) > 0 {
		if head != b.Head {
			return 0, stead.Errorf(stead.CodeRecordInvalid, "the head is not that of the last record")
		}
		if err := audit.VerifyHead(device.PublicKey, b.Head, b.Signature); err != nil {
			return 0, stead.E(stead.CodeDeviceSignature, err)
		}
		if err := tx.SetDeviceHead(b.Device, b.Epoch, head.Seq, head.Leaf); err != nil {
			return 0, err
		}
	}
	return head.Seq + 1, nil
}

// skipKnown compares what is there already and returns the rest.
func skipKnown(tx store.Tx, b Batch, seq uint64) ([]DeviceRecord, error) {
	device, err := stead.ParsePseudonym(string(b.Device))
	if err != nil {
		return nil, stead.E(stead.CodeDeviceUnknown, err)
	}
	i := 0
	for ; i < len(b.Records) && b.FirstSeq+uint64(i) <= seq; i++ {
		at := b.FirstSeq + uint64(i)
		known, err := tx.IntakeAt(device, b.Epoch, at)
		if err != nil {
			return nil, err
		}
		if known.Leaf != audit.Leaf(b.Records[i].Envelope) {
			return nil, stead.Errorf(stead.CodeChainFork, "record %d", at)
		}
	}
	return b.Records[i:], nil
}

func (l *Ledger) takeOne(tx store.Tx, head audit.Head, r DeviceRecord, key ed25519.PublicKey) (audit.Head, error) {
	next, rec, err := audit.Extend(head, r.Envelope)
	if err != nil {
		return head, stead.Errorf(stead.CodeRecordInvalid, "record %d", head.Seq+1).Because(err)
	}
	switch {
	case !rec.Kind.FromDevice():
		return head, stead.Errorf(stead.CodeRecordInvalid, "record %d has a kind only the platform writes", next.Seq)
	case rec.KeyID != audit.KeyID(key):
		return head, stead.Errorf(stead.CodeRecordInvalid, "record %d names another key", next.Seq)
	}
	if err := rec.Check(r.Texts); err != nil {
		return head, stead.Errorf(stead.CodeRecordInvalid, "record %d", next.Seq).Because(err)
	}
	if err := knownActor(tx, rec.Actor); err != nil {
		return head, stead.Errorf(stead.CodeRecordInvalid, "record %d names an actor who does not work here", next.Seq).Because(err)
	}
	err = l.append(tx, rec, r.Envelope, r.Texts)
	if errors.Is(err, store.ErrConflict) {
		return head, stead.Errorf(stead.CodeRecordInvalid, "record %d repeats an event", next.Seq).Because(err)
	}
	return next, err
}

func knownActor(tx store.Tx, p stead.Pseudonym) error {
	if p.IsZero() {
		return nil // nobody acted, as when a device recovers by itself
	}
	staff, _, err := tx.PersonOf(p)
	if err == nil && staff == nil {
		err = store.ErrNotFound
	}
	return err
}
