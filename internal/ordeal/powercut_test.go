//go:build linux && !race

package ordeal

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"stead/internal/desktop/outbox"
)

const (
	tapes       = 4
	cutsOfATape = 60
)

// recording is what one run of deviceScript did to its folder, and what it said when.
type recording struct {
	folder string
	orders orders
	tape   []*call
	said   []saying
	all    memory     // every record that the run ever answered
	after  []receipts // of the outboxes after the cuts
}

// saying is a line that the child printed.
type saying struct {
	line int // of the tape, where printing it began: what it says was true by then
	text string
}

// TestPowerCut records what an outbox does to its files, with strace, and cuts the power at moments of the recording:
// what was flushed is there, of the rest any part survives. Every record that was answered before the cut is there,
// or was proven and stands in the ledger where its receipt says; the chain is whole, nothing is there that was never
// written, and the outbox goes on.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	rng := chance(t)
	b := newBackend(t)
	cuts, counts := 0, map[tear]int{}
	recorded := make([]*recording, 0, tapes*soak)
	for n := range tapes * soak {
		r := record(t, b, fmt.Sprintf("cut %d", n))
		if len(r.all) < 30 || !slices.ContainsFunc(r.said, func(s saying) bool { return s.text == "done" }) {
			t.Fatalf("the recorded run answered %d records", len(r.all))
		}
		recorded = append(recorded, r)
		for range cutsOfATape {
			line, how := momentOf(r.tape, rng), tears()[rng.IntN(len(tears()))]
			into := filepath.Join(t.TempDir(), "after")
			if err := r.cut(t.Context(), line, how, rng, into); err != nil {
				t.Errorf("tape %d, cut before line %d of %d, %s of what was not flushed survives: %v", n, line+1, endOf(r.tape), how, err)
			}
			cuts, counts[how] = cuts+1, counts[how]+1
		}
	}
	b.end()
	ledger, _, err := proven(t.Context(), b.file())
	if err != nil {
		t.Fatal(err)
	}
	forgotten := 0
	for _, r := range recorded {
		for _, after := range r.after {
			if after.last > 0 {
				forgotten++
			}
			if err := after.agree(ledger[string(r.orders.Device)]); err != nil {
				t.Error(err)
			}
		}
	}
	t.Logf("%d power cuts %v: no answered record was lost; after %d of them some were forgotten, and the ledger has those", cuts, counts, forgotten)
	if forgotten < cuts/10 {
		t.Error("hardly anything was forgotten")
	}
}

// record runs the script under strace.
func record(t *testing.T, b *backend, name string) *recording {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		cannot(t, "there is no strace to record with")
	}
	dir := t.TempDir()
	r := &recording{folder: filepath.Join(dir, "data"), orders: b.enrol(name), all: memory{}}
	r.orders.Role, r.orders.Path, r.orders.Records = "script", filepath.Join(r.folder, "outbox.db"), 12
	if err := os.Mkdir(r.folder, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := child(t, r.orders)
	out := filepath.Join(dir, "tape")
	cmd.Args = []string{strace, "-f", "-qq", "-xx", "-s", "16777216", "-o", out, "-e", "trace=" + taped, cmd.Path}
	cmd.Path = strace
	var said strings.Builder
	cmd.Stdout = &said
	var complaints strings.Builder
	cmd.Stderr = &complaints
	if err := cmd.Run(); err != nil {
		if said.Len() == 0 {
			cannot(t, "strace cannot trace here: "+err.Error()+": "+complaints.String())
		}
		t.Fatalf("%v: %s%s", err, said.String(), complaints.String())
	}
	if r.tape, err = readTape(out); err != nil {
		t.Fatal(err)
	}
	for _, c := range r.tape {
		if c.name != "write" || c.args[0] != "1" {
			continue
		}
		text := strings.TrimSpace(c.args[1])
		r.said = append(r.said, saying{c.began, text})
		if p, ok := readPlaced(text); ok {
			r.all[p.seq] = p.leaf
		} else if strings.HasPrefix(text, "refused") || strings.HasPrefix(text, "failed") {
			t.Fatal(text)
		}
	}
	return r
}

