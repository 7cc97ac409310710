package audit

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func logKey(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(rune(seed)), 32)))
}

func mustKeys(t testing.TB, origin string, keys ...ed25519.PrivateKey) LogKeys {
	t.Helper()
	var lines []string
	for _, k := range keys {
		vkey, err := LogKey(origin, k.Public().(ed25519.PublicKey))
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, vkey)
	}
	list, err := ParseLogKeys("# keys\n\n" + strings.Join(lines, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestCheckpointIsASignedNote(t *testing.T) {
	const origin = "stead.example.org/eu"
	key := logKey('a')
	want := Checkpoint{Origin: origin, Size: 7, Root: [32]byte{1, 2, 3}}
	signed, err := SignCheckpoint(key, want)
	if err != nil {
		t.Fatal(err)
	}
	keys := mustKeys(t, origin, logKey('b'), key)
	if got, err := keys.Open(signed); err != nil || got != want {
		t.Errorf("Open: %+v, %v", got, err)
	}
	if got, err := ParseCheckpoint(signed); err != nil || got != want {
		t.Errorf("ParseCheckpoint: %+v, %v", got, err)
	}
	// Any tool that reads signed notes reads it.
	vkey, _ := LogKey(origin, key.Public().(ed25519.PublicKey))
	v, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := note.Open(signed, note.VerifierList(v)); err != nil || !strings.HasPrefix(n.Text, origin+"\n7\nAQID") {
		t.Errorf("note.Open: %+v, %v", n, err)
	}
	if _, err := mustKeys(t, origin, logKey('b')).Open(signed); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("another key: %v", err)
	}
	if _, err := (LogKeys{}).Open(signed); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("no key: %v", err)
	}
	for name, bad := range map[string]string{
		"another size":   strings.Replace(string(signed), "\n7\n", "\n8\n", 1),
		"another origin": strings.Replace(string(signed), origin+"\n", "other.example.org\n", 1),
		"another root":   strings.Replace(string(signed), "AQID", "AQIE", 1),
	} {
		if _, err := keys.Open([]byte(bad)); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A key of another log does not speak for this one.
	foreign, err := note.Sign(&note.Note{Text: want.body()}, noteSigner{mustVerifier(t, "other.example.org", key), key})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mustKeys(t, "other.example.org", key).Open(foreign); !errors.Is(err, ErrSignature) {
		t.Errorf("a checkpoint signed for another log: %v", err)
	}
	for _, origin := range []string{"", "a b", "a+b"} {
		if _, err := LogKey(origin, key.Public().(ed25519.PublicKey)); err == nil {
			t.Errorf("%q names a log", origin)
		}
	}
}

func mustVerifier(t *testing.T, origin string, key ed25519.PrivateKey) note.Verifier {
	t.Helper()
	vkey, err := LogKey(origin, key.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	v, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestWhatIsNoCheckpoint(t *testing.T) {
	root := "AQIDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	for name, text := range map[string]string{
		"nothing":           "",
		"no signature":      "log\n1\n" + root + "\n",
		"no origin":         "\n1\n" + root + "\n\n— log x\n",
		"two lines":         "log\n1\n\n— log x\n",
		"negative":          "log\n-1\n" + root + "\n\n— log x\n",
		"zero before":       "log\n01\n" + root + "\n\n— log x\n",
		"plus":              "log\n+1\n" + root + "\n\n— log x\n",
		"too many":          "log\n9223372036854775808\n" + root + "\n\n— log x\n",
		"short root":        "log\n1\nAQID\n\n— log x\n",
		"sloppy base64":     "log\n1\n" + root[:42] + "B=\n\n— log x\n",
		"a large something": strings.Repeat("x", 1<<20),
	} {
		if c, err := ParseCheckpoint([]byte(text)); !errors.Is(err, ErrCheckpoint) {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	if c, err := ParseCheckpoint([]byte("log\n1\n" + root + "\nmore\n\n— log x\n")); err != nil || c.Size != 1 {
		t.Errorf("a further line: %+v, %v", c, err)
	}
}

// grown is a tree of n leaves with what tlog stores for it.
func grown(t *testing.T, n int64) (leaves [][32]byte, stored tlog.HashReader, tree *Tree) {
	t.Helper()
	var all []tlog.Hash
	stored = tlog.HashReaderFunc(func(at []int64) (out []tlog.Hash, err error) {
		for _, i := range at {
			out = append(out, all[i])
		}
		return out, nil
	})
	tree = &Tree{}
	for i := range n {
		envelope := fmt.Appendf(nil, "record %d", i)
		leaf := Leaf(envelope)
		if leaf != tlog.RecordHash(envelope) {
			t.Fatal("a leaf is not RFC 6962's")
		}
		want, err := tlog.StoredHashesForRecordHash(i, leaf, stored)
		if err != nil {
			t.Fatal(err)
		}
		if got := hashes(tree.Add(leaf)); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("leaf %d completes %v, want %v", i, got, want)
		}
		all, leaves = append(all, want...), append(leaves, leaf)
	}
	return leaves, stored, tree
}

// TestProofs holds the tree and both kinds of proof to golang.org/x/mod/sumdb/tlog, at every size.
func TestProofs(t *testing.T) {
	const most = 40
	leaves, stored, _ := grown(t, most)
	at := func(size int64) Checkpoint {
		root, err := tlog.TreeHash(size, stored)
		if err != nil {
			t.Fatal(err)
		}
		return Checkpoint{Origin: "log", Size: size, Root: root}
	}
	for size := range int64(most + 1) {
		newer := at(size)
		if _, _, tree := grown(t, size); tree.Root() != newer.Root || tree.Size() != size {
			t.Fatalf("size %d: another root than tlog's", size)
		}
		if err := VerifyLog(newer, each(leaves[:size])); err != nil {
			t.Errorf("size %d: %v", size, err)
		}
		for n := range size {
			proof, err := tlog.ProveRecord(size, n, stored)
			if err != nil {
				t.Fatal(err)
			}
			if err := VerifyInclusion(newer, n, leaves[n], arrays(proof)); err != nil {
				t.Errorf("record %d of %d: %v", n, size, err)
			}
			if VerifyInclusion(newer, n, leaves[(n+1)%most], arrays(proof)) == nil || VerifyInclusion(newer, n+size, leaves[n], arrays(proof)) == nil {
				t.Errorf("record %d of %d: another leaf or place is proven", n, size)
			}
		}
		for old := range size {
			var proof tlog.TreeProof
			if old > 0 {
				var err error
				if proof, err = tlog.ProveTree(size, old, stored); err != nil {
					t.Fatal(err)
				}
			}
			older := at(old)
			if err := VerifyConsistency(older, newer, arrays(proof)); err != nil {
				t.Errorf("%d to %d: %v", old, size, err)
			}
			older.Root[0] ^= 1
			if old > 0 && VerifyConsistency(older, newer, arrays(proof)) == nil || VerifyConsistency(newer, older, arrays(proof)) == nil {
				t.Errorf("%d to %d: another history is proven", old, size)
			}
		}
	}
	same := at(5)
	same.Root[0] ^= 1
	if VerifyConsistency(same, at(5), nil) == nil {
		t.Error("two logs of one size are one")
	}
	for name, bad := range map[string][][32]byte{"one less": leaves[:4], "one more": leaves[:6], "another order": {leaves[1], leaves[0], leaves[2], leaves[3], leaves[4]}} {
		if VerifyLog(at(5), each(bad)) == nil {
			t.Errorf("%s: verified", name)
		}
	}
}

func each(leaves [][32]byte) iter.Seq2[[32]byte, error] {
	return func(yield func([32]byte, error) bool) {
		for _, l := range leaves {
			if !yield(l, nil) {
				return
			}
		}
	}
}

func arrays(in []tlog.Hash) [][32]byte {
	var out [][32]byte
	for _, h := range in {
		out = append(out, h)
	}
	return out
}

// FuzzCheckpoint: neither parser panics; what a key opens is what the unsigned parser reads, and signing that again
// gives a checkpoint that says the same.
func FuzzCheckpoint(f *testing.F) {
	key := logKey('a')
	signed, err := SignCheckpoint(key, Checkpoint{Origin: "log", Size: 3, Root: [32]byte{9}})
	if err != nil {
		f.Fatal(err)
	}
	keys := mustKeys(f, "log", key)
	f.Add(signed)
	f.Add([]byte("log\n1\nAQIDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nmore\n\n— log x\n"))
	f.Add([]byte("\n\n— "))
	f.Fuzz(func(t *testing.T, data []byte) {
		parsed, err := ParseCheckpoint(data)
		opened, openErr := keys.Open(data)
		if openErr == nil && (err != nil || opened != parsed) {
			t.Fatalf("opened %+v, parsed %+v (%v)", opened, parsed, err)
		}
		if err != nil {
			return
		}
		if parsed.Size < 0 || parsed.Origin == "" {
			t.Fatalf("%+v", parsed)
		}
		again, err := SignCheckpoint(key, parsed)
		if err != nil {
			return // an origin that cannot name a key
		}
		if back, err := ParseCheckpoint(again); err != nil || back != parsed {
			t.Fatalf("%+v, %v; want %+v", back, err, parsed)
		}
	})
}
