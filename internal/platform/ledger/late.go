package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/store"
)

// How much one device may bring of what the platform does not hold, and for how long. A file has to fit that its device
// filled while it could not reach the platform: an outbox takes no more starts at a million records, and they have about
// 900 bytes each. Bounded is what waits unproven; of what its device signs, it may deliver any number by the ordinary way.
const (
	maxLate   = 1_100_000 // records of a file
	maxSealed = 160 << 10 // bytes of one sealed record; a device seals less
	maxWaits  = 2 << 30   // bytes of a file's sealed records, of which each request brings about 1 MiB
	lateStep  = 500       // records taken in by one transaction
	lateWaits = 7 * 24 * time.Hour
)

// saidLate is what evidence from such a file says it was refused with: its device can be asked no more.
const saidLate = "late"

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

// Updater runs transactions that write.
type Updater interface {
	Update(ctx context.Context, f func(tx store.Tx) error) error
}

// TakeSealed keeps the batch until the file's last record is here, then takes all of it in like TakeIn, each record with
// the doubt late_untrusted. It returns the sequence expected next. A batch that begins beyond it leaves a gap
// (*GapError); what is held already is harmless. Each record is opened when it arrives, and must go on where the chain
// ends so far. One that opens and is no record is kept as evidence (chain.bridged), so that the others are not lost with
// it. The intake, at the end, is in several transactions, and the last piece sent again continues it.
//
// One file of a device waits at a time: a batch of another one drops it. What is refused after the head was found signed
// drops it, too, and so does whoever comes next once it was not touched for seven days. Texts wait sealed as they came.
// Those of somebody who was erased meanwhile are dropped at the intake, and wait no longer than that.
//
// CodeDeviceUnknown, CodeDeviceSignature when the head is not the device's, CodeRecordInvalid when a record does not
// open or does not lead to the head, CodeChainFork when another chain is held, CodeTooLarge when there is too much.
func (l *Ledger) TakeSealed(ctx context.Context, st Updater, by stead.StaffID, b SealedBatch) (next uint64, err error) {
	for more := true; more; {
		var refused error
		err := st.Update(ctx, func(tx store.Tx) error {
			u := upload{ledger: l, tx: tx, by: by, SealedBatch: b}
			var err error
			next, more, err = u.step()
			if refused = u.refused; refused != nil {
				return errors.Join(err, tx.DropLateFile(b.File.Device))
			}
			return err
		})
		if err = errors.Join(err, refused); err != nil {
			return 0, err
		}
	}
	return next, nil
}

// upload is a sealed batch in a transaction.
type upload struct {
	ledger *Ledger
	tx     store.Tx
	by     stead.StaffID
	SealedBatch
	held    audit.Head // of what the platform holds
	refused error      // why the file is dropped; nothing was written then but what waits
}

func (u *upload) refuse(err error) error {
	u.refused = err
	return nil
}

// step does what one transaction should, and reports whether there is more to be taken in.
func (u *upload) step() (next uint64, more bool, err error) {
	if err := u.admit(); err != nil {
		return 0, false, err
	}
	switch {
	case u.held.Seq == u.Head.Seq && u.held.Leaf != u.Head.Leaf:
		return 0, false, u.refuse(stead.Errorf(stead.CodeChainFork, "record %d", u.held.Seq))
	case u.held.Seq >= u.Head.Seq:
		return u.held.Seq + 1, false, u.tx.DropLateFile(u.File.Device)
	case u.Head.Seq-u.held.Seq > maxLate:
		return 0, false, u.refuse(stead.Errorf(stead.CodeTooLarge, "%d records", u.Head.Seq-u.held.Seq))
	}
	f, err := u.waiting()
	if err != nil {
		return 0, false, err
	}
	if f.Seq == u.Head.Seq {
		next, err = u.takeIn()
		return next, u.refused == nil && err == nil && next <= u.Head.Seq, err
	}
	if err := u.wait(&f); err != nil || u.refused != nil {
		return 0, false, err
	}
	return f.Seq + 1, f.Seq == u.Head.Seq, nil
}

// admit checks what needs no records: that the device signed this head.
func (u *upload) admit() error {
	device, err := enrolled(u.tx, u.File.Device)
	if err != nil {
		return err
	}
	if u.Head.Device != u.File.Device || u.Head.Epoch != u.File.Epoch {
		return stead.Errorf(stead.CodeRecordInvalid, "the head is of another chain")
	}
	if err := audit.VerifyHead(device.PublicKey, u.Head, u.Signature); err != nil {
		return stead.E(stead.CodeDeviceSignature, err)
	}
	u.held = audit.Head{Device: u.File.Device, Epoch: u.File.Epoch}
	u.held.Seq, u.held.Leaf, err = u.tx.DeviceHead(u.File.Device, u.File.Epoch)
	return err
}

// waiting is the file that the batch goes on with: the one that waits, or a new one that begins behind what is held.
func (u *upload) waiting() (store.LateFile, error) {
	if err := u.tx.DropLateFiles(u.tx.Now().Add(-lateWaits)); err != nil {
		return store.LateFile{}, err
	}
	fresh := store.LateFile{Device: u.File.Device, Epoch: u.File.Epoch, Generation: u.File.Generation, Seq: u.held.Seq, Leaf: u.held.Leaf,
		HeadSeq: u.Head.Seq, HeadLeaf: u.Head.Leaf}
	f, err := u.tx.LateFile(u.File.Device)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return fresh, nil
	case err != nil:
		return f, err
	case f.Epoch == fresh.Epoch && f.Generation == fresh.Generation && f.HeadSeq == fresh.HeadSeq && f.HeadLeaf == fresh.HeadLeaf && f.Seq >= u.held.Seq:
		return f, nil
	}
	return fresh, u.tx.DropLateFile(u.File.Device)
}

