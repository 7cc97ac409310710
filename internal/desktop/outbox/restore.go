package outbox

import (
	"context"
	"errors"

	bolt "go.etcd.io/bbolt"

	"stead/internal/audit"
)

// excuse looks for a declared restore that explains why the log is not what it was: signed by two recovery keys, never
// accepted before, losing what was seen here, and keeping a beginning of the log as it is now. The first that fits is
// accepted. The error says that it could not be found out.
//
// What was deleted here cannot come back. What is held is sent again from the last receipted record on, the
// acknowledged ones included, because the platform may have lost them.
func (o *Outbox) excuse(ctx context.Context, l Log, next proof, newer audit.Checkpoint) (bool, error) {
	if newer.Size == 0 && newer.Origin == "" { // nobody trusted signed a checkpoint
		return false, nil
	}
	s, err := o.standing()
	if err != nil {
		return false, err
	}
	statements, err := l.Statements(ctx)
	if err != nil {
		return false, err
	}
	for _, r := range o.pins.restores(statements) {
		if s.proof.accepted(r) || r.Lost < s.seen.Size {
			continue
		}
		err := audit.Follow(ctx, l, r.Kept, newer, nil)
		switch {
		case err == nil:
			return true, o.acceptRestore(ctx, next, r)
		case !errors.Is(err, audit.ErrContradiction):
			return false, err
		}
	}
	return false, nil
}

// spent adds the declared restores that this machine did not need to those that were accepted: the log agrees with all
// that was shown, and holds all that it acknowledged. Kept for later, one of them would excuse a forgery.
func (o *Outbox) spent(p proof, restores, statements [][]byte) [][]byte {
	for _, r := range o.pins.restores(statements) {
		if !p.accepted(r) {
			restores = append(restores[:len(restores):len(restores)], r.signed)
			p.Restores = restores
		}
	}
	return restores
}

// acceptRestore takes over a restore, while nothing is being sent: an answer to a batch must not be taken for what the
// platform holds afterwards.
func (o *Outbox) acceptRestore(ctx context.Context, next proof, r restore) error {
	select {
	case <-o.draining:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { o.draining <- struct{}{} }()
	next.Restores = append(next.Restores[:len(next.Restores):len(next.Restores)], r.signed)
	next.Excused, next.Forked, next.Lost = true, nil, nil
	err := o.change(ctx, func(f *file) error {
		next.RolledBack = f.proof.RolledBack
		var oldest int64
		err := f.update(func(tx *bolt.Tx) (err error) {
			if _, oldest, err = f.at(f.receipted.Seq, tx.Bucket(pendingBucket)); err != nil {
				return err
			}
			if err := tx.Bucket(metaBucket).Put([]byte("acknowledged"), encodeMark(f.receipted)); err != nil {
				return err
			}
			return f.putProof(tx, next)
		})
		if err != nil {
			return err
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		f.acked, f.oldest = f.receipted, oldest
		return f.takeOver(next, o.cfg.Trust)
	})
	if err == nil {
		nudge(o.wake)
	}
	return err
}
