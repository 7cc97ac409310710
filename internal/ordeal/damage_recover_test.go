//go:build linux && !race

package ordeal

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sync/errgroup"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/desktop/outbox"
)

const (
	recoveries  = 200
	wreckHeld   = 20 // records that the platform has
	wreckUnsent = 20 // and that only the outbox has
)

// wreck is a device whose outbox is to be damaged, and what may be found in it.
type wreck struct {
	orders
	sound, older []byte
	written      memory
	epoch        audit.Epoch
	sealed       map[uint64][]byte // the records as they lie in the file
	card, head   []byte            // without which nothing opens, and which says how many there are
}

func newWreck(t *testing.T, b *backend, name string) (w *wreck, err error) {
	w = &wreck{orders: b.enrol(name), written: memory{}, sealed: map[uint64][]byte{}}
	w.Path = filepath.Join(t.TempDir(), "outbox.db")
	box, err := outbox.Open(t.Context(), w.Path, w.config())
	if err != nil {
		return nil, err
	}
	appended := func(n int) {
		for range n {
			var p outbox.Placed
			if err == nil {
				p, err = box.Append(t.Context(), intent())
			}
			w.written[p.Seq], w.epoch = leafHex(p.Leaf), p.Epoch
		}
	}
	appended(wreckHeld / 2)
	if err == nil {
		err = proveAll(t.Context(), box, w.orders, 30*time.Second)
	}
	appended(wreckHeld / 2)
	if err == nil {
		err = box.Drain(t.Context(), w.client())
	}
	appended(wreckUnsent / 2)
	w.older = used(t, w.Path)
	appended(wreckUnsent / 2)
	if err = errors.Join(err, box.Close()); err != nil {
		return nil, err
	}
	w.sound = used(t, w.Path)
	return w, w.lookInside()
}

// lookInside reads the sound file as the database it is.
func (w *wreck) lookInside() error {
	db, err := bolt.Open(w.Path, 0o600, &bolt.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	err = db.View(func(tx *bolt.Tx) error {
		meta := tx.Bucket([]byte("meta"))
		w.card, w.head = bytes.Clone(meta.Get([]byte("card"))), bytes.Clone(meta.Get([]byte("head")))
		return tx.Bucket([]byte("pending")).ForEach(func(k, v []byte) error {
			w.sealed[binary.BigEndian.Uint64(k)] = bytes.Clone(v)
			return nil
		})
	})
	if err == nil && (len(w.card) == 0 || len(w.head) == 0 || len(w.sealed) < wreckUnsent) {
		err = fmt.Errorf("%d records, a card of %d bytes, a head of %d", len(w.sealed), len(w.card), len(w.head))
	}
	return errors.Join(err, db.Close())
}

// readable reports which of the records lie whole in the damaged bytes.
func (w *wreck) readable(data []byte) map[uint64]bool {
	out := map[uint64]bool{}
	for seq, value := range w.sealed {
		if bytes.Contains(data, w.card) && bytes.Contains(data, value) {
			out[seq] = true
		}
	}
	return out
}

// rescue is what came of one damage.
type rescue struct {
	*wreck
	data     []byte
	result   outbox.Recovered
	stranded string
	next     audit.Epoch // the one that was begun; zero where the outbox opened as it was
}

// recovered damages the outbox, recovers it and lets it send and prove everything.
func (w *wreck) recovered(ctx context.Context, data []byte) (r rescue, err error) {
	r = rescue{wreck: w, data: data}
	if err := os.WriteFile(w.Path, data, 0o600); err != nil {
		return r, err
	}
	if box, err := outbox.Open(ctx, w.Path, w.config()); err == nil {
		return r, box.Close()
	} else if stead.CodeOf(err) != stead.CodeOutboxDamaged {
		return r, err
	}
	if r.result, err = outbox.Recover(ctx, w.Path, w.config()); err != nil {
		return r, err
	}
	kept, err := os.ReadFile(filepath.Join(filepath.Dir(w.Path), "evidence", r.result.Evidence))
	if err != nil {
		return r, err
	}
	if ok := w.readable(data); !bytes.Equal(kept, data) || r.result.Salvaged < len(ok) {
		return r, fmt.Errorf("%d salvaged of %d readable ones, %d bytes of evidence for %d", r.result.Salvaged, len(ok), len(kept), len(data))
	}
	box, err := outbox.Open(ctx, w.Path, w.config())
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, box.Close()) }()
	if _, err := box.Append(ctx, intent()); stead.CodeOf(err) != stead.CodeOutboxRecovered {
		return r, fmt.Errorf("a start before the platform knows: %w", err)
	}
	if err := proveAll(ctx, box, w.orders, 30*time.Second); err != nil {
		return r, err
	}
	if s := box.State(); s.Recovering || s.Blocked != "" || s.Receipted != 1 {
		return r, fmt.Errorf("%+v", s)
	}
	after, _ := box.Recovered()
	p, err := box.Append(ctx, intent())
	if err == nil {
		err = proveAll(ctx, box, w.orders, 30*time.Second)
	}
	r.stranded, r.next = after.Stranded, p.Epoch
	return r, err
}

