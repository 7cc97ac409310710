package outbox

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"stead/internal/audit"
)

// childAppend appends from four goroutines for ever and prints each record after it was answered.
func childAppend(path string) {
	o, err := Open(context.Background(), path, testConfig())
	if err != nil {
		fmt.Println("open:", err)
		os.Exit(3)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				p, err := o.Append(context.Background(), intent())
				if err != nil {
					fmt.Println("append:", err)
					os.Exit(4)
				}
				fmt.Printf("%d %x\n", p.Seq, p.Leaf) // one write, so that a kill leaves at most one torn line
			}
		})
	}
	wg.Wait()
}

// TestKill9LosesNothing kills a process that appends, again and again, and opens the file after each time: every
// record that was answered is there, as it was answered, in an unbroken chain.
func TestKill9LosesNothing(t *testing.T) {
	const rounds = 40
	path := newPath(t)
	known := map[uint64]string{} // the leaf of each record that was answered or found
	unanswered := 0
	for round := range rounds {
		appendUntilKilled(t, path, known)
		o := open(t, path)
		items := allPending(t, o)
		for _, i := range items {
			switch want, got := known[i.Seq], leafHex(i); want {
			case got:
			case "": // written and not answered; it may not change any more either
				known[i.Seq] = got
				unanswered++
			default:
				t.Fatalf("round %d: record %d is %s, was answered as %s", round, i.Seq, got, want)
			}
		}
		// Sequences are given once and without a gap, so none is missing when there are as many as the head says.
		s := o.State()
		if uint64(len(known)) != s.Head || uint64(len(items)) != s.Pending {
			t.Fatalf("round %d: %d answered and found, %d pending read, %+v", round, len(known), len(items), s)
		}
		// Some stay pending over the next kill, the others make room.
		if err := errors.Join(o.Acknowledge(t.Context(), o.file.head.Epoch, s.Head-min(s.Pending, 20)), o.Close()); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d rounds, %d records, of them %d durable without an answer", rounds, len(known), unanswered)
	if len(known) < rounds {
		t.Errorf("only %d records", len(known))
	}
}

// appendUntilKilled lets a child append, kills it within 30 ms of its first answer, and notes what it answered.
func appendUntilKilled(t *testing.T, path string, known map[uint64]string) {
	t.Helper()
	runUntilKilled(t, child(t, "append", filepath.Dir(path)), time.Duration(rand.IntN(30_000))*time.Microsecond, known)
}

// runUntilKilled runs a child that appends, kills it so long after its first answer, and notes what it answered.
func runUntilKilled(t *testing.T, cmd *exec.Cmd, after time.Duration, known map[uint64]string) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	var kill *time.Timer
	for lines.Scan() {
		if kill == nil { // from the first answer on, so that every round has some
			kill = time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		}
		if word, why, failed := strings.Cut(lines.Text(), ": "); failed {
			t.Fatal(word, why)
		}
		var seq uint64
		var leaf string
		if n, err := fmt.Sscanf(lines.Text(), "%d %s", &seq, &leaf); n != 2 || err != nil || len(leaf) != 64 {
			continue // torn by the kill
		}
		if known[seq] != "" {
			t.Fatalf("sequence %d was given twice", seq)
		}
		known[seq] = leaf
	}
	_ = cmd.Wait() // it was killed
}

func leafHex(i Item) string {
	leaf := audit.Leaf(i.Envelope)
	return hex.EncodeToString(leaf[:])
}
