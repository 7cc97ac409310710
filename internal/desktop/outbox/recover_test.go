package outbox

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"

	"stead/internal/audit"
	"stead/internal/stead"
)

// ledgers is a platform that knows the chains of several epochs.
type ledgers struct {
	of    map[audit.Epoch]*ledger
	order []audit.Epoch // of the batches that arrived
	owner string        // whose key signs, when it is another than the tests' usual one
}

func (l *ledgers) PostRecords(ctx context.Context, b Batch) (Ack, error) {
	if l.of[b.Epoch] == nil {
		l.of[b.Epoch] = newLedger()
		if l.owner != "" {
			l.of[b.Epoch].owner = l.owner
		}
	}
	l.order = append(l.order, b.Epoch)
	return l.of[b.Epoch].PostRecords(ctx, b)
}

func (l *ledgers) PostHead(ctx context.Context, h audit.Head, sig []byte) (Ack, error) {
	if l.of[h.Epoch] == nil {
		return Ack{Epoch: h.Epoch, NextSeq: 1}, nil
	}
	return l.of[h.Epoch].PostHead(ctx, h, sig)
}

// given makes the outbox believe that the log holds everything up to seq.
func given(t *testing.T, o *Outbox, seq uint64) {
	t.Helper()
	if err := o.Acknowledge(t.Context(), o.file.head.Epoch, seq); err != nil {
		t.Fatal(err)
	}
	for done := uint64(0); done < seq; {
		run := proven{}
		for range min(receiptRecords, seq-done) {
			run.positions = append(run.positions, int64(done))
			done++
		}
		last, err := o.record(done)
		if err != nil {
			t.Fatal(err)
		}
		run.last = mark{done, audit.Leaf(last.Envelope)}
		next, l := o.file.proof, newLog()
		if next.Checkpoint, err = audit.SignCheckpoint(testKey(l.key), audit.Checkpoint{Origin: l.origin, Size: int64(done)}); err != nil {
			t.Fatal(err)
		}
		if err := o.receive(t.Context(), run, next); err != nil {
			t.Fatal(err)
		}
	}
}

// wreck is an outbox about to be damaged: of 60 records the platform has the first 30.
type wreck struct {
	sound  []byte
	items  []Item // 31 to 60
	sealed map[uint64][]byte
	cards  [][]byte
	ledger *ledger
	epoch  audit.Epoch
}

