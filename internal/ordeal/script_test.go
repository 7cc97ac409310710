//go:build linux && !race

package ordeal

import (
	"context"
	"errors"
	"sync"
	"time"

	"stead/internal/stead"

	"stead/internal/desktop/outbox"
)

// proveFor is how long a script waits for receipts. It has them in a fifth of a second, or a fault keeps them away.
const proveFor = 2 * time.Second

// deviceScript does, one after the other, all that an outbox is there for: it is created, records come from several
// callers, are drained, proven and forgotten, and it is closed and opened again. It prints each record after it was answered. A refusal with
// a code is printed and suffered; anything else fails.
func deviceScript(o orders) {
	ctx, platform := context.Background(), o.client()
	for opened := range 3 {
		box, err := outbox.Open(ctx, o.Path, o.config())
		if err != nil {
			sayRefused("open", err)
			continue
		}
		b, err := box.Pending(ctx, 0, 1)
		if err != nil {
			sayRefused("pending", err)
		} else {
			say("open %s", b.Epoch)
		}
		for n := range o.Records {
			together := 1 + (n+opened)%3
			var group sync.WaitGroup
			for range together {
				group.Go(func() {
					p, err := box.Append(ctx, intent())
					if err != nil {
						sayRefused("append", err)
						return
					}
					sayPlaced(p)
				})
			}
			group.Wait()
			if n%4 == 3 {
				if err := box.Drain(ctx, platform); err != nil {
					sayRefused("drain", err)
				}
			}
		}
		if opened == 1 && box.State().Acknowledged > 0 {
			if err := proveAll(ctx, box, o, proveFor); err != nil {
				sayRefused("prove", err)
			}
			say("proven %d", box.State().Receipted)
		}
		if err := box.Close(); err != nil {
			sayRefused("close", err)
		}
	}
	say("done")
}

// sayRefused prints a refusal that a person can be told of. Closing has no code to give: whatever it fails at, nothing
// is in it that was not flushed. Proving ends with the time, and the outbox says why.
func sayRefused(what string, err error) {
	code := stead.CodeOf(err)
	var coded *stead.Error
	if !errors.As(err, &coded) && what != "close" && what != "prove" {
		childFails(what, err)
	}
	say("refused %s %s", what, code)
}
