package client_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"stead/internal/audit"
	"stead/internal/desktop/client"
	"stead/internal/desktop/outbox"
	"stead/internal/stead"
)

type sealer struct{ cipher.AEAD }

func (s sealer) Seal(plain, aad []byte) []byte { return s.AEAD.Seal(nil, nil, plain, aad) }
func (s sealer) Open(sealed, aad []byte) ([]byte, error) {
	return s.AEAD.Open(nil, nil, sealed, aad)
}

// BenchmarkDrainOverLoopback sends records of about 600 bytes to a platform that reads the batches and keeps nothing.
func BenchmarkDrainOverLoopback(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var batch struct {
			HeadSeq int64 `json:"head_seq"`
			Seq     int64 `json:"seq"`
		}
		if err := json.NewDecoder(r.Body).Decode(&batch); err != nil {
			b.Error(err)
		}
		_ = json.NewEncoder(w).Encode(map[string]int64{"next_seq": max(batch.HeadSeq, 0) + 1})
	}))
	defer server.Close()
	c, err := client.New(server.URL, bearer{}, nil)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		b.StopTimer()
		o := pending(b, 20_000)
		b.StartTimer()
		begun := time.Now()
		if err := o.Drain(b.Context(), c); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(20_000/time.Since(begun).Seconds(), "records/s")
	}
}

func pending(b *testing.B, n int) *outbox.Outbox {
	b.Helper()
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		b.Fatal(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		b.Fatal(err)
	}
	o, err := outbox.Open(b.Context(), filepath.Join(b.TempDir(), "outbox.db"), outbox.Config{Device: logDevice, Signer: key,
		KeyID: audit.KeyID(key.Public().(ed25519.PublicKey)), Sealer: sealer{aead}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = o.Close() })
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			for range n / 100 {
				subject := stead.Pseudonym{2}
				_, err := o.Append(b.Context(), outbox.Entry{Kind: audit.SessionIntent, Actor: stead.Pseudonym{1}, Subject: &subject,
					Texts: []audit.Text{audit.NewText("reason", "The invoice of May is missing."), audit.NewText("member_name", "Zoë Müller")},
					Body:  audit.Body{"category": "troubleshooting"}})
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
	all.Wait()
	return o
}
