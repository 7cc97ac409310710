package outbox

import (
	"context"
	"errors"
	"math"
	"time"
	"unicode/utf8"

	bolt "go.etcd.io/bbolt"

	"stead/internal/audit"
	"stead/internal/stead"
)

// quarantined is a copy of a record that the platform refused for what it is, kept for ever. The record itself stays
// in its place and is sent marked, so that the chain goes on behind it.
type quarantined struct {
	_      struct{} `cbor:",toarray"`
	Record stored
	Why    string
	MS     int64
}

// Quarantined is a record that the platform refused for what it is.
type Quarantined struct {
	Seq      uint64
	Envelope []byte
	Texts    []audit.Text
	Why      string    // with what the platform refused it
	At       time.Time // when, by this machine's clock
}

// maxWhy is how many bytes of a refusal the platform takes back as the reason of a quarantine.
const maxWhy = 200

// blamer is what an error of a Platform with CodeRecordInvalid has when it knows which record it is about.
type blamer interface{ BadSeq() uint64 }

// blame deals with a batch of which a record was refused. It returns how many records the next try may carry: the
// same batch again once the record is in quarantine, a smaller one while it is not known which it is. A record that
// is refused although it is marked stays where it is: the refusal is returned, and tried again like any other.
func (o *Outbox) blame(ctx context.Context, b Batch, limit int, refusal error) (int, error) {
	seq := uint64(0)
	var known blamer
	if errors.As(refusal, &known) {
		seq = known.BadSeq()
	}
	if seq == 0 && len(b.Items) > 1 {
		return len(b.Items) / 2, nil
	}
	for _, item := range b.Items {
		if (item.Seq == seq || seq == 0) && item.Quarantined == "" {
			return limit, o.quarantine(ctx, item, reason(refusal))
		}
	}
	return 0, refusal
}

// reason is what a refusal says, in at most maxWhy bytes.
func reason(refusal error) string {
	why := string(stead.CodeRecordInvalid)
	var coded *stead.Error
	if errors.As(refusal, &coded) && coded.Detail != "" {
		why = coded.Detail
	}
	for len(why) > maxWhy {
		_, size := utf8.DecodeLastRuneInString(why)
		why = why[:len(why)-size]
	}
	return why
}

func (o *Outbox) quarantine(ctx context.Context, item Item, why string) error {
	q := quarantined{Record: stored{Envelope: item.Envelope, Texts: item.Texts}, Why: why, MS: o.cfg.Now().UnixMilli()}
	return o.change(ctx, func(f *file) error {
		if _, there := f.refused[item.Seq]; there {
			return nil
		}
		sealed, err := f.sealAs(quarantinePlace, item.Seq, q)
		if err == nil {
			err = f.update(func(tx *bolt.Tx) error { return tx.Bucket(quarantineBucket).Put(seqKey(item.Seq), sealed) })
		}
		if err != nil {
			return err
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		f.refused[item.Seq] = why
		f.quarantine++
		return nil
	})
}

func (f *file) loadQuarantine(b *bolt.Bucket) error {
	f.refused, f.quarantine = map[uint64]string{}, 0
	return eachIn(b, 0, math.MaxInt, func(seq uint64, value []byte) error {
		var q quarantined
		if err := f.unsealAs(quarantinePlace, seq, value, &q); err != nil {
			return err
		}
		if f.quarantine++; seq > f.receipted.Seq {
			f.refused[seq] = q.Why
		}
		return nil
	})
}

// Quarantine calls yield with each record that the platform ever refused, in their order, and then with those that were
// salvaged from another file, until it returns an error.
func (o *Outbox) Quarantine(ctx context.Context, yield func(Quarantined) error) error {
	err := list(ctx, o, quarantineBucket, func(f *file, seq uint64, value []byte) (Quarantined, error) {
		var q quarantined
		err := f.unsealAs(quarantinePlace, seq, value, &q)
		return Quarantined{Seq: seq, Envelope: q.Record.Envelope, Texts: q.Record.Texts, Why: q.Why, At: time.UnixMilli(q.MS)}, err
	}, yield)
	if err != nil {
		return err
	}
	return o.listRefused(ctx, yield)
}

// list reads a bucket a few values at a time, so that nothing is locked while yield runs.
func list[T any](ctx context.Context, o *Outbox, bucket []byte, read func(f *file, seq uint64, value []byte) (T, error), yield func(T) error) error {
	const atOnce = 64
	for from, more := uint64(0), true; more; {
		var some []T
		err := o.view(func(f *file, tx *bolt.Tx) error {
			return eachIn(tx.Bucket(bucket), from, atOnce, func(seq uint64, value []byte) error {
				v, err := read(f, seq, value)
				some, from = append(some, v), seq+1
				return err
			})
		})
		if err != nil {
			return err
		}
		for _, v := range some {
			if err := errors.Join(ctx.Err(), yield(v)); err != nil {
				return err
			}
		}
		more = len(some) == atOnce
	}
	return nil
}

// view reads the file. What it finds damaged breaks the outbox.
func (o *Outbox) view(read func(*file, *bolt.Tx) error) error {
	err := func() error {
		o.mu.RLock()
		defer o.mu.RUnlock()
		f, err := o.current()
		if err != nil {
			return err
		}
		return openError(o.path, guard(func() error { return f.db.View(func(tx *bolt.Tx) error { return read(f, tx) }) }))
	}()
	if stead.CodeOf(err) == stead.CodeOutboxDamaged {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.broken == nil {
			o.broken = err
		}
	}
	return err
}
