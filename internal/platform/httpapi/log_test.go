package httpapi_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"stead/internal/api"
	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/httpapi"
	"stead/internal/platform/store"
)

// webTiles reads tiles over HTTP as c2sp.org/tlog-tiles has it, for both readers of them: ours and tlog's.
type webTiles struct {
	*testing.T
	base string
}

func (w webTiles) get(path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(w.Context(), http.MethodGet, w.base+"/log/"+path, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %d", path, res.StatusCode)
	}
	return io.ReadAll(res.Body)
}

func (w webTiles) Tile(_ context.Context, level int, index int64, width int) ([]byte, error) {
	path := tlog.Tile{H: 8, L: level, N: index, W: width}.Path()
	return w.get("tile/" + strings.TrimPrefix(path, "tile/8/"))
}

func (w webTiles) Height() int                     { return 8 }
func (w webTiles) SaveTiles([]tlog.Tile, [][]byte) {}
func (w webTiles) ReadTiles(list []tlog.Tile) (out [][]byte, err error) {
	for _, t := range list {
		data, err := w.Tile(w.Context(), t.L, t.N, t.W)
		if err != nil {
			return nil, err
		}
		out = append(out, data)
	}
	return out, nil
}

// grow makes the log longer: n records of a device, and those of the platform that come about.
func (s *server) grow(d *device, n int) (checkpoint audit.Checkpoint) {
	s.Helper()
	for ; n > 0; n -= min(n, 500) {
		body, err := json.Marshal(d.batch(stead.NewPseudonym(), stead.NewPseudonym(), min(n, 500)))
		if err != nil {
			s.Fatal(err)
		}
		if a := s.do("POST", d.path(), "st-lena", string(body)); a.status != http.StatusOK {
			s.Fatalf("%d %s", a.status, a.body)
		}
	}
	if err := s.sequencer.Append(s.Context()); err != nil {
		s.Fatal(err)
	}
	return s.checkpoint()
}

// checkpoint is the newest one, opened with the keys that the trust route names.
func (s *server) checkpoint() audit.Checkpoint {
	s.Helper()
	var trust api.LogTrust
	if err := json.Unmarshal([]byte(s.do("GET", "/v1/log/trust", "", "").body), &trust); err != nil {
		s.Fatal(err)
	}
	keys, err := audit.ParseLogKeys(strings.Join(trust.LogKeys, "\n"))
	if err != nil {
		s.Fatal(err)
	}
	a := s.do("GET", "/log/checkpoint", "", "")
	c, err := keys.Open([]byte(a.body))
	if err != nil || a.status != http.StatusOK || a.header.Get("Content-Type") != "text/plain; charset=utf-8" || a.header.Get("Cache-Control") != "no-store" || c.Origin != trust.Origin {
		s.Fatalf("%d %v %v %v", a.status, a.header, c, err)
	}
	return c
}

// TestTheLogIsFollowedOverHTTP uses 1,800 records, with SIZE=full 70,300.
func TestTheLogIsFollowedOverHTTP(t *testing.T) {
	s := newServer(t)
	s.staff(nil)
	s.want(s.do("GET", "/log/checkpoint", "", ""), 404, stead.CodeRouteNotFound)
	web := httptest.NewServer(s.handler)
	defer web.Close()
	tiles := webTiles{t, web.URL}
	d := s.enrolled(1)
	size := 1500
	if os.Getenv("SIZE") == "full" {
		size = 70000 // beyond a full tile of the second level
	}
	older := s.grow(d, 300)
	newer := s.grow(d, size)
	if older.Size != 300 || newer.Size != int64(size)+300 {
		t.Fatalf("%d, then %d", older.Size, newer.Size)
	}
	var list api.Positions
	if a := s.do("GET", fmt.Sprintf("%s/positions?first=%d", d.path(), size), "st-lena", ""); json.Unmarshal([]byte(a.body), &list) != nil || list.First != int64(size) || len(list.Positions) != 301 {
		t.Fatalf("%d %.200s", a.status, a.body)
	}
	leaves := map[int64][32]byte{list.Positions[300]: d.head.Leaf}
	if err := audit.Follow(t.Context(), tiles, older, newer, leaves); err != nil {
		t.Error(err)
	}
	// And with nothing of ours: x/mod/sumdb/tlog proves the last record and that the log only grew.
	reader := tlog.TileHashReader(tlog.Tree{N: newer.Size, Hash: newer.Root}, tiles)
	proof, err := tlog.ProveRecord(newer.Size, list.Positions[300], reader)
	if err != nil || tlog.CheckRecord(proof, newer.Size, newer.Root, list.Positions[300], d.head.Leaf) != nil {
		t.Errorf("inclusion: %v", err)
	}
	grew, err := tlog.ProveTree(newer.Size, older.Size, reader)
	if err != nil || tlog.CheckTree(grew, newer.Size, newer.Root, older.Size, older.Root) != nil {
		t.Errorf("consistency: %v", err)
	}
}

