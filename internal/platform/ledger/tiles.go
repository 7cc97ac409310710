package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/store"
)

// Tile names a block of the log that never changes (c2sp.org/tlog-tiles).
type Tile struct {
	Entries bool  // a bundle of records; else hashes
	Level   int   // 0 and up; 0 for entries
	Index   int64 // of the tile on its level
	Width   int   // 1 to 256 hashes or records
}

// tileWidth is that of a full tile.
const tileWidth = 1 << audit.TileHeight

// Full reports whether the tile has all it can hold.
func (t Tile) Full() bool { return t.Width == tileWidth }

// ParseTile reads what stands behind "tile/" in a path, e.g. 0/x001/x234/067, 1/000.p/5 or entries/x001/234. A tile
// has one spelling; CodeRouteNotFound for every other.
func ParseTile(path string) (Tile, error) {
	rest, entries := strings.CutPrefix(path, "entries/")
	if entries {
		path = "0/" + rest
	}
	t, err := tlog.ParseTilePath(fmt.Sprintf("tile/%d/%s", audit.TileHeight, path))
	// A log of 63 bits has levels up to 7; tlog's own name for entries reads as -1.
	if err != nil || t.L < 0 || t.L > 7 {
		return Tile{}, stead.E(stead.CodeRouteNotFound, err)
	}
	return Tile{Entries: entries, Level: t.L, Index: t.N, Width: t.W}, nil
}

// SignedNote is the newest checkpoint. CodeRouteNotFound when nothing was signed yet.
func SignedNote(tx store.Tx) (string, error) {
	c, err := tx.Checkpoint()
	if errors.Is(err, store.ErrNotFound) {
		return "", stead.E(stead.CodeRouteNotFound, err)
	}
	return c.Note, err
}

// ReadTile reads a tile: its hashes one after the other, or its records, each behind its length in two bytes.
// CodeRouteNotFound when the newest checkpoint does not cover all of it.
func ReadTile(tx store.Tx, t Tile) ([]byte, error) {
	size, err := signedSize(tx)
	if err != nil {
		return nil, err
	}
	on := size >> (audit.TileHeight * t.Level) // hashes on that level
	if t.Index > on>>audit.TileHeight || t.Index*tileWidth+int64(t.Width) > on {
		return nil, stead.E(stead.CodeRouteNotFound, nil)
	}
	if t.Entries {
		return bundle(tx, t.Index*tileWidth, t.Width)
	}
	return tlog.ReadTileData(tlog.Tile{H: audit.TileHeight, L: t.Level, N: t.Index, W: t.Width}, reader(tx))
}

// signedSize is how many records the newest checkpoint covers.
func signedSize(tx store.Tx) (int64, error) {
	c, err := tx.Checkpoint()
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	return c.Size, err
}

func bundle(tx store.Tx, from int64, width int) ([]byte, error) {
	entries, err := tx.LogEntries(from, width)
	if err != nil {
		return nil, err
	}
	if len(entries) != width {
		return nil, fmt.Errorf("ledger: the log has %d of %d records from %d on", len(entries), width, from)
	}
	size := 0
	for _, e := range entries {
		size += 2 + len(e.Envelope)
	}
	out := make([]byte, 0, size)
	for i, e := range entries {
		if e.Position != from+int64(i) || len(e.Envelope) > audit.MaxEnvelope {
			return nil, fmt.Errorf("ledger: record %d stands at %d of the log where %d belongs", e.Index, e.Position, from+int64(i))
		}
		out = binary.BigEndian.AppendUint16(out, uint16(len(e.Envelope))) //nolint:gosec // it was just looked at
		out = append(out, e.Envelope...)
	}
	return out, nil
}

// Positions tells where the records of a device's chain stand in the log, from the first sequence on and as far as
// the newest checkpoint reaches. -1 stands for a sequence that the log holds no record of: it was bridged.
func Positions(tx store.Tx, device stead.DeviceID, epoch audit.Epoch, first uint64, limit int) ([]int64, error) {
	source, err := stead.ParsePseudonym(string(device))
	if err != nil {
		return nil, stead.E(stead.CodeDeviceUnknown, err)
	}
	if _, err := enrolled(tx, device); err != nil {
		return nil, err
	}
	held, _, err := tx.DeviceHead(device, epoch)
	if err != nil || first > held {
		return []int64{}, err
	}
	size, err := signedSize(tx)
	if err != nil {
		return nil, err
	}
	last := min(held, first+uint64(limit)-1) //nolint:gosec // a limit is positive
	places, err := tx.ChainPlaces(source, epoch, first, last)
	if err != nil {
		return nil, err
	}
	out := make([]int64, 0, limit)
	for seq := first; seq <= last; seq++ {
		if len(places) == 0 || places[0].Seq != seq {
			out = append(out, -1)
			continue
		}
		p := places[0].Position
		if p < 0 || p >= size {
			break
		}
		out, places = append(out, p), places[1:]
	}
	return out, nil
}
