package export

import (
	"encoding/base64"
	"encoding/hex"

	"stead/internal/audit"
	"stead/internal/audit/bundle"
	"stead/internal/stead"

	"stead/internal/platform/store"
)

// signed copies what devices signed about their chains.
func (b *bundler) signed() error {
	if err := b.out.View(bundle.SignedHead{}); err != nil {
		return err
	}
	for h, err := range b.src.SignedHeads() {
		if err != nil {
			return err
		}
		err := b.out.Line(bundle.SignedHead{Device: string(h.Device), Epoch: audit.Epoch(h.Epoch).String(), Seq: int64(h.Seq), //nolint:gosec // G115: stored as int64
			Leaf: hex.EncodeToString(h.Leaf[:]), Signature: hex.EncodeToString(h.Signature)})
		if err != nil {
			return err
		}
		b.m.SignedHeads++
	}
	return nil
}

// quarantined copies what was kept as evidence. Nobody knows what is in it, so it is withheld where texts are.
func (b *bundler) quarantined() error {
	if err := b.out.View(bundle.Quarantined{}); err != nil {
		return err
	}
	for q, err := range b.src.Quarantined() {
		if err != nil {
			return err
		}
		line := bundle.Quarantined{Device: stead.Pseudonym(q.Device).String(), Epoch: audit.Epoch(q.Epoch).String(), Seq: int64(q.Seq), Said: q.Said} //nolint:gosec // G115: stored as int64
		if !b.o.Redact {
			envelope := base64.StdEncoding.EncodeToString(q.Envelope)
			line.Envelope = &envelope
		}
		if err := b.out.Line(line); err != nil {
			return err
		}
		b.m.Quarantined++
	}
	return nil
}

// doubts lists what the platform doubts; it goes through the records once more only if there is something.
func (b *bundler) doubts() error {
	if err := b.out.View(bundle.Doubt{}); err != nil || b.m.Doubts == 0 {
		return err
	}
	return each(b.ctx, b.src, b.o, func(place int64, e store.LoggedEntry) error {
		if e.Doubt == "" {
			return nil
		}
		return b.out.Line(bundle.Doubt{Place: place, Doubt: e.Doubt})
	})
}
