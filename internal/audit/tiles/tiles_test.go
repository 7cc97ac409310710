package tiles_test

import (
	"crypto/ed25519"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"stead/internal/audit"
	"stead/internal/audit/tiles"
	"stead/internal/stead"
)

const token = "let me read"

// served is a log of platform records, served the way c2sp.org/tlog-tiles says.
type served struct {
	*httptest.Server
	answers map[string][]byte
	trusted map[int64]audit.Checkpoint
	keys    audit.LogKeys
}

func serve(t *testing.T, size int) *served {
	t.Helper()
	s := &served{answers: map[string][]byte{}, trusted: map[int64]audit.Checkpoint{}}
	signer := ed25519.NewKeyFromSeed(make([]byte, 32))
	var tree audit.Tree
	var hashes, entries []byte
	width := 0
	flush := func() {
		index := (int(tree.Size()) - 1) / 256
		name := fmt.Sprintf("%03d", index)
		if index >= 1000 {
			name = fmt.Sprintf("x%03d/%03d", index/1000, index%1000)
		}
		if width < 256 {
			name += fmt.Sprintf(".p/%d", width)
		}
		s.answers["/log/tile/0/"+name], s.answers["/log/tile/entries/"+name] = hashes, entries
		hashes, entries, width = nil, nil, 0
	}
	for i := range size {
		r := audit.Record{Device: "0123456789abcdef0123456789abcdef", WallMS: int64(i), Kind: audit.MemberViewed, EventID: stead.NewEventID()}
		envelope, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		leaf := audit.Leaf(envelope)
		tree.Add(leaf)
		hashes = append(hashes, leaf[:]...)
		entries = append(binary.BigEndian.AppendUint16(entries, uint16(len(envelope))), envelope...)
		if width++; width == 256 {
			flush()
		}
		s.trusted[tree.Size()] = audit.Checkpoint{Origin: "log.test", Size: tree.Size(), Root: tree.Root()}
	}
	if width > 0 {
		flush()
	}
	note, err := audit.SignCheckpoint(signer, audit.Checkpoint{Origin: "log.test", Size: tree.Size(), Root: tree.Root()})
	if err != nil {
		t.Fatal(err)
	}
	vkey, err := audit.LogKey("log.test", signer.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	s.answers["/log/checkpoint"] = note
	s.answers["/v1/log/trust"], _ = json.Marshal(map[string]any{"origin": "log.test", "log_keys": []string{vkey}, "recovery_keys": []string{}})
	if s.keys, err = audit.ParseLogKeys(vkey); err != nil {
		t.Fatal(err)
	}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := s.answers[r.URL.Path]
		switch {
		case !ok:
			http.NotFound(w, r)
		case strings.Contains(r.URL.Path, "/entries/") && r.Header.Get("Authorization") != "Bearer "+token:
			w.WriteHeader(http.StatusUnauthorized)
		default:
			_, _ = w.Write(body)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *served) open(t *testing.T, token stead.Secret) *tiles.Log {
	t.Helper()
	l, err := tiles.Open(t.Context(), s.URL+"/", token, s.Client())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLogIsProvenFromItsAddress(t *testing.T) {
	for _, size := range []int{0, 1, 255, 256, 257, 700} {
		s := serve(t, size)
		l := s.open(t, token)
		if own, err := l.Keys(); err != nil || len(own) != 1 {
			t.Errorf("keys %v, %v", own, err)
		}
		check := audit.LedgerCheck{Keys: s.keys}
		if size > 0 {
			c := s.trusted[int64(size+1)/2]
			check.Trusted = &c
		}
		if p, err := audit.VerifyLedger(l, check); err != nil || p.Checkpoint.Size != int64(size) {
			t.Errorf("%d records: %+v, %v", size, p, err)
		}
		if p, err := s.open(t, "").VerifyTree(check); err != nil || p.Checkpoint.Size != int64(size) {
			t.Errorf("%d hashes: %+v, %v", size, p, err)
		}
		if _, err := audit.VerifyLedger(s.open(t, ""), check); size > 0 && stead.CodeOf(err) != stead.CodeLedgerUnusable {
			t.Errorf("records without a token: %v", err)
		}
	}
}

// TestPartialTileThatGrewIsReadInFull: the log may grow between the checkpoint and the tile.
func TestPartialTileThatGrewIsReadInFull(t *testing.T) {
	s := serve(t, 300)
	for _, level := range []string{"0", "entries"} {
		partial := "/log/tile/" + level + "/001.p/44"
		s.answers["/log/tile/"+level+"/001"] = s.answers[partial]
		delete(s.answers, partial)
	}
	if _, err := audit.VerifyLedger(s.open(t, token), audit.LedgerCheck{Keys: s.keys}); err != nil {
		t.Error(err)
	}
}

func TestWhatIsServedWronglyIsReported(t *testing.T) {
	flip := func(path string, at int) func(*served) {
		return func(s *served) { s.answers[path][at] ^= 1 }
	}
	for name, c := range map[string]struct {
		do     func(*served)
		record bool // only who reads the records can see it
	}{
		"a hash":         {do: flip("/log/tile/0/000", 40)},
		"a hash behind":  {do: flip("/log/tile/0/002.p/188", 40)},
		"a record":       {do: flip("/log/tile/entries/000", 60), record: true},
		"the checkpoint": {do: func(s *served) { s.answers["/log/checkpoint"][len("log.test\n7")] ^= 1 }},
		"two records":    {do: func(s *served) { swap(s.answers["/log/tile/entries/001"]) }, record: true},
		"two hashes": {do: func(s *served) {
			x := s.answers["/log/tile/0/001"]
			copy(x, append(append([]byte{}, x[32:64]...), x[:32]...))
		}},
		"too few hashes":     {do: func(s *served) { s.answers["/log/tile/0/001"] = s.answers["/log/tile/0/001"][:99] }},
		"too few records":    {do: func(s *served) { s.answers["/log/tile/entries/001"] = s.answers["/log/tile/entries/001"][:99] }, record: true},
		"a tile is missing":  {do: func(s *served) { delete(s.answers, "/log/tile/0/001") }},
		"it is another log":  {do: func(s *served) { o := s.trusted[300]; o.Root[0] ^= 1; s.trusted[300] = o }},
		"it was rolled back": {do: func(s *served) { s.trusted[300] = audit.Checkpoint{Origin: "log.test", Size: 701} }},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, 700)
			c.do(s)
			trusted := s.trusted[300]
			check := audit.LedgerCheck{Keys: s.keys, Trusted: &trusted}
			_, err := audit.VerifyLedger(s.open(t, token), check)
			if err == nil {
				t.Error("who reads the records was told nothing")
			}
			var broken *audit.LedgerBroken
			if !errors.As(err, &broken) && stead.CodeOf(err) != stead.CodeLedgerUnusable {
				t.Errorf("%v", err)
			}
			if _, err := s.open(t, "").VerifyTree(check); (err == nil) != c.record {
				t.Errorf("who reads the hashes: %v", err)
			}
		})
	}
}

