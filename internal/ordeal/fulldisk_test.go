//go:build linux && !race

package ordeal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/desktop/outbox"
)

const (
	diskSize = 96 << 20 // 64 MiB have to be free for a start
	leftFree = 1 << 20  // when the ballast is aboard
)

// deviceOnFullDisk mounts a small disk of its own, where the outbox is the only other file beside a ballast, and goes
// through a disk that fills, is full, and has room again.
func deviceOnFullDisk(o orders) {
	folder := filepath.Dir(o.Path)
	if err := unix.Mount("tmpfs", folder, "tmpfs", 0, fmt.Sprintf("size=%d,mode=700", diskSize)); err != nil {
		say("cannot mount: %v", err)
		return
	}
	ctx, ballast := context.Background(), filepath.Join(folder, "ballast")
	box, err := outbox.Open(ctx, o.Path, o.config())
	must("open", err)
	say("disk with room: %d starts answered", fill(ctx, box, intent(), 50))
	must("ballast", load(folder, ballast))
	if n := fill(ctx, box, intent(), 1); n != 0 {
		childFails("start on a full disk", errors.New("answered"))
	}
	say("disk that fills: no start, %d other records answered, reserve %t", fill(ctx, box, ending(), 100_000), hasReserve(o))
	if hasReserve(o) {
		childFails("full disk", errors.New("the reserve was not given up"))
	}
	for range 5 { // full is not broken: it refuses again and again
		_, err := box.Append(ctx, ending())
		if code := stead.CodeOf(err); code != stead.CodeOutboxWrite && code != stead.CodeOutboxFull {
			childFails("append to a full disk", err)
		}
	}
	before := box.State()
	must("send and prove on a full disk", proveAll(ctx, box, o, 30*time.Second))
	if s := box.State(); before.Pending == 0 || s.Pending != 0 || s.Receipted != s.Head || s.Broken != "" {
		childFails("drain on a full disk", fmt.Errorf("%+v, before it %+v", s, before))
	}
	must("close on a full disk", box.Close())
	box, err = outbox.Open(ctx, o.Path, o.config())
	must("open on a full disk", err)
	must("ballast", os.Remove(ballast))
	roomAgain(ctx, box, o)
	must("close", box.Close())
	say("done")
}

// roomAgain lets Run take the reserve again; then sessions may be started.
func roomAgain(ctx context.Context, box *outbox.Outbox, o orders) {
	fill(ctx, box, ending(), 1)
	must("prove", proveAll(ctx, box, o, 30*time.Second))
	for n := 0; !hasReserve(o); n++ {
		if n == 100 {
			childFails("disk with room again", errors.New("the reserve was not taken again"))
		}
		fill(ctx, box, ending(), 1)
		must("prove", proveAll(ctx, box, o, 30*time.Second))
	}
	if n := fill(ctx, box, intent(), 500); n != 500 {
		childFails("disk with room again", fmt.Errorf("%d answered", n))
	}
	must("drain", box.Drain(ctx, o.client()))
}

func must(what string, err error) {
	if err != nil {
		childFails(what, err)
	}
}

func hasReserve(o orders) bool {
	_, err := os.Stat(o.Path + ".reserve")
	return err == nil
}

// ending is an entry that is no start: what the device saw of a session's end.
func ending() outbox.Entry {
	e := intent()
	e.Kind, e.Body = audit.SessionObservedEnd, nil
	return e
}

// fill appends until the limit or a refusal that a full disk may have, and prints what was answered.
func fill(ctx context.Context, box *outbox.Outbox, e outbox.Entry, limit int) int {
	for n := range limit {
		p, err := box.Append(ctx, e)
		code := stead.CodeOf(err)
		switch {
		case err == nil:
			sayPlaced(p)
		case code == stead.CodeOutboxFull, code == stead.CodeOutboxWrite && errors.Is(err, syscall.ENOSPC):
			return n
		default:
			childFails("append", err)
		}
	}
	return limit
}

// load fills the disk with a file, but for a little.
func load(folder, ballast string) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(folder, &fs); err != nil {
		return err
	}
	f, err := os.Create(ballast)
	if err != nil {
		return err
	}
	free := int64(fs.Bavail) * fs.Bsize
	return errors.Join(unix.Fallocate(int(f.Fd()), 0, 0, free-leftFree), f.Close())
}

// TestFullDisk fills a real file system. Starts are refused first; what is no start goes into the reserve and is refused
// when that is full, too. Sending, proving and forgetting work meanwhile. With room again the reserve is taken anew and
// everything goes on; nothing that was answered is lost.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	b := newBackend(t)
	o := b.enrol("on a full disk")
	o.Role, o.Path = "full", filepath.Join(t.TempDir(), "outbox.db")
	cmd := child(t, o)
	var out bytes.Buffer
	cmd.Stdout = &out
	// A user and mounts of its own, in which it may mount a disk.
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}}
	err := cmd.Start()
	if err != nil {
		// The outbox's own tests still fill a file up to a limit, which every system has.
		t.Skip("NOT RUN: no process may have a user and mounts of its own here: " + err.Error())
	}
	err = cmd.Wait()
	if text, ok := strings.CutPrefix(out.String(), "cannot "); ok {
		t.Skip("NOT RUN: cannot " + text) // as above
	}
	known := memory{}
	for _, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		if p, ok := readPlaced(line); ok {
			known[p.seq] = p.leaf
		} else {
			t.Log(line)
		}
	}
	if err != nil || !strings.HasSuffix(out.String(), "done\n") {
		t.Fatalf("%v after %d records", err, len(known))
	}
	b.end()
	ledger, _, err := proven(t.Context(), b.file())
	if err == nil {
		err = exactlyOnce(ledger[string(o.Device)], known)
	}
	if err != nil || len(known) < 600 {
		t.Fatalf("%d answered: %v", len(known), err)
	}
	t.Logf("%d records answered, all of them arrived once", len(known))
}
