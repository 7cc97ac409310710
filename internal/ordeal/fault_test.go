//go:build linux && !race

package ordeal

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"stead/internal/desktop/outbox"
)

// faults lists what may go wrong with which call.
var faults = []struct {
	call   string
	errnos []unix.Errno
}{
	{"openat", []unix.Errno{unix.EMFILE, unix.EIO, unix.ENOSPC}}, {"pwrite64", []unix.Errno{unix.EIO, unix.ENOSPC}},
	{"ftruncate", []unix.Errno{unix.EIO, unix.ENOSPC}}, {"fdatasync", []unix.Errno{unix.EIO, unix.ENOSPC}},
	{"fsync", []unix.Errno{unix.EIO, unix.ENOSPC}}, {"mmap", []unix.Errno{unix.ENOMEM, unix.EIO}},
	{"linkat", []unix.Errno{unix.EIO, unix.ENOSPC}}, {"renameat", []unix.Errno{unix.EIO, unix.ENOSPC}}, {"unlinkat", []unix.Errno{unix.EIO}},
	{"fallocate", []unix.Errno{unix.EIO, unix.ENOSPC}}, {"mkdirat", []unix.Errno{unix.EIO, unix.ENOSPC}}, {"fchmodat", []unix.Errno{unix.EIO}},
}

// everyCall is up to which call each one is failed; beyond it, some of them are, unless SOAK asks for all.
const everyCall = 40

// underFaults is a script with every guarded call asked about on the inherited socket.
func underFaults(script func(orders)) func(orders) {
	return func(o orders) {
		if err := ask(3); err != nil {
			say("cannot %v", err)
			return
		}
		script(o)
	}
}

// everyFault makes each call fail once with each of its errors: strike runs a script with the fault, judges what came of
// it, and returns how many such calls there were. It returns how many faults there were of each call.
func everyFault(t *testing.T, rng *rand.Rand, together int, strike func(fault) (calls int, err error)) map[string]int {
	t.Helper()
	var mu sync.Mutex
	runs := map[string]int{}
	var group errgroup.Group
	group.SetLimit(together)
	for _, kind := range faults {
		for _, errno := range kind.errnos {
			call, own := kind.call, rand.New(rand.NewPCG(rng.Uint64(), 0))
			group.Go(func() error {
				for f := (fault{call, errno, 1}); ; f.nth++ {
					calls, err := strike(f)
					if err != nil {
						return fmt.Errorf("%s: %w", f, err)
					}
					if calls < f.nth {
						return nil
					}
					mu.Lock()
					runs[call]++
					mu.Unlock()
					if f.nth >= everyCall && soak == 1 {
						f.nth += own.IntN(12)
					}
				}
			})
		}
	}
	if err := group.Wait(); err != nil {
		if errors.Is(err, errCannotAsk) {
			cannot(t, err.Error())
		}
		t.Fatal(err)
	}
	return runs
}

// sum counts the faults, each of those calls among them.
func sum(t *testing.T, runs map[string]int, calls ...string) (total int) {
	t.Helper()
	for _, n := range runs {
		total += n
	}
	for _, call := range calls {
		if runs[call] == 0 {
			t.Errorf("no %s was made to fail", call)
		}
	}
	return total
}

// TestEveryFaultOnce fails each call on the outbox's files once, with each error that it may have. The outbox refuses
// with a code or goes on; it never crashes, and without the fault it opens again: the same chain, whole, with every
// record that was answered. What it holds arrives at the platform exactly once.
func TestEveryFaultOnce(t *testing.T) {
	t.Parallel()
	rng := chance(t)
	b := newBackend(t)
	var mu sync.Mutex
	victims := map[string]struck{}                              // by device
	runs := everyFault(t, rng, 12, func(f fault) (int, error) { // they wait for the platform more than they work
		o := b.enrol(f.String())
		after, calls, err := f.strike(t, o)
		mu.Lock()
		defer mu.Unlock()
		victims[string(o.Device)] = after
		return calls, err
	})
	b.end()
	ledger, _, err := proven(t.Context(), b.file())
	if err != nil {
		t.Fatal(err)
	}
	records, forgotten := 0, uint64(0)
	for device, after := range victims {
		list := ledger[device]
		if err := errors.Join(exactlyOnce(list, after.known), after.gone.agree(list)); err != nil {
			t.Errorf("%s: %v", device, err)
		}
		records, forgotten = records+len(list), forgotten+after.gone.last
	}
	total := sum(t, runs, "openat", "pwrite64", "fdatasync", "fsync", "mmap", "linkat", "renameat", "fallocate", "ftruncate")
	t.Logf("%d faults (%v), %d records at the platform, none lost and none twice, %d of them forgotten by the devices", total, runs, records, forgotten)
}

