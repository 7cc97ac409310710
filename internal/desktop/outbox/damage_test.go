package outbox

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"stead/internal/stead"
)

// soundFile returns the bytes of a closed outbox with receipted, acknowledged and pending records, some of them in
// quarantine, under a log that changed its key, and what it holds.
func soundFile(t *testing.T) ([]byte, content) {
	t.Helper()
	path := newPath(t)
	o, l := open(t, path), newLedger()
	l.poison[5], l.poison[25] = true, true
	settled(t, o, l, 10)
	l.log.tell(handover("log", "log2"))
	l.log.set(func() { l.log.key = "log2" })
	settled(t, o, l, 10)
	l.log.withhold = true
	appendN(t, o, 10)
	if err := o.Drain(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	l.log.rewrite(l.log.others(3))
	if _, err := o.prove(t.Context(), l.log); stead.CodeOf(err) != stead.CodeLogForked {
		t.Fatal(err)
	}
	for range 30 {
		if _, err := o.Append(t.Context(), end()); err != nil {
			t.Fatal(err)
		}
	}
	was := contentOf(t, o)
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// Without the room at the end, where nothing can be damaged.
	used := (len(bytes.TrimRight(data, "\x00")) + os.Getpagesize() - 1) / os.Getpagesize() * os.Getpagesize()
	return data[:used], was
}

// content is all that an outbox holds.
type content struct {
	State      State
	Items      []Item
	Receipts   []Receipt
	Quarantine []Quarantined
	Proof      proof
}

func contentOf(t *testing.T, o *Outbox) content {
	t.Helper()
	return content{o.State(), allPending(t, o), receiptsOf(t, o), quarantineOf(t, o), o.file.proof}
}

// damage is one way to spoil a file.
type damage struct {
	name  string
	times int
	bend  func(data []byte) []byte
}

func damages(rng *rand.Rand) []damage {
	page := os.Getpagesize()
	return []damage{
		{"a bit flipped", 220, func(d []byte) []byte { d[rng.IntN(len(d))] ^= 1 << rng.IntN(8); return d }},
		{"a bit flipped in a page's first bytes", 100, func(d []byte) []byte {
			d[rng.IntN(len(d)/page)*page+rng.IntN(96)] ^= 1 << rng.IntN(8)
			return d
		}},
		{"a page zeroed", 25, func(d []byte) []byte { clear(d[rng.IntN(len(d)/page)*page:][:page]); return d }},
		{"a page twice", 25, func(d []byte) []byte {
			copy(d[rng.IntN(len(d)/page)*page:][:page], d[rng.IntN(len(d)/page)*page:][:page])
			return d
		}},
		{"cut short", 30, func(d []byte) []byte { return d[:rng.IntN(len(d))] }},
		{"rubbish over it", 25, func(d []byte) []byte {
			at := rng.IntN(len(d))
			for i := at; i < min(len(d), at+200); i++ {
				d[i] = byte(rng.Uint32())
			}
			return d
		}},
	}
}

// TestDamageIsNeverSilent damages a file in many ways, each once: opening it either reports the damage, or finds
// everything as it was. Nothing ends the process, and a refused file stays as it is.
func TestDamageIsNeverSilent(t *testing.T) {
	sound, was := soundFile(t)
	seed := rand.Uint64()
	t.Logf("seed %d, %d bytes", seed, len(sound))
	rng := rand.New(rand.NewPCG(seed, 0))
	path := filepath.Join(t.TempDir(), "outbox.db")
	if err := os.WriteFile(path, sound, 0o600); err != nil {
		t.Fatal(err)
	}
	untouched := open(t, path) // or everything below would be reported for nothing
	if !reflect.DeepEqual(contentOf(t, untouched), was) || untouched.Close() != nil {
		t.Fatal("the undamaged file has other content")
	}
	for _, k := range damages(rng) {
		reported := 0
		for n := range k.times {
			data := k.bend(bytes.Clone(sound))
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			o, err := Open(t.Context(), path, testConfig())
			if err != nil {
				if code := stead.CodeOf(err); code != stead.CodeOutboxDamaged {
					t.Errorf("%s, %d: %v", k.name, n, err)
				}
				if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, data) {
					t.Errorf("%s, %d: the refused file was changed (%v)", k.name, n, err)
				}
				reported++
				continue
			}
			if !reflect.DeepEqual(contentOf(t, o), was) {
				t.Errorf("%s, %d: opened with other content", k.name, n)
			}
			if err := o.Close(); err != nil {
				t.Fatal(err)
			}
		}
		t.Logf("%s: %d of %d reported, the others without effect", k.name, reported, k.times)
		if reported == 0 {
			t.Errorf("%s: nothing was reported", k.name)
		}
	}
}

// TestCutWhileOpenDoesNotEndTheProcess: the file loses its pages under a running outbox.
func TestCutWhileOpenDoesNotEndTheProcess(t *testing.T) {
	path := newPath(t)
	o := open(t, path)
	appendN(t, o, 50)
	if err := os.Truncate(path, int64(2*os.Getpagesize())); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Pending(t.Context(), 0, 50); stead.CodeOf(err) != stead.CodeOutboxDamaged {
		t.Errorf("Pending: %v", err)
	}
	for range 2 {
		if _, err := o.Append(t.Context(), intent()); stead.CodeOf(err) != stead.CodeOutboxDamaged {
			t.Errorf("Append: %v", err)
		}
	}
	if s := o.State(); s.Broken != stead.CodeOutboxDamaged {
		t.Errorf("state %+v", s)
	}
	if err := o.WaitDrained(t.Context(), 1); stead.CodeOf(err) != stead.CodeOutboxDamaged {
		t.Errorf("WaitDrained: %v", err)
	}
}
