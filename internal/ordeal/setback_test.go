//go:build linux && !race

package ordeal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/desktop/outbox"
	"stead/internal/platform"
	"stead/internal/platform/store"
)

// putBack replaces the database of a platform that is not running.
func (b *backend) putBack(older []byte) {
	b.Helper()
	for _, beside := range []string{"-wal", "-shm"} {
		if err := os.Remove(b.file() + beside); err != nil && !errors.Is(err, os.ErrNotExist) {
			b.Fatal(err)
		}
	}
	if err := os.WriteFile(b.file(), older, 0o600); err != nil {
		b.Fatal(err)
	}
}

// declare declares that the platform was set back, having had a log of that many records. One signature is not enough.
func (b *backend) declare(lost int64) (r audit.Restored, err error) {
	ctx := b.Context()
	idle, err := platform.OpenIdle(ctx, platformConfig(b.dir, b.issuer))
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, idle.Close()) }()
	statement, err := idle.DraftRestored(ctx, lost, "the disk of node 2 failed")
	if err != nil {
		return r, err
	}
	for n, name := range recovering() {
		if statement, err = audit.SignStatement(statement, name, deviceKey(name)); err != nil {
			return r, err
		}
		if r, err = idle.DeclareRestored(ctx, statement); n == 0 {
			if stead.CodeOf(err) != stead.CodeStatementInvalid {
				return r, fmt.Errorf("declared by %s alone: %w", name, err)
			}
		}
	}
	return r, err
}

// bridges lists the ranges of devices' records that the log says are lost.
func (b *backend) bridges() (out []string) {
	b.Helper()
	err := b.open.Store.View(b.Context(), func(tx store.Tx) error {
		entries, err := tx.Trail(store.TrailFilter{Kind: string(audit.ChainBridged), Limit: 10})
		for _, e := range entries {
			rec, err := audit.Decode(e.Envelope)
			if err != nil {
				return err
			}
			out = append(out, fmt.Sprintf("%v %v %v-%v", rec.Body["why"], rec.Body["device"], rec.Body["first"], rec.Body["last"]))
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return out
}

// blocked lets Run work until the outbox takes no start any more.
func blocked(ctx context.Context, box *outbox.Outbox, o orders) (stead.Code, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- box.Run(ctx, o.client(), o.log()) }()
	for box.State().Blocked == "" && ctx.Err() == nil {
		time.Sleep(5 * time.Millisecond)
	}
	cancel()
	return box.State().Blocked, <-ended
}

// TestPlatformSetBack puts an older copy of the platform's database in place while a device holds receipts for what is
// gone. The device starts nothing until two people have declared the restore; then it sends what it still has, and the
// ledger proves itself and names what is lost.
func TestPlatformSetBack(t *testing.T) {
	t.Parallel()
	for name, grow := range map[string]int{"at once": 0, "after it wrote other records": 4} {
		t.Run(name, func(t *testing.T) { setBack(t, grow) })
	}
}

// heldBack is the device of TestPlatformSetBack.
type heldBack struct {
	*testing.T
	orders
	box     *outbox.Outbox
	written memory
}

func (h *heldBack) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

func (h *heldBack) appended(n int) {
	h.Helper()
	for range n {
		p, err := h.box.Append(h.Context(), intent())
		h.must(err)
		h.written[p.Seq] = leafHex(p.Leaf)
	}
}

func (h *heldBack) proved() {
	h.Helper()
	h.must(proveAll(h.Context(), h.box, h.orders, 30*time.Second))
}

// restart ends the platform, does something meanwhile, and begins it again.
func (h *heldBack) restart(b *backend, meanwhile func()) {
	h.Helper()
	b.end()
	meanwhile()
	b.begin()
	h.Platform = b.server.URL
}

func setBack(t *testing.T, grow int) {
	t.Helper()
	b, ctx := newBackend(t), t.Context()
	h := &heldBack{T: t, orders: b.enrol("of a platform that was set back"), written: memory{}}
	h.Path = filepath.Join(t.TempDir(), "outbox.db")
	var err error
	h.box, err = outbox.Open(ctx, h.Path, h.config())
	h.must(err)
	defer func() { h.must(h.box.Close()) }()
	var older []byte
	h.appended(10)
	h.proved()
	h.restart(b, func() { older, err = os.ReadFile(b.file()) })
	h.must(err)
	h.appended(15)
	h.proved() // these the device forgets
	h.appended(5)
	h.must(h.box.Drain(ctx, h.client())) // these it still holds
	h.must(b.logged(ctx))
	note, err := h.log().Checkpoint(ctx)
	h.must(err)
	signed, err := audit.ParseCheckpoint(note)
	h.must(err)
	h.appended(3)
	h.restart(b, func() { b.putBack(older) })
	for range grow {
		_, _, err := b.open.Office.IssueEnrolmentCode(ctx)
		h.must(err)
	}
	h.must(b.logged(ctx))
	h.blocked()
	var restored audit.Restored
	h.restart(b, func() { restored, err = b.declare(signed.Size) })
	h.must(err)
	h.proved()
	if s := h.box.State(); s.Blocked != "" || s.Receipted != 33 {
		t.Fatalf("after the restore was declared: %+v", s)
	}
	h.appended(2)
	h.proved()
	want := fmt.Sprintf("restored %s 11-25", h.Device)
	if got := b.bridges(); len(got) != 1 || got[0] != want {
		t.Errorf("the log says %q, want %q", got, want)
	}
	b.end()
	h.arrived(b)
	t.Logf("set back from %d to %d records; the device's 15 forgotten ones are named, its 10 others arrived", signed.Size, restored.Kept.Size)
}

// blocked lets Run find out: no session can be started from then on, restarts included.
func (h *heldBack) blocked() {
	h.Helper()
	code, err := blocked(h.Context(), h.box, h.orders)
	h.must(errors.Join(err, h.box.Close()))
	if code != stead.CodeLogForked {
		h.Fatalf("blocked: %q", code)
	}
	h.box, err = outbox.Open(h.Context(), h.Path, h.config())
	h.must(err)
	if _, err := h.box.Append(h.Context(), intent()); stead.CodeOf(err) != stead.CodeLogForked || h.box.State().Receipted != 25 {
		h.Fatalf("a start after a restart: %v; %+v", err, h.box.State())
	}
}

// arrived verifies the ledger: it has the records that were kept or sent again, and says that 15 are lost.
func (h *heldBack) arrived(b *backend) {
	h.Helper()
	ledger, proof, err := proven(h.Context(), b.file())
	h.must(err)
	list := ledger[string(h.Device)]
	if len(list) != 20 || proof.Bridged != 15 {
		h.Fatalf("%d records of the device, %d bridged", len(list), proof.Bridged)
	}
	for n, a := range list {
		if seq := uint64(n) + 1; seq <= 10 && a.seq != seq || seq > 10 && a.seq != seq+15 || a.leaf != h.written[a.seq] {
			h.Errorf("record %d stands in place %d as %s", a.seq, n+1, a.leaf)
		}
	}
}
