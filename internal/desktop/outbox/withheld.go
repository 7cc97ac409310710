package outbox

import (
	"context"
	"time"

	bolt "go.etcd.io/bbolt"

	"stead/internal/stead"
)

// How long a log may stand there without what the platform acknowledged. It promises a second. After a minute this is
// told: by then the log was asked a good many times, and a sequencer that moved to another node is back. After twenty,
// the length of one session, no session is started, so that no more than one can have been kept from the log.
const (
	withheldTold   = time.Minute
	withheldBlocks = 20 * time.Minute
)

// withheld is what the platform acknowledged and its log did not hold when it was asked. It lies sealed in the file once
// it is told, so that a restart does not begin the time anew.
type withheld struct {
	_    struct{} `cbor:",toarray"`
	MS   int64    // when that was found first, Unix milliseconds
	Last int64    // when it was found last: only what the log answered counts, not the time in which nobody could ask
	Seq  uint64   // the last record that was acknowledged by then; all up to there must be proven, not only some
}

var (
	withheldKey   = []byte("withheld")
	withheldPlace = []byte("withheld")
)

func (w withheld) lasted() time.Duration { return time.Duration(w.Last-w.MS) * time.Millisecond }

// lacks is what the log owes for that long, the zero value when that is over.
func (f *file) lacks() withheld {
	if f.receipted.Seq >= f.withheld.Seq || f.acked.Seq < f.withheld.Seq {
		return withheld{}
	}
	return f.withheld
}

func (f *file) loadWithheld(meta *bolt.Bucket) error {
	f.withheld = withheld{}
	sealed := meta.Get(withheldKey)
	if sealed == nil {
		return nil
	}
	return f.unsealAs(withheldPlace, 0, sealed, &f.withheld)
}

// missing notes that the log answered and does not hold all that was acknowledged. It returns CodeLogWithheld from when
// that has to be told.
func (o *Outbox) missing(ctx context.Context) (stead.Code, error) {
	var code stead.Code
	err := o.change(ctx, func(f *file) error {
		now := o.cfg.Now().UnixMilli()
		next := f.lacks()
		if next.Seq == 0 || now < next.MS { // a clock that was set back begins anew
			next = withheld{MS: now, Seq: f.acked.Seq}
		}
		next.Last = now
		if next.lasted() >= withheldTold {
			code = stead.CodeLogWithheld
			sealed, err := f.sealAs(withheldPlace, 0, next)
			if err == nil {
				err = f.update(func(tx *bolt.Tx) error { return tx.Bucket(metaBucket).Put(withheldKey, sealed) })
			}
			if err != nil {
				return err
			}
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		f.withheld = next
		return nil
	})
	return code, err
}
