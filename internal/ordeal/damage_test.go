//go:build linux && !race

package ordeal

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"testing"
	"time"
)

// way is one way to spoil a file. older is the same file as it was earlier.
type way struct {
	name string
	bend func(rng *rand.Rand, data, older []byte) []byte
}

const page = 4096

func ways() []way {
	at := func(rng *rand.Rand, d []byte) []byte { return d[rng.IntN(len(d)/page)*page:][:page] }
	return []way{
		{"a bit flipped", func(rng *rand.Rand, d, _ []byte) []byte { d[rng.IntN(len(d))] ^= 1 << rng.IntN(8); return d }},
		{"a bit flipped in a page's first bytes", func(rng *rand.Rand, d, _ []byte) []byte {
			at(rng, d)[rng.IntN(96)] ^= 1 << rng.IntN(8)
			return d
		}},
		{"rubbish over it", func(rng *rand.Rand, d, _ []byte) []byte {
			from := rng.IntN(len(d))
			for i := from; i < min(len(d), from+1+rng.IntN(300)); i++ {
				d[i] = byte(rng.Uint32())
			}
			return d
		}},
		{"a page zeroed", func(rng *rand.Rand, d, _ []byte) []byte { clear(at(rng, d)); return d }},
		{"two pages swapped", func(rng *rand.Rand, d, _ []byte) []byte {
			a, b := at(rng, d), at(rng, d)
			kept := bytes.Clone(a)
			copy(a, b)
			copy(b, kept)
			return d
		}},
		{"a page as it was earlier", func(rng *rand.Rand, d, older []byte) []byte {
			n := rng.IntN(min(len(d), len(older)) / page)
			copy(d[n*page:][:page], older[n*page:])
			return d
		}},
		{"several pages as they were earlier", func(rng *rand.Rand, d, older []byte) []byte {
			for n := range min(len(d), len(older)) / page {
				if rng.IntN(2) == 0 {
					copy(d[n*page:][:page], older[n*page:])
				}
			}
			return d
		}},
		{"cut short", func(rng *rand.Rand, d, _ []byte) []byte { return d[:rng.IntN(len(d))] }},
	}
}

// verdict is what came of a damage.
type verdict string

const (
	reported   verdict = "reported"
	harmless   verdict = "without effect"
	setUpAnew  verdict = "reported, kept as evidence and set up anew"
	saidSo     verdict = "all records proven, by fewer checkpoints than there were, as the proof says"
	laterFound verdict = "an earlier state, refused by the platform"
)

// suffer damages a file so many times, in equal parts in all ways, and counts what judge finds out about each. The judge
// gets the damaged content.
func suffer(t *testing.T, rng *rand.Rand, times int, sound, older []byte, judge func(data []byte) (verdict, error)) {
	t.Helper()
	each := times * soak / len(ways())
	found := map[verdict]int{}
	for _, w := range ways() {
		counts := map[verdict]int{}
		for n := range each {
			data := w.bend(rng, bytes.Clone(sound), older)
			v, err := watched(func() (verdict, error) { return judge(data) })
			if err != nil {
				t.Errorf("%s, %d: %v", w.name, n, err)
			}
			counts[v]++
		}
		t.Logf("%d times %s: %v", each, w.name, counts)
		for v, n := range counts {
			found[v] += n
		}
	}
	t.Logf("%d damages: %v", each*len(ways()), found)
	if found[reported]+found[setUpAnew] < each {
		t.Error("hardly any damage was reported")
	}
}

// watched runs f and turns a panic or a minute's silence into an error.
func watched(f func() (verdict, error)) (v verdict, err error) {
	type answer struct {
		v   verdict
		err error
	}
	done := make(chan answer, 1)
	go func() {
		debug.SetPanicOnFault(true)
		defer func() {
			if r := recover(); r != nil {
				done <- answer{err: fmt.Errorf("it crashed: %v", r)}
			}
		}()
		v, err := f()
		done <- answer{v, err}
	}()
	select {
	case a := <-done:
		return a.v, a.err
	case <-time.After(time.Minute):
		return "", fmt.Errorf("it hangs")
	}
}

// used is the content of a file without the zeros at its end, in whole pages: damage there has no effect.
func used(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	length := (len(bytes.TrimRight(data, "\x00")) + page - 1) / page * page
	return append(data, make([]byte, max(0, length-len(data)))...)[:length]
}

// put writes files into a fresh folder and returns it. One without content is left out.
func put(files map[string][]byte) (folder string, err error) {
	folder, err = os.MkdirTemp("", "ordeal-damage-")
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err == nil && files[name] != nil {
			err = os.WriteFile(filepath.Join(folder, name), files[name], 0o600)
		}
	}
	return folder, err
}
