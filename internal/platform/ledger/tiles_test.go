package ledger_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/ledger"
	"stead/internal/platform/store"
)

func TestParseTile(t *testing.T) {
	for path, want := range map[string]ledger.Tile{
		"0/000":                  {Width: 256},
		"0/000.p/1":              {Width: 1},
		"0/000.p/255":            {Width: 255},
		"1/067":                  {Level: 1, Index: 67, Width: 256},
		"7/000.p/3":              {Level: 7, Width: 3},
		"0/x001/x234/067":        {Index: 1234067, Width: 256},
		"0/x001/x234/067.p/16":   {Index: 1234067, Width: 16},
		"entries/000":            {Entries: true, Width: 256},
		"entries/x001/000.p/200": {Entries: true, Index: 1000, Width: 200},
	} {
		if got, err := ledger.ParseTile(path); err != nil || got != want {
			t.Errorf("%s: %+v, %v", path, got, err)
		}
	}
	for _, path := range []string{"", "0", "0/", "/000", "0/0", "0/00", "0/0000", "0/1000", "0/x000/001", "0/001/002", "0/x001", "00/000", "+0/000", "-1/000", "8/000", "63/000",
		"0/000.p/0", "0/000.p/256", "0/000.p/01", "0/000.p/", "0/000.p", "0/000.p/+1", "0/.p/5", "data/000", "entries/", "entries/0", "entries/data/000", "entries/0/000", "entries/entries/000",
		"0/x-01/000", "0/x 01/000", "0/000/", "0//000", "0/000?", "0/%30%30%30", strings.Repeat("x999/", 40) + "999", "0/" + strings.Repeat("x999/", 40) + "999", "0/" + strings.Repeat("x000/", 7) + "000"} {
		if got, err := ledger.ParseTile(path); stead.CodeOf(err) != stead.CodeRouteNotFound {
			t.Errorf("%q: %+v, %v", path, got, err)
		}
	}
}

// FuzzParseTile: whatever is taken for a tile has this one spelling, written here from c2sp.org/tlog-tiles alone.
func FuzzParseTile(f *testing.F) {
	for _, seed := range []string{"0/000", "entries/x001/x234/067.p/3", "data/000", "0/x009/x223/x372/x036/x854/x775/807", "7/999.p/255"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		tile, err := ledger.ParseTile(path)
		if err != nil {
			if stead.CodeOf(err) != stead.CodeRouteNotFound {
				t.Errorf("%q: %v", path, err)
			}
			return
		}
		n := fmt.Sprintf("%03d", tile.Index%1000)
		for rest := tile.Index / 1000; rest > 0; rest /= 1000 {
			n = fmt.Sprintf("x%03d/%s", rest%1000, n)
		}
		spelt := fmt.Sprintf("%d/%s", tile.Level, n)
		if tile.Entries {
			spelt = "entries/" + n
		}
		if !tile.Full() {
			spelt += fmt.Sprintf(".p/%d", tile.Width)
		}
		if spelt != path || tile.Index < 0 || tile.Width < 1 || tile.Width > 256 || tile.Level < 0 || tile.Level > 7 {
			t.Errorf("%q was read as %+v, which is spelt %q", path, tile, spelt)
		}
	})
}

// tiles reads tiles from the bench's store.
type tiles struct{ *bench }

func (x tiles) Tile(_ context.Context, level int, index int64, width int) (data []byte, err error) {
	x.update(func(tx store.Tx) error {
		data, err = ledger.ReadTile(tx, ledger.Tile{Level: level, Index: index, Width: width})
		return nil
	})
	return data, err
}

