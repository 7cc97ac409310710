//go:build linux && !race

package ordeal

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"stead/internal/audit"

	"stead/internal/desktop/outbox"
)

// receipts is what an outbox says of the records that it no longer holds.
type receipts struct {
	list  []outbox.Receipt
	last  uint64 // the last record that is gone
	epoch audit.Epoch
}

// receiptsOf reads them: one after the other they account for every record that is gone.
func receiptsOf(ctx context.Context, box *outbox.Outbox) (r receipts, err error) {
	b, err := box.Pending(ctx, 0, 1)
	if err != nil {
		return r, err
	}
	r.epoch = b.Epoch
	err = box.Receipts(ctx, func(one outbox.Receipt) error {
		if one.First != r.last+1 || uint64(len(one.Positions)) != one.Last-one.First+1 {
			return fmt.Errorf("the receipt of %d-%d (%d positions) follows %d", one.First, one.Last, len(one.Positions), r.last)
		}
		r.list, r.last = append(r.list, one), one.Last
		return nil
	})
	if s := box.State(); err == nil && s.Receipted != r.last {
		err = fmt.Errorf("receipts until %d, %+v", r.last, s)
	}
	return r, err
}

// agree holds the receipts to what a ledger has of the device: each record that is gone stands there where its receipt
// says, under the checkpoint of the receipt.
func (r receipts) agree(list []arrived) error {
	held := map[uint64]arrived{}
	for _, a := range list {
		if a.epoch == r.epoch {
			held[a.seq] = a
		}
	}
	for _, one := range r.list {
		signed, err := audit.ParseCheckpoint(one.Checkpoint)
		if err != nil {
			return err
		}
		for n, at := range one.Positions {
			a, ok := held[one.First+uint64(n)]
			if !ok || a.at != at || at < 0 || at >= signed.Size {
				return fmt.Errorf("record %d was forgotten as position %d of %d, and the ledger has %+v", one.First+uint64(n), at, signed.Size, a)
			}
		}
	}
	return nil
}

// justified checks the receipts of an outbox against what a ledger holds of its device now.
func justified(ctx context.Context, box *outbox.Outbox, list []arrived) (receipts, error) {
	r, err := receiptsOf(ctx, box)
	if err == nil {
		err = r.agree(list)
	}
	return r, err
}

// inLog asks a running platform for the last receipt's records: its log has them, under a signature.
func (r receipts) inLog(ctx context.Context, o orders) error {
	if r.last == 0 {
		return nil
	}
	log, one := o.log(), r.list[len(r.list)-1]
	positions, err := log.Positions(ctx, r.epoch, one.First, len(one.Positions))
	if err != nil {
		return err
	}
	note, err := log.Checkpoint(ctx)
	if err != nil {
		return err
	}
	signed, err := audit.ParseCheckpoint(note)
	if err != nil {
		return err
	}
	for n, at := range one.Positions {
		if n >= len(positions) || positions[n] != at || at < 0 || at >= signed.Size {
			return fmt.Errorf("record %d was forgotten as position %d, and the log of %d records has them at %v", one.First+uint64(n), at, signed.Size, positions)
		}
	}
	return nil
}

// intact looks into a closed outbox that had that state: all that is not proven lies in it, up to the signed head.
func (o orders) intact(ctx context.Context, s outbox.State) error {
	cfg := o.config()
	in, err := outbox.Inspect(ctx, o.Path, cfg.Signer.Public().(ed25519.PublicKey), &cfg)
	if err == nil && (!in.Opened || !in.Signed || in.Head.Seq != s.Head || in.Records != s.Head-s.Receipted) {
		err = fmt.Errorf("%+v in the file, %+v", in, s)
	}
	return err
}

// proveAll lets Run send and prove until nothing is left of either, or the time is over.
func proveAll(ctx context.Context, box *outbox.Outbox, o orders, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- box.Run(ctx, o.client(), o.log()) }()
	for s := box.State(); (s.Pending > 0 || s.Unreceipted > 0 || s.Salvaged > 0) && s.Broken == "" && ctx.Err() == nil; s = box.State() {
		time.Sleep(30 * time.Millisecond)
		box.Kick() // or the test takes as long as the pauses
	}
	over := ctx.Err()
	cancel()
	if s := box.State(); over != nil {
		over = fmt.Errorf("%w: %+v", over, s)
	}
	return errors.Join(<-ended, over)
}
