package ledger_test

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/ledger"
	"stead/internal/platform/store"
)

// declare puts everything into the log and declares that it is a restored one.
func (b *bench) declare(why string) {
	b.Helper()
	b.sequence(b.sequencer(signer(1)))
	keys := people(b.T)
	b.update(func(tx store.Tx) error {
		draft, err := ledger.DraftRestored(tx, 1000, why)
		if err != nil {
			return err
		}
		_, err = b.ledger.TakeRestored(tx, signed(b.T, draft, "alice", 11, "bob", 12), keys)
		return err
	})
}

func (b *bench) wantGap(batch ledger.Batch, next uint64) {
	b.Helper()
	gap := new(ledger.GapError)
	if _, err := b.take(batch); !errors.As(err, &gap) || gap.NextSeq != next {
		b.Errorf("%v, want a gap from %d on", err, next)
	}
}

// bridges lists what was bridged, the oldest first.
func (b *bench) bridges() (out []string) {
	b.Helper()
	b.update(func(tx store.Tx) error {
		lines, err := b.ledger.Trail(tx, store.TrailFilter{Kind: string(audit.ChainBridged), Limit: 100})
		for i := len(lines) - 1; i >= 0; i-- {
			f := lines[i].Facts
			if f["device"] != string(b.device) || f["epoch"] != b.epoch.String() || f["why"] != "restored" {
				b.Errorf("%+v", f)
			}
			out = append(out, f["first"]+"-"+f["last"]+" "+f["leaf"])
		}
		return err
	})
	return out
}

func TestAChainGoesOnBehindWhatARestoreLost(t *testing.T) {
	b := newBench(t)
	first := b.batch(start(b), 3, nil)
	if _, err := b.take(first); err != nil {
		t.Fatal(err)
	}
	lost := b.batch(first.Head, 2, nil)
	kept := b.batch(lost.Head, 2, nil)
	b.wantGap(kept, 4) // nothing was declared
	b.declare("disk failed")

	b.wantGap(ledger.Batch{Device: b.device, Epoch: b.epoch, FirstSeq: 6, Head: kept.Head, Signature: kept.Signature}, 4) // it holds nothing
	forged := kept
	forged.Signature = append([]byte{}, kept.Signature...)
	forged.Signature[5] ^= 1
	if _, err := b.take(forged); stead.CodeOf(err) != stead.CodeDeviceSignature {
		t.Errorf("a chain that its device did not sign: %v", err)
	}
	if n := b.bridges(); len(n) != 0 {
		t.Fatalf("a refused batch left a bridge: %v", n)
	}
	for range 2 { // the second time all are duplicates
		if next, err := b.take(kept); err != nil || next != 8 {
			t.Fatalf("next %d, %v", next, err)
		}
	}
	want := fmt.Sprint("4-5 ", hex.EncodeToString(lost.Head.Leaf[:]))
	if got := b.bridges(); len(got) != 1 || got[0] != want {
		t.Errorf("%v, want %s", got, want)
	}
	later := b.batch(kept.Head, 1, nil)
	b.wantGap(b.batch(later.Head, 1, nil), 8) // once is enough
	if next, err := b.take(later); err != nil || next != 9 {
		t.Errorf("next %d, %v", next, err)
	}
	b.declare("disk failed again")
	if next, err := b.take(b.batch(b.batch(later.Head, 4, nil).Head, 1, nil)); err != nil || next != 14 {
		t.Errorf("next %d, %v", next, err)
	}
	if got := b.bridges(); len(got) != 2 || got[1][:5] != "9-12 " {
		t.Errorf("%v", got)
	}
}

// TestAChainTheBackupNeverSaw: the device was enrolled before, and its chain began after the backup.
func TestAChainTheBackupNeverSaw(t *testing.T) {
	b := newBench(t)
	b.write(1)
	lost := b.batch(start(b), 2, nil)
	kept := b.batch(lost.Head, 1, nil)
	b.declare("disk failed")
	if next, err := b.take(kept); err != nil || next != 4 {
		t.Errorf("next %d, %v", next, err)
	}
	if got := b.bridges(); len(got) != 1 || got[0][:4] != "1-2 " {
		t.Errorf("%v", got)
	}
	// A device that came after the restore has nothing that a restore could have lost.
	late := *b
	late.key, late.device, late.epoch = signer(40), stead.DeviceID(stead.NewPseudonym().String()), audit.NewEpoch()
	b.update(func(tx store.Tx) error {
		return tx.PutDevice(store.Device{ID: late.device, Name: "new", PublicKey: late.key.Public().(ed25519.PublicKey), EnrolledBy: agent.ID,
			EnrolledAt: tx.Now().Add(time.Second)})
	})
	late.wantGap(late.batch(late.batch(start(&late), 2, nil).Head, 1, nil), 1)
}
