package outbox

import (
	"context"

	bolt "go.etcd.io/bbolt"

	"stead/internal/audit"
	"stead/internal/stead"
)

// How much one batch carries: as many records as the platform takes at once, and about as many bytes.
const (
	BatchRecords = 200
	batchBytes   = 1 << 20
)

// Item is one pending record: the bytes that are chained, and the texts they commit to.
type Item struct {
	Seq      uint64
	Envelope []byte
	Texts    []audit.Text
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

// Pending returns the records after the given sequence, oldest first: at most limit of them, and about 1 MiB. Records
// that were acknowledged are gone, so a batch may begin later than asked for. A record that no longer opens or fits
// breaks the outbox (CodeOutboxDamaged), like one that is found at Open.
func (o *Outbox) Pending(ctx context.Context, after uint64, limit int) (Batch, error) {
	b, err := o.pending(ctx, after, limit)
	if stead.CodeOf(err) == stead.CodeOutboxDamaged {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.broken == nil {
			o.broken = err
		}
	}
	return b, err
}

func (o *Outbox) pending(ctx context.Context, after uint64, limit int) (Batch, error) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	f, err := o.current()
	if err != nil {
		return Batch{}, err
	}
	b := Batch{Device: f.head.Device, Epoch: f.head.Epoch, First: max(after, f.acked.Seq) + 1, Head: f.head, HeadSig: f.sig}
	if b.First > f.head.Seq || limit < 1 {
		return b, nil
	}
	err = guard(func() error {
		return f.db.View(func(tx *bolt.Tx) error { return f.fill(ctx, &b, tx.Bucket(pendingBucket), limit) })
	})
	if err != nil {
		return Batch{}, openError(o.path, err)
	}
	if b.Head.Seq < f.head.Seq {
		b.HeadSig, err = audit.SignHead(o.cfg.Signer, b.Head)
	}
	return b, err
}

// fill reads the batch's records and follows the chain over them, which moves the batch's head.
func (f *file) fill(ctx context.Context, b *Batch, pending *bolt.Bucket, limit int) error {
	head := audit.Head{Device: b.Device, Epoch: b.Epoch, Seq: b.First - 1, Leaf: f.acked.Leaf}
	if head.Seq > f.acked.Seq {
		before, err := f.unseal(head.Seq, pending.Get(seqKey(head.Seq)))
		if err != nil {
			return err
		}
		head.Leaf = audit.Leaf(before.Envelope)
	}
	for size := 0; head.Seq < f.head.Seq && len(b.Items) < limit && size < batchBytes; {
		if err := ctx.Err(); err != nil {
			return err
		}
		s, _, next, err := f.follow(head, pending.Get(seqKey(head.Seq+1)))
		if err != nil {
			return err
		}
		head = next
		b.Items = append(b.Items, Item{Seq: head.Seq, Envelope: s.Envelope, Texts: s.Texts})
		size += s.size()
	}
	b.Head = head
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
