package outbox

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"stead/internal/audit"
)

// BenchmarkAppend is one caller's append against a plain transaction of bbolt that writes as many bytes, one after the
// other in the same run.
func BenchmarkAppend(b *testing.B) {
	o, err := Open(b.Context(), filepath.Join(b.TempDir(), "outbox.db"), testConfig())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = o.Close() }()
	db, err := bolt.Open(filepath.Join(b.TempDir(), "plain.db"), 0o600, &bolt.Options{NoFreelistSync: true, FreelistType: bolt.FreelistMapType, InitialMmapSize: 64 << 20})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	value := make([]byte, 800)
	rand.Read(value)
	var ours, plain []time.Duration
	for n := 0; b.Loop(); n++ {
		begun := time.Now()
		if _, err := o.Append(b.Context(), intent()); err != nil {
			b.Fatal(err)
		}
		ours = append(ours, time.Since(begun))
		begun = time.Now()
		err := db.Update(func(tx *bolt.Tx) error {
			bucket, err := tx.CreateBucketIfNotExists([]byte("b"))
			if err != nil {
				return err
			}
			bucket.FillPercent = 1
			return bucket.Put(seqKey(uint64(n)), value)
		})
		if err != nil {
			b.Fatal(err)
		}
		plain = append(plain, time.Since(begun))
	}
	slices.Sort(ours)
	slices.Sort(plain)
	b.ReportMetric(float64(ours[len(ours)/2].Microseconds()), "p50-us")
	b.ReportMetric(float64(plain[len(plain)/2].Microseconds()), "plain-p50-us")
	b.ReportMetric(float64(ours[len(ours)/2])/float64(plain[len(plain)/2]), "ratio")
}

// taker takes everything without looking at it.
type taker struct{ *testLog }

func (taker) PostRecords(_ context.Context, b Batch) (Ack, error) {
	return Ack{Epoch: b.Epoch, NextSeq: b.Items[len(b.Items)-1].Seq + 1}, nil
}

func (taker) PostHead(_ context.Context, h audit.Head, _ []byte) (Ack, error) {
	return Ack{Epoch: h.Epoch, NextSeq: 1}, nil
}

// BenchmarkDrain sends and proves what is pending. STEAD_OUTBOX_PENDING says how many records that are.
func BenchmarkDrain(b *testing.B) {
	pending := 20_000
	if n, err := strconv.Atoi(os.Getenv("STEAD_OUTBOX_PENDING")); err == nil {
		pending = n
	}
	for b.Loop() {
		b.StopTimer()
		o, err := Open(b.Context(), filepath.Join(b.TempDir(), "outbox.db"), testConfig())
		if err != nil {
			b.Fatal(err)
		}
		log := newLog()
		fillDirectly(b, o, log, pending)
		b.StartTimer()
		begun := time.Now()
		if err := o.Drain(b.Context(), taker{log}); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(pending)/time.Since(begun).Seconds(), "sent/s")
		mid := heap()
		begun = time.Now()
		if _, err := o.prove(b.Context(), log); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(pending)/time.Since(begun).Seconds(), "proven/s")
		b.StopTimer()
		mid = max(mid, heap())
		b.ReportMetric(mid, "heap-MiB")
		if s := o.State(); s.Receipted != uint64(pending) {
			b.Fatalf("%+v", s)
		}
		if err := o.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

func heap() float64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapInuse) / (1 << 20)
}

// fillDirectly appends to the file directly, in large commits.
func fillDirectly(b *testing.B, o *Outbox, log *testLog, n int) {
	for done := 0; done < n; {
		entries := make([]Entry, min(2000, n-done))
		for i := range entries {
			entries[i] = intent()
		}
		group := asked(b, o, entries...)
		w, err := o.place(o.file, group)
		if err == nil {
			err = o.file.write(w)
		}
		if err != nil {
			b.Fatal(err)
		}
		o.file.wrote(w)
		for _, p := range w.placed {
			log.positions[p.Seq] = int64(len(log.leaves))
			log.grow(p.Leaf)
		}
		done += len(group)
	}
}
