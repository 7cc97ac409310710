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

func setBack(t *testing.T, grow int) {
	t.Helper()
	b, ctx := newBackend(t), t.Context()
	o := b.enrol("of a platform that was set back")
	o.Path = filepath.Join(t.TempDir(), "outbox.db")
	box, err := outbox.Open(ctx, o.Path, o.config())
	if err != nil {
		t.Fatal(err)
	}
	written := memory{}
	appended := func(n int) {
		for range n {
			p, err := box.Append(ctx, intent())
			if err != nil {
				t.Fatal(err)
			}
			written[p.Seq] = leafHex(p.Leaf)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	appended(10)
	must(proveAll(ctx, box, o, 30*time.Second))
	b.end()
	older, err := os.ReadFile(b.file())
	must(err)
	b.begin()
	o.Platform = b.server.URL
	appended(15)
	must(proveAll(ctx, box, o, 30*time.Second)) // these the device forgets
	appended(5)
	must(box.Drain(ctx, o.client())) // these it still holds
	must(b.logged(ctx))
	note, err := o.log().Checkpoint(ctx)
	must(err)
	signed, err := audit.ParseCheckpoint(note)
	must(err)
	appended(3)
	b.end()
	b.putBack(older)
	b.begin()
	for range grow {
		_, _, err := b.open.Office.IssueEnrolmentCode(ctx)
		must(err)
	}
	must(b.logged(ctx))
	o.Platform = b.server.URL
	code, err := blocked(ctx, box, o)
	must(errors.Join(err, box.Close()))
	if code != stead.CodeLogForked {
		t.Fatalf("blocked: %q", code)
	}
	box, err = outbox.Open(ctx, o.Path, o.config())
	must(err)
	defer func() { must(box.Close()) }()
	if _, err := box.Append(ctx, intent()); stead.CodeOf(err) != stead.CodeLogForked || box.State().Receipted != 25 {
		t.Fatalf("a start after a restart: %v; %+v", err, box.State())
	}
	b.end()
	restored, err := b.declare(signed.Size)
	must(err)
	b.begin()
	o.Platform = b.server.URL
	must(proveAll(ctx, box, o, 30*time.Second))
	if s := box.State(); s.Blocked != "" || s.Receipted != 33 {
		t.Fatalf("after the restore was declared: %+v", s)
	}
	appended(2)
	must(proveAll(ctx, box, o, 30*time.Second))
	want := fmt.Sprintf("restored %s 11-25", o.Device)
	if got := b.bridges(); len(got) != 1 || got[0] != want {
		t.Errorf("the log says %q, want %q", got, want)
	}
	b.end()
	ledger, proof, err := proven(ctx, b.file())
	must(err)
	list := ledger[string(o.Device)]
	if len(list) != 20 || proof.Bridged != 15 {
		t.Fatalf("%d records of the device, %d bridged", len(list), proof.Bridged)
	}
	for n, a := range list {
		if seq := uint64(n) + 1; seq <= 10 && a.seq != seq || seq > 10 && a.seq != seq+15 || a.leaf != written[a.seq] {
			t.Errorf("record %d stands in place %d as %s", a.seq, n+1, a.leaf)
		}
	}
	t.Logf("set back from %d to %d records; the device's 15 forgotten ones are named, its 10 others arrived", signed.Size, restored.Kept.Size)
}
