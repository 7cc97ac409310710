//go:build linux

package cli

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"unicode/utf16"

	"stead/internal/api"
	"stead/internal/stead"
)

// keep is a log that can be looked at.
type keep struct {
	mu   sync.Mutex
	text strings.Builder
}

func (k *keep) Write(p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.text.Write(p)
}

func (k *keep) String() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.text.String()
}

// overhear stands before the platform and keeps the credential that a handoff is redeemed for.
type overhear struct {
	next http.Handler
	mu   sync.Mutex
	got  api.Opened
}

type copied struct {
	http.ResponseWriter
	body bytes.Buffer
}

func (c *copied) Write(p []byte) (int, error) {
	c.body.Write(p)
	return c.ResponseWriter.Write(p)
}

func (o *overhear) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || !strings.Contains(r.URL.Path, "/sessions/") {
		o.next.ServeHTTP(w, r)
		return
	}
	c := &copied{ResponseWriter: w}
	o.next.ServeHTTP(c, r)
	var opened api.Opened
	if json.Unmarshal(c.body.Bytes(), &opened) == nil && opened.Cookie.Value != "" {
		o.mu.Lock()
		o.got = opened
		o.mu.Unlock()
	}
}

// hits lists the files below the places, and the arguments and environments of all processes, that hold the word, in
// UTF-8 or in UTF-16.
func hits(t *testing.T, word string, places ...string) (found []string) {
	t.Helper()
	var wide []byte
	for _, u := range utf16.Encode([]rune(word)) {
		wide = append(wide, byte(u), byte(u>>8))
	}
	look := func(name string) {
		data, err := os.ReadFile(name)
		if err == nil && (bytes.Contains(data, []byte(word)) || bytes.Contains(data, wide)) {
			found = append(found, name)
		}
	}
	for _, pattern := range []string{"/proc/[0-9]*/cmdline", "/proc/[0-9]*/environ"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			look(name)
		}
	}
	files := 0
	for _, place := range places {
		_ = filepath.WalkDir(place, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				files++
				look(path)
			}
			return nil // what vanishes or is somebody else's holds nothing of ours
		})
	}
	t.Logf("looked at %d files", files)
	return found
}

// TestASessionLeavesNoTraceAnywhere: the whole product on one machine, the platform and the member app with their data
// and logs included. Neither the session's credential nor anything a page of it stored or showed is left.
func TestASessionLeavesNoTraceAnywhere(t *testing.T) {
	var kept keep
	log := slog.New(slog.NewTextHandler(&kept, &slog.HandlerOptions{Level: slog.LevelDebug}))
	log.Info("the log is kept")
	s := newLoggedScene(t, log)
	t.Setenv("HOME", t.TempDir())
	short, err := os.MkdirTemp("", "st") // a browser's socket lies in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(short) })
	t.Setenv("TMPDIR", short)
	platform := &overhear{next: s.assassin.next}
	s.assassin.next = platform
	r := s.atDesk(log)
	if _, err := r.start(t.Context(), r.target); err != nil {
		t.Fatal(err)
	}
	word := "canary" + rand.Text()
	if err := r.browser.Load().Hand().Evaluate(t.Context(), `(async () => {
		const word = "`+word+`"
		document.cookie = 'canary=' + word + '; max-age=3600'
		sessionStorage.canary = localStorage.canary = word
		await new Promise((done, failed) => {
			const asked = indexedDB.open(word, 1)
			asked.onupgradeneeded = () => asked.result.createObjectStore('words').put(word, word)
			asked.onsuccess = done
			asked.onerror = () => failed(asked.error)
		})
		history.pushState(null, word, '/' + word)
		document.title = word
		document.body.append(word)
	})()`, nil); err != nil {
		t.Fatal(err)
	}
	ctl, err := r.desk.Session()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ctl.End(t.Context(), stead.CauseAgent); err != nil {
		t.Fatal(err)
	}
	if platform.got.Cookie.Value == "" {
		t.Fatal("the credential was not overheard")
	}
	places := []string{s.demo.dir, os.Getenv("HOME"), short}
	planted := filepath.Join(short, "planted") // the search itself must be able to find something
	for _, secret := range []string{platform.got.Cookie.Value, word} {
		if err := os.WriteFile(planted, []byte("x"+secret), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := hits(t, secret, places...); len(got) != 1 || got[0] != planted {
			t.Errorf("found in %v, want %s alone", got, planted)
		}
		if strings.Contains(kept.String(), secret) {
			t.Error("found in the log")
		}
	}
	t.Logf("and at %d bytes of logs", len(kept.String()))
}
