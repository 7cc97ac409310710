//go:build linux && !race

package ordeal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"stead/internal/stead"

	"stead/internal/desktop/outbox"
)

// history is a device's outbox at several times. The platform holds everything that it ever wrote.
type history struct {
	orders
	idle    []byte // everything was delivered
	older   []byte // with records pending
	sound   []byte // with more of them
	holding holding
	written memory
}

// lived makes a device that has delivered 30 records and has 30 pending, which the platform has got all the same: the
// answer never came back.
func lived(t *testing.T, b *backend, name string) *history {
	t.Helper()
	h := &history{orders: b.enrol(name), written: memory{}}
	h.Path = filepath.Join(t.TempDir(), "outbox.db")
	step := func(records int, drain bool) []byte {
		box, err := outbox.Open(t.Context(), h.Path, h.config())
		if err != nil {
			t.Fatal(err)
		}
		for range records {
			p, err := box.Append(t.Context(), intent())
			if err != nil {
				t.Fatal(err)
			}
			h.written[p.Seq] = leafHex(p.Leaf)
		}
		if drain {
			err = box.Drain(t.Context(), h.client())
		}
		if err == nil {
			h.holding, err = look(t.Context(), box)
		}
		if err = errors.Join(err, box.Close()); err != nil {
			t.Fatal(err)
		}
		return used(t, h.Path)
	}
	h.idle = step(30, true)
	h.older = step(10, false)
	h.sound = step(20, false)
	state := h.holding
	step(0, true)
	h.holding = state
	return h
}

// judge opens a damaged outbox: it must say so, or hold what the sound one holds, or be as it once was, which the
// platform finds out at the next contact.
func (h *history) judge(ctx context.Context, data []byte) (verdict, error) {
	folder, err := put(map[string][]byte{"outbox.db": data})
	defer func() { _ = os.RemoveAll(folder) }()
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, "outbox.db")
	box, err := outbox.Open(ctx, path, h.config())
	if err != nil {
		if code := stead.CodeOf(err); code != stead.CodeOutboxDamaged {
			return "", fmt.Errorf("refused with %q: %w", code, err)
		}
		return reported, h.kept(folder, data)
	}
	defer func() { _ = box.Close() }()
	now, err := look(ctx, box)
	switch {
	case err != nil:
		return "", fmt.Errorf("opened, and cannot be read: %w", err)
	case now.epoch != h.holding.epoch:
		return setUpAnew, h.kept(folder, data)
	case sameHolding(now, h.holding):
		return harmless, nil
	}
	if err := now.holds(nil, h.written); err != nil || now.state.Head >= h.holding.state.Head {
		return "", fmt.Errorf("opened with other content: %+v, %w", now.state, err)
	}
	if _, err := box.Append(ctx, intent()); err != nil {
		return "", fmt.Errorf("append to an earlier state: %w", err)
	}
	if err := box.Drain(ctx, h.client()); stead.CodeOf(err) != stead.CodeChainFork {
		return "", fmt.Errorf("an earlier state, %+v, was not refused: %w", now.state, err)
	}
	return laterFound, nil
}

// kept looks for the damaged file: it is still there, with the content it was found with, under whatever name.
func (h *history) kept(folder string, data []byte) error {
	found := false
	err := filepath.WalkDir(folder, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		found = found || bytes.Equal(content, data)
		return err
	})
	if err == nil && !found {
		err = errors.New("the damaged file was changed or removed")
	}
	return err
}

func sameHolding(a, b holding) bool {
	return a.epoch == b.epoch && a.state.Head == b.state.Head && a.state.Acknowledged == b.state.Acknowledged &&
		a.state.Oldest.Equal(b.state.Oldest) && a.state.Broken == b.state.Broken && reflect.DeepEqual(a.items, b.items)
}

func TestDamagedOutbox(t *testing.T) {
	t.Parallel()
	rng := chance(t)
	h := lived(t, newBackend(t), "with a damaged disk")
	if v, err := h.judge(t.Context(), h.sound); v != harmless { // or everything below would be reported for nothing
		t.Fatal(v, err)
	}
	suffer(t, rng, 2000, h.sound, h.older, func(data []byte) (verdict, error) { return h.judge(t.Context(), data) })
}

// TestRolledBackOutbox puts an older copy of an outbox back. The device cannot know; the platform tells it at the next
// contact, even if that brings no record, and no session can be started from then on.
func TestRolledBackOutbox(t *testing.T) {
	t.Parallel()
	b := newBackend(t)
	for name, c := range map[string]struct {
		copyOf func(*history) []byte
		append bool
	}{
		"with records pending":                {func(h *history) []byte { return h.older }, false},
		"with records pending, and a new one": {func(h *history) []byte { return h.older }, true},
		"with nothing pending, and a new one": {func(h *history) []byte { return h.idle }, true},
		"idle":                                {func(h *history) []byte { return h.idle }, false},
	} {
		t.Run(name, func(t *testing.T) { lived(t, b, "rolled back "+name).rolledBack(t, c.copyOf, c.append) })
	}
	b.end()
	if _, _, err := proven(t.Context(), b.file()); err != nil {
		t.Error(err)
	}
}

// rolledBack puts a copy back and lets Run find out.
func (h *history) rolledBack(t *testing.T, copyOf func(*history) []byte, appended bool) {
	t.Helper()
	folder, err := put(map[string][]byte{"outbox.db": copyOf(h)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	o := h.orders
	o.Path = filepath.Join(folder, "outbox.db")
	box, err := outbox.Open(t.Context(), o.Path, o.config())
	if err != nil {
		t.Fatal(err)
	}
	if appended {
		if _, err := box.Append(t.Context(), intent()); err != nil {
			t.Fatal(err)
		}
	}
	before := box.State()
	if before.Blocked != "" {
		t.Fatalf("%+v before any contact", before)
	}
	if _, err := blocked(t.Context(), box, o); err != nil {
		t.Error(err)
	}
	if s := box.State(); s.Acknowledged != before.Acknowledged || s.Head != before.Head || s.Blocked != stead.CodeChainFork {
		t.Errorf("%+v, before it %+v", s, before)
	}
	if err := box.Drain(t.Context(), o.client()); stead.CodeOf(err) != stead.CodeChainFork {
		t.Errorf("drained with %v", err)
	}
	if err := box.Close(); err != nil {
		t.Fatal(err)
	}
	if box, err = outbox.Open(t.Context(), o.Path, o.config()); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = box.Close() }()
	if _, err := box.Append(t.Context(), intent()); stead.CodeOf(err) != stead.CodeChainFork {
		t.Errorf("a start after a restart: %v", err)
	}
	if _, err := box.Append(t.Context(), ending()); err != nil {
		t.Errorf("what is no start: %v", err)
	}
}
