package outbox

import (
	"bytes"
	"crypto/sha256"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"
)

// TestRecoveryGoesOnWhereItWasCutOff carries out a recovery step by step and begins anew after each.
func TestRecoveryGoesOnWhereItWasCutOff(t *testing.T) {
	w := newWreck(t)
	data := w.spoiled(50)
	for steps := range 4 {
		path := newPath(t)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		cutOff(t, path, data, steps)
		var code stead.Code
		if o, err := Open(t.Context(), path, testConfig()); err != nil {
			code = stead.CodeOf(err)
		} else if err := o.Close(); err != nil {
			t.Fatal(err)
		}
		if want := map[bool]stead.Code{true: stead.CodeOutboxDamaged, false: ""}[steps < 3]; code != want {
			t.Fatalf("after %d steps: %q", steps, code)
		}
		r, err := Recover(t.Context(), path, testConfig())
		if err != nil || r.Salvaged != 29 {
			t.Fatalf("after %d steps: %+v, %v", steps, r, err)
		}
		o, p := open(t, path), w.platform()
		if err := o.Drain(t.Context(), p); err != nil || p.of[w.epoch].head.Seq != 49 {
			t.Errorf("after %d steps: the platform has %d, %v", steps, p.of[w.epoch].head.Seq, err)
		}
		w.checkRecovery(t, o, p, r)
	}
}

// cutOff does the first steps of a recovery: a second name for the file, the fresh one beside it, the change of names.
func cutOff(t *testing.T, path string, data []byte, steps int) {
	t.Helper()
	cfg, err := testConfig().complete()
	if err != nil {
		t.Fatal(err)
	}
	s, err := hold(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.release()
	found, err := scan(t.Context(), s, s.size, cfg.Sealer)
	if err != nil {
		t.Fatal(err)
	}
	saved := plan(found, testConfig())
	r := Recovered{Why: WhyDamaged, SHA256: sha256.Sum256(data), Salvaged: len(saved.keep), Missing: saved.missing}
	if steps > 0 {
		if r.Evidence, err = s.keep(cfg.Device, 1, r.SHA256, cfg.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if steps > 1 {
		tmp, err := prepare(path, cfg, beginning{generation: 2, recovered: &r, first: saved.facts(WhyDamaged, r.SHA256),
			rescue: func(f *file) error { return saved.into(f, s) }})
		if err == nil && steps > 2 {
			err = swap(path, tmp, path)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestAWatermarkIsBelievedOnlyWhereTheChainConfirmsIt: a damaged file says that more was acknowledged than was.
func TestAWatermarkIsBelievedOnlyWhereTheChainConfirmsIt(t *testing.T) {
	w, path := newWreck(t), newPath(t)
	if err := os.WriteFile(path, w.sound, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := putMeta(path, "acknowledged", encodeMark(mark{Seq: 45, Leaf: [32]byte{1}})); err != nil {
		t.Fatal(err)
	}
	if r, err := Recover(t.Context(), path, testConfig()); err != nil || r.Salvaged != 30 || r.Missing != "" {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestTheChainDecidesBetweenTwoRecordsOfOnePlace: a commit that failed left its records in the file.
func TestTheChainDecidesBetweenTwoRecordsOfOnePlace(t *testing.T) {
	path := newPath(t)
	o := open(t, path)
	appendN(t, o, 3)
	group := asked(t, o, intent(), intent())
	failed, err := o.place(o.file, group)
	if err != nil {
		t.Fatal(err)
	}
	placed := appendN(t, o, 3)
	items := allPending(t, o)
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	clear(data[:64]) // the damage
	for _, before := range []bool{true, false} {
		both := [][]byte{data, bytes.Join(failed.values, nil)}
		if before {
			both[0], both[1] = both[1], both[0]
		}
		found, err := scan(t.Context(), bytes.NewReader(bytes.Join(both, nil)), int64(len(data)+len(both[0])), testConfig().Sealer)
		if err != nil {
			t.Fatal(err)
		}
		saved := plan(found, testConfig())
		if len(saved.keep) != 6 || saved.keep[3].leaf != placed[0].Leaf || saved.good.Leaf != audit.Leaf(items[5].Envelope) {
			t.Errorf("%d saved, the fourth is another or they do not lead to the head", len(saved.keep))
		}
	}
}

// TestRecordsAreFoundBetweenZeros: whatever stands before and behind one, and whatever its nonce begins with.
func TestRecordsAreFoundBetweenZeros(t *testing.T) {
	cfg := testConfig()
	c, raw, err := newCard(cfg, 1)
	if err != nil {
		t.Fatal(err)
	}
	key, err := audit.NewDataKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	data := c.encode()
	head := audit.Head{Device: cfg.Device, Epoch: c.Epoch}
	for range 600 { // so many that some nonces begin with a zero
		e := intent()
		e.EventID = stead.NewEventID()
		rec := record(e, head)
		rec.KeyID = cfg.KeyID
		env, err := rec.Encode()
		if err != nil {
			t.Fatal(err)
		}
		head.Seq, head.Leaf = rec.Seq, audit.Leaf(env)
		sealed, err := audit.SealRecord(key, 1, c.Epoch, rec.Seq, audit.Sealed{Envelope: env, Texts: e.Texts})
		if err != nil {
			t.Fatal(err)
		}
		data = append(append(data, make([]byte, rec.Seq%40)...), sealed...)
	}
	found, err := scan(t.Context(), bytes.NewReader(data), int64(len(data)), cfg.Sealer)
	if err != nil || len(found.spots) != 600 {
		t.Errorf("%d found, %v", len(found.spots), err)
	}
}

// TestScanningIsLinear: rubbish costs no more than one look at each byte.
func TestScanningIsLinear(t *testing.T) {
	cfg := testConfig()
	c, _, err := newCard(cfg, 1)
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, 32<<20)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	copy(data, c.encode())
	began := time.Now()
	found, err := scan(t.Context(), bytes.NewReader(data), int64(len(data)), cfg.Sealer)
	if err != nil || len(found.keys) != 1 || len(found.spots) != 0 {
		t.Fatalf("%+v, %v", found, err)
	}
	took := time.Since(began)
	t.Logf("%d MiB of rubbish in %v", len(data)>>20, took)
	if took > 2*time.Minute {
		t.Error("that is not linear")
	}
}

// TestWhatIsKnownOfTheLogOutlivesTheDamage: a log that was set back is found out although the outbox was set up anew.
func TestWhatIsKnownOfTheLogOutlivesTheDamage(t *testing.T) {
	path := newPath(t)
	o, l := open(t, path), newLedger()
	settled(t, o, l, 20)
	before := l.log.keep()
	settled(t, o, l, 20)
	seen := o.file.seen
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	if err := putMeta(path, "format", []byte("stead-outbox/1 00000000")); err != nil {
		t.Fatal(err)
	}
	if _, err := Recover(t.Context(), path, testConfig()); err != nil {
		t.Fatal(err)
	}
	o = open(t, path)
	if o.file.seen != seen || seen.Size < 40 {
		t.Errorf("it knows %d records of the log, %d before", o.file.seen.Size, seen.Size)
	}
	before()
	if _, err := o.prove(t.Context(), l.log); stead.CodeOf(err) != stead.CodeLogForked {
		t.Errorf("a log that was set back: %v", err)
	}
	if s := o.State(); s.Blocked != stead.CodeLogForked {
		t.Errorf("state %+v", s)
	}
}
