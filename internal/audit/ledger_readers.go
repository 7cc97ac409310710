package audit

import (
	"errors"
	"iter"
	"sync"
)

// LedgerReaders is a LedgerSource that several goroutines can read at once, all of them the one state. Hashes is read
// together with everything else, Places together with Checkpoints by one goroutine.
type LedgerReaders interface {
	LedgerSource
	// Span is the smallest and the largest index of what was taken in, 0 and -1 when that is nothing, and how many entries
	// the log should have by its last position.
	Span() (first, last, logged int64, err error)
	// Places yields what stands in the log, by position.
	Places() iter.Seq2[LedgerPlace, error]
	// Readers lists readers, each for one goroutine at a time.
	Readers() []LedgerReader
}

// LedgerReader reads a part of what was taken in.
type LedgerReader interface {
	// Arrivals yields the rows with an index from first to last, by index; it does not fill Position. A row is good until
	// the next one is asked for.
	Arrivals(first, last int64) iter.Seq2[*LedgerRow, error]
}

// LedgerPlace is one entry of a log.
type LedgerPlace struct{ Position, Index int64 }

// errDisorder means that records do not stand in the log in the order in which they arrived, or that something is missing.
var errDisorder = errors.New("the log has another order than the arrivals")

// partSize is how many records one goroutine looks at before it hands them on.
const partSize = 2048

// part is a stretch of what was taken in.
type part struct {
	first, last int64
	findings    []finding
	err         error
	looked      chan struct{} // closed when findings and err are there
}

// readTogether reads a ledger whose log has the order of arrival, as ours have, with several goroutines: each looks at a
// part of the records by itself, and this one puts what they found together. It returns errDisorder where the log has
// another order, which readInOrder can read and name.
func (v *ledgerVerifier) readTogether(src LedgerReaders) error {
	first, last, logged, err := src.Span()
	switch {
	case err != nil:
		return err
	case last >= first && first != 1 || last > 2*logged+1<<20: // not as they arrive, and never to be counted through
		return errDisorder
	}
	ahead := readAhead(src.Hashes())
	defer ahead.stop()
	v.nextHash = func() (StoredHash, error, bool) {
		h, ok, err := ahead.take()
		return h, err, ok
	}
	next, stop := iter.Pull2(inBatches(src.Places()))
	defer stop()
	places := batched[LedgerPlace]{next: next}
	parts := lookAhead(src.Readers(), first, last)
	defer parts.stop()
	place, more, err := places.take()
	for p := range parts.inOrder {
		<-p.looked
		for i := range p.findings {
			f, position := &p.findings[i], int64(-1)
			switch {
			case err != nil:
				return err
			case more && place.Index != f.index:
				return errDisorder
			case more:
				position = place.Position
				place, more, err = places.take()
			}
			if err := v.take(position, f); err != nil {
				return err
			}
		}
		if p.err != nil {
			return p.err
		}
		parts.again(p)
	}
	switch {
	case err != nil:
		return err
	case more:
		return errDisorder // records are missing
	}
	return v.finish()
}

// looking is a group of goroutines that look at parts.
type looking struct {
	inOrder chan *part
	spare   chan []finding
	ended   chan struct{}
	owned   sync.WaitGroup
}

func (l *looking) stop() {
	close(l.ended)
	l.owned.Wait()
}

// again gives back the memory of a part.
func (l *looking) again(p *part) {
	select {
	case l.spare <- p.findings:
	default:
	}
}

// lookAhead starts a goroutine for each reader and one that hands out the parts.
func lookAhead(readers []LedgerReader, first, last int64) *looking {
	ahead := 2 * len(readers)
	l := &looking{inOrder: make(chan *part, ahead), spare: make(chan []finding, ahead), ended: make(chan struct{})}
	jobs := make(chan *part)
	l.owned.Go(func() {
		defer close(jobs)
		defer close(l.inOrder)
		for from := first; from <= last; from += partSize {
			p := &part{first: from, last: min(from+partSize-1, last), looked: make(chan struct{})}
			for _, to := range []chan *part{jobs, l.inOrder} {
				select {
				case to <- p:
				case <-l.ended:
					return
				}
			}
		}
	})
	for _, reader := range readers {
		l.owned.Go(func() {
			for p := range jobs {
				select {
				case p.findings = <-l.spare:
				default:
					p.findings = make([]finding, 0, partSize)
				}
				p.look(reader)
			}
		})
	}
	return l
}

func (p *part) look(reader LedgerReader) {
	defer close(p.looked)
	p.findings = p.findings[:0]
	for row, err := range reader.Arrivals(p.first, p.last) {
		if err != nil {
			p.err = err
			return
		}
		p.findings = append(p.findings, finding{})
		p.findings[len(p.findings)-1].look(row)
	}
}

// batchSize is how many values are handed on at once.
const batchSize = 1024

// inBatches yields the values in slices of their own. An error comes after the values before it.
func inBatches[T any](values iter.Seq2[T, error]) iter.Seq2[[]T, error] {
	return func(yield func([]T, error) bool) {
		batch := make([]T, 0, batchSize)
		for value, err := range values {
			if err != nil {
				_ = yield(batch, nil) && yield(nil, err)
				return
			}
			if batch = append(batch, value); len(batch) == batchSize {
				if !yield(batch, nil) {
					return
				}
				batch = make([]T, 0, batchSize)
			}
		}
		yield(batch, nil)
	}
}

// batched hands out one by one what comes in batches.
type batched[T any] struct {
	next func() ([]T, error, bool)
	rest []T
}

func (b *batched[T]) take() (value T, ok bool, err error) {
	for len(b.rest) == 0 {
		if b.rest, err, ok = b.next(); err != nil || !ok {
			return value, false, err
		}
	}
	value, b.rest = b.rest[0], b.rest[1:]
	return value, true, nil
}

// reading is a goroutine that reads values before they are asked for.
type reading[T any] struct {
	batched[T]
	ended chan struct{}
	owned sync.WaitGroup
}

func readAhead[T any](values iter.Seq2[T, error]) *reading[T] {
	type batch struct {
		values []T
		err    error
	}
	r := &reading[T]{ended: make(chan struct{})}
	batches := make(chan batch, 4)
	r.owned.Go(func() {
		defer close(batches)
		for values, err := range inBatches(values) {
			select {
			case batches <- batch{values, err}:
			case <-r.ended:
				return
			}
		}
	})
	r.next = func() ([]T, error, bool) {
		b, ok := <-batches
		return b.values, b.err, ok
	}
	return r
}

func (r *reading[T]) stop() {
	close(r.ended)
	r.owned.Wait()
}
