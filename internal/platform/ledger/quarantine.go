package ledger

import (
	"encoding/hex"

	"stead/internal/audit"

	"stead/internal/platform/store"
)

// whyQuarantined is the reason of a bridge over a record that is kept as evidence only.
const whyQuarantined = "quarantined"

// keep puts a record that cannot be taken in as one among the evidence.
func (a *arrival) keep(at audit.Head, r DeviceRecord) error {
	if n := len(r.Envelope); n == 0 || n > audit.MaxEnvelope {
		return badRecord(at.Seq, nil, "record %d has %d bytes", at.Seq, n)
	}
	return a.tx.PutQuarantined(store.Quarantined{Device: a.source, Epoch: at.Epoch, Seq: at.Seq, Leaf: at.Leaf, Envelope: r.Envelope,
		Said: fitting(r.Quarantined), ReceivedAt: a.tx.Now(), DeliveredBy: a.by})
}

// quarantine keeps a record as evidence at its place in the chain, since it cannot be taken in as one, and says so in
// the log. The device's chain goes on behind its leaf: the next record names it, or the signed head does.
func (a *arrival) quarantine(at audit.Head, r DeviceRecord) error {
	if err := a.keep(at, r); err != nil {
		return err
	}
	return a.ledger.Write(a.tx, Entry{Kind: audit.ChainBridged, Facts: audit.Body{"device": string(at.Device), "epoch": at.Epoch.String(),
		"first": int64(at.Seq), "last": int64(at.Seq), "leaf": hex.EncodeToString(at.Leaf[:]), "why": whyQuarantined, "said": fitting(r.Quarantined)}}) //nolint:gosec // a count of records
}
