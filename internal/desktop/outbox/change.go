package outbox

import (
	"context"

	"stead/internal/stead"
)

// change is something else than records that is to be written. The error of make is that of the file.
type change struct {
	make     func(*file) error
	answered chan error // buffered, so that the committer never waits for who gave up
}

// change lets the committer make a change of the file, and waits for it.
func (o *Outbox) change(ctx context.Context, how func(*file) error) error {
	c := &change{make: how, answered: make(chan error, 1)}
	select {
	case o.changes <- c:
	case <-o.life.Done():
		return stead.E(stead.CodeOutboxWrite, errClosed)
	case <-ctx.Done():
		return stead.E(stead.CodeOutboxWrite, ctx.Err())
	}
	select {
	case err := <-c.answered:
		return err
	case <-ctx.Done():
		return stead.E(stead.CodeOutboxWrite, ctx.Err())
	}
}

// apply makes a change and answers. Like commit, it returns the file's error.
func (o *Outbox) apply(c *change) error {
	f, err := o.usable()
	if err != nil {
		c.answered <- err
		return nil
	}
	if err := c.make(f); err != nil {
		c.answered <- stead.E(stead.CodeOutboxWrite, err)
		return err
	}
	c.answered <- nil
	return nil
}
