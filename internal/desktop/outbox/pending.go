package outbox

import (
	"bytes"
	"context"

	bolt "go.etcd.io/bbolt"

	"stead/internal/audit"
	"stead/internal/stead"
)

// How much one batch carries: as many records as the platform takes at once, and about as many bytes.
const (
	BatchRecords = 500
	batchBytes   = 1 << 20
)

// Item is one pending record: the bytes that are chained, and the texts they commit to. Quarantined says with what the
// platform refused it, empty as a rule: then it is asked to let the chain go on behind it.
type Item struct {
	Seq         uint64
	Envelope    []byte
	Texts       []audit.Text
	Quarantined string
}

// Batch is a run of pending records in order, without a gap. Head is the chain's head after the last of them, and
// HeadSig the device's signature over it, so that who receives the batch can verify all of it. Without items, Head is
// the present head.
type Batch struct {
	Device  stead.DeviceID
	Epoch   audit.Epoch
	First   uint64
	Items   []Item
	Head    audit.Head
	HeadSig []byte
}

// Pending returns the records after the given sequence that the platform has not acknowledged, oldest first: at most
// limit of them, and about 1 MiB. A batch begins later than asked for where it has acknowledged more. A record that no
// longer opens or leads elsewhere than to the head breaks the outbox (CodeOutboxDamaged), like one that is found at Open.
func (o *Outbox) Pending(ctx context.Context, after uint64, limit int) (Batch, error) {
	var b Batch
	var last audit.Head
	err := o.view(func(f *file, tx *bolt.Tx) error {
		last = f.head
		b = Batch{Device: f.head.Device, Epoch: f.head.Epoch, First: max(after, f.acked.Seq) + 1, Head: f.head, HeadSig: f.sig}
		if b.First > f.head.Seq || limit < 1 {
			return nil
		}
		return f.fill(ctx, &b, tx.Bucket(pendingBucket), limit)
	})
	if err != nil {
		return Batch{}, err
	}
	if b.Head.Seq < last.Seq {
		b.HeadSig, err = audit.SignHead(o.cfg.Signer, b.Head)
	}
	return b, err
}

// fill reads the batch's records and moves its head to the last of them. Their chain was followed when the file was
// opened or they were appended, and the seal binds each to its place, so they are not decoded again here.
func (f *file) fill(ctx context.Context, b *Batch, pending *bolt.Bucket, limit int) error {
	c := pending.Cursor()
	k, v := c.Seek(seqKey(b.First))
	for seq, size := b.First, 0; seq <= f.head.Seq && len(b.Items) < limit && size < batchBytes; seq++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !bytes.Equal(k, seqKey(seq)) {
			return damaged("record %d: the next one found is %x", seq, k)
		}
		s, err := f.unseal(seq, v)
		if err != nil {
			return err
		}
		b.Items = append(b.Items, Item{Seq: seq, Envelope: s.Envelope, Texts: s.Texts, Quarantined: f.refused[seq]})
		size += s.size()
		k, v = c.Next()
	}
	end := b.Items[len(b.Items)-1]
	b.Head.Seq, b.Head.Leaf = end.Seq, audit.Leaf(end.Envelope)
	if end.Seq == f.head.Seq && b.Head.Leaf != f.head.Leaf {
		return damaged("record %d is not the one of the head", end.Seq)
	}
	return nil
}

// size is about what the record takes on the wire.
func (s stored) size() int {
	n := len(s.Envelope)
	for _, t := range s.Texts {
		n += len(t.Name) + len(t.Salt) + len(t.Value)
	}
	return n
}