func TestTilesAtTheEdge(t *testing.T) {
	s := newServer(t)
	s.staff(nil)
	s.staff(func(p *stead.Staff) { p.ID, p.Role, p.Pseudonym = "st-audit", stead.RoleAuditor, stead.NewPseudonym() })
	d := s.enrolled(1)
	s.grow(d, 300)
	for path, want := range map[string]string{"0/000": "public, max-age=604800, immutable", "0/001.p/44": "public, max-age=60", "0/000.p/9": "public, max-age=60", "1/000.p/1": "public, max-age=60"} {
		a := s.do("GET", "/log/tile/"+path, "", "")
		if a.status != 200 || len(a.body)%32 != 0 || a.header.Get("Cache-Control") != want || a.header.Get("Content-Type") != "application/octet-stream" {
			t.Errorf("%s: %d, %d bytes, %v", path, a.status, len(a.body), a.header)
		}
	}
	for _, path := range []string{"", "tile", "tile/", "tile/0/0", "tile/0/002", "tile/0/001", "tile/0/001.p/45", "tile/1/000", "tile/2/000.p/1", "tile/0/000.p/256", "tile/data/000", "checkpoint/",
		"Checkpoint", "tile/0/000/", "tile/0/../0/000", "tile/0/%30%30%30", "tile/entries/002", "x"} {
		s.want(s.do("GET", "/log/"+path, "st-audit", ""), 404, stead.CodeRouteNotFound)
	}
	for _, path := range []string{"checkpoint", "tile/0/000", "tile/entries/000"} {
		s.want(s.do("POST", "/log/"+path, "st-audit", ""), 405, stead.CodeMethodNotAllowed)
	}
	if a := s.do("HEAD", "/log/tile/0/000", "", ""); a.status != 200 || a.header.Get("Content-Length") != "8192" {
		t.Errorf("HEAD: %d %v", a.status, a.header)
	}
	s.want(s.do("GET", "/log/tile/entries/000", "", ""), 401, stead.CodeSignInRequired)
	s.want(s.do("GET", "/log/tile/entries/000", "forged", ""), 401, stead.CodeSignInRequired)
	s.want(s.do("GET", "/log/tile/entries/000", "st-stranger", ""), 403, stead.CodeNotStaff)
	s.want(s.do("GET", "/log/tile/entries/000", "st-lena", ""), 403, stead.CodeRoleForbidden)
	s.want(s.do("GET", "/log/tile/entries/777", "st-lena", ""), 403, stead.CodeRoleForbidden)
	for path, n := range map[string]int{"entries/000": 256, "entries/001.p/44": 44} {
		a := s.do("GET", "/log/tile/"+path, "st-audit", "")
		if a.status != 200 || !strings.HasPrefix(a.header.Get("Cache-Control"), "private, ") {
			t.Fatalf("%s: %d %v", path, a.status, a.header)
		}
		hashes := s.do("GET", "/log/tile/"+strings.Replace(path, "entries", "0", 1), "", "").body
		rest := []byte(a.body)
		for i := range n {
			length := int(binary.BigEndian.Uint16(rest))
			leaf := audit.Leaf(rest[2 : 2+length])
			if rest = rest[2+length:]; string(leaf[:]) != hashes[32*i:32*i+32] {
				t.Fatalf("%s: entry %d is not the leaf in the tile", path, i)
			}
		}
		if len(rest) > 0 {
			t.Errorf("%s: %d bytes follow", path, len(rest))
		}
	}
}

func TestTrustAndStatements(t *testing.T) {
	s := newServer(t)
	if a := s.do("GET", "/v1/log/trust", "", ""); strings.TrimSpace(a.body) !=
		`{"log_keys":[],"origin":"platform.test","outbox_key":"`+base64.StdEncoding.EncodeToString([]byte("an outbox key"))+`","recovery_keys":["a recovery key"]}` {
		t.Errorf("before anything was signed: %s", a.body)
	}
	if a := s.do("GET", "/v1/log/statements", "", ""); strings.TrimSpace(a.body) != `{"statements":[]}` {
		t.Errorf("%s", a.body)
	}
	if err := s.sequencer.Append(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.checkpoint()
	err := s.store.Update(t.Context(), func(tx store.Tx) error {
		for _, note := range []string{"first", "second"} {
			if err := tx.PutStatement(store.Statement{Kind: store.StatementHandover, Note: note, At: tx.Now()}); err != nil {
				return err
			}
		}
		return errors.Join(tx.PutLogKey("platform.test+1+old"), tx.PutLogKey("platform.test+2+new"))
	})
	if err != nil {
		t.Fatal(err)
	}
	c := s.trust
	c.RecoveryKeys, c.OutboxKey = nil, nil
	if s.handler, err = httpapi.New(c); err != nil {
		t.Fatal(err)
	}
	if a := s.do("GET", "/v1/log/statements", "", ""); strings.TrimSpace(a.body) != `{"statements":["first","second"]}` {
		t.Errorf("%s", a.body)
	}
	if a := s.do("GET", "/v1/log/trust", "", ""); strings.Contains(a.body, "outbox_key") || !strings.Contains(a.body, `"recovery_keys":[]`) {
		t.Errorf("%s", a.body)
	}
	if a := s.do("GET", "/v1/log/trust", "", ""); !strings.Contains(a.body, `"log_keys":["platform.test+2+new"]`) {
		t.Errorf("a key that was retired is announced: %s", a.body)
	}
}