// wait adds what is new of the batch to what waits, if it goes on with the chain.
func (u *upload) wait(f *store.LateFile) error {
	if u.FirstSeq > f.Seq+1 {
		return &GapError{NextSeq: f.Seq + 1}
	}
	if skip := f.Seq + 1 - u.FirstSeq; skip < uint64(len(u.Records)) {
		u.Records = u.Records[skip:]
	} else {
		u.Records = nil
	}
	for _, sealed := range u.Records {
		f.Bytes += int64(len(sealed))
		if len(sealed) > maxSealed || f.Bytes > maxWaits {
			return u.refuse(stead.Errorf(stead.CodeTooLarge, "%d bytes", f.Bytes))
		}
	}
	end := audit.Head{Device: f.Device, Epoch: f.Epoch, Seq: f.Seq, Leaf: f.Leaf}
	_, end, err := u.open(end, u.Records)
	switch {
	case err != nil:
		return u.refuse(err)
	case end.Seq > u.Head.Seq || end.Seq == u.Head.Seq && end != u.Head:
		return u.refuse(stead.Errorf(stead.CodeRecordInvalid, "the records do not lead to the head"))
	}
	first := f.Seq + 1
	f.Seq, f.Leaf, f.TouchedAt = end.Seq, end.Leaf, u.tx.Now()
	if err := u.tx.PutLateFile(*f); err != nil {
		return err
	}
	for i, sealed := range u.Records {
		if err := u.tx.PutLate(f.Device, first+uint64(i), sealed); err != nil {
			return err
		}
	}
	return nil
}

// open opens sealed records and moves a head over them.
func (u *upload) open(end audit.Head, sealed [][]byte) (records []DeviceRecord, _ audit.Head, err error) {
	raw, err := u.ledger.keys.OpenOutboxKey(u.File, u.Key)
	if err != nil {
		return nil, end, stead.Errorf(stead.CodeRecordInvalid, "the data key").Because(err)
	}
	key, err := audit.NewDataKey(raw)
	if err != nil {
		return nil, end, stead.Errorf(stead.CodeRecordInvalid, "the data key").Because(err)
	}
	for _, s := range sealed {
		rec, err := audit.OpenRecord(key, u.File.Generation, u.File.Epoch, end.Seq+1, s)
		if err == nil {
			end, err = follow(end, rec.Envelope)
		}
		if err != nil {
			return nil, end, stead.Errorf(stead.CodeRecordInvalid, "record %d", end.Seq+1).Because(err)
		}
		records = append(records, DeviceRecord{Envelope: rec.Envelope, Texts: rec.Texts, Quarantined: saidLate})
	}
	return records, end, nil
}

// follow moves the head over a record, or over what is none and names no place: what comes behind it, or the signed head,
// names its leaf.
func follow(end audit.Head, envelope []byte) (audit.Head, error) {
	if n := len(envelope); n == 0 || n > audit.MaxEnvelope {
		return end, fmt.Errorf("%d bytes", n)
	}
	leaf := audit.Leaf(envelope)
	rec, err := audit.Decode(envelope)
	if err != nil {
		return audit.Head{Device: end.Device, Epoch: end.Epoch, Seq: end.Seq + 1, Leaf: leaf}, nil //nolint:nilerr // it is kept as evidence
	}
	return audit.Step(end, rec, leaf)
}

// takeIn takes in the next of what waits, now that all of it is here and leads to the signed head.
func (u *upload) takeIn() (next uint64, err error) {
	sealed, err := u.tx.LateRecords(u.File.Device, u.held.Seq+1, lateStep)
	if err != nil {
		return 0, err
	}
	records, end, err := u.open(u.held, sealed)
	if err == nil && (len(records) == 0 || end.Seq == u.Head.Seq && end != u.Head) {
		err = stead.Errorf(stead.CodeRecordInvalid, "what waits does not lead to the head")
	}
	if err != nil { // something else was taken in behind what is held, since the records were verified
		return 0, u.refuse(stead.E(stead.CodeChainFork, err))
	}
	batch := Batch{Device: u.File.Device, Epoch: u.File.Epoch, FirstSeq: u.held.Seq + 1, Records: records, Head: u.Head, Signature: u.Signature, Late: true}
	a, err := u.ledger.receive(u.tx, u.by, batch)
	if err != nil {
		return 0, err
	}
	for _, r := range records {
		if err := a.takeOrKeep(r); err != nil {
			return 0, err
		}
	}
	if err := a.store(); err != nil {
		return 0, err
	}
	if end == u.Head {
		return end.Seq + 1, errors.Join(a.settle(batch), u.tx.DropLateFile(u.File.Device))
	}
	return end.Seq + 1, errors.Join(u.tx.SetDeviceHead(end.Device, end.Epoch, end.Seq, end.Leaf), heard(u.tx, u.Head, a.begins),
		u.tx.DropLate(u.File.Device, end.Seq))
}
