package ledger

import (
	"encoding/hex"
	"errors"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/store"
)

// bridgeRestored lets the chain of a device go on behind records that the platform had acknowledged, the device had
// forgotten, and a restore has lost. It writes which they were (chain.bridged) and returns the place before the batch,
// with the leaf that the batch's first record claims to follow; the batch's signed head vouches for that claim.
//
// It is allowed once a chain and restore: only while nothing of the chain arrived since the newest declared restore. A
// chain of which nothing is known must be that of a device which was enrolled before. Otherwise it is a *GapError.
func (l *Ledger) bridgeRestored(tx store.Tx, device store.Device, b Batch, seq uint64) (uint64, [32]byte, error) {
	gap := &GapError{NextSeq: seq + 1}
	restores, err := tx.Trail(store.TrailFilter{Kind: string(audit.LedgerRestored), Limit: 1})
	if err != nil {
		return 0, [32]byte{}, err
	}
	if len(restores) == 0 || len(b.Records) == 0 {
		return 0, [32]byte{}, gap
	}
	restore := restores[0]
	if seq == 0 && device.EnrolledAt.After(restore.ReceivedAt) {
		return 0, [32]byte{}, gap
	}
	if seq > 0 {
		last, err := arrivedAt(tx, b.Device, b.Epoch, seq)
		if err != nil {
			return 0, [32]byte{}, err
		}
		if last > restore.Index {
			return 0, [32]byte{}, gap
		}
	}
	first, err := audit.Decode(b.Records[0].Envelope)
	if err != nil {
		return 0, [32]byte{}, stead.Errorf(stead.CodeRecordInvalid, "record %d", b.FirstSeq).Because(err)
	}
	return b.FirstSeq - 1, first.Prev, l.Write(tx, Entry{Kind: audit.ChainBridged, Facts: audit.Body{"why": "restored",
		"device": string(b.Device), "epoch": b.Epoch.String(), "first": int64(seq) + 1, "last": int64(b.FirstSeq) - 1, //nolint:gosec // counts of records
		"leaf": hex.EncodeToString(first.Prev[:])}})
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
	for before := int64(0); ; {
		bridges, err := tx.Trail(store.TrailFilter{Kind: string(audit.ChainBridged), Before: before, Limit: 500})
		if err != nil || len(bridges) == 0 {
			return 0, err
		}
		for _, e := range bridges {
			rec, err := audit.Decode(e.Envelope)
			if err != nil {
				return 0, err
			}
			if rec.Body["device"] == string(device) && rec.Body["epoch"] == epoch.String() && rec.Body["last"] == int64(seq) { //nolint:gosec // a count of records
				return e.Index, nil
			}
		}
		before = bridges[len(bridges)-1].Index
	}
}
