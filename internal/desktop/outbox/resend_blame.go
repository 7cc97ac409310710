package outbox

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"stead/internal/audit"
	"stead/internal/stead"
)

// place is where a salvaged record stands.
type place struct {
	epoch audit.Epoch
	seq   uint64
}

// blameSalvaged is blame for a batch of salvaged records. It returns how many records the next try may carry, 0 when
// the batch begins with a record that is refused whatever is done.
func (o *Outbox) blameSalvaged(ctx context.Context, b Batch, limit int, refusal error) (int, error) {
	at, known := 0, blamer(nil)
	if errors.As(refusal, &known) {
		at = slices.IndexFunc(b.Items, func(i Item) bool { return i.Seq == known.BadSeq() })
	}
	switch single := len(b.Items) == 1; {
	case (known == nil || at < 0) && !single:
		return len(b.Items) / 2, nil
	case stead.CodeOf(refusal) == stead.CodeTooLarge:
		return 0, nil
	}
	at = max(at, 0)
	if item := b.Items[at]; item.Quarantined == "" {
		return limit, o.quarantineSalvaged(ctx, b.Epoch, item, reason(refusal))
	}
	return at, nil // without it, those before it can be taken
}

// quarantineSalvaged keeps a copy of a salvaged record that was refused for what it is.
func (o *Outbox) quarantineSalvaged(ctx context.Context, epoch audit.Epoch, item Item, why string) error {
	q := quarantined{Record: stored{Envelope: item.Envelope, Texts: item.Texts}, Why: why, MS: o.cfg.Now().UnixMilli()}
	return o.change(ctx, func(f *file) error {
		if _, there := f.refusedSalvaged[place{epoch, item.Seq}]; there {
			return nil
		}
		sealed, err := audit.SealAs(f.aead, f.generation, epoch, item.Seq, quarantinePlace, q)
		if err == nil {
			err = f.update(func(tx *bolt.Tx) error { return tx.Bucket(refusedBucket).Put(salvagedKey(epoch, item.Seq), sealed) })
		}
		if err != nil {
			return err
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		f.refusedSalvaged[place{epoch, item.Seq}] = why
		f.quarantine++
		return nil
	})
}

// loadRefused reads which salvaged records were refused.
func (f *file) loadRefused(b *bolt.Bucket) error {
	f.refusedSalvaged = map[place]string{}
	return b.ForEach(func(k, v []byte) error {
		p, q, err := f.refusedAt(k, v)
		f.refusedSalvaged[p] = q.Why
		f.quarantine++
		return err
	})
}

func (f *file) refusedAt(k, v []byte) (p place, q quarantined, err error) {
	if len(k) != 24 {
		return p, q, damaged("a refused record under %x", k)
	}
	p = place{audit.Epoch(k[:16]), seqOf(k[16:])}
	if err := audit.OpenAs(f.aead, f.generation, p.epoch, p.seq, quarantinePlace, v, &q); err != nil {
		return p, q, damaged("a refused record: %w", err)
	}
	return p, q, nil
}

// listRefused calls yield with each salvaged record that was refused; nothing is locked while it runs.
func (o *Outbox) listRefused(ctx context.Context, yield func(Quarantined) error) error {
	for after, more := []byte(nil), true; more; {
		var one Quarantined
		more = false
		err := o.view(func(f *file, tx *bolt.Tx) error {
			k, v := tx.Bucket(refusedBucket).Cursor().Seek(after)
			if k == nil {
				return nil
			}
			p, q, err := f.refusedAt(k, v)
			after, more = append(bytes.Clone(k), 0), true
			one = Quarantined{Seq: p.seq, Envelope: q.Record.Envelope, Texts: q.Record.Texts, Why: q.Why, At: time.UnixMilli(q.MS)}
			return err
		})
		if err != nil || !more {
			return err
		}
		if err := errors.Join(ctx.Err(), yield(one)); err != nil {
			return err
		}
	}
	return nil
}