// swap exchanges the first two records; all have the same length.
func swap(b []byte) {
	n := 2 + int(binary.BigEndian.Uint16(b))
	first := append([]byte{}, b[:n]...)
	copy(b, b[n:2*n])
	copy(b[n:], first)
}

func TestAddressesThatAreNone(t *testing.T) {
	s := serve(t, 1)
	for name, open := range map[string]func() (*tiles.Log, error){
		"no address": func() (*tiles.Log, error) { return tiles.Open(t.Context(), "ftp://x", "", s.Client()) },
		"no log":     func() (*tiles.Log, error) { return tiles.Open(t.Context(), s.URL+"/other", "", s.Client()) },
		"a token abroad": func() (*tiles.Log, error) {
			return tiles.Open(t.Context(), "http://platform.example.org", "secret", s.Client())
		},
	} {
		if _, err := open(); stead.CodeOf(err) != stead.CodeLedgerUnusable || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestWhatIsOverInAMomentIsTriedAgain: a platform that is busy, fails or breaks off a few times is read all the same; one
// that refuses, or does not come back, is given up.
func TestWhatIsOverInAMomentIsTriedAgain(t *testing.T) {
	s := serve(t, 300)
	next, asked, bad := s.Config.Handler, 0, 0
	answer := http.StatusTooManyRequests
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/log/checkpoint" {
			asked++
			if asked <= bad {
				if answer == 0 {
					panic(http.ErrAbortHandler) // the connection breaks
				}
				w.WriteHeader(answer)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
	for _, c := range []struct{ answer, bad, asked int }{{429, 2, 3}, {503, 2, 3}, {0, 1, 2}, {403, 1, 1}, {400, 1, 1}, {500, 100, 6}} {
		asked, bad, answer = 0, c.bad, c.answer
		log, err := tiles.Open(t.Context(), s.URL, "", &http.Client{Timeout: time.Second})
		if asked != c.asked || (err == nil) != (c.asked > c.bad) {
			t.Errorf("%+v: asked %d times, %v", c, asked, err)
		}
		if err == nil {
			if _, err := log.VerifyTree(audit.LedgerCheck{Keys: s.keys}); err != nil {
				t.Errorf("%+v: %v", c, err)
			}
		}
	}
}
