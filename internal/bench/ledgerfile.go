package main

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/ledger"
	"stead/internal/platform/sqlite"
	"stead/internal/platform/store"
)

// origin is the name of the logs that are made here.
const origin = "bench.example.org"

// recordSize is what an envelope of the figures has, as exactly as the parts of a record allow.
const recordSize = 600

// sample is a record of about recordSize bytes, of the platform's when seq is 0.
func sample(device stead.DeviceID, epoch audit.Epoch, seq uint64, prev [32]byte) audit.Record {
	session := stead.SessionID(uuid.Must(uuid.NewV7()).String())
	subject, ref := stead.NewPseudonym(), uuid.Must(uuid.NewV7())
	r := audit.Record{Device: device, Epoch: epoch, Seq: seq, Prev: prev, WallMS: time.Now().UnixMilli(), MonoMS: 1 << 20, BootID: uuid.New(),
		Kind: audit.SessionAction, EventID: stead.NewEventID(), Session: &session, Actor: stead.NewPseudonym(), Subject: &subject, Ref: &ref,
		KeyID: [8]byte{1}, Body: audit.Body{"category": "troubleshooting", "method": "GET", "status": int64(200), "changed": false,
			"route": "/accounts/{id}/invoices/{number}", "pad": pad(130)}}
	if seq > 0 {
		r.Kind = audit.SessionOutcome
	}
	r.Commit([]audit.Text{audit.NewText("reason", "an invoice is missing"), audit.NewText("member_name", "Zoë Müller"), audit.NewText("path", "/accounts/7/invoices/2026-05")})
	return r
}

func pad(n int) string { return strings.Repeat("0123456789", n/10) }

// ledgerFile makes a platform's database in the folder with so many records of recordSize in its log, three in four the
// platform's own and the others of eight devices, and returns its path.
func ledgerFile(ctx context.Context, folder string, records int) (path string, key ed25519.PublicKey, err error) {
	path = filepath.Join(folder, "platform.db")
	st, err := sqlite.Open(ctx, path)
	if err != nil {
		return "", nil, err
	}
	defer func() {
		if closing := st.Close(); err == nil {
			err = closing
		}
	}()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return "", nil, err
	}
	sequencer := ledger.NewSequencer(st, origin, func() crypto.Signer { return private }, slog.New(slog.DiscardHandler))
	w := newRecordWriter()
	const atOnce = 5000
	for done := 0; done < records; done += atOnce {
		n := min(atOnce, records-done)
		if err := st.Update(ctx, func(tx store.Tx) error { return w.write(tx, n) }); err != nil {
			return "", nil, err
		}
		if err := sequencer.Append(ctx); err != nil {
			return "", nil, err
		}
	}
	return path, public, nil
}

// recordWriter writes chained records straight into the intake.
type recordWriter struct {
	platform stead.DeviceID
	epoch    audit.Epoch
	heads    []audit.Head
	written  int
}

func newRecordWriter() *recordWriter {
	w := &recordWriter{platform: newDevice(), epoch: audit.NewEpoch()}
	for range 8 {
		w.heads = append(w.heads, audit.Head{Device: newDevice(), Epoch: audit.NewEpoch()})
	}
	return w
}

func newDevice() stead.DeviceID { return stead.DeviceID(stead.NewPseudonym().String()) }

func (w *recordWriter) write(tx store.Tx, n int) error {
	for range n {
		r := sample(w.platform, w.epoch, 0, [32]byte{})
		head := &w.heads[w.written/4%len(w.heads)]
		w.written++
		if w.written%4 == 0 {
			r = sample(head.Device, head.Epoch, head.Seq+1, head.Leaf)
		}
		envelope, err := r.Encode()
		if err != nil {
			return err
		}
		e, err := intakeEntry(r, envelope)
		if err != nil {
			return err
		}
		if r.Seq > 0 {
			head.Seq, head.Leaf = r.Seq, e.Leaf
		}
		if _, err := tx.AppendIntake(e); err != nil {
			return err
		}
	}
	return nil
}

// intakeEntry is the row of a record, with a seal's worth of bytes where its texts would lie.
func intakeEntry(r audit.Record, envelope []byte) (store.IntakeEntry, error) {
	device, err := stead.ParsePseudonym(string(r.Device))
	if err != nil {
		return store.IntakeEntry{}, fmt.Errorf("device: %w", err)
	}
	return store.IntakeEntry{EventID: r.EventID, Device: device, Epoch: r.Epoch, Seq: r.Seq, Leaf: audit.Leaf(envelope), Envelope: envelope,
		SealedTexts: make([]byte, 200), TextsOf: *r.Subject, Kind: string(r.Kind), Session: *r.Session, Actor: r.Actor, Subject: *r.Subject,
		ReceivedAt: time.UnixMilli(r.WallMS)}, nil
}
