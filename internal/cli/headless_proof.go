package cli

import (
	"context"
	"encoding/base64"
	"fmt"
	"time"
)

// proof verifies the ledger of the run from its file, as stead audit verify does, while the platform goes on.
func (r *run) proof() []step {
	return []step{{"the ledger proves itself", func(ctx context.Context) (string, error) {
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
