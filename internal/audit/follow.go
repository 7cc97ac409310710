package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// TileHeight is the number of levels of the tree in one tile (c2sp.org/tlog-tiles).
const TileHeight = 8

// Tiles reads the hash tiles of a log. What it returns is not trusted.
type Tiles interface {
	// Tile returns width hashes of 32 bytes each, 1 to 256 of them: those of the tile with that index on that level
	// (c2sp.org/tlog-tiles), one after the other.
	Tile(ctx context.Context, level int, index int64, width int) ([]byte, error)
}

// ErrContradiction means that a log is proven to be another than the one that was seen before: it was rewritten,
// forked or set back.
var ErrContradiction = errors.New("the log contradicts what it showed before")

// Follow returns nil when the log of the newer checkpoint begins with the whole log of the older one and holds each of
// the leaves at its position. The tiles are checked against the newer root, so who serves them need not be trusted;
// both checkpoints must be: their signatures are for the caller to look at.
//
// ErrContradiction is proof that the two checkpoints are not of one growing log, or that a leaf is not where it is
// said to be. Any other error says that the tiles could not be read or do not belong to the newer checkpoint, which
// proves nothing about the log.
func Follow(ctx context.Context, tiles Tiles, older, newer Checkpoint, leaves map[int64][32]byte) error {
	switch {
	case older.Size > newer.Size:
		return fmt.Errorf("%w: it had %d records and has %d", ErrContradiction, older.Size, newer.Size)
	case older.Size == newer.Size && older.Size > 0 && older.Root != newer.Root: // of an empty log there is one only
		return fmt.Errorf("%w: there are two logs of %d records", ErrContradiction, older.Size)
	}
	hashes := tlog.TileHashReader(tlog.Tree{N: newer.Size, Hash: newer.Root}, &tileReader{ctx, tiles})
	if older.Size > 0 && older.Size < newer.Size {
		root, err := tlog.TreeHash(older.Size, hashes)
		if err != nil {
			return fmt.Errorf("consistency: %w", err)
		}
		if root != older.Root {
			return fmt.Errorf("%w: its first %d records are others", ErrContradiction, older.Size)
		}
	}
	return holds(hashes, newer.Size, leaves)
}

// holds compares the leaves with what the log has at their positions.
func holds(hashes tlog.HashReader, size int64, leaves map[int64][32]byte) error {
	positions := make([]int64, 0, len(leaves))
	for p := range leaves {
		if p < 0 || p >= size {
			return fmt.Errorf("a log of %d records has no position %d", size, p)
		}
		positions = append(positions, p)
	}
	slices.Sort(positions)
	at := make([]int64, len(positions))
	for i, p := range positions {
		at[i] = tlog.StoredHashIndex(0, p)
	}
	if len(at) == 0 {
		return nil
	}
	found, err := hashes.ReadHashes(at)
	if err != nil {
		return fmt.Errorf("inclusion: %w", err)
	}
	for i, p := range positions {
		if found[i] != leaves[p] {
			return fmt.Errorf("%w: position %d holds another record", ErrContradiction, p)
		}
	}
	return nil
}

// tileReader lets tlog read tiles; it keeps none.
type tileReader struct {
	ctx   context.Context
	tiles Tiles
}

func (r *tileReader) Height() int { return TileHeight }

func (r *tileReader) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	out := make([][]byte, len(wanted))
	for i, t := range wanted {
		data, err := r.tiles.Tile(r.ctx, t.L, t.N, t.W)
		if err != nil {
			return nil, err
		}
		if len(data) != t.W*tlog.HashSize {
			return nil, fmt.Errorf("tile %d of level %d has %d bytes: want %d hashes", t.N, t.L, len(data), t.W)
		}
		out[i] = data
	}
	return out, nil
}

func (r *tileReader) SaveTiles([]tlog.Tile, [][]byte) {}
