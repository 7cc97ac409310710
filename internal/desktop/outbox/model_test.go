package outbox

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"
)

// world is an outbox, a platform and what must be true of both whatever happens.
type world struct {
	*testing.T
	rng    *rand.Rand
	dir    string
	files  int
	o      *Outbox
	l      *ledger
	leaves map[uint64][32]byte // of every record that was answered
	gone   map[uint64]bool     // forgotten here and lost there by a restore
	before State
	forked func() // puts the log right again; nil when it is
	steps  []string
}

// TestModel lets chance choose what happens, hundreds of times: records are appended, sent and proven while answers
// get lost, receipts are withheld, records refused, the log forked, the platform set back and the process killed. After
// every step, and at the end, nothing is lost, nothing is forgotten unproven, and starts are refused just when they must.
func TestModel(t *testing.T) {
	rounds := 20
	if testing.Short() {
		rounds = 5
	}
	seed := rand.Uint64()
	for n := range rounds {
		w := &world{T: t, rng: rand.New(rand.NewPCG(seed, uint64(n))), dir: t.TempDir(), l: newLedger(), leaves: map[uint64][32]byte{}, gone: map[uint64]bool{}}
		w.o = open(t, filepath.Join(w.dir, "0.db"))
		for range 60 {
			w.step()
			w.check()
			if t.Failed() {
				t.Fatalf("seed %d, round %d: %v", seed, n, w.steps)
			}
		}
		w.finish()
		if t.Failed() {
			t.Fatalf("seed %d, round %d: %v", seed, n, w.steps)
		}
	}
}

func (w *world) step() {
	w.before = w.o.State()
	what := map[int]func() string{0: w.append, 1: w.append, 2: w.append, 3: w.drain, 4: w.drain, 5: w.prove, 6: w.prove, 7: w.kill,
		8: w.trouble, 9: w.trouble, 10: w.fork, 11: w.restore}[w.rng.IntN(12)]
	w.steps = append(w.steps, what())
}

func (w *world) append() string {
	n := 1 + w.rng.IntN(5)
	for range n {
		e := end()
		if w.rng.IntN(2) == 0 {
			e = intent()
		}
		p, err := w.o.Append(w.Context(), e)
		blocked := w.o.State().Blocked
		switch {
		case e.Kind == audit.SessionIntent && blocked != "":
			if stead.CodeOf(err) != blocked {
				w.Errorf("a start while %s: %v", blocked, err)
			}
		case err != nil:
			w.Error(err)
		case w.leaves[p.Seq] != [32]byte{}:
			w.Errorf("record %d was given twice", p.Seq)
		default:
			w.leaves[p.Seq] = p.Leaf
			if w.rng.IntN(12) == 0 {
				w.l.poison[p.Seq] = true
			}
		}
	}
	return fmt.Sprintf("append %d", n)
}

func (w *world) drain() string {
	err := w.o.Drain(w.Context(), w.l)
	return fmt.Sprintf("drain %v", err)
}

func (w *world) prove() string {
	was := w.o.State()
	waiting, err := w.o.prove(w.Context(), w.l.log)
	now := w.o.State()
	if w.forked != nil && w.l.log.refuse == nil && (stead.CodeOf(err) != stead.CodeLogForked || now.Blocked == "" || now.Receipted != was.Receipted) {
		w.Errorf("a forked log: %v, %+v", err, now)
	}
	return fmt.Sprintf("prove %v %v", waiting, err)
}

// kill goes on with a copy of the file as it is now, as after a kill, or closes it.
func (w *world) kill() string {
	w.files++
	path := filepath.Join(w.dir, fmt.Sprint(w.files, ".db"))
	data, err := os.ReadFile(w.o.path)
	if err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err = errors.Join(err, w.o.Close()); err != nil {
		w.Fatal(err)
	}
	w.o = open(w.T, path)
	if now := w.o.State(); now.Head != w.before.Head || now.Acknowledged != w.before.Acknowledged || now.Receipted != w.before.Receipted ||
		now.Blocked != w.before.Blocked || now.Quarantined != w.before.Quarantined {
		w.Errorf("%+v after %+v", now, w.before)
	}
	return "kill"
}

// trouble gives the platform one of its troubles, or takes all of them away.
func (w *world) trouble() string {
	away := stead.E(stead.CodeUnreachable, nil)
	switch w.rng.IntN(9) {
	case 0:
		w.l.lose = 1 + w.rng.IntN(2)
	case 1:
		w.l.takeOnly = 1 + w.rng.IntN(3)
	case 2:
		w.l.refuse = away
	case 3:
		w.l.log.withhold = true
	case 4:
		w.l.log.refuse = away
	case 5:
		w.l.log.spoil = w.forked == nil
	case 6:
		w.l.mute = !w.l.mute
	default:
		w.untroubled()
		return "no trouble"
	}
	return "trouble"
}

