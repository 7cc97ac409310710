package outbox

import (
	"context"
	"errors"
	"syscall"

	"stead/internal/audit"
	"stead/internal/stead"
)

// written is a group ready to be committed.
type written struct {
	values [][]byte
	placed []Placed
	head   audit.Head
	sig    []byte
	wall   int64
}

// committer is the one goroutine that writes. It ends with the outbox's life, and leaves in the queue what it did not
// begin.
func (o *Outbox) committer() {
	defer o.owned.Done()
	defer close(o.ended)
	ioFailed := false // the commit before this one failed on the device
	expected := 1     // how many records it took, or a few less than one of the last ones did
	for {
		var err error
		alone := expected == 1 && len(o.appends) == 0 // nobody came while the one before was answered
		select {
		case first := <-o.appends:
			group := o.gather(first, expected, alone)
			expected = max(len(group), expected-1)
			err = o.commit(group)
		case c := <-o.changes:
			err = o.apply(c)
		case <-o.life.Done():
			return
		}
		if err == nil {
			ioFailed = false
			continue
		}
		o.reload(err, ioFailed)
		ioFailed = errors.Is(err, syscall.EIO)
	}
}

// commit writes a group durably and answers its callers. The error it returns is that of the file: after it, nothing
// that is remembered about the file is certain.
func (o *Outbox) commit(group []*request) error {
	f, err := o.usable()
	if err != nil {
		answerAll(group, err)
		return nil
	}
	return o.writeGroup(f, group)
}

func (o *Outbox) writeGroup(f *file, group []*request) error {
	w, err := o.place(f, group)
	if err != nil { // nothing was written
		answerAll(group, stead.E(stead.CodeOutboxWrite, err))
		return nil
	}
	if err := f.write(w); err != nil {
		return o.rescue(group, w, err)
	}
	o.mu.Lock()
	f.wrote(w)
	o.mu.Unlock()
	answerPlaced(group, w)
	nudge(o.wake)
	return nil
}

func answerAll(group []*request, err error) {
	for _, r := range group {
		r.answered <- answer{err: err}
	}
}

// usable returns the open file. Where it could not be reopened after a failure, it tries again: what was missing then
// (a file handle, the folder) may be back.
func (o *Outbox) usable() (*file, error) {
	o.mu.RLock()
	f, err := o.current()
	retry := o.broken == nil && o.file == nil
	o.mu.RUnlock()
	if !retry {
		return f, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.reopen()
}

// reload closes the file after a failed commit, opens and verifies it again, and takes head and watermark from it: a
// flush that reported an error may have written what it reported. Two failures of the device in a row, or a file
// that no longer verifies, break the outbox for good.
func (o *Outbox) reload(cause error, ioFailed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.file == nil {
		return
	}
	o.file.giveUp(cause)
	o.file = nil
	if ioFailed && errors.Is(cause, syscall.EIO) {
		o.broken = damaged("the device failed twice: %w", cause)
		return
	}
	_, _ = o.reopen() // the next call sees the error
}

// reopen opens the file again. The caller holds mu.
func (o *Outbox) reopen() (*file, error) {
	f, err := openExisting(context.Background(), o.path, o.cfg)
	switch {
	case err == nil:
		o.file = f
		return f, nil
	case stead.CodeOf(err) == stead.CodeOutboxDamaged:
		o.broken = err
		return nil, err
	case errors.Is(err, syscall.EIO), errors.Is(err, syscall.ENOENT):
		o.broken = damaged("after a failed commit: %w", err)
		return nil, o.broken
	}
	return nil, stead.E(stead.CodeOutboxWrite, err)
}

// Acknowledge says that the platform holds every record of the epoch up to seq. They are not sent again, and stay
// until the log is proven to hold them. An older mark than the present one changes nothing.
//
// CodeChainFork means that the platform claims records this outbox does not have: another epoch, or a sequence beyond
// its head.
func (o *Outbox) Acknowledge(ctx context.Context, epoch audit.Epoch, seq uint64) error {
	var refused error
	err := o.change(ctx, func(f *file) error {
		if refused = f.claims(epoch, seq); refused != nil || seq <= f.acked.Seq {
			return nil
		}
		m, oldest, err := f.acknowledge(seq)
		if err != nil {
			return err
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		f.acked, f.oldest = m, oldest
		close(o.advanced)
		o.advanced = make(chan struct{})
		return nil
	})
	if err != nil {
		return err
	}
	return refused
}

// claims returns nil when it can be that the platform holds the records of the epoch up to seq.
func (f *file) claims(epoch audit.Epoch, seq uint64) error {
	switch {
	case epoch != f.head.Epoch:
		return stead.Errorf(stead.CodeChainFork, "the platform acknowledged epoch %s", epoch)
	case seq > f.head.Seq:
		return stead.Errorf(stead.CodeChainFork, "the platform holds record %d, this machine ends at %d", seq, f.head.Seq)
	}
	return nil
}

// nudge puts a token into a channel of capacity one, unless there is one already.
func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