func newWreck(t *testing.T) wreck {
	t.Helper()
	path := newPath(t)
	o := open(t, path)
	w := wreck{ledger: newLedger(), sealed: map[uint64][]byte{}}
	w.epoch = settled(t, o, w.ledger, 30)[0].Epoch
	appendN(t, o, 30)
	w.items = allPending(t, o)
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	err := update(path, func(meta, pending *bolt.Bucket) error {
		w.cards = append(w.cards, bytes.Clone(meta.Get([]byte("card"))))
		return pending.ForEach(func(k, v []byte) error { w.sealed[seqOf(k)] = bytes.Clone(v); return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	used := (len(bytes.TrimRight(data, "\x00")) + os.Getpagesize() - 1) / os.Getpagesize() * os.Getpagesize()
	w.sound = data[:used]
	return w
}

// platform is one that knows what the wreck's knew.
func (w wreck) platform() *ledgers {
	l := newLedger()
	l.head, l.leaves = w.ledger.head, maps.Clone(w.ledger.leaves)
	return &ledgers{of: map[audit.Epoch]*ledger{w.epoch: l}}
}

// spoiled flips a bit in every copy of the records.
func (w wreck) spoiled(seqs ...uint64) []byte {
	data := bytes.Clone(w.sound)
	for _, seq := range seqs {
		for at := bytes.Index(data, w.sealed[seq]); at >= 0; at = bytes.Index(data, w.sealed[seq]) {
			data[at+40] ^= 1
		}
	}
	return data
}

// readable says which of the pending records lie whole in the damaged bytes. It knows nothing of pages.
func (w wreck) readable(data []byte) map[uint64]bool {
	out := map[uint64]bool{}
	for _, card := range w.cards {
		if !bytes.Contains(data, card) {
			return out
		}
	}
	for seq, value := range w.sealed {
		if bytes.Contains(data, value) {
			out[seq] = true
		}
	}
	return out
}

// TestRecoveryDeliversWhatIsReadable damages a file in many ways: whatever still lies whole in it and connects to what
// the platform holds arrives there, in order, before the record of the recovery.
func TestRecoveryDeliversWhatIsReadable(t *testing.T) {
	w := newWreck(t)
	seed := rand.Uint64()
	t.Logf("seed %d, %d bytes", seed, len(w.sound))
	for _, k := range damages(rand.New(rand.NewPCG(seed, 0))) {
		recovered, whole, some, none := 0, 0, 0, 0
		for n := range max(k.times/4, 8) {
			data := k.bend(bytes.Clone(w.sound))
			got := w.recovered(t, data)
			if got < 0 {
				continue
			}
			recovered++
			switch got {
			case 30:
				whole++
			case 0:
				none++
			default:
				some++
			}
			if t.Failed() {
				t.Fatalf("%s, %d", k.name, n)
			}
		}
		t.Logf("%s: %d recovered; delivered all 30: %d, some: %d, none: %d", k.name, recovered, whole, some, none)
	}
}

// recovered damages, recovers and checks; it returns how many records were delivered, -1 when nothing was to recover.
func (w wreck) recovered(t *testing.T, data []byte) int {
	t.Helper()
	path := filepath.Join(t.TempDir(), childFile)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if o, err := Open(t.Context(), path, testConfig()); err == nil {
		_ = o.Close()
		return -1
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Recover(t.Context(), path, testConfig())
	if err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile(filepath.Join(filepath.Dir(path), "evidence", r.Evidence))
	if err != nil || !bytes.Equal(kept, data) || r.SHA256 != sha256.Sum256(data) {
		t.Errorf("the evidence is not the damaged file: %v", err)
	}
	ok, p := w.readable(data), w.platform()
	if r.Salvaged < len(ok) {
		t.Errorf("%d salvaged, %d lie whole in the file", r.Salvaged, len(ok))
	}
	o := open(t, path)
	if _, err := o.Append(t.Context(), intent()); stead.CodeOf(err) != stead.CodeOutboxRecovered || !o.State().Recovering {
		t.Errorf("a start before the platform knows: %v", err)
	}
	if err := o.Drain(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	last := uint64(30)
	for ok[last+1] {
		last++
	}
	if head := p.of[w.epoch].head.Seq; head < last || head > last && head < 60 && !ok[head] && len(ok) > 0 {
		t.Errorf("record %d arrived last, %d is the last that connects", head, last)
	}
	for _, i := range w.items {
		if got := p.of[w.epoch].leaves[i.Seq]; i.Seq <= last && got != audit.Leaf(i.Envelope) {
			t.Errorf("record %d arrived as another", i.Seq)
		}
	}
	w.checkRecovery(t, o, p, r)
	return int(p.of[w.epoch].head.Seq) - 30
}

// checkRecovery looks at what came after the old epoch, and at a second start.
func (w wreck) checkRecovery(t *testing.T, o *Outbox, p *ledgers, r Recovered) {
	t.Helper()
	epoch := o.file.head.Epoch
	if epoch == w.epoch || p.of[epoch] == nil || p.of[epoch].head.Seq != 1 || p.order[len(p.order)-1] != epoch {
		t.Fatalf("the new epoch: %+v, after %v", p.of[epoch], p.order)
	}
	if s := o.State(); s.Salvaged != 0 || s.Recovering || s.Pending != 0 {
		t.Errorf("state %+v", s)
	}
	if _, err := o.Append(t.Context(), intent()); err != nil {
		t.Errorf("a start after the platform knows: %v", err)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Recover(t.Context(), o.path, testConfig())
	if err != nil || again.Evidence != r.Evidence {
		t.Errorf("a second recovery says %+v, %v", again, err)
	}
	if next := open(t, o.path); next.file.head.Epoch != epoch || next.State().Recovering || next.Close() != nil {
		t.Error("the second start began anew")
	}
	if all, err := os.ReadDir(filepath.Join(filepath.Dir(o.path), "evidence")); err != nil || len(all) != 1 {
		t.Errorf("%d files are evidence, %v", len(all), err)
	} else if info, _ := all[0].Info(); info.Mode().Perm() != 0o400 {
		t.Errorf("the evidence has mode %v", info.Mode())
	}
}

// TestRecoveryRecord: what the first record of the new epoch says.
func TestRecoveryRecord(t *testing.T) {
	w := newWreck(t)
	path := newPath(t)
	data := w.spoiled(36, 37, 41)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Recover(t.Context(), path, testConfig())
	if err != nil || r.Salvaged != 27 || r.Missing != "36-37, 41" || r.Why != WhyDamaged || r.Sealed {
		t.Fatalf("%+v, %v", r, err)
	}
	o, p := open(t, path), w.platform()
	b, err := o.Pending(t.Context(), 0, 10)
	if err != nil || len(b.Items) != 1 || b.Items[0].Seq != 1 {
		t.Fatalf("%+v, %v", b, err)
	}
	rec, err := audit.Decode(b.Items[0].Envelope)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	good := audit.Leaf(w.items[4].Envelope)
	want := audit.Body{"why": "outbox_damaged", "prev_device": string(testDevice), "prev_epoch": w.epoch.String(), "last_signed_seq": int64(60), "last_good_seq": int64(35),
		"last_good_leaf": hex.EncodeToString(good[:]), "evidence_sha256": hex.EncodeToString(sum[:]), "salvaged": int64(27), "missing": "36-37, 41"}
	if rec.Kind != audit.DeviceRecovery || !maps.Equal(rec.Body, want) {
		t.Errorf("%s says %v", rec.Kind, rec.Body)
	}
	if err := o.Drain(t.Context(), p); err != nil || p.of[w.epoch].head.Seq != 35 {
		t.Errorf("the platform has record %d, %v", p.of[w.epoch].head.Seq, err)
	}
	got, _ := o.Recovered()
	if want := w.epoch.String() + " 38-40, " + w.epoch.String() + " 42-60"; got.Stranded != want {
		t.Errorf("stranded %q", got.Stranded)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	if again, _ := open(t, path).Recovered(); again != got {
		t.Errorf("after a restart %+v", again)
	}
}

// TestDamageDuringRecoveryIsRecoveredToo: what was salvaged and not sent yet is salvaged from the file it was saved to.
func TestDamageDuringRecoveryIsRecoveredToo(t *testing.T) {
	w := newWreck(t)
	path := newPath(t)
	data := w.spoiled(60)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err := Recover(t.Context(), path, testConfig()); err != nil || r.Salvaged != 29 {
		t.Fatalf("%+v, %v", r, err)
	}
	if err := update(path, func(meta, _ *bolt.Bucket) error { return meta.Delete([]byte("format")) }); err != nil {
		t.Fatal(err)
	}
	r, err := Recover(t.Context(), path, testConfig())
	if err != nil || r.Salvaged != 30 { // 29 of the first epoch and the record of the first recovery
		t.Fatalf("%+v, %v", r, err)
	}
	o, p := open(t, path), w.platform()
	if err := o.Drain(t.Context(), p); err != nil || p.of[w.epoch].head.Seq != 59 || len(p.of) != 3 {
		t.Errorf("the platform has %d of the first epoch and %d epochs, %v", p.of[w.epoch].head.Seq, len(p.of), err)
	}
	if s := o.State(); s.Salvaged != 0 || s.Recovering {
		t.Errorf("state %+v", s)
	}
}

func TestRecoverRefuses(t *testing.T) {
	path := newPath(t)
	o := open(t, path)
	appendN(t, o, 3)
	if _, err := Recover(t.Context(), path, testConfig()); stead.CodeOf(err) != stead.CodeAlreadyRunning {
		t.Errorf("an open one: %v", err)
	}
	if err := errors.Join(o.Close(), putMeta(path, "format", formatLine(2))); err != nil {
		t.Fatal(err)
	}
	before := fileSum(t, path)
	if _, err := Recover(t.Context(), path, testConfig()); stead.CodeOf(err) != stead.CodeDataNewer || fileSum(t, path) != before {
		t.Errorf("a newer one: %v", err)
	}
	folder := filepath.Join(t.TempDir(), "folder")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Recover(t.Context(), folder, testConfig()); stead.CodeOf(err) != stead.CodeOutboxDamaged {
		t.Errorf("a folder: %v", err)
	}
}

func TestAMissingOutboxIsRecoveredToo(t *testing.T) {
	path := newPath(t)
	r, err := Recover(t.Context(), path, testConfig())
	if err != nil || r != (Recovered{Why: WhyMissing}) {
		t.Fatalf("%+v, %v", r, err)
	}
	o, l := open(t, path), newLedger()
	if _, err := o.Append(t.Context(), intent()); stead.CodeOf(err) != stead.CodeOutboxRecovered {
		t.Errorf("a start: %v", err)
	}
	if err := o.Drain(t.Context(), l); err != nil || l.head.Seq != 1 {
		t.Errorf("%d, %v", l.head.Seq, err)
	}
	appendN(t, o, 1)
}