// cut makes the folder as it would be found after a power cut before the line, opens the outbox in it, and checks the
// promise.
func (r *recording) cut(ctx context.Context, line int, how tear, rng *rand.Rand, into string) error {
	d := newDisk(r.folder)
	if err := d.play(r.tape, line); err != nil {
		return err
	}
	for _, i := range d.inodes {
		i.cut(how, rng)
	}
	if err := d.write(into); err != nil {
		return err
	}
	answered, epoch, proven := memory{}, "", uint64(0)
	for _, s := range r.said {
		if s.line >= line {
			break
		}
		if p, ok := readPlaced(s.text); ok {
			answered[p.seq] = p.leaf
		} else if e, ok := strings.CutPrefix(s.text, "open "); ok {
			epoch = e
		} else if _, err := fmt.Sscanf(s.text, "proven %d", &proven); err == nil {
			continue
		}
	}
	path := filepath.Join(into, "outbox.db")
	if _, err := os.Stat(path); err != nil && epoch != "" {
		return err
	}
	head, err := r.survived(ctx, path, epoch, answered, proven)
	if err != nil {
		return err
	}
	return r.goesOn(ctx, path, head)
}

// survived opens the outbox after a cut, compares it with what was promised and appends a record.
func (r *recording) survived(ctx context.Context, path, epoch string, answered memory, proven uint64) (head uint64, err error) {
	box, err := outbox.Open(ctx, path, r.orders.config())
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, box.Close()) }()
	h, err := look(ctx, box)
	if err != nil {
		return 0, err
	}
	if epoch != "" && h.epoch.String() != epoch {
		return 0, fmt.Errorf("epoch %s was begun in place of %s", h.epoch, epoch)
	}
	if err := h.holds(answered, r.all); err != nil {
		return 0, err
	}
	gone, err := receiptsOf(ctx, box)
	if err != nil {
		return 0, err
	}
	if r.after = append(r.after, gone); gone.last < proven {
		return 0, fmt.Errorf("%d records were proven and forgotten, and of these only %d are", proven, gone.last)
	}
	if h.state.Head > uint64(len(r.all)) {
		return 0, fmt.Errorf("%+v, and only %d records were ever written", h.state, len(r.all))
	}
	p, err := box.Append(ctx, intent())
	if err == nil && p.Seq != h.state.Head+1 {
		err = fmt.Errorf("the next record took place %d after %+v", p.Seq, h.state)
	}
	return p.Seq, err
}

// goesOn opens the outbox once more: the record that was appended after the cut is there.
func (r *recording) goesOn(ctx context.Context, path string, head uint64) error {
	box, err := outbox.Open(ctx, path, r.orders.config())
	if err != nil {
		return fmt.Errorf("after the next record: %w", err)
	}
	s := box.State()
	if s.Head != head || s.Broken != "" {
		err = fmt.Errorf("after record %d: %+v", head, s)
	}
	if err = errors.Join(err, box.Close()); err != nil {
		return err
	}
	o := r.orders
	o.Path = path
	return o.intact(ctx, s)
}

// TestTheModelLosesWhatWasNotFlushed holds the model of the disk to its purpose: it loses what was only written, and a
// name whose folder was not flushed.
func TestTheModelLosesWhatWasNotFlushed(t *testing.T) {
	var tape []*call
	for n, text := range []string{
		`openat(AT_FDCWD, "/f/a", O_CREAT, 0600) = 7`, `openat(AT_FDCWD, "/f", O_RDONLY) = 8`, `fsync(8) = 0`,
		`pwrite64(7, "\x41", 1, 0) = 1`, `fdatasync(7) = 0`, `pwrite64(7, "\x42", 1, 0) = 1`,
		`linkat(AT_FDCWD, "/f/a", AT_FDCWD, "/f/b", 0) = 0`, `fsync(8) = 0`, `unlinkat(AT_FDCWD, "/f/a", 0) = 0`,
	} {
		for _, path := range []string{"/f/a", "/f/b", "/f"} {
			text = strings.ReplaceAll(text, `"`+path+`"`, `"`+escaped(path)+`"`)
		}
		c, err := readCall(text)
		if err != nil {
			t.Fatal(err)
		}
		c.began, c.ended, c.result = n, n, resultOf(text)
		tape = append(tape, c)
	}
	for line, want := range map[int]string{3: "a=", 4: "a=", 5: "a=A", 6: "a=A", 7: "a=A", 8: "a=A b=A", 9: "a=A b=A"} {
		d := newDisk("/f")
		if err := d.play(tape, line); err != nil {
			t.Fatal(err)
		}
		into := filepath.Join(t.TempDir(), "f")
		for _, i := range d.inodes {
			i.cut(nothing, rand.New(rand.NewPCG(1, 1)))
		}
		if err := d.write(into); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, name := range []string{"a", "b"} {
			if text, err := os.ReadFile(filepath.Join(into, name)); err == nil {
				got = append(got, name+"="+string(text))
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("before line %d: %q, want %q", line, got, want)
		}
	}
}

func escaped(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		fmt.Fprintf(&b, `\x%02x`, c)
	}
	return b.String()
}