var errCannotAsk = errors.New("the kernel does not let a process decide on another's calls (seccomp user notification)")

// struck is what is known of a device after a fault: the records that were answered, and those that its outbox has
// forgotten.
type struck struct {
	known memory
	gone  receipts
}

// strike runs the script with the fault and then, without it, opens the outbox and drains it.
func (f fault) strike(t *testing.T, o orders) (after struck, calls int, err error) {
	folder, err := os.MkdirTemp(t.TempDir(), "")
	if err != nil {
		return after, 0, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	o.Role, o.Path, o.Records = "faults", filepath.Join(folder, "outbox.db"), 5
	said, calls, err := f.run(t, o, folder)
	if err != nil {
		return after, 0, err
	}
	known, epoch, err := readScript(said)
	if err != nil {
		return after, 0, err
	}
	box, err := outbox.Open(t.Context(), o.Path, o.config())
	if err != nil {
		return after, 0, fmt.Errorf("without the fault: %w; before: %s", err, said)
	}
	h, err := look(t.Context(), box)
	if err == nil {
		err = h.holds(known, known)
	}
	if err == nil && epoch != "" && h.epoch.String() != epoch {
		err = fmt.Errorf("epoch %s was begun in place of %s", h.epoch, epoch)
	}
	if err == nil {
		err = box.Drain(t.Context(), o.client())
	}
	after.known = known
	if err == nil {
		after.gone, err = receiptsOf(t.Context(), box)
	}
	state := box.State()
	if err = errors.Join(err, box.Close()); err == nil {
		err = o.intact(t.Context(), state)
	}
	if err != nil {
		err = fmt.Errorf("%w; before: %s", err, said)
	}
	return after, calls, err
}

// readScript reads what deviceScript printed: the records that were answered, and the epoch, which never changed.
func readScript(said string) (known memory, epoch string, err error) {
	known = memory{}
	for _, line := range strings.Split(strings.TrimSpace(said), "\n") {
		if p, ok := readPlaced(line); ok {
			if known[p.seq] != "" {
				return nil, "", fmt.Errorf("sequence %d was given twice", p.seq)
			}
			known[p.seq] = p.leaf
		}
		if e, ok := strings.CutPrefix(line, "open "); ok {
			if epoch != "" && epoch != e {
				return nil, "", fmt.Errorf("epoch %s was begun in place of %s", e, epoch)
			}
			epoch = e
		}
	}
	return known, epoch, nil
}

// run runs the child and answers for its calls.
func (f fault) run(t *testing.T, o orders, folder string) (said string, calls int, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", 0, err
	}
	defer func() { _ = unix.Close(pair[0]) }()
	theirs := os.NewFile(uintptr(pair[1]), "socket")
	var out bytes.Buffer
	cmd := child(t, o)
	cmd.Stdout, cmd.ExtraFiles = &out, []*os.File{theirs}
	err = cmd.Start()
	_ = theirs.Close()
	if err != nil {
		return "", 0, err
	}
	fd, err := listener(pair[0])
	if err == nil {
		calls, err = f.decide(fd, folder)
		_ = unix.Close(fd)
	}
	ended := cmd.Wait()
	if text, ok := strings.CutPrefix(out.String(), "cannot "); ok {
		return "", 0, fmt.Errorf("%w: %s", errCannotAsk, text)
	}
	if ended != nil || !strings.HasSuffix(out.String(), "done\n") {
		err = errors.Join(err, fmt.Errorf("the child crashed: %w: %s", ended, out.String()))
	}
	return out.String(), calls, err
}
