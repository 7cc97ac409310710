package audit

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

// grownLog is a log in memory that serves tiles.
type grownLog struct {
	leaves [][32]byte
	hashes []tlog.Hash
}

func growLog(t *testing.T, n int, twist int) *grownLog {
	t.Helper()
	l := &grownLog{}
	for i := range n {
		leaf := Leaf(binary.BigEndian.AppendUint64(nil, uint64(i)))
		if i == twist {
			leaf[0] ^= 1
		}
		made, err := tlog.StoredHashesForRecordHash(int64(i), leaf, l)
		if err != nil {
			t.Fatal(err)
		}
		l.leaves, l.hashes = append(l.leaves, leaf), append(l.hashes, made...)
	}
	return l
}

func (l *grownLog) ReadHashes(at []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(at))
	for i, x := range at {
		if x >= int64(len(l.hashes)) {
			return nil, errors.New("no such hash")
		}
		out[i] = l.hashes[x]
	}
	return out, nil
}

func (l *grownLog) Tile(_ context.Context, level int, index int64, width int) ([]byte, error) {
	return tlog.ReadTileData(tlog.Tile{H: TileHeight, L: level, N: index, W: width}, l)
}

func (l *grownLog) at(t *testing.T, size int) Checkpoint {
	t.Helper()
	root, err := tlog.TreeHash(int64(size), l)
	if err != nil {
		t.Fatal(err)
	}
	return Checkpoint{Origin: "stead.example.org", Size: int64(size), Root: root}
}

func TestFollowAcceptsAGrowingLog(t *testing.T) {
	l := growLog(t, 700, -1)
	for _, sizes := range [][2]int{{0, 1}, {0, 0}, {1, 1}, {1, 2}, {255, 256}, {256, 257}, {3, 700}, {700, 700}, {513, 600}} {
		older, newer := l.at(t, sizes[0]), l.at(t, sizes[1])
		leaves := map[int64][32]byte{}
		for p := 0; p < sizes[1]; p += 1 + sizes[1]/7 {
			leaves[int64(p)] = l.leaves[p]
		}
		if err := Follow(t.Context(), l, older, newer, leaves); err != nil {
			t.Errorf("%v: %v", sizes, err)
		}
	}
}

func TestFollowCatchesAnotherHistory(t *testing.T) {
	l, twisted := growLog(t, 700, -1), growLog(t, 700, 100)
	for name, c := range map[string]struct {
		log          *grownLog
		older, newer Checkpoint
		leaves       map[int64][32]byte
	}{
		"set back":        {l, l.at(t, 600), l.at(t, 599), nil},
		"two of one size": {twisted, l.at(t, 600), twisted.at(t, 600), nil},
		"rewritten":       {twisted, l.at(t, 600), twisted.at(t, 700), nil},
		"another record":  {l, l.at(t, 600), l.at(t, 700), map[int64][32]byte{650: l.leaves[651]}},
	} {
		if err := Follow(t.Context(), c.log, c.older, c.newer, c.leaves); !errors.Is(err, ErrContradiction) {
			t.Errorf("%s: %v, want a contradiction", name, err)
		}
	}
}

func TestFollowDoesNotTakeTheTilesWord(t *testing.T) {
	l, twisted := growLog(t, 700, -1), growLog(t, 700, 100)
	err := Follow(t.Context(), twisted, l.at(t, 600), l.at(t, 700), nil)
	if err == nil || errors.Is(err, ErrContradiction) {
		t.Errorf("foreign tiles: %v, want an error that proves nothing about the log", err)
	}
	if err := Follow(t.Context(), l, l.at(t, 600), l.at(t, 700), map[int64][32]byte{700: {}}); err == nil || errors.Is(err, ErrContradiction) {
		t.Errorf("a position beyond the end: %v", err)
	}
}