func (w *world) untroubled() {
	w.l.lose, w.l.takeOnly, w.l.refuse, w.l.log.withhold, w.l.log.refuse, w.l.log.spoil = 0, 0, nil, false, nil, false
}

// fork shows the outbox another log, or the one it knows again.
func (w *world) fork() string {
	if w.forked != nil {
		w.forked()
		w.forked = nil
		return "unfork"
	}
	seen := w.o.file.seen.Size
	if seen < 2 || w.l.log.spoil {
		return "-"
	}
	leaves, hashes := w.l.log.leaves, w.l.log.hashes
	taken := w.l.head.Seq
	w.l.log.rewrite(w.l.log.others(w.rng.IntN(int(seen))))
	w.forked = func() { // what was taken in meanwhile goes into the true log
		w.l.log.leaves, w.l.log.hashes = leaves, hashes
		for seq := taken + 1; seq <= w.l.head.Seq; seq++ {
			if w.l.log.positions[seq] >= 0 {
				w.l.log.add(seq, w.l.leaves[seq])
			}
		}
	}
	return "fork"
}

// restore sets the platform back and declares it, each person with their own key.
func (w *world) restore() string {
	if w.forked != nil || w.rng.IntN(3) > 0 {
		return "-"
	}
	var kept []uint64
	for seq, p := range w.l.log.positions {
		if p > 0 {
			kept = append(kept, seq)
		}
	}
	if len(kept) == 0 {
		return "-"
	}
	slices.Sort(kept)
	at := kept[w.rng.IntN(len(kept))]
	receipted := w.o.State().Receipted
	for seq := at + 1; seq <= receipted; seq++ {
		w.gone[seq] = true
	}
	checkpoint, lost := setBack(w.l, at, w.rng.IntN(4))
	w.l.bridges = true
	w.l.log.tell(restoredAt(time.Unix(1_790_000_000+int64(len(w.steps)), 0), checkpoint, lost, "bob", "carol"))
	// The device learns of it before it sends anything: PostRecords cannot tell what it still has.
	w.untroubled()
	w.o.contact = contact{}
	_ = w.o.Drain(w.Context(), w.l)
	if _, err := w.o.prove(w.Context(), w.l.log); err != nil || w.o.State().Blocked != "" && w.o.State().Blocked != stead.CodeChainFork {
		w.Errorf("a declared restore to %d: %v, %+v", at, err, w.o.State())
	}
	return fmt.Sprintf("restore to %d of %d", at, lost)
}

// check is what is true at any moment.
func (w *world) check() {
	w.Helper()
	s := w.o.State()
	if s.Receipted < w.before.Receipted || s.Receipted > s.Acknowledged || s.Acknowledged > s.Head || s.Head != uint64(len(w.leaves)) {
		w.Errorf("%+v after %+v, %d answered", s, w.before, len(w.leaves))
	}
	for seq := uint64(1); seq <= s.Head; seq++ {
		r, err := w.o.record(seq)
		if seq > s.Receipted && (err != nil || audit.Leaf(r.Envelope) != w.leaves[seq]) {
			w.Errorf("record %d of %+v is not held: %v", seq, s, err)
		}
		if seq <= s.Receipted && err == nil {
			w.Errorf("record %d of %+v is still there", seq, s)
		}
		if at := w.l.log.positions[seq]; seq <= s.Receipted && w.forked == nil && !w.gone[seq] && at >= 0 && w.l.log.leaves[at] != w.leaves[seq] {
			w.Errorf("record %d was forgotten and the log does not hold it", seq)
		}
	}
}

// finish puts everything right and expects everything to arrive.
func (w *world) finish() {
	w.untroubled()
	if w.forked != nil {
		w.forked()
		w.forked = nil
	}
	w.before = w.o.State()
	for range 4 {
		_ = w.o.Drain(w.Context(), w.l)
		_, _ = w.o.prove(w.Context(), w.l.log)
	}
	w.check()
	s := w.o.State()
	if s.Receipted != s.Head || s.Blocked != "" || s.LastError != "" {
		w.Errorf("at the end: %+v", s)
	}
	kept := map[uint64]bool{}
	for _, q := range quarantineOf(w.T, w.o) {
		kept[q.Seq] = audit.Leaf(q.Envelope) == w.leaves[q.Seq]
	}
	for seq, leaf := range w.leaves {
		if at, there := w.l.log.positions[seq]; !w.gone[seq] && !kept[seq] && (!there || w.l.log.leaves[at] != leaf) {
			w.Errorf("record %d is lost", seq)
		}
	}
	proven := uint64(0)
	for _, r := range receiptsOf(w.T, w.o) {
		if r.First != proven+1 {
			w.Errorf("a receipt from %d after %d", r.First, proven)
		}
		proven = r.Last
	}
	if proven != s.Receipted {
		w.Errorf("receipts up to %d of %d", proven, s.Receipted)
	}
}
