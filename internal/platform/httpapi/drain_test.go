package httpapi_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"stead/internal/api"
	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/store"
)

// device is an enrolled installation as it delivers its records over HTTP.
type device struct {
	*server
	id    stead.DeviceID
	key   ed25519.PrivateKey
	epoch audit.Epoch
	head  audit.Head
}

// enrolled adds a device to the platform. The staff member st-lena must be there.
func (s *server) enrolled(seed byte) *device {
	s.Helper()
	d := &device{server: s, id: stead.DeviceID(fmt.Sprintf("%032x", int(seed)+1)), key: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, 32)), epoch: audit.Epoch{seed, 1}}
	d.head = audit.Head{Device: d.id, Epoch: d.epoch}
	err := s.store.Update(s.Context(), func(tx store.Tx) error {
		return tx.PutDevice(store.Device{ID: d.id, Name: "laptop", PublicKey: d.key.Public().(ed25519.PublicKey), EnrolledBy: "st-lena", EnrolledAt: tx.Now()})
	})
	if err != nil {
		s.Fatal(err)
	}
	return d
}

// batch is n more records of about 600 bytes with one text each, signed.
func (d *device) batch(actor, subject stead.Pseudonym, n int) api.RecordBatch {
	d.Helper()
	out := api.RecordBatch{FirstSeq: int64(d.head.Seq) + 1}
	for range n {
		texts := []audit.Text{audit.NewText("reason", "the plan page shows an error after the last change")}
		r := audit.Record{Device: d.id, Epoch: d.epoch, Seq: d.head.Seq + 1, Prev: d.head.Leaf, WallMS: 1, Kind: audit.SessionIntent, EventID: stead.NewEventID(),
			Actor: actor, Subject: &subject, KeyID: audit.KeyID(d.key.Public().(ed25519.PublicKey)),
			Body: audit.Body{"category": "troubleshooting", "account": "acme", "consent": "phone", "filler": strings.Repeat("x", 280)}}
		r.Commit(texts)
		envelope, err := r.Encode()
		if err != nil {
			d.Fatal(err)
		}
		d.head.Seq, d.head.Leaf = r.Seq, audit.Leaf(envelope)
		out.Records = append(out.Records, api.DeviceRecord{Envelope: envelope, Texts: []api.RecordText{{Name: texts[0].Name, Salt: texts[0].Salt[:], Value: texts[0].Value}}})
	}
	var err error
	if out.Signature, err = audit.SignHead(d.key, d.head); err != nil {
		d.Fatal(err)
	}
	leaf := d.head.Leaf
	out.HeadSeq, out.HeadLeaf = int64(d.head.Seq), leaf[:]
	return out
}

func (d *device) path() string { return "/v1/audit/" + string(d.id) + "/" + d.epoch.String() }

// BenchmarkDrain is how fast records of one device get into SQLite through HTTP on loopback, with and without the
// sequencer that puts them into the log meanwhile.
func BenchmarkDrain(b *testing.B) {
	for _, c := range []struct {
		n         int
		sequenced bool
	}{{200, false}, {500, false}, {200, true}, {500, true}} {
		n := c.n
		b.Run(fmt.Sprintf("%d,sequenced=%v", n, c.sequenced), func(b *testing.B) {
			s := newServer(b)
			if c.sequenced {
				ctx, stop := context.WithCancel(b.Context())
				var wg sync.WaitGroup
				wg.Go(func() { s.sequencer.Run(ctx) })
				defer func() { stop(); wg.Wait() }()
			}
			actor, subject := stead.NewPseudonym(), stead.NewPseudonym()
			s.staff(func(p *stead.Staff) { p.Pseudonym = actor })
			web := httptest.NewServer(s.handler)
			defer web.Close()
			d := s.enrolled(1)
			var bodies [][]byte
			size := 0
			for range b.N {
				batch := d.batch(actor, subject, n)
				size = len(batch.Records[0].Envelope)
				body, err := json.Marshal(batch)
				if err != nil {
					b.Fatal(err)
				}
				bodies = append(bodies, body)
			}
			b.ResetTimer()
			for _, body := range bodies {
				req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, web.URL+d.path(), bytes.NewReader(body))
				if err != nil {
					b.Fatal(err)
				}
				req.Header.Set("Authorization", "Bearer st-lena")
				req.Header.Set("Content-Type", "application/json")
				res, err := http.DefaultClient.Do(req)
				if err != nil {
					b.Fatal(err)
				}
				answer, err := io.ReadAll(res.Body)
				if err != nil || res.StatusCode != http.StatusOK || res.Body.Close() != nil {
					b.Fatalf("%d %s %v", res.StatusCode, answer, err)
				}
			}
			b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(float64(size), "B/record")
		})
	}
}