// arrivedWell holds what the ledger has of the device to what could be read: under the old epoch, in order, once; then the
// new epoch, whose first record names what is missing.
func (r rescue) arrivedWell(list []arrived) error {
	before := 0
	for before < len(list) && list[before].epoch == r.epoch {
		before++
	}
	old, fresh := list[:before], list[before:]
	if err := exactlyOnce(old, within(r.written, len(old))); err != nil {
		return fmt.Errorf("under the old epoch: %w", err)
	}
	if len(fresh) != 2 || fresh[0].facts == nil || fresh[0].epoch != r.next || fresh[1].epoch != r.next || fresh[0].seq != 1 || fresh[1].seq != 2 {
		return fmt.Errorf("under the new epoch: %+v", fresh)
	}
	facts := fresh[0].facts
	ok, last := r.readable(r.data), uint64(wreckHeld)
	for ok[last+1] {
		last++
	}
	if uint64(len(old)) < last {
		return fmt.Errorf("the records up to %d could be read, and %d arrived", last, len(old))
	}
	told := named(fmt.Sprint(facts["missing"]))
	maps.Copy(told, named(strings.ReplaceAll(r.stranded, r.epoch.String()+" ", "")))
	if bytes.Contains(r.data, r.card) && bytes.Contains(r.data, r.head) {
		for seq := uint64(len(old)) + 1; seq <= wreckHeld+wreckUnsent; seq++ {
			if !told[seq] {
				return fmt.Errorf("record %d is lost, and neither missing (%v) nor stranded (%s)", seq, facts, r.stranded)
			}
		}
	}
	for seq := range told { // up to wreckHeld it may not be known any more what the platform had acknowledged
		if seq > wreckHeld && seq <= uint64(len(old)) {
			return fmt.Errorf("record %d arrived and is named as lost: %v, stranded %s", seq, facts, r.stranded)
		}
	}
	return nil
}

// named reads ranges as a recovery names them: 31, 40-45.
func named(ranges string) map[uint64]bool {
	out := map[uint64]bool{}
	for _, part := range strings.Split(ranges, ", ") {
		var first, last uint64
		if n, _ := fmt.Sscanf(part, "%d-%d", &first, &last); n == 1 {
			last = first
		} else if n == 0 {
			continue
		}
		for seq := first; seq <= last; seq++ {
			out[seq] = true
		}
	}
	return out
}

// TestRecoveredOutbox damages outboxes that hold what nobody else has, and recovers them.
func TestRecoveredOutbox(t *testing.T) {
	t.Parallel()
	rng := chance(t)
	b := newBackend(t)
	var mu sync.Mutex
	var rescues []rescue
	opened := 0
	var group errgroup.Group
	group.SetLimit(6) // they wait for the log more than they work
	for n := range recoveries * soak {
		way, own := ways()[n%len(ways())], rand.New(rand.NewPCG(rng.Uint64(), 0))
		group.Go(func() error {
			w, err := newWreck(t, b, fmt.Sprintf("wreck %d", n))
			if err != nil {
				return fmt.Errorf("wreck %d: %w", n, err)
			}
			r, err := w.recovered(t.Context(), way.bend(own, bytes.Clone(w.sound), w.older))
			if err != nil {
				return fmt.Errorf("%d, %s: %w", n, way.name, err)
			}
			mu.Lock()
			defer mu.Unlock()
			if r.next == (audit.Epoch{}) {
				opened++
			} else {
				rescues = append(rescues, r)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	b.end()
	ledger, _, err := proven(t.Context(), b.file())
	if err != nil {
		t.Fatal(err)
	}
	salvaged, whole, none := 0, 0, 0
	for _, r := range rescues {
		list := ledger[string(r.Device)]
		if err := r.arrivedWell(list); err != nil {
			t.Errorf("%s: %v", r.Key, err)
		}
		switch len(list) - 2 {
		case wreckHeld + wreckUnsent:
			whole++
		case wreckHeld:
			none++
		}
		salvaged += max(0, len(list)-2-wreckHeld)
	}
	t.Logf("%d damages: %d opened all the same; of %d recovered, %d delivered all of %d unsent records, %d some, %d none; %d records saved",
		recoveries*soak, opened, len(rescues), whole, wreckUnsent, len(rescues)-whole-none, none, salvaged)
	if len(rescues) < recoveries*soak/3 || whole == 0 || none == 0 {
		t.Error("the damages were too few or all of one kind")
	}
}
