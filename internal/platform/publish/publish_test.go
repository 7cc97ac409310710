package publish_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/ledger"
	"stead/internal/platform/publish"
	"stead/internal/platform/sqlite"
	"stead/internal/platform/store"
)

const origin = "platform.test"

func signer(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(append(make([]byte, 31), n))
}

// house is a log whose checkpoints are to leave it.
type house struct {
	*testing.T
	store store.Store
	file  string
	log   *journal
}

// journal keeps what was logged.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, string(b))
	return len(b), nil
}

func (j *journal) count(what string) (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, l := range j.lines {
		if strings.Contains(l, what) {
			n++
		}
	}
	return n
}

func newHouse(t *testing.T, file string) *house {
	t.Helper()
	st, err := sqlite.Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return &house{T: t, store: st, file: file, log: &journal{}}
}

func fresh(t *testing.T) *house {
	t.Helper()
	return newHouse(t, filepath.Join(t.TempDir(), "platform.db"))
}

// grow puts n records into the log, random ones, and signs it.
func (h *house) grow(n int) {
	h.Helper()
	err := h.store.Update(h.Context(), func(tx store.Tx) error {
		for range n {
			rec := audit.Record{Device: "0123456789abcdef0123456789abcdef", Epoch: audit.NewEpoch(), WallMS: 1, Kind: audit.MemberViewed, EventID: stead.NewEventID()}
			envelope, err := rec.Encode()
			if err != nil {
				return err
			}
			if _, err := tx.AppendIntake(store.IntakeEntry{EventID: rec.EventID, Device: [16]byte{1}, Epoch: rec.Epoch, Leaf: audit.Leaf(envelope), Envelope: envelope, Kind: string(rec.Kind), ReceivedAt: tx.Now()}); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = ledger.NewSequencer(h.store, origin, func() crypto.Signer { return signer(1) }, slog.New(slog.DiscardHandler)).Append(h.Context())
	}
	if err != nil {
		h.Fatal(err)
	}
}

func (h *house) newest() (note string) {
	h.Helper()
	if err := h.store.View(h.Context(), func(tx store.Tx) error {
		c, err := tx.Checkpoint()
		note = c.Note
		return err
	}); err != nil {
		h.Fatal(err)
	}
	return note
}

// publish runs a publisher until the returned function is called.
func (h *house) publish(c publish.Config) (p *publish.Publisher, stop func()) {
	h.Helper()
	c.Every, c.Log = 10*time.Millisecond, slog.New(slog.NewTextHandler(h.log, nil))
	p, err := publish.New(h.store, c)
	if err != nil {
		h.Fatal(err)
	}
	ctx, cancel := context.WithCancel(h.Context())
	done := make(chan struct{})
	go func() { defer close(done); p.Run(ctx) }()
	stop = func() { cancel(); <-done }
	h.Cleanup(stop)
	return p, stop
}

// until waits for the first place to be as wanted.
func (h *house) until(p *publish.Publisher, what string, ok func(publish.State) bool) publish.State {
	h.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if s := p.States()[0]; ok(s) {
			return s
		}
		if time.Now().After(deadline) {
			h.Fatalf("%s: %+v", what, p.States())
		}
	}
}

func at(size int64) func(publish.State) bool {
	return func(s publish.State) bool { return s.Size == size && s.Problem == "" }
}

func contradicts(s publish.State) bool { return s.Contradicts }

// copyOf closes the store and opens a copy of it, as a backup that is put back later.
func (h *house) copyOf() string {
	h.Helper()
	if err := h.store.Close(); err != nil {
		h.Fatal(err)
	}
	text, err := os.ReadFile(h.file)
	if err != nil {
		h.Fatal(err)
	}
	out := filepath.Join(h.TempDir(), "platform.db")
	if err := os.WriteFile(out, text, 0o600); err != nil {
		h.Fatal(err)
	}
	if h.store, err = sqlite.Open(h.Context(), h.file); err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { _ = h.store.Close() })
	return out
}