// TestTilesProveTheLog: a log of more than one tile is followed by its tiles alone, and each record is where Positions
// says.
func TestTilesProveTheLog(t *testing.T) {
	b := newBench(t)
	s := b.sequencer(signer(1))
	b.write(3)
	b.sequence(s)
	older := b.newest()
	c := b.chain()
	for range 600 {
		c.add(nil)
	}
	c.addBytes([]byte("no record"), nil)
	c.add(nil)
	if _, err := b.take(c.part(1, 602, 601)); err != nil {
		t.Fatal(err)
	}
	if p := b.positions(c, 1, 1000); len(p) != 0 {
		t.Errorf("positions before the log has them: %v", p)
	}
	b.sequence(s)
	leaves := map[int64][32]byte{}
	for i, p := range b.positions(c, 1, 1000) {
		if (p < 0) != (i == 600) {
			t.Errorf("record %d is at %d", i+1, p)
		}
		if p >= 0 {
			leaves[p] = c.heads[i+1].Leaf
		}
	}
	if len(leaves) != 601 {
		t.Fatalf("%d positions", len(leaves))
	}
	if err := audit.Follow(t.Context(), tiles{b}, older, b.newest(), leaves); err != nil {
		t.Error(err)
	}
	leaves[5] = leaves[6]
	if err := audit.Follow(t.Context(), tiles{b}, older, b.newest(), leaves); err == nil {
		t.Error("another leaf is in its place, and nobody said so")
	}
	for _, p := range []struct {
		first uint64
		limit int
		want  string
	}{{601, 2, fmt.Sprint([]int64{-1, b.newest().Size - 1})}, {602, 9, fmt.Sprint([]int64{b.newest().Size - 1})}, {603, 9, "[]"}, {1 << 63, 1000, "[]"}} {
		if got := b.positions(c, p.first, p.limit); fmt.Sprint(got) != p.want {
			t.Errorf("from %d on: %v, want %s", p.first, got, p.want)
		}
	}
}

func (b *bench) positions(c *chain, first uint64, limit int) (out []int64) {
	b.Helper()
	b.update(func(tx store.Tx) (err error) {
		out, err = ledger.Positions(tx, b.device, c.epoch, first, limit)
		return err
	})
	return out
}

// TestOnlyWhatIsSignedIsServed: tiles end where the newest checkpoint does.
func TestOnlyWhatIsSignedIsServed(t *testing.T) {
	b := newBench(t)
	read := func(tile ledger.Tile) (data []byte, err error) {
		b.update(func(tx store.Tx) error {
			data, err = ledger.ReadTile(tx, tile)
			return nil
		})
		return data, err
	}
	missing := func(tile ledger.Tile) {
		t.Helper()
		if data, err := read(tile); stead.CodeOf(err) != stead.CodeRouteNotFound {
			t.Errorf("%+v: %d bytes, %v", tile, len(data), err)
		}
	}
	missing(ledger.Tile{Width: 1})
	b.update(func(tx store.Tx) error {
		if _, err := ledger.SignedNote(tx); stead.CodeOf(err) != stead.CodeRouteNotFound {
			t.Errorf("a checkpoint of nothing: %v", err)
		}
		return nil
	})
	b.write(300)
	b.sequence(b.sequencer(signer(1)))
	b.write(5)
	b.update(func(tx store.Tx) error { // the log without a checkpoint over it
		entries, err := tx.Unlogged(1)
		if err != nil {
			return err
		}
		return tx.AppendLog(300, []int64{entries[0].Index}, 2*300-4, [][32]byte{entries[0].Leaf})
	})
	for _, good := range []ledger.Tile{{Width: 256}, {Width: 7}, {Index: 1, Width: 44}, {Level: 1, Width: 1}, {Entries: true, Width: 256}, {Entries: true, Index: 1, Width: 44}} {
		data, err := read(good)
		if err != nil || !good.Entries && len(data) != 32*good.Width {
			t.Errorf("%+v: %d bytes, %v", good, len(data), err)
		}
		for i := 0; good.Entries && i < good.Width; i++ {
			n := int(binary.BigEndian.Uint16(data))
			if rec, err := audit.Decode(data[2 : 2+n]); err != nil || rec.Kind != audit.MemberViewed {
				t.Fatalf("entry %d: %v", i, err)
			}
			if data = data[2+n:]; (len(data) == 0) != (i == good.Width-1) {
				t.Errorf("%d bytes follow entry %d of %d", len(data), i, good.Width)
			}
		}
	}
	for _, bad := range []ledger.Tile{{Index: 1, Width: 45}, {Index: 1, Width: 256}, {Index: 2, Width: 1}, {Level: 1, Width: 2}, {Level: 1, Width: 256}, {Level: 2, Width: 1},
		{Entries: true, Index: 1, Width: 45}, {Entries: true, Index: 1, Width: 256}, {Index: 1 << 55, Width: 256}, {Index: 1<<63 - 1, Width: 256}} {
		missing(bad)
	}
}
