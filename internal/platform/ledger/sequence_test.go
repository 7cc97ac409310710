package ledger_test

import (
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/ledger"
	"stead/internal/platform/store"
)

const origin = "platform.test"

// sequencer is one over the bench's store that signs with the key.
func (b *bench) sequencer(key ed25519.PrivateKey) *ledger.Sequencer {
	return ledger.NewSequencer(b.store, origin, func() crypto.Signer { return key }, slog.New(slog.DiscardHandler))
}

func signer(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(append(make([]byte, 31), n))
}

func (b *bench) write(n int) {
	b.Helper()
	b.update(func(tx store.Tx) error {
		for range n {
			if err := b.ledger.Write(tx, ledger.Entry{Kind: audit.MemberViewed, Actor: agent.Pseudonym, Subject: member.Pseudonym}); err != nil {
				return err
			}
		}
		return nil
	})
}

// newest is the newest checkpoint, opened with the keys that the log names.
func (b *bench) newest() (c audit.Checkpoint) {
	b.Helper()
	b.update(func(tx store.Tx) error {
		last, err := tx.Checkpoint()
		if err != nil {
			return err
		}
		c, err = b.keys(tx).Open([]byte(last.Note))
		return err
	})
	return c
}

func (b *bench) keys(tx store.Tx) audit.LogKeys {
	b.Helper()
	var text string
	lines, err := tx.LogKeys()
	if err != nil {
		b.Fatal(err)
	}
	for _, l := range lines {
		text += l + "\n"
	}
	keys, err := audit.ParseLogKeys(text)
	if err != nil {
		b.Fatal(err)
	}
	return keys
}

func (b *bench) sequence(s *ledger.Sequencer) {
	b.Helper()
	if err := s.Append(b.Context()); err != nil {
		b.Fatal(err)
	}
}

func TestEachRecordIsInTheLogWithinASecond(t *testing.T) {
	b := newBench(t)
	s := b.sequencer(signer(1))
	done := make(chan struct{})
	ctx, stop := contextOf(t)
	go func() { defer close(done); s.Run(ctx) }()
	defer func() { stop(); <-done }()
	for i := range int64(6) {
		b.write(1)
		if i%2 == 0 {
			s.Wake() // the others it has to find by itself
		}
		began := time.Now()
		for size := int64(0); size <= i; time.Sleep(5 * time.Millisecond) {
			b.update(func(tx store.Tx) error {
				c, err := tx.Checkpoint()
				if errors.Is(err, store.ErrNotFound) {
					return nil
				}
				size = c.Size
				return err
			})
			if time.Since(began) > time.Second {
				t.Fatalf("record %d is not under a checkpoint after a second", i)
			}
		}
	}
}

func TestNothingNewIsNotSignedAgain(t *testing.T) {
	b := newBench(t)
	s := b.sequencer(signer(1))
	b.sequence(s)
	if c := b.newest(); c.Size != 0 || c.Origin != origin {
		t.Errorf("the empty log: %+v", c)
	}
	b.write(3)
	b.sequence(s)
	before := b.newest()
	b.sequence(s)
	b.sequence(b.sequencer(signer(2)))
	if b.newest() != before || before.Size != 3 {
		t.Errorf("%+v, then %+v", before, b.newest())
	}
}

// TestRestart: whatever was committed when the platform went away is taken up by the next one; what was not in the
// log gets in once, in its order, across several batches.
func TestRestart(t *testing.T) {
	b := newBench(t)
	b.write(2)
	b.sequence(b.sequencer(signer(1)))
	b.write(1203)
	if _, err := b.take(b.batch(start(b), 3, nil)); err != nil {
		t.Fatal(err)
	}
	b.sequence(b.sequencer(signer(1)))
	b.verified(1208)
	b.update(func(tx store.Tx) error {
		for from := int64(0); from < 1208; from += 500 {
			entries, err := tx.LogEntries(from, 500)
			if err != nil {
				return err
			}
			for i, e := range entries {
				if e.Position != from+int64(i) || e.Index != e.Position+1 {
					return fmt.Errorf("record %d is at position %d", e.Index, e.Position)
				}
			}
		}
		return nil
	})
}

// TestAFailureLeavesAllOrNothing: when the signature cannot be made, neither records nor hashes are in the log.
func TestAFailureLeavesAllOrNothing(t *testing.T) {
	b := newBench(t)
	b.write(2)
	broken := ledger.NewSequencer(b.store, "not a name", func() crypto.Signer { return signer(1) }, slog.New(slog.DiscardHandler))
	if err := broken.Append(t.Context()); err == nil {
		t.Fatal("a log without a name was signed")
	}
	b.update(func(tx store.Tx) error {
		size, err := tx.LogSize()
		if size != 0 {
			t.Errorf("%d records are in the log", size)
		}
		if _, err := tx.LogHashes([]int64{0}); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a hash is in the log: %v", err)
		}
		return err
	})
	b.sequence(b.sequencer(signer(1)))
	b.verified(2)
}

func TestOrigin(t *testing.T) {
	for address, want := range map[string]string{"https://stead.example.org": "stead.example.org", "https://x.test:8443/eu/": "x.test:8443/eu",
		"": "", "stead": "", "https://a+b.test": ""} {
		if got, err := ledger.Origin(address); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", address, got, err)
		}
	}
}

// file is where the bench's store lies.
func (b *bench) file() string { return filepath.Join(b.dir, "platform.db") }

func TestTheLogKeepsItsName(t *testing.T) {
	b := newBench(t)
	for i, address := range []string{"https://stead.example.org", "https://elsewhere.example.org"} {
		if got, err := ledger.Name(t.Context(), b.store, address); err != nil || got != "stead.example.org" {
			t.Errorf("opened %d times: %q, %v", i+1, got, err)
		}
	}
	if _, err := ledger.Name(t.Context(), newBench(t).store, "no address"); stead.CodeOf(err) != stead.CodeConfigInvalid {
		t.Errorf("got %v", err)
	}
}
