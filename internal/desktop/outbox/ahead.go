package outbox

import "io"

// aheadSize is how much is read at once where pages follow one another.
const aheadSize = 128 << 10

// readAhead reads more than it is asked for as soon as it is asked for what follows the read before, since most pages of a
// file are read in their order. It is for one goroutine.
type readAhead struct {
	r    io.ReaderAt
	at   int64 // where what stands in has begins
	has  []byte
	next int64 // behind the last read
}

// ReadAt is that of an io.ReaderAt.
func (a *readAhead) ReadAt(b []byte, at int64) (int, error) {
	end := at + int64(len(b))
	follows := at == a.next
	a.next = end
	if at < a.at || end > a.at+int64(len(a.has)) {
		if !follows || len(b) > aheadSize {
			return a.r.ReadAt(b, at)
		}
		if a.has == nil {
			a.has = make([]byte, aheadSize)
		}
		n, err := a.r.ReadAt(a.has[:aheadSize], at)
		a.at, a.has = at, a.has[:n]
		if n < len(b) {
			return copy(b, a.has), err
		}
	}
	return copy(b, a.has[at-a.at:]), nil
}
