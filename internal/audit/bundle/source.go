package bundle

import (
	"iter"
	"strings"

	"stead/internal/audit"
	"stead/internal/stead"
)

// envelopes yields the records by place: those of the log, then the pending ones.
func (b *Bundle) envelopes() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for i := range b.records {
			n := 0
			for e, err := range b.entries(memberRecords(i)) {
				if !yield(e, err) || err != nil {
					return
				}
				n++
			}
			if n > RecordsPerMember || n == 0 || n < RecordsPerMember && i < b.records-1 {
				yield(nil, broken("%s holds %d records", memberRecords(i), n))
				return
			}
		}
	}
}

// Records implements audit.LedgerSource. The columns are those of the record itself: a bundle repeats nothing.
func (b *Bundle) Records() iter.Seq2[audit.LedgerRow, error] {
	return func(yield func(audit.LedgerRow, error) bool) {
		for r, err := range b.rows() {
			if err == nil {
				r = audit.RowOf(r.Position, r.Index, r.Envelope)
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// rows yields the records by place, without columns.
func (b *Bundle) rows() iter.Seq2[audit.LedgerRow, error] {
	return func(yield func(audit.LedgerRow, error) bool) {
		place := int64(0)
		for e, err := range b.envelopes() {
			if !yield(audit.LedgerRow{Position: place, Index: place + 1, Envelope: e}, err) || err != nil {
				return
			}
			place++
		}
		for e, err := range b.entries(memberPending) {
			if !yield(audit.LedgerRow{Position: -1, Index: place + 1, Envelope: e}, err) || err != nil {
				return
			}
			place++
		}
	}
}

// Hashes implements audit.LedgerSource. A bundle stores none: they are computed of its records.
func (b *Bundle) Hashes() iter.Seq2[audit.StoredHash, error] {
	return func(yield func(audit.StoredHash, error) bool) {
		var tree audit.Tree
		at := int64(0)
		for e, err := range b.envelopes() {
			if err != nil {
				yield(audit.StoredHash{}, err)
				return
			}
			for _, h := range tree.Add(audit.Leaf(e)) {
				if !yield(audit.StoredHash{At: at, Hash: h}, nil) {
					return
				}
				at++
			}
		}
	}
}

// Checkpoints implements audit.LedgerSource.
func (b *Bundle) Checkpoints() iter.Seq2[[]byte, error] { return b.entries(memberCheckpoints) }

// Statements implements audit.StatementSource.
func (b *Bundle) Statements() (s audit.Statements, err error) {
	for note, err := range b.entries(memberStatements) {
		if err != nil {
			return s, err
		}
		s.Notes = append(s.Notes, note)
	}
	return s, nil
}

// Heads implements audit.LedgerSource.
func (b *Bundle) Heads() ([]audit.Head, error) {
	var all []audit.Head
	for line, err := range lines[Head](b, memberHeads) {
		if err != nil {
			return nil, err
		}
		_, bad := unhex(line.Device, 16)
		epoch, err := audit.ParseEpoch(line.Epoch)
		leaf, worse := unhex(line.Leaf, 32)
		if bad != nil || err != nil || worse != nil || line.Seq < 0 {
			return nil, broken("the head of device %s is none", line.Device)
		}
		all = append(all, audit.Head{Device: stead.DeviceID(line.Device), Epoch: epoch, Seq: uint64(line.Seq), Leaf: [32]byte(leaf)})
	}
	return all, nil
}

// Keys lists the verifier keys that the bundle itself names: with them, only that it agrees with itself is proven.
func (b *Bundle) Keys() ([]string, error) {
	text, err := b.read(memberKeys)
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n"), err
}
