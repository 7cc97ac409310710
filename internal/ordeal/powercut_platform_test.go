//go:build linux && !race

package ordeal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"stead/internal/audit"

	"stead/internal/desktop/outbox"
	"stead/internal/platform"
)

// platformUntilTold serves the platform until its input ends, and ends without closing anything.
func platformUntilTold(o orders) {
	p, err := platform.Open(context.Background(), platformConfig(o.Path, o.Issuer))
	if err != nil {
		childFails("open", err)
	}
	l, err := net.Listen("tcp", o.Listen)
	if err != nil {
		childFails("listen", err)
	}
	say("serving")
	go func() { childFails("serve", http.Serve(l, p.Handler)) }()
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// promised is what a platform has told a device by some line of the tape.
type promised struct {
	line   int
	next   uint64 // the record it wants next: it holds those before
	signed int64  // the size of a checkpoint that it showed
}

// platformTape is one recorded run of a platform.
type platformTape struct {
	folder string
	before string // a copy of the folder as it was when the tape began
	tape   []*call
	said   []promised
	device string
	known  memory
}

var (
	wantsNext  = regexp.MustCompile(`"next_seq":([0-9]+)`)
	checkpoint = regexp.MustCompile(`(?s)\r\n\r\n(platform\.test[^\n]*\n([0-9]+)\n)`)
)

const platformCuts = 120

// TestPowerCutOfThePlatform records what a platform writes while a device sends and proves, and cuts the power at moments
// of the recording. Every record that it had acknowledged by then is in its ledger, every checkpoint that it had shown
// is of its log, the ledger proves itself, and the platform opens again.
func TestPowerCutOfThePlatform(t *testing.T) {
	t.Parallel()
	rng := chance(t)
	r := recordPlatform(t)
	counts, held, shown := map[tear]int{}, 0, 0
	for range platformCuts * soak {
		line, how := momentOf(r.tape, rng), tears()[rng.IntN(len(tears()))]
		p, err := r.cut(t.Context(), line, how, rng, filepath.Join(t.TempDir(), "after"))
		if err != nil {
			t.Errorf("cut before line %d of %d, %s of what was not flushed survives: %v", line+1, endOf(r.tape), how, err)
		}
		counts[how]++
		if p.next > 1 {
			held++
		}
		if p.signed > 0 {
			shown++
		}
	}
	t.Logf("%d power cuts %v of a tape of %d lines; before %d of them records were acknowledged, before %d checkpoints shown, and all of them were there",
		platformCuts*soak, counts, endOf(r.tape), held, shown)
	if held < platformCuts/4 || shown < platformCuts/4 {
		t.Error("hardly anything was promised before the cuts")
	}
}

// recordPlatform runs a platform under strace and a device against it.
func recordPlatform(t *testing.T) *platformTape {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		cannot(t, "there is no strace to record with")
	}
	b := newBackend(t)
	o := b.enrol("of a taped platform")
	o.Path, o.Listen = filepath.Join(t.TempDir(), "outbox.db"), b.server.Listener.Addr().String()
	b.end()
	r := &platformTape{folder: b.dir, before: t.TempDir(), device: string(o.Device), known: memory{}}
	if err := os.CopyFS(r.before, os.DirFS(b.dir)); err != nil {
		t.Fatal(err)
	}
	cmd := child(t, orders{Role: "taped platform", Path: b.dir, Issuer: b.issuer, Listen: o.Listen})
	out := filepath.Join(t.TempDir(), "tape")
	cmd.Args = []string{strace, "-f", "-qq", "-xx", "-s", "16777216", "-o", out, "-e", "trace=" + taped, cmd.Path}
	cmd.Path = strace
	input, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	worked := r.work(t.Context(), o)
	if err := errors.Join(worked, input.Close(), cmd.Wait()); err != nil {
		t.Fatal(err)
	}
	if r.tape, err = readTape(out); err != nil {
		t.Fatal(err)
	}
	for _, c := range r.tape {
		if c.name != "write" {
			continue
		}
		p := promised{line: c.began}
		if m := wantsNext.FindStringSubmatch(c.args[1]); m != nil {
			p.next, _ = strconv.ParseUint(m[1], 10, 64)
		}
		if m := checkpoint.FindStringSubmatch(c.args[1]); m != nil {
			p.signed, _ = strconv.ParseInt(m[2], 10, 64)
		}
		if p.next > 0 || p.signed > 0 {
			r.said = append(r.said, p)
		}
	}
	return r
}

// work appends, sends and proves.
func (r *platformTape) work(ctx context.Context, o orders) error {
	box, err := outbox.Open(ctx, o.Path, o.config())
	if err != nil {
		return err
	}
	for n := 0; n < 12 && err == nil; n++ {
		for range 1 + n%4 {
			p, err := box.Append(ctx, intent())
			if err != nil {
				return errors.Join(err, box.Close())
			}
			r.known[p.Seq] = leafHex(p.Leaf)
		}
		err = proveAll(ctx, box, o, 30*time.Second)
	}
	return errors.Join(err, box.Close())
}

// cut makes the folder as it would be found after a power cut before the line, and compares it with what was promised.
func (r *platformTape) cut(ctx context.Context, line int, how tear, rng *rand.Rand, into string) (p promised, err error) {
	for _, s := range r.said {
		if s.line < line {
			p.next, p.signed = max(p.next, s.next), max(p.signed, s.signed)
		}
	}
	d := newDisk(r.folder)
	if err := d.fill(r.before); err != nil {
		return p, err
	}
	if err := d.play(r.tape, line); err != nil {
		return p, err
	}
	for _, i := range d.inodes {
		i.cut(how, rng)
	}
	if err := d.write(into); err != nil {
		return p, err
	}
	opened, err := platform.Open(ctx, platformConfig(into, "https://issuer.test"))
	if err != nil {
		return p, err
	}
	if err := opened.Close(); err != nil {
		return p, err
	}
	ledger, proof, err := proven(ctx, filepath.Join(into, platform.DataFile))
	if err != nil && (p.signed > 0 || !errors.Is(err, audit.ErrNothingSigned)) {
		return p, err
	}
	list := ledger[r.device]
	if err := exactlyOnce(list, within(r.known, len(list))); err != nil {
		return p, err
	}
	if uint64(len(list))+1 < p.next || proof.Checkpoint.Size < p.signed {
		return p, fmt.Errorf("%d records and a log of %d are there, promised were %+v", len(list), proof.Checkpoint.Size, p)
	}
	return p, nil
}

// fill puts the files of a folder onto the disk, flushed.
func (d *disk) fill(from string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err != nil {
			return err
		}
		file := d.add(false)
		file.apply(&change{data: string(data)})
		d.inodes[0].names[e.Name()], d.inodes[0].now[e.Name()] = file, file
	}
	return nil
}

func endOf(tape []*call) int { return tape[len(tape)-1].began + 1 }

// momentOf draws a line to cut before: any, or one at the beginning or end of a flush or a change of names.
func momentOf(tape []*call, rng *rand.Rand) int {
	if rng.IntN(2) == 0 {
		return 1 + rng.IntN(endOf(tape))
	}
	changes := slices.DeleteFunc(slices.Clone(tape), func(c *call) bool {
		return !strings.Contains(c.name, "sync") && (!strings.HasSuffix(c.name, "at") || c.name == "openat")
	})
	return min(changes[rng.IntN(len(changes))].began, endOf(tape)) + rng.IntN(3)
}
