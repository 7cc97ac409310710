package outbox

import (
	"context"
	"runtime"
	"sync"

	bolt "go.etcd.io/bbolt"

	"stead/internal/audit"
)

// stretch is some sealed records one after the other, on their way through walk.
type stretch struct {
	first  uint64
	sealed [][]byte
	links  []audit.Link // of those before the first that is bad
	err    error        // what is wrong with that one
	opened chan struct{}
}

// How much of a walk is under way at once.
const (
	stretchRecords = 256
	mostOpen       = 4 // processors that open records
)

// walk reads every record from the last receipted one on, finds the last acknowledged one among them, and returns the
// head they lead to. Records are opened on all processors, their chain is followed in order.
func (f *file) walk(ctx context.Context, pending *bolt.Bucket) (audit.Head, error) {
	opening := min(runtime.GOMAXPROCS(0), mostOpen)
	closed, ordered := make(chan *stretch, opening), make(chan *stretch, 2*opening)
	ctx, cancel := context.WithCancelCause(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel(nil)
	for range opening {
		all.Go(func() {
			opener := audit.Opener{Key: f.aead, Generation: f.generation, Epoch: f.head.Epoch}
			for r := range closed {
				r.open(&opener)
			}
		})
	}
	all.Go(func() {
		defer close(ordered)
		defer close(closed)
		if err := guard(func() error { return f.stretches(ctx, pending, closed, ordered) }); err != nil {
			cancel(err)
		}
	})
	head, acked, err := f.stitch(ordered)
	if err == nil { // what is wrong with a record comes before what is wrong behind it
		err = context.Cause(ctx)
	}
	if err == nil && !acked {
		err = damaged("record %d was acknowledged and is not among those from %d to %d", f.acked.Seq, f.receipted.Seq, head.Seq)
	}
	return head, err
}

// stretches cuts the bucket into stretches, and hands each to who opens it and to who waits for it.
func (f *file) stretches(ctx context.Context, pending *bolt.Bucket, closed, ordered chan<- *stretch) error {
	next := f.receipted.Seq + 1
	c := pending.Cursor()
	k, v := c.First()
	var gap error
	for k != nil && gap == nil {
		r := &stretch{first: next, sealed: make([][]byte, 0, stretchRecords), opened: make(chan struct{})}
		for ; k != nil && len(r.sealed) < stretchRecords; k, v = c.Next() {
			if len(k) != 8 || seqOf(k) != next {
				gap = damaged("record %d: the next one found is %x", next, k)
				break
			}
			r.sealed = append(r.sealed, v)
			next++
		}
		for _, to := range []chan<- *stretch{closed, ordered} { // in this order, so that nobody waits for what nobody opens
			select {
			case to <- r:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return gap
}

// open opens the stretch's records.
func (r *stretch) open(opener *audit.Opener) {
	defer close(r.opened)
	r.links = make([]audit.Link, 0, len(r.sealed))
	r.err = guard(func() error { // a fault in mapped memory is this goroutine's own
		for i, sealed := range r.sealed {
			l, err := opener.Open(r.first+uint64(i), sealed)
			if err != nil {
				return damaged("%w", err)
			}
			r.links = append(r.links, l)
		}
		return nil
	})
}

// stitch follows the chain through the stretches, and reports whether it passed the last acknowledged record.
func (f *file) stitch(ordered <-chan *stretch) (head audit.Head, acked bool, err error) {
	head = audit.Head{Device: f.head.Device, Epoch: f.head.Epoch, Seq: f.receipted.Seq, Leaf: f.receipted.Leaf}
	acked = f.receipted == f.acked
	for r := range ordered {
		<-r.opened
		for _, l := range r.links {
			if err := l.Follows(head); err != nil {
				return head, acked, damaged("%w", err)
			}
			if head.Seq == f.acked.Seq {
				f.oldest = l.WallMS
			}
			head = l.Head
			acked = acked || f.acked == mark{head.Seq, head.Leaf}
		}
		if r.err != nil {
			return head, acked, r.err
		}
	}
	return head, acked, nil
}
