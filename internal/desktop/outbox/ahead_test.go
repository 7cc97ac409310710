package outbox

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
)

// TestReadAheadReadsTheSame: whatever is asked for, in whatever order, as from the file itself, and with few reads of it when
// that is in its order.
func TestReadAheadReadsTheSame(t *testing.T) {
	data := make([]byte, 3*aheadSize+77)
	for i := range data {
		data[i] = byte(rand.Uint32())
	}
	plain := &counted{ReaderAt: bytes.NewReader(data)}
	a := &readAhead{r: plain}
	at := int64(0)
	for n := range 3000 {
		if n%10 == 0 {
			at = rand.Int64N(int64(len(data)) + 10)
		}
		size := 1 + rand.IntN(1<<rand.IntN(19))
		got, want := make([]byte, size), make([]byte, size)
		n1, err1 := a.ReadAt(got, at)
		n2, err2 := bytes.NewReader(data).ReadAt(want, at)
		if n1 != n2 || !bytes.Equal(got[:n1], want[:n2]) || (n1 < size) != (err1 != nil) || err1 != nil && !errors.Is(err1, err2) {
			t.Fatalf("%d bytes at %d: %d, %v; the file has %d, %v", size, at, n1, err1, n2, err2)
		}
		at += int64(n1)
	}
	plain.reads, at = 0, 0
	for page := make([]byte, 4096); at+4096 < int64(len(data)); at += 4096 {
		if _, err := a.ReadAt(page, at); err != nil {
			t.Fatal(err)
		}
	}
	if plain.reads > 6 {
		t.Errorf("%d reads", plain.reads)
	}
}

type counted struct {
	io.ReaderAt
	reads int
}

func (c *counted) ReadAt(b []byte, at int64) (int, error) {
	c.reads++
	return c.ReaderAt.ReadAt(b, at)
}
