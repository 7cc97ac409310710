package outbox

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"stead/internal/audit"
)

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
