package outbox

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"stead/internal/stead"
)

// soundFile returns the bytes of a closed outbox with acknowledged and pending records, and what it holds pending.
func soundFile(t *testing.T) ([]byte, []Item, State) {
	t.Helper()
	path := newPath(t)
	o := open(t, path)
	epoch := appendN(t, o, 60)[0].Epoch
	if err := o.Acknowledge(t.Context(), epoch, 30); err != nil {
		t.Fatal(err)
	}
	items, state := allPending(t, o), o.State()
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// Without the room at the end, where nothing can be damaged.
	used := (len(bytes.TrimRight(data, "\x00")) + os.Getpagesize() - 1) / os.Getpagesize() * os.Getpagesize()
	return data[:used], items, state
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
	sound, items, state := soundFile(t)
	seed := rand.Uint64()
	t.Logf("seed %d, %d bytes", seed, len(sound))
	rng := rand.New(rand.NewPCG(seed, 0))
	path := filepath.Join(t.TempDir(), "outbox.db")
	if err := os.WriteFile(path, sound, 0o600); err != nil {
		t.Fatal(err)
	}
	untouched := open(t, path) // or everything below would be reported for nothing
	if !sameContent(t, untouched, items, state) || untouched.Close() != nil {
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
			if !sameContent(t, o, items, state) {
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

func sameContent(t *testing.T, o *Outbox, items []Item, state State) bool {
	t.Helper()
	got := allPending(t, o)
	if o.State() != state || len(got) != len(items) {
		return false
	}
	for i := range got {
		if !bytes.Equal(got[i].Envelope, items[i].Envelope) || got[i].Texts[0] != items[i].Texts[0] || got[i].Texts[1] != items[i].Texts[1] {
			return false
		}
	}
	return true
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