func people(t *testing.T) audit.RecoveryKeys {
	t.Helper()
	var vkeys []string
	for n, name := range []string{"alice", "bob"} {
		vkey, err := audit.LogKey(name, signer(byte(11+n)).Public().(ed25519.PublicKey))
		if err != nil {
			t.Fatal(err)
		}
		vkeys = append(vkeys, vkey)
	}
	keys, err := audit.ParseRecoveryKeys(vkeys)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// declare says that the log was set back from that size.
func (h *house) declare(lost int64) {
	h.Helper()
	err := h.store.Update(h.Context(), func(tx store.Tx) error {
		draft, err := ledger.DraftRestored(tx, lost, "disk")
		if err != nil {
			return err
		}
		text, err := draft.Text()
		if err != nil {
			return err
		}
		half, err := audit.SignStatement([]byte(text), "alice", signer(11))
		if err != nil {
			return err
		}
		whole, err := audit.SignStatement(half, "bob", signer(12))
		if err != nil {
			return err
		}
		return tx.PutStatement(store.Statement{Kind: store.StatementRestored, Note: string(whole), At: tx.Now()})
	})
	if err != nil {
		h.Fatal(err)
	}
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func names(t *testing.T, dir string) (out []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestAFolderGetsEachCheckpoint(t *testing.T) {
	h, dir := fresh(t), t.TempDir()
	p, _ := h.publish(publish.Config{Folders: []string{dir}})
	h.grow(3)
	h.until(p, "the first", at(3))
	h.grow(2)
	h.until(p, "the second", at(5))
	if read(t, dir, "checkpoint") != h.newest() || !slices.Equal(names(t, dir), []string{"checkpoint", "checkpoint-3"}) {
		t.Errorf("%v", names(t, dir))
	}
	past := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "checkpoint-3"), past, past); err != nil {
		t.Fatal(err)
	}
	h.grow(1)
	h.until(p, "the third", at(6))
	if got := names(t, dir); !slices.Equal(got, []string{"checkpoint", "checkpoint-3", "checkpoint-6"}) {
		t.Errorf("%v", got)
	}
}

// TestAFolderThatIsAwayIsNotMade: what is not mounted comes back, and then it gets the newest.
func TestAFolderThatIsAwayIsNotMade(t *testing.T) {
	h, dir := fresh(t), filepath.Join(t.TempDir(), "mounted")
	h.grow(1)
	p, _ := h.publish(publish.Config{Folders: []string{dir}})
	h.until(p, "the folder is missed", func(s publish.State) bool { return s.Problem != "" })
	time.Sleep(100 * time.Millisecond) // several tries
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	h.until(p, "it came back", at(1))
	if failed, again := h.log.count("could not be brought"), h.log.count("reach the place outside again"); failed != 1 || again != 1 {
		t.Errorf("%d times that it failed, %d that it works again: %v", failed, again, h.log.lines)
	}
}

// TestALogThatWasSetBackDoesNotCoverItsTrace, unless two people declared it.
func TestALogThatWasSetBackDoesNotCoverItsTrace(t *testing.T) {
	h, dir := fresh(t), t.TempDir()
	h.grow(3)
	backup := h.copyOf()
	p, stop := h.publish(publish.Config{Folders: []string{dir}})
	h.grow(4)
	h.until(p, "the last", at(7))
	stop()
	lost := read(t, dir, "checkpoint")

	back := newHouse(t, backup)
	p, stop = back.publish(publish.Config{Folders: []string{dir}, People: people(t)})
	back.until(p, "set back", contradicts)
	back.grow(9) // and grown beyond it with other records
	time.Sleep(200 * time.Millisecond)
	back.until(p, "grown again", contradicts)
	if read(t, dir, "checkpoint") != lost || back.log.count("ALARM") != 1 {
		t.Errorf("the trace was covered, or the alarm was not raised once: %v", back.log.lines)
	}
	stop()
	again := newHouse(t, back.copyOf())
	again.declare(12)
	p, _ = again.publish(publish.Config{Folders: []string{dir}, People: people(t)})
	again.until(p, "that came too late: the log was 12 by then", contradicts)
}

func TestADeclaredRestoreGoesOn(t *testing.T) {
	h, dir := fresh(t), t.TempDir()
	h.grow(3)
	backup := h.copyOf()
	p, stop := h.publish(publish.Config{Folders: []string{dir}})
	h.grow(4)
	h.until(p, "the last", at(7))
	stop()
	lost := read(t, dir, "checkpoint")
	back := newHouse(t, backup)
	back.declare(6)
	p, stop = back.publish(publish.Config{Folders: []string{dir}, People: people(t)})
	back.until(p, "declared, and the folder has seen more than that", contradicts)
	stop()
	back.declare(7)
	p, _ = back.publish(publish.Config{Folders: []string{dir}, People: people(t)})
	back.until(p, "declared", at(3))
	back.grow(2)
	back.until(p, "gone on", at(5))
	if read(t, dir, "checkpoint-7") != lost || read(t, dir, "checkpoint") != back.newest() {
		t.Errorf("%v", names(t, dir))
	}
}

func TestAFolderOfAnotherLog(t *testing.T) {
	h, dir := fresh(t), t.TempDir()
	h.grow(1)
	if err := os.WriteFile(filepath.Join(dir, "checkpoint"), []byte("something else\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, _ := h.publish(publish.Config{Folders: []string{dir}})
	h.until(p, "something else lies there", func(s publish.State) bool { return s.Problem != "" && !s.Contradicts })
	if read(t, dir, "checkpoint") != "something else\n" {
		t.Error("it was replaced")
	}
}

func TestAnAddressGetsEachCheckpoint(t *testing.T) {
	var mu sync.Mutex
	var got []string
	status := http.StatusInternalServerError
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		if r.URL.Path == "/elsewhere" {
			t.Error("a redirect was followed")
		}
		if status == http.StatusTemporaryRedirect {
			w.Header().Set("Location", "/elsewhere")
		}
		if r.Method == http.MethodGet {
			w.WriteHeader(http.StatusForbidden) // as one that may only be written to
			return
		}
		if status == http.StatusOK {
			got = append(got, fmt.Sprintf("%s %s %s", r.Method, r.URL, body))
		}
		w.WriteHeader(status)
	}))
	defer s.Close()
	answer := func(to int) { mu.Lock(); defer mu.Unlock(); status = to }
	h := fresh(t)
	h.grow(2)
	p, _ := h.publish(publish.Config{URLs: []publish.Address{{Put: s.URL + "/latest?signature=secret"}}})
	h.until(p, "an error", func(s publish.State) bool { return strings.Contains(s.Problem, "500") })
	answer(http.StatusTemporaryRedirect)
	h.until(p, "a redirect", func(s publish.State) bool { return strings.Contains(s.Problem, "307") })
	answer(http.StatusOK)
	state := h.until(p, "taken", at(2))
	mu.Lock()
	if len(got) != 1 || got[0] != "PUT /latest?signature=secret "+h.newest() || strings.Contains(state.Place, "secret") {
		t.Errorf("%v, %+v", got, state)
	}
	mu.Unlock()
	if h.log.count("read back") != 1 {
		t.Errorf("nobody was told that it cannot be read: %v", h.log.lines)
	}
	s.Close()
	h.grow(1)
	h.until(p, "nobody there", func(s publish.State) bool { return s.Problem != "" })
	if h.log.count("secret") != 0 {
		t.Errorf("the address is in the log: %v", h.log.lines)
	}
}

func TestWhatIsNoPlace(t *testing.T) {
	h := fresh(t)
	key := newWitness(t).vkey
	for name, c := range map[string]publish.Config{
		"an empty folder":          {Folders: []string{""}},
		"an open address":          {URLs: []publish.Address{{Put: "http://example.org/x"}}},
		"a password in it":         {URLs: []publish.Address{{Put: "https://a:b@example.org/x"}}},
		"an open address to read":  {URLs: []publish.Address{{Put: "https://example.org/x", Read: "http://example.org/x"}}},
		"no address":               {URLs: []publish.Address{{Put: "x"}}},
		"a witness without a key":  {Witness: publish.Witness{URL: "https://w.example"}},
		"a witness without a url":  {Witness: publish.Witness{Key: key}},
		"a witness that is public": {Witness: publish.Witness{URL: "http://w.example", Key: key}},
	} {
		if _, err := publish.New(h.store, c); stead.CodeOf(err) != stead.CodeConfigInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}
