package cli

import (
	"context"
	"encoding/base64"
	"fmt"
	"time"

	"stead/internal/desktop/outbox"
)

// receipted waits until the device holds a proof for each of its records.
func (r *run) receipted(ctx context.Context) (string, error) {
	ob, err := r.desk.Outbox()
	for err == nil && ob.State().Receipted < ob.State().Head {
		select {
		case <-ctx.Done():
			err = ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	if err != nil {
		return "", err
	}
	n := 0
	err = ob.Receipts(ctx, func(outbox.Receipt) error { n++; return nil })
	return fmt.Sprintf("%d receipts; what they prove is forgotten here", n), err
}

// proof waits for receipts, and verifies the ledger of the run from its file, as stead audit verify does, while the
// platform goes on.
func (r *run) proof() []step {
	return []step{{"the device proves that all are in the ledger", r.receipted}, {"the ledger proves itself", func(ctx context.Context) (string, error) {
		c := verifyCommand{Ledger: r.dir}
		for deadline := time.Now().Add(2 * time.Second); ; time.Sleep(100 * time.Millisecond) {
			p, err := c.verify(ctx, nil)
			if err != nil {
				return "", err
			}
			if p.Pending == 0 {
				return fmt.Sprintf("%d records, root %s", p.Checkpoint.Size, base64.StdEncoding.EncodeToString(p.Checkpoint.Root[:])), nil
			}
			if time.Now().After(deadline) {
				return "", fmt.Errorf("%d records are not in the log after two seconds", p.Pending)
			}
		}
	}}}
}
