package audit

import (
	"crypto/ed25519"
	"encoding/json"
	"iter"
	"testing"
)

// rowsOf is a ledger of envelopes under one checkpoint.
type rowsOf struct {
	envelopes [][]byte
	note      []byte
	head      Head
}

func (s rowsOf) Records() iter.Seq2[LedgerRow, error] {
	return func(yield func(LedgerRow, error) bool) {
		for i, e := range s.envelopes {
			if !yield(RowOf(int64(i), int64(i)+1, e), nil) {
				return
			}
		}
	}
}

func (s rowsOf) Hashes() iter.Seq2[StoredHash, error] {
	return func(yield func(StoredHash, error) bool) {
		var tree Tree
		at := int64(0)
		for _, e := range s.envelopes {
			for _, h := range tree.Add(Leaf(e)) {
				if !yield(StoredHash{At: at, Hash: h}, nil) {
					return
				}
				at++
			}
		}
	}
}

func (s rowsOf) Checkpoints() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) { yield(s.note, nil) }
}

func (s rowsOf) Heads() ([]Head, error) { return []Head{s.head}, nil }

func TestVectorsBridge(t *testing.T) {
	var v struct {
		Bridge []struct {
			Name                string
			Good                bool
			Envelopes           []hexBytes
			Bridged, Seq        int64
			Device, Epoch, Leaf hexBytes
		}
	}
	if err := json.Unmarshal(Papers()["vectors.json"], &v); err != nil {
		t.Fatal(err)
	}
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	vkey, err := LogKey("log.test", key.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := ParseLogKeys(vkey)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range v.Bridge {
		s := rowsOf{}
		var tree Tree
		for _, e := range x.Envelopes {
			s.envelopes = append(s.envelopes, e)
			tree.Add(Leaf(e))
		}
		if s.note, err = SignCheckpoint(key, Checkpoint{Origin: "log.test", Size: tree.Size(), Root: tree.Root()}); err != nil {
			t.Fatal(err)
		}
		if x.Good {
			s.head = Head{Device: deviceID([16]byte(x.Device)), Epoch: Epoch(x.Epoch), Seq: uint64(x.Seq), Leaf: [32]byte(x.Leaf)}
		} else {
			s.head = Head{Device: deviceID([16]byte{1})}
		}
		p, err := VerifyLedger(s, LedgerCheck{Keys: keys})
		if (err == nil) != x.Good || x.Good && p.Bridged != x.Bridged {
			t.Errorf("%s: %d bridged, %v", x.Name, p.Bridged, err)
		}
	}
}
