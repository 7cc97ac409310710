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
	Late      bool // opened by the platform, not delivered by the device: every record is doubted, see TakeSealed
}

// GapError says that records are missing before the batch.
type GapError struct{ NextSeq uint64 }

func (e *GapError) Error() string { return string(stead.CodeChainGap) }
func (e *GapError) Unwrap() error { return stead.E(stead.CodeChainGap, nil) }

// TakeIn adds the records of the batch that are new and returns the sequence expected next. Records that are there
// already with the same leaf are harmless. Another record at a taken place is a fork (CodeChainFork); a batch that
// starts after the next place leaves a gap (*GapError).
//
// Whoever is signed in (by) delivers what the device holds, a colleague's records from before included. The device's
// signature vouches for the bytes, not for their truth: a record that does not fit what the platform knows is kept
// all the same, since refusing it would hold up every record behind it, and marked with the doubt.
func (l *Ledger) TakeIn(tx store.Tx, by stead.StaffID, b Batch) (next uint64, err error) {
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
		if head, err = l.takeOne(tx, by, head, r, device.PublicKey, b.Late); err != nil {
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

func (l *Ledger) takeOne(tx store.Tx, by stead.StaffID, head audit.Head, r DeviceRecord, key ed25519.PublicKey, late bool) (audit.Head, error) {
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
	doubt := lateUntrusted
	if !late {
		if doubt, err = doubtOf(tx, rec); err != nil {
			return head, err
		}
	}
	err = l.append(tx, rec, r.Envelope, r.Texts, by, doubt)
	if errors.Is(err, store.ErrConflict) {
		return head, stead.Errorf(stead.CodeRecordInvalid, "record %d repeats an event", next.Seq).Because(err)
	}
	return next, err
}

// doubtOf says why what a device's record says does not fit what the platform knows, "" when it fits.
func doubtOf(tx store.Tx, rec audit.Record) (string, error) {
	if rec.Seq == 1 && rec.Kind != audit.DeviceRecovery {
		if n, err := tx.DeviceEpochs(rec.Device); err != nil || n > 0 {
			return "a new chain that does not say why the one before it ended", err
		}
	}
	if rec.Actor.IsZero() {
		return "", nil // nobody acted, as when a device recovers by itself
	}
	actor, _, err := tx.PersonOf(rec.Actor)
	if errors.Is(err, store.ErrNotFound) || err == nil && actor == nil {
		return "the actor does not work here", nil
	}
	if err != nil || rec.Session == nil {
		return "", err
	}
	s, err := tx.Session(*rec.Session)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return "there is no such session", nil
	case err != nil:
		return "", err
	case s.Device != rec.Device || s.Agent != actor.ID:
		return "the session is another device's or another agent's", nil
	}
	return "", nil
}
