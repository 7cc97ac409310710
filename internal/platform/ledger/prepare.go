package ledger

import (
	"runtime"
	"sync"

	"stead/internal/audit"
)

// reading is what a record says, as far as that can be told without the store.
type reading struct {
	record audit.Record
	leaf   [32]byte
	bad    error // why it is no record, or does not commit to its texts
}

// Prepare decodes the records, on all processors at once. TakeIn does it itself for what was not prepared, but then
// inside its transaction, while others wait.
func (b *Batch) Prepare() {
	workers := min(runtime.GOMAXPROCS(0), len(b.Records))
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(b.Records); i += workers {
				b.Records[i].prepare()
			}
		})
	}
	wg.Wait()
}

func (r *DeviceRecord) prepare() {
	read := &reading{leaf: audit.Leaf(r.Envelope)}
	if read.record, read.bad = audit.Decode(r.Envelope); read.bad == nil {
		read.bad = read.record.Check(r.Texts)
	}
	r.read = read
}
