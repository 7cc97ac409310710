package outbox

import (
	"context"
	"crypto/ed25519"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"stead/internal/audit"
	"stead/internal/stead"
)

const testOrigin = "log.stead.test"

func testPublic(name string) ed25519.PublicKey { return testKey(name).Public().(ed25519.PublicKey) }

func testVkey(name, of string) string {
	vkey, err := audit.LogKey(name, testPublic(of))
	if err != nil {
		panic(err)
	}
	return vkey
}

func testTrust() Trust {
	return Trust{Origin: testOrigin, LogKeys: []string{testVkey(testOrigin, "log")},
		RecoveryKeys: []string{testVkey("alice", "alice"), testVkey("bob", "bob"), testVkey("carol", "carol")}}
}

// testLog is a Merkle log in memory, and misbehaves as told.
type testLog struct {
	mu         sync.Mutex
	key        string
	origin     string
	leaves     [][32]byte
	hashes     []tlog.Hash
	positions  map[uint64]int64
	statements [][]byte
	withhold   bool   // positions never come
	spoil      bool   // tiles are of no log
	page       []byte // answered in place of a checkpoint
	refuse     error  // answered to everything
	asked      int
}

func newLog() *testLog {
	l := &testLog{key: "log", origin: testOrigin, positions: map[uint64]int64{}}
	l.grow(tlog.RecordHash([]byte("the platform's first")))
	return l
}

func (l *testLog) set(f func()) { l.mu.Lock(); defer l.mu.Unlock(); f() }

// grow appends a leaf. The caller holds mu, or nobody else has the log yet.
func (l *testLog) grow(leaf [32]byte) {
	made, err := tlog.StoredHashesForRecordHash(int64(len(l.leaves)), leaf, l.reader())
	if err != nil {
		panic(err)
	}
	l.leaves, l.hashes = append(l.leaves, leaf), append(l.hashes, made...)
}

func (l *testLog) reader() tlog.HashReaderFunc {
	return func(at []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(at))
		for i, x := range at {
			if x >= int64(len(l.hashes)) {
				return nil, errors.New("no such hash")
			}
			out[i] = l.hashes[x]
		}
		return out, nil
	}
}

// add takes a device's record into the log, after one of the platform's own now and then.
func (l *testLog) add(seq uint64, leaf [32]byte) {
	l.set(func() {
		if seq%7 == 0 {
			l.grow(tlog.RecordHash(seqKey(seq)))
		}
		l.positions[seq] = int64(len(l.leaves))
		l.grow(leaf)
	})
}

func (l *testLog) pass(seq uint64) { l.set(func() { l.positions[seq] = -1 }) }

// rewrite replaces the log by one of these leaves.
func (l *testLog) rewrite(leaves [][32]byte) {
	l.set(func() {
		l.leaves, l.hashes = nil, nil
		for _, leaf := range leaves {
			l.grow(leaf)
		}
	})
}

// others is the leaves so far with one of them changed.
func (l *testLog) others(at int) [][32]byte {
	out := l.now()
	out[at][0] ^= 1
	return out
}

// swap puts two records into each other's place.
func (l *testLog) swap(a, b uint64) {
	leaves := l.now()
	p, q := l.positions[a], l.positions[b]
	leaves[p], leaves[q] = leaves[q], leaves[p]
	l.rewrite(leaves)
	l.set(func() { l.positions[a], l.positions[b] = q, p })
}

// keep returns what puts the log back to what it is now.
func (l *testLog) keep() func() {
	l.mu.Lock()
	defer l.mu.Unlock()
	leaves, hashes, positions, key, origin := slices.Clone(l.leaves), slices.Clone(l.hashes), maps.Clone(l.positions), l.key, l.origin
	return func() {
		l.set(func() { l.leaves, l.hashes, l.positions, l.key, l.origin = leaves, hashes, positions, key, origin })
	}
}

func (l *testLog) now() [][32]byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.leaves)
}

func (l *testLog) at(size int) audit.Checkpoint {
	root, err := tlog.TreeHash(int64(size), l.reader())
	if err != nil {
		panic(err)
	}
	return audit.Checkpoint{Origin: l.origin, Size: int64(size), Root: root}
}

// state is the log's checkpoint as it is.
func (l *testLog) state() audit.Checkpoint {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.at(len(l.leaves))
}

func (l *testLog) Checkpoint(context.Context) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
	if l.refuse != nil {
		return nil, l.refuse
	}
	if l.page != nil {
		return l.page, nil
	}
	return audit.SignCheckpoint(testKey(l.key), l.at(len(l.leaves)))
}

func (l *testLog) Positions(_ context.Context, _ audit.Epoch, first uint64, limit int) ([]int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuse != nil {
		return nil, l.refuse
	}
	var out []int64
	for seq := first; len(out) < limit && !l.withhold; seq++ {
		p, ok := l.positions[seq]
		if !ok {
			break
		}
		out = append(out, p)
	}
	return out, nil
}

func (l *testLog) Statements(context.Context) ([][]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.statements), l.refuse
}

func (l *testLog) Tile(_ context.Context, level int, index int64, width int) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuse != nil {
		return nil, l.refuse
	}
	data, err := tlog.ReadTileData(tlog.Tile{H: audit.TileHeight, L: level, N: index, W: width}, l.reader())
	if err == nil && l.spoil {
		data[len(data)-1] ^= 1
	}
	if err != nil {
		return nil, stead.E(stead.CodeUnreachable, err)
	}
	return data, nil
}

func (l *testLog) tell(statement []byte) {
	l.set(func() { l.statements = append(l.statements, statement) })
}

// handover is the statement that a key of the log signs for another.
func handover(by, to string) []byte {
	signed, err := audit.SignHandover(testKey(by), audit.Handover{Origin: testOrigin, Key: testVkey(testOrigin, to), At: time.Unix(1_790_000_000, 0)})
	if err != nil {
		panic(err)
	}
	return signed
}

// signedBy is a statement signed by people, each with the key of their name.
func signedBy(text string, people ...string) []byte {
	out := []byte(text)
	for _, name := range people {
		var err error
		if out, err = audit.SignStatement(out, name, testKey(name)); err != nil {
			panic(err)
		}
	}
	return out
}

func restored(kept audit.Checkpoint, lost int64, people ...string) []byte {
	return restoredAt(time.Unix(1_790_000_000, 0), kept, lost, people...)
}

func restoredAt(at time.Time, kept audit.Checkpoint, lost int64, people ...string) []byte {
	text, err := audit.Restored{Origin: kept.Origin, Kept: kept, Lost: lost, At: at, Why: "the disk failed"}.Text()
	if err != nil {
		panic(err)
	}
	return signedBy(text, people...)
}
