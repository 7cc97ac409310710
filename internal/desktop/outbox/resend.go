package outbox

import (
	"bytes"
	"context"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"stead/internal/audit"
	"stead/internal/stead"
)

// drainSalvaged sends what was saved from a damaged file, before anything of the present epoch. A record that is refused
// for what it is goes on marked, as in Drain. A run of records that the platform cannot connect to what it holds is
// stranded: it stays in the evidence, Recovered names it, and nothing behind it is held up.
func (o *Outbox) drainSalvaged(ctx context.Context, p Platform) error {
	for limit := BatchRecords; ; {
		b, err := o.salvagedRun(ctx, limit)
		if err != nil || len(b.Items) == 0 {
			return err
		}
		ack, err := p.PostRecords(ctx, b)
		last := b.Items[len(b.Items)-1].Seq
		switch code := stead.CodeOf(err); {
		case err == nil && ack.NextSeq > b.First:
			limit, err = BatchRecords, o.forgetSalvaged(ctx, b.Epoch, min(last, ack.NextSeq-1), false)
		case code == stead.CodeDeviceUnknown && b.Device == o.cfg.Device:
			return nil // the present epoch hears the same; a platform that was set back may come to know the device again
		case code == stead.CodeRecordInvalid, code == stead.CodeTooLarge:
			if limit, err = o.blameSalvaged(ctx, b, limit, err); err == nil && limit == 0 {
				limit, err = BatchRecords, o.forgetSalvaged(ctx, b.Epoch, last, true)
			}
		case err == nil, code == stead.CodeChainGap, code == stead.CodeChainFork, code == stead.CodeDeviceSignature, code == stead.CodeDeviceUnknown:
			limit, err = BatchRecords, o.forgetSalvaged(ctx, b.Epoch, last, true)
		}
		if err != nil {
			return err
		}
	}
}

// salvagedRun is the first run of salvaged records without a gap, at most limit of them and as far as one batch reaches,
// with a signed head.
func (o *Outbox) salvagedRun(ctx context.Context, limit int) (b Batch, err error) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	f, err := o.current()
	if err != nil || f.salvaged == 0 {
		return b, err
	}
	err = guard(func() error {
		return f.db.View(func(tx *bolt.Tx) error {
			c, size := tx.Bucket(salvagedBucket).Cursor(), 0
			for k, v := c.First(); k != nil && len(b.Items) < limit && size < batchBytes; k, v = c.Next() {
				s, rec, err := f.salvagedAt(k, v)
				if err != nil {
					return err
				}
				if len(b.Items) == 0 {
					b.Device, b.Epoch, b.First = rec.Device, rec.Epoch, rec.Seq
				} else if rec.Epoch != b.Epoch || rec.Seq != b.Head.Seq+1 || rec.Prev != b.Head.Leaf {
					break
				}
				b.Head = audit.Head{Device: rec.Device, Epoch: rec.Epoch, Seq: rec.Seq, Leaf: audit.Leaf(s.Envelope)}
				b.Items = append(b.Items, Item{Seq: rec.Seq, Envelope: s.Envelope, Texts: s.Texts, Quarantined: f.refusedSalvaged[place{rec.Epoch, rec.Seq}]})
				size += s.size()
			}
			return ctx.Err()
		})
	})
	if err == nil && len(b.Items) > 0 {
		b.HeadSig, err = audit.SignHead(o.cfg.Signer, b.Head)
	}
	if err != nil {
		return Batch{}, openError(o.path, err)
	}
	return b, nil
}

// forgetSalvaged deletes the salvaged records of the epoch up to seq, because the platform has them, or because it
// cannot take them, which is noted in the same commit.
func (o *Outbox) forgetSalvaged(ctx context.Context, epoch audit.Epoch, seq uint64, stranded bool) error {
	return o.change(ctx, func(f *file) error {
		n, r := 0, f.after()
		err := f.update(func(tx *bolt.Tx) error {
			b := tx.Bucket(salvagedBucket)
			var keys [][]byte
			c := b.Cursor()
			for k, _ := c.Seek(epoch[:]); k != nil && bytes.HasPrefix(k, epoch[:]) && seqOf(k[16:]) <= seq; k, _ = c.Next() {
				keys = append(keys, bytes.Clone(k))
			}
			for _, k := range keys {
				if err := b.Delete(k); err != nil {
					return err
				}
			}
			if n = len(keys); !stranded || n == 0 {
				return nil
			}
			r.Stranded = more(r.Stranded, fmt.Sprintf("%s %d-%d", epoch, seqOf(keys[0][16:]), seq))
			return r.put(tx)
		})
		if err == nil {
			o.mu.Lock()
			f.salvaged, f.recovered = f.salvaged-n, &r
			o.mu.Unlock()
		}
		return err
	})
}

// more adds to a list in words, which is bounded.
func more(list, item string) string {
	const most = 2000
	switch {
	case list == "":
		return item
	case len(list) > most:
		return list
	}
	return list + ", " + item
}

func (r Recovered) put(tx *bolt.Tx) error {
	value, err := r.encode()
	if err != nil {
		return err
	}
	return tx.Bucket(metaBucket).Put(recoveredKey, value)
}
