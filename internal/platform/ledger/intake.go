package ledger

import (
	"errors"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/store"
)

// DeviceRecord is a record as a device delivers it.
type DeviceRecord struct {
	Envelope    []byte
	Texts       []audit.Text
	Quarantined string // what the platform refused it with before; "" for a record that was never refused

	read *reading // set by Batch.Prepare
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

// BadRecordError names the first record of a batch that cannot be taken in (CodeRecordInvalid).
type BadRecordError struct {
	Seq   uint64
	cause *stead.Error
}

func badRecord(seq uint64, cause error, format string, args ...any) error {
	return &BadRecordError{seq, stead.Errorf(stead.CodeRecordInvalid, format, args...).Because(cause)}
}

func (e *BadRecordError) Error() string { return e.cause.Error() }
func (e *BadRecordError) Unwrap() error { return e.cause }

// TakeIn adds the records of the batch that are new and returns the sequence expected next. Records that are there
// already with the same leaf are harmless. Another record at a taken place is a fork (CodeChainFork); a batch that
// starts after the next place leaves a gap (*GapError), unless a declared restore explains it; a record that cannot be one is named (*BadRecordError), unless
// the device says that it was refused before: then it is kept as evidence, and the chain goes on behind it.
//
// Whoever is signed in (by) delivers what the device holds, a colleague's records from before included. The device's
// signature vouches for the bytes, not for their truth: a record that does not fit what the platform knows is kept
// all the same, since refusing it would hold up every record behind it, and marked with the doubt. What a revoked
// device delivers is marked as well.
func (l *Ledger) TakeIn(tx store.Tx, by stead.StaffID, b Batch) (next uint64, err error) {
	a, err := l.receive(tx, by, b)
	if err != nil {
		return 0, err
	}
	if b.FirstSeq > a.head.Seq+1 {
		if err := a.bridgeRestored(b); err != nil {
			return 0, err
		}
	}
	fresh, err := a.skipKnown(b)
	if err != nil {
		return 0, err
	}
	if len(fresh) == 0 && !a.passed {
		return a.head.Seq + 1, nil
	}
	if !a.passed {
		if a.orphan, err = a.orphaned(); err != nil {
			return 0, err
		}
	}
	for _, r := range fresh {
		if err := a.takeOrKeep(r); err != nil {
			return 0, err
		}
	}
	if err := a.store(); err != nil {
		return 0, err
	}
	return a.head.Seq + 1, a.settle(b)
}

// arrival is a batch that is being taken in.
type arrival struct {
	ledger *Ledger
	tx     store.Tx
	by     stead.StaffID
	device store.Device
	source [16]byte   // the device's id as the intake has it
	head   audit.Head // of what is held; moves on with each record
	doubts doubter
	sealer sealer
	first  bool // nothing of the chain was held before
	passed bool // what a restore has lost was bridged
	orphan bool // the next record is the first one behind a beginning that a restore has lost
	begins bool // the chain's first record is among these and says why the one before it ended

	// Taken and not stored yet: an entry each, and the record it is of.
	entries []store.IntakeEntry
	records []DeviceRecord
}

// receive looks at who sends and where the batch goes on.
func (l *Ledger) receive(tx store.Tx, by stead.StaffID, b Batch) (*arrival, error) {
	device, err := enrolled(tx, b.Device)
	if err != nil {
		return nil, err
	}
	source, err := stead.ParsePseudonym(string(b.Device)) // the same 16 bytes in hex
	if err != nil {
		return nil, stead.E(stead.CodeDeviceUnknown, err)
	}
	seq, leaf, err := tx.DeviceHead(b.Device, b.Epoch)
	if err != nil {
		return nil, err
	}
	if b.Late && device.RevokedAt.IsZero() {
		device.RevokedAt = tx.Now() // what the platform opened proves nothing about when, just as little as what a lost device sends
	}
	return &arrival{ledger: l, tx: tx, by: by, device: device, source: source, doubts: newDoubter(tx, device), sealer: l.sealer(tx), first: seq == 0,
		head: audit.Head{Device: b.Device, Epoch: b.Epoch, Seq: seq, Leaf: leaf}}, nil
}

// enrolled is the device, revoked or not; CodeDeviceUnknown when there is none.
func enrolled(tx store.Tx, id stead.DeviceID) (store.Device, error) {
	device, err := tx.Device(id)
	if errors.Is(err, store.ErrNotFound) {
		return device, stead.E(stead.CodeDeviceUnknown, err)
	}
	return device, err
}

// skipKnown compares what is there already and returns the rest.
func (a *arrival) skipKnown(b Batch) ([]DeviceRecord, error) {
	i := 0
	for ; i < len(b.Records) && b.FirstSeq+uint64(i) <= a.head.Seq; i++ {
		at := b.FirstSeq + uint64(i)
		leaf, known, err := leafAt(a.tx, a.source, a.head, at)
		if err != nil {
			return nil, err
		}
		if known && leaf != audit.Leaf(b.Records[i].Envelope) {
			return nil, stead.Errorf(stead.CodeChainFork, "record %d", at)
		}
	}
	return b.Records[i:], nil
}

// leafAt is the leaf that is held at a place of the chain up to its head. A place that a bridge passed over has none.
func leafAt(tx store.Tx, source [16]byte, head audit.Head, seq uint64) (leaf [32]byte, known bool, err error) {
	if seq == head.Seq {
		return head.Leaf, true, nil
	}
	e, err := tx.IntakeAt(source, head.Epoch, seq)
	if err == nil {
		return e.Leaf, true, nil
	}
	if !errors.Is(err, store.ErrNotFound) {
		return leaf, false, err
	}
	q, err := tx.QuarantinedAt(source, head.Epoch, seq)
	if errors.Is(err, store.ErrNotFound) {
		return leaf, false, nil
	}
	return q.Leaf, err == nil, err
}

// takeOrKeep takes a record, or keeps one as evidence that is none and was refused before.
func (a *arrival) takeOrKeep(r DeviceRecord) error {
	err := a.take(r)
	if bad := new(BadRecordError); !errors.As(err, &bad) {
		return err
	}
	if err := a.store(); err != nil { // one of those before may be the first bad one; if none is, they come before it
		return err
	}
	if r.Quarantined == "" {
		return err
	}
	at := audit.Head{Device: a.head.Device, Epoch: a.head.Epoch, Seq: a.head.Seq + 1, Leaf: audit.Leaf(r.Envelope)}
	if err := a.quarantine(at, r); err != nil {
		return err
	}
	a.head = at
	return nil
}

// take holds a record to what every record must be.
func (a *arrival) take(r DeviceRecord) error {
	if r.read == nil {
		r.prepare()
	}
	seq, rec := a.head.Seq+1, r.read.record
	if r.read.bad != nil {
		return badRecord(seq, r.read.bad, "record %d", seq)
	}
	next, err := audit.Step(a.head, rec, r.read.leaf)
	switch {
	case err != nil:
		return badRecord(seq, err, "record %d", seq)
	case !rec.Kind.FromDevice():
		return badRecord(seq, nil, "record %d has a kind only the platform writes", seq)
	case rec.KeyID != audit.KeyID(a.device.PublicKey):
		return badRecord(seq, nil, "record %d names another key", seq)
	}
	e, err := entry(a.tx, rec, next.Leaf, r.Envelope)
	if err != nil {
		return err
	}
	e.DeliveredBy = a.by
	if e.Doubt, err = a.doubts.of(rec); err != nil {
		return err
	}
	if a.orphan && e.Doubt != LateUntrusted {
		e.Doubt = beginningLost
	}
	a.orphan = false
	if err := a.sealer.seal(&e, r.Texts, false); err != nil {
		return err
	}
	a.entries, a.records = append(a.entries, e), append(a.records, r)
	a.begins = a.begins || seq == 1 && rec.Kind == audit.DeviceRecovery
	a.head = next
	return nil
}

// store puts what was taken into the intake. A record that repeats the event of another one is bad, too.
func (a *arrival) store() error {
	for len(a.entries) > 0 {
		n, err := a.tx.AppendIntakes(a.entries)
		if err == nil {
			a.entries, a.records = a.entries[:0], a.records[:0]
			return nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
		e, r := a.entries[n], a.records[n]
		if r.Quarantined == "" {
			return badRecord(e.Seq, err, "record %d repeats an event", e.Seq)
		}
		if err := a.quarantine(audit.Head{Device: a.head.Device, Epoch: a.head.Epoch, Seq: e.Seq, Leaf: e.Leaf}, r); err != nil {
			return err
		}
		a.entries, a.records = a.entries[n+1:], a.records[n+1:]
	}
	return nil
}

// settle holds what was taken in to the device's signature.
func (a *arrival) settle(b Batch) error {
	if a.head != b.Head {
		return stead.Errorf(stead.CodeRecordInvalid, "the head is not that of the last record")
	}
	if err := audit.VerifyHead(a.device.PublicKey, b.Head, b.Signature); err != nil {
		return stead.E(stead.CodeDeviceSignature, err)
	}
	if err := a.tx.SetDeviceHead(b.Device, b.Epoch, a.head.Seq, a.head.Leaf); err != nil {
		return err
	}
	if err := keepSigned(a.tx, b.Head, b.Signature, true); err != nil {
		return err
	}
	if a.first && !a.begins {
		if err := a.abandons(b); err != nil {
			return err
		}
	}
	return heard(a.tx, a.head, a.begins)
}
