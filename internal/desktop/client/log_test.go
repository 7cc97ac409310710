package client_test

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"stead/internal/audit"
	"stead/internal/desktop/client"
	"stead/internal/desktop/outbox"
	"stead/internal/stead"
)

const logDevice = stead.DeviceID("0123456789abcdef0123456789abcdef")

// The client is what the outbox needs of a platform and its log.
var (
	_ outbox.Platform = (*client.Client)(nil)
	_ outbox.Log      = (*client.Log)(nil)
)

// serve answers every request with one body and returns the client and what was last asked.
func serve(t *testing.T, status int, header http.Header, body string) (*client.Client, *http.Request, *map[string]any) {
	t.Helper()
	asked, said := &http.Request{}, &map[string]any{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = *r.Clone(r.Context())
		*said = nil
		_ = json.NewDecoder(r.Body).Decode(said)
		for k, v := range header {
			w.Header()[k] = v
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	c, err := client.New(server.URL+"/", bearer{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c, asked, said
}

func TestTilesAreFoundWhereTheyLie(t *testing.T) {
	c, asked, _ := serve(t, http.StatusOK, nil, strings.Repeat("x", 32))
	for _, tile := range []struct {
		level, width int
		index        int64
		path         string
	}{
		{0, 256, 0, "/log/tile/0/000"}, {0, 5, 3, "/log/tile/0/003.p/5"},
		{1, 256, 1234, "/log/tile/1/x001/234"}, {2, 255, 1234067, "/log/tile/2/x001/x234/067.p/255"},
	} {
		data, err := c.Log(logDevice).Tile(t.Context(), tile.level, tile.index, tile.width)
		if err != nil || len(data) != 32 || asked.URL.Path != tile.path || asked.Method != http.MethodGet || asked.Header.Get("Authorization") != "" {
			t.Errorf("%s: asked for %s %s, %v", tile.path, asked.Method, asked.URL.Path, err)
		}
	}
	if _, err := c.Log(logDevice).Checkpoint(t.Context()); err != nil || asked.URL.Path != "/log/checkpoint" {
		t.Errorf("asked for %s, %v", asked.URL.Path, err)
	}
}

func TestALogIsReadWithinBounds(t *testing.T) {
	c, _, _ := serve(t, http.StatusOK, nil, strings.Repeat("x", 16<<10+1))
	if _, err := c.Log(logDevice).Checkpoint(t.Context()); stead.CodeOf(err) != stead.CodeVersion {
		t.Errorf("checkpoint: %v", err)
	}
	if _, err := c.Log(logDevice).Tile(t.Context(), 0, 0, 256); stead.CodeOf(err) != stead.CodeVersion {
		t.Errorf("tile: %v", err)
	}
	c, _, _ = serve(t, http.StatusNotFound, nil, `{"code":"route_not_found"}`)
	if _, err := c.Log(logDevice).Tile(t.Context(), 0, 0, 256); stead.CodeOf(err) != stead.CodeRouteNotFound {
		t.Errorf("no tile: %v", err)
	}
}

func TestPositionsStatementsAndTrust(t *testing.T) {
	c, asked, _ := serve(t, http.StatusOK, nil, `{"first":7,"positions":[4,-1,9],"statements":["a\n","b\n"],"origin":"o","log_keys":["k"],"recovery_keys":["r"]}`)
	epoch := audit.Epoch{1}
	got, err := c.Log(logDevice).Positions(t.Context(), epoch, 7, 500)
	if err != nil || len(got) != 3 || got[1] != -1 || asked.URL.RequestURI() != "/v1/audit/"+string(logDevice)+"/"+epoch.String()+"/positions?first=7&limit=500" ||
		asked.Header.Get("Authorization") != "Bearer access" {
		t.Errorf("%v, %v from %s", got, err, asked.URL)
	}
	if _, err := c.Log(logDevice).Positions(t.Context(), epoch, 8, 500); stead.CodeOf(err) != stead.CodeVersion {
		t.Errorf("positions of other records: %v", err)
	}
	if got, err := c.Log(logDevice).Statements(t.Context()); err != nil || len(got) != 2 || string(got[1]) != "b\n" || asked.URL.Path != "/v1/log/statements" {
		t.Errorf("%q, %v", got, err)
	}
	if got, _, err := c.LogTrust(t.Context()); err != nil || got.Origin != "o" || got.LogKeys[0] != "k" || got.RecoveryKeys[0] != "r" || asked.Header.Get("Authorization") != "" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestHeadIsPosted(t *testing.T) {
	c, asked, said := serve(t, http.StatusOK, nil, `{"next_seq":8}`)
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	head := audit.Head{Device: logDevice, Epoch: audit.Epoch{1}, Seq: 7, Leaf: [32]byte{2}}
	sig, err := audit.SignHead(key, head)
	if err != nil {
		t.Fatal(err)
	}
	ack, err := c.PostHead(t.Context(), head, sig)
	if err != nil || ack != (outbox.Ack{Epoch: head.Epoch, NextSeq: 8}) || asked.URL.Path != "/v1/audit/"+string(logDevice)+"/"+head.Epoch.String()+"/head" ||
		(*said)["seq"] != 7.0 || len((*said)["leaf"].(string)) != 44 || len((*said)["signature"].(string)) != 88 {
		t.Errorf("%+v, %v: %s %v", ack, err, asked.URL, *said)
	}
	c, _, _ = serve(t, http.StatusConflict, nil, `{"code":"chain_fork","next_seq":9}`)
	if _, err := c.PostHead(t.Context(), head, sig); stead.CodeOf(err) != stead.CodeChainFork {
		t.Errorf("got %v", err)
	}
}

func TestRefusedRecordIsNamedAndSentMarked(t *testing.T) {
	c, _, said := serve(t, http.StatusUnprocessableEntity, nil, `{"code":"record_invalid","detail":"kind","bad_seq":4}`)
	b := outbox.Batch{Device: logDevice, First: 3, Items: []outbox.Item{{Seq: 3, Envelope: []byte{1}}, {Seq: 4, Envelope: []byte{2}, Quarantined: "kind"}}}
	_, err := c.PostRecords(t.Context(), b)
	var blamed interface{ BadSeq() uint64 }
	if !errors.As(err, &blamed) || blamed.BadSeq() != 4 || stead.CodeOf(err) != stead.CodeRecordInvalid {
		t.Errorf("got %v", err)
	}
	records := (*said)["records"].([]any)
	if _, marked := records[0].(map[string]any)["quarantined"]; marked || records[1].(map[string]any)["quarantined"] != "kind" {
		t.Errorf("sent %v", records)
	}
	c, _, _ = serve(t, http.StatusUnprocessableEntity, nil, `{"code":"record_invalid"}`)
	if _, err := c.PostRecords(t.Context(), b); errors.As(err, &blamed) || stead.CodeOf(err) != stead.CodeRecordInvalid {
		t.Errorf("got %v", err)
	}
	c, _, _ = serve(t, http.StatusPreconditionFailed, nil, `{"code":"chain_gap","next_seq":2}`)
	if ack, err := c.PostRecords(t.Context(), b); ack.NextSeq != 2 || stead.CodeOf(err) != stead.CodeChainGap {
		t.Errorf("%+v, %v", ack, err)
	}
}

func TestRetryAfterIsPassedOn(t *testing.T) {
	for _, c := range []struct {
		status int
		value  string
		want   time.Duration
	}{
		{429, "17", 17 * time.Second}, {503, "120", 2 * time.Minute}, {503, "", 0}, {429, "soon", 0}, {429, "-1", 0}, {500, "17", 0},
		{503, time.Now().Add(time.Hour).UTC().Format(http.TimeFormat), time.Hour}, {503, time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat), 0},
	} {
		cl, _, _ := serve(t, c.status, http.Header{"Retry-After": {c.value}}, "busy")
		_, posted := cl.PostRecords(t.Context(), outbox.Batch{Device: logDevice})
		_, fetched := cl.Log(logDevice).Checkpoint(t.Context())
		for _, err := range []error{posted, fetched} {
			var asks interface{ RetryAfter() time.Duration }
			got := time.Duration(0)
			if errors.As(err, &asks) {
				got = asks.RetryAfter()
			}
			if got > c.want || got < c.want-2*time.Second || stead.CodeOf(err) != stead.CodeUnreachable {
				t.Errorf("%d %q: %s, %v", c.status, c.value, got, err)
			}
		}
	}
}
