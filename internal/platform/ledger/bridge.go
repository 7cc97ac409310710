package ledger

import (
	"encoding/hex"
	"errors"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/store"
)

// whyRestored is the reason of a bridge over records that a restore has lost.
const whyRestored = "restored"

// bridgeRestored lets the chain of a device go on behind records that the platform had acknowledged, the device had
// forgotten, and a restore has lost. It writes which they were (chain.bridged) and moves on to the place before the
// batch, with the leaf that the batch's first record claims to follow; the batch's signed head vouches for that claim.
// What is no record claims nothing: when it was refused before, it is kept as evidence, and the bridge ends with it.
//
// It is allowed once a chain and restore: only while nothing of the chain arrived since the newest declared restore. Of
// the chains of which nothing is known it is allowed to one, and only when the device was enrolled before; its first
// record carries a doubt. Otherwise it is a *GapError.
func (a *arrival) bridgeRestored(b Batch) error {
	gap := &GapError{NextSeq: a.head.Seq + 1}
	restores, err := a.tx.Trail(store.TrailFilter{Kind: string(audit.LedgerRestored), Limit: 1})
	if err != nil {
		return err
	}
	if len(restores) == 0 || len(b.Records) == 0 {
		return gap
	}
	if ok, err := a.mayBridge(restores[0]); err != nil {
		return err
	} else if !ok {
		return gap
	}
	a.orphan = a.head.Seq == 0
	next := b.Records[0]
	first, err := audit.Decode(next.Envelope)
	switch {
	case err == nil:
		return a.crossTo(b.FirstSeq-1, first.Prev)
	case next.Quarantined == "":
		return badRecord(b.FirstSeq, err, "record %d", b.FirstSeq)
	}
	at := audit.Head{Device: b.Device, Epoch: b.Epoch, Seq: b.FirstSeq, Leaf: audit.Leaf(next.Envelope)}
	if err := a.keep(at, next); err != nil {
		return err
	}
	return a.crossTo(at.Seq, at.Leaf)
}

// crossTo moves on over what a restore has lost, and says so in the log.
func (a *arrival) crossTo(last uint64, leaf [32]byte) error {
	first := a.head.Seq + 1
	a.head.Seq, a.head.Leaf, a.passed = last, leaf, true
	return a.ledger.Write(a.tx, Entry{Kind: audit.ChainBridged, Facts: audit.Body{"why": whyRestored,
		"device": string(a.head.Device), "epoch": a.head.Epoch.String(), "first": int64(first), "last": int64(last), //nolint:gosec // counts of records
		"leaf": hex.EncodeToString(leaf[:])}})
}

// mayBridge reports whether the restore can have lost records of the chain that were not bridged yet.
func (a *arrival) mayBridge(restore store.IntakeEntry) (bool, error) {
	if a.head.Seq > 0 {
		last, err := arrivedAt(a.tx, a.head.Device, a.head.Epoch, a.head.Seq)
		return last <= restore.Index, err
	}
	if a.device.EnrolledAt.After(restore.ReceivedAt) {
		return false, nil
	}
	used, err := findBridge(a.tx, restore.Index, func(f audit.Body) bool {
		return f["why"] == whyRestored && f["device"] == string(a.head.Device) && f["first"] == int64(1)
	})
	return used == 0, err
}

// orphaned reports whether a bridge over a lost beginning is all that is held of the chain, evidence behind it aside.
func (a *arrival) orphaned() (bool, error) {
	if _, err := a.tx.IntakeAt(a.source, a.head.Epoch, a.head.Seq); a.head.Seq == 0 || err == nil {
		return false, nil
	} else if !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	end := a.head.Seq
	found, err := findBridge(a.tx, 0, func(f audit.Body) bool {
		last, _ := f["last"].(int64)
		fits := f["why"] == whyRestored && f["device"] == string(a.head.Device) && f["epoch"] == a.head.Epoch.String() && f["first"] == int64(1)
		if fits {
			end = uint64(last) //nolint:gosec // G115: a count of records
		}
		return fits
	})
	if err != nil || found == 0 {
		return false, err
	}
	records, err := a.tx.ChainPlaces(a.source, a.head.Epoch, end+1, a.head.Seq)
	return len(records) == 0, err
}

// arrivedAt is the index at which the place of a chain was filled: by the record itself, or by a bridge that ends there.
// It is 0 when neither is there.
func arrivedAt(tx store.Tx, device stead.DeviceID, epoch audit.Epoch, seq uint64) (int64, error) {
	source, err := stead.ParsePseudonym(string(device))
	if err != nil {
		return 0, stead.E(stead.CodeDeviceUnknown, err)
	}
	e, err := tx.IntakeAt(source, epoch, seq)
	if !errors.Is(err, store.ErrNotFound) {
		return e.Index, err
	}
	return findBridge(tx, 0, func(f audit.Body) bool {
		return f["device"] == string(device) && f["epoch"] == epoch.String() && f["last"] == int64(seq) //nolint:gosec // a count of records
	})
}

// findBridge is the index of the newest bridge behind an index that fits, 0 when there is none.
func findBridge(tx store.Tx, behind int64, fits func(facts audit.Body) bool) (int64, error) {
	for before := int64(0); ; {
		bridges, err := tx.Trail(store.TrailFilter{Kind: string(audit.ChainBridged), Before: before, Limit: 500})
		if err != nil || len(bridges) == 0 {
			return 0, err
		}
		for _, e := range bridges {
			if e.Index <= behind {
				return 0, nil
			}
			rec, err := audit.Decode(e.Envelope)
			if err != nil {
				return 0, err
			}
			if fits(rec.Body) {
				return e.Index, nil
			}
		}
		before = bridges[len(bridges)-1].Index
	}
}
