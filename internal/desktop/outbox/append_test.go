package outbox

import (
	"bytes"
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"stead/internal/audit"
	"stead/internal/stead"
)

func TestAppendChainsAndSeals(t *testing.T) {
	path := newPath(t)
	o := open(t, path)
	e := intent()
	e.EventID = stead.NewEventID()
	session, ref := stead.NewSessionID(), stead.NewEventID()
	e.Session, e.Ref = &session, &ref
	o.ObserveServerTime(time.Now().Add(time.Hour))
	first, err := o.Append(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	second := appendN(t, o, 1)[0]
	if first.Seq != 1 || second.Seq != 2 || first.EventID != e.EventID || second.EventID == uuid.Nil || first.Epoch != second.Epoch {
		t.Errorf("placed %+v and %+v", first, second)
	}
	items := allPending(t, o)
	if len(items) != 2 || audit.Leaf(items[0].Envelope) != first.Leaf || audit.Leaf(items[1].Envelope) != second.Leaf {
		t.Fatalf("%d pending, or other leaves than were answered", len(items))
	}
	rec, err := audit.Decode(items[0].Envelope)
	if err != nil {
		t.Fatal(err)
	}
	if rec.EventID != e.EventID || *rec.Session != session || *rec.Ref != ref || rec.Actor != e.Actor || *rec.Subject != *e.Subject ||
		rec.KeyID != testConfig().KeyID || rec.Body["category"] != "troubleshooting" || rec.Device != testDevice {
		t.Errorf("record %+v", rec)
	}
	if off := time.Since(time.UnixMilli(rec.WallMS)); off < 0 || off > time.Minute {
		t.Errorf("written at %d", rec.WallMS)
	}
	if rec.ServerOffsetMS == nil || (time.Duration(*rec.ServerOffsetMS)*time.Millisecond).Round(time.Minute) != time.Hour {
		t.Errorf("server offset %v", rec.ServerOffsetMS)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, plain := range [][]byte{[]byte("invoice"), []byte("Müller"), []byte("troubleshooting"), e.EventID[:], items[0].Envelope[20:60]} {
		if bytes.Contains(data, plain) {
			t.Errorf("%q lies open in the file", plain)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestAppendRefuses(t *testing.T) {
	o := open(t, newPath(t))
	for name, bend := range map[string]func(*Entry){
		"a platform's kind": func(e *Entry) { e.Kind = audit.SessionStarted },
		"no kind":           func(e *Entry) { e.Kind = "" },
		"an event id of v4": func(e *Entry) { e.EventID = uuid.New() },
		"a name twice":      func(e *Entry) { e.Texts = append(e.Texts, e.Texts[0]) },
		"too long a text":   func(e *Entry) { e.Texts[0].Value = strings.Repeat("x", audit.MaxTextValue+1) },
		"a float":           func(e *Entry) { e.Body = audit.Body{"x": 1.5} },
		"texts beyond 64 KiB": func(e *Entry) {
			e.Texts = nil
			for _, n := range []string{"a", "b", "c", "d", "e"} {
				e.Texts = append(e.Texts, audit.NewText(n, strings.Repeat("x", 14000)))
			}
		},
		"an envelope beyond 64 KiB": func(e *Entry) { e.Body = audit.Body{"x": strings.Repeat("x", audit.MaxEnvelope)} },
	} {
		e := intent()
		bend(&e)
		if _, err := o.Append(t.Context(), e); stead.CodeOf(err) != stead.CodeRecordInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if p := appendN(t, o, 1)[0]; p.Seq != 1 {
		t.Errorf("what was refused took a place: the next is %d", p.Seq)
	}
}

func TestConcurrentAppendsKeepTheChainWhole(t *testing.T) {
	o := open(t, newPath(t))
	const callers, each = 16, 25
	var wg sync.WaitGroup
	var mu sync.Mutex
	placed := map[uint64]Placed{}
	for range callers {
		wg.Go(func() {
			last := uint64(0)
			for range each {
				p, err := o.Append(t.Context(), intent())
				if err != nil || p.Seq <= last {
					t.Errorf("record %d after %d: %v", p.Seq, last, err)
					return
				}
				last = p.Seq
				mu.Lock()
				placed[p.Seq] = p
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	items := allPending(t, o)
	if len(items) != callers*each || len(placed) != callers*each {
		t.Fatalf("%d pending, %d answered", len(items), len(placed))
	}
	for _, i := range items {
		if placed[i.Seq].Leaf != audit.Leaf(i.Envelope) {
			t.Errorf("record %d is not the one that was answered", i.Seq)
		}
	}
}

func TestAHostileClockChangesNoOrder(t *testing.T) {
	cfg := testConfig()
	clock := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	cfg.Now = func() time.Time { clock = clock.Add(-24 * time.Hour); return clock }
	o, err := Open(t.Context(), newPath(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.Close() })
	appendN(t, o, 3)
	var before audit.Record
	for n, i := range allPending(t, o) {
		rec, err := audit.Decode(i.Envelope)
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 && (rec.WallMS >= before.WallMS || rec.MonoMS < before.MonoMS || rec.BootID != before.BootID) {
			t.Errorf("record %d: wall %d after %d, mono %d after %d", i.Seq, rec.WallMS, before.WallMS, rec.MonoMS, before.MonoMS)
		}
		before = rec
	}
	if s := o.State(); s.Pending != 3 || !s.Oldest.Equal(time.Date(2026, 4, 30, 12, 0, 0, 0, time.UTC)) {
		t.Errorf("state %+v", s)
	}
}

func TestClosedOutboxRefuses(t *testing.T) {
	o := open(t, newPath(t))
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	_, appendErr := o.Append(t.Context(), intent())
	_, pendingErr := o.Pending(t.Context(), 0, 1)
	for name, err := range map[string]error{"Append": appendErr, "Pending": pendingErr,
		"Acknowledge": o.Acknowledge(t.Context(), audit.Epoch{}, 0), "WaitDrained": o.WaitDrained(t.Context(), 1)} {
		if stead.CodeOf(err) != stead.CodeOutboxWrite {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := o.Run(context.Background(), newLedger(), nil); err != nil { // returns at once
		t.Error(err)
	}
}

func TestASealedRecordOpensOnlyInItsPlace(t *testing.T) {
	o := open(t, newPath(t))
	value, err := o.file.seal(7, stored{Envelope: []byte("envelope")})
	if err != nil {
		t.Fatal(err)
	}
	if s, err := o.file.unseal(7, value); err != nil || string(s.Envelope) != "envelope" {
		t.Errorf("in its place: %q, %v", s.Envelope, err)
	}
	elsewhere := *o.file
	elsewhere.generation++
	_, otherGeneration := elsewhere.unseal(7, value)
	elsewhere = *o.file
	elsewhere.head.Epoch = audit.NewEpoch()
	_, otherEpoch := elsewhere.unseal(7, value)
	_, otherSeq := o.file.unseal(8, value)
	for name, err := range map[string]error{"sequence": otherSeq, "generation": otherGeneration, "epoch": otherEpoch} {
		if stead.CodeOf(err) != stead.CodeOutboxDamaged {
			t.Errorf("under another %s: %v", name, err)
		}
	}
}
