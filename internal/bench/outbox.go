package main

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/desktop/outbox"
)

// sealer is AES-256-GCM under a key of the figures, as the vault's is under one of the keyring.
type sealer struct{ aead cipher.AEAD }

func (s sealer) Seal(plain, aad []byte) []byte           { return s.aead.Seal(nil, nil, plain, aad) }
func (s sealer) Open(sealed, aad []byte) ([]byte, error) { return s.aead.Open(nil, nil, sealed, aad) }

// device is an installation with its key.
type device struct {
	id     stead.DeviceID
	public ed25519.PublicKey
	config outbox.Config
}

func makeDevice() (device, error) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return device{}, err
	}
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		return device{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return device{}, err
	}
	id := newDevice()
	return device{id, public, outbox.Config{Device: id, Signer: private, KeyID: audit.KeyID(public), Sealer: sealer{aead}}}, nil
}

// entry is what makes a record of recordSize. It has no texts, so that the record is all that is stored.
func entry() outbox.Entry {
	r := sample("", audit.Epoch{}, 1, [32]byte{})
	r.Body["pad2"] = pad(120) // where the commitments of the sample are
	return outbox.Entry{Kind: r.Kind, Session: r.Session, Actor: r.Actor, Subject: r.Subject, Ref: r.Ref, Body: r.Body}
}

// appendAlone is the durable append of one caller beside a bare transaction of the same library.
func appendAlone(ctx context.Context, b bench) (_ []row, err error) {
	d, err := makeDevice()
	if err != nil {
		return nil, err
	}
	o, err := outbox.Open(ctx, filepath.Join(b.folder, "outbox.db"), d.config)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	bare, err := openBare(filepath.Join(b.folder, "bare.db"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, bare.db.Close()) }()
	const turn = 10 // appends of one and then of the other, so that what else the machine does hits both
	e := entry()
	ours := func() (float64, error) {
		return p50(turn, func() error { _, err := o.Append(ctx, e); return err })
	}
	theirs := func() (float64, error) { return p50(turn, bare.put) }
	found, err := medians(ctx, b.size.rounds*b.size.appends/turn, ours, theirs)
	if err != nil {
		return nil, err
	}
	return []row{row{Name: "outbox.append.1", Value: found[0], Unit: "ms"}.against("bbolt.Update of 600 bytes", found[1]).atMost(1.2)}, nil
}

// p50 is the median time of n calls in milliseconds.
func p50(n int, f func() error) (float64, error) {
	var took []float64
	for range n {
		began := time.Now()
		if err := f(); err != nil {
			return 0, err
		}
		took = append(took, time.Since(began).Seconds()*1000)
	}
	return median(took), nil
}

// bareBolt is a database as the outbox opens its own, with one bucket.
type bareBolt struct {
	db    *bolt.DB
	n     uint64
	value []byte
}

func openBare(path string) (*bareBolt, error) {
	db, err := bolt.Open(path, 0o600, &bolt.Options{NoFreelistSync: true, FreelistType: bolt.FreelistMapType, NoStatistics: true})
	if err != nil {
		return nil, err
	}
	err = db.Update(func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("pending")); return err })
	return &bareBolt{db: db, value: make([]byte, recordSize)}, err
}

func (b *bareBolt) put() error {
	return b.db.Update(func(tx *bolt.Tx) error {
		b.n++
		return tx.Bucket([]byte("pending")).Put(binary.BigEndian.AppendUint64(nil, b.n), b.value)
	})
}

const callers = 16

// appendTogether is the durable append of 16 callers beside a group commit to a bare file, and beside OpenTelemetry's
// storage for exporters.
func appendTogether(ctx context.Context, b bench) (_ []row, err error) {
	d, err := makeDevice()
	if err != nil {
		return nil, err
	}
	o, err := outbox.Open(ctx, filepath.Join(b.folder, "outbox.db"), d.config)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	group, err := openGroup(filepath.Join(b.folder, "group"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, group.close()) }()
	e := entry()
	measures := []func() (float64, error){
		func() (float64, error) {
			return rate(b.size.seconds, callers, func() error { _, err := o.Append(ctx, e); return err })
		},
		func() (float64, error) { return rate(b.size.seconds, callers, group.put) },
	}
	peer, err := buildPeer(ctx, b)
	if err != nil {
		_, _ = fmt.Fprintf(b.progress, "outbox.append.16.otel is left out: %v\n", err)
	} else if peer != nil {
		measures = append(measures, peer)
	}
	found, err := medians(ctx, b.size.rounds, measures...)
	if err != nil {
		return nil, err
	}
	ours := row{Name: "outbox.append.16", Value: found[0], Unit: "records/s"}
	rows := []row{ours.against("group commit with fdatasync", found[1]).atLeast(0.7)}
	if len(found) > 2 {
		ours.Name += ".otel"
		rows = append(rows, ours.against("OTel filestorage, fsync", found[2]).atLeast(8))
	}
	return rows, nil
}

// rate is how often a second f succeeds when so many call it at once.
func rate(seconds float64, callers int, f func() error) (float64, error) {
	var all sync.WaitGroup
	counts, errs := make([]int, callers), make([]error, callers)
	began := time.Now()
	for i := range callers {
		all.Go(func() {
			for time.Since(began).Seconds() < seconds && errs[i] == nil {
				if errs[i] = f(); errs[i] == nil {
					counts[i]++
				}
			}
		})
	}
	all.Wait()
	total := 0
	for _, n := range counts {
		total += n
	}
	return float64(total) / time.Since(began).Seconds(), errors.Join(errs...)
}
