package ledger_test

import (
	"crypto/ed25519"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/keys"
	"stead/internal/platform/ledger"
	"stead/internal/platform/sqlite"
	"stead/internal/platform/store"
)

// chain is what a device holds of one epoch: its records, and the head after each.
type chain struct {
	*bench
	epoch   audit.Epoch
	records []ledger.DeviceRecord
	heads   []audit.Head // heads[n] is the one after n records
}

func (b *bench) chain() *chain {
	c := &chain{bench: b, epoch: audit.NewEpoch()}
	c.heads = []audit.Head{{Device: b.device, Epoch: c.epoch}}
	return c
}

func (c *chain) head() audit.Head { return c.heads[len(c.heads)-1] }

// add chains a record; change may spoil it before it is encoded.
func (c *chain) add(change func(*audit.Record)) {
	c.Helper()
	prev := c.head()
	texts := []audit.Text{audit.NewText("reason", "plan page shows an error")}
	r := audit.Record{Device: c.device, Epoch: c.epoch, Seq: prev.Seq + 1, Prev: prev.Leaf, WallMS: 1, Kind: audit.SessionIntent, EventID: stead.NewEventID(),
		Actor: agent.Pseudonym, Subject: &member.Pseudonym, KeyID: audit.KeyID(c.key.Public().(ed25519.PublicKey))}
	r.Commit(texts)
	if change != nil {
		change(&r)
	}
	envelope, err := r.Encode()
	if err != nil {
		c.Fatal(err)
	}
	c.addBytes(envelope, texts)
}

// addBytes chains what may be no record at all.
func (c *chain) addBytes(envelope []byte, texts []audit.Text) {
	c.records = append(c.records, ledger.DeviceRecord{Envelope: envelope, Texts: texts})
	c.heads = append(c.heads, audit.Head{Device: c.device, Epoch: c.epoch, Seq: c.head().Seq + 1, Leaf: audit.Leaf(envelope)})
}

func (c *chain) sign(h audit.Head) []byte {
	c.Helper()
	sig, err := audit.SignHead(c.key, h)
	if err != nil {
		c.Fatal(err)
	}
	return sig
}

// part is the batch of the records first to last.
func (c *chain) part(first, last int, quarantined ...int) ledger.Batch {
	c.Helper()
	b := ledger.Batch{Device: c.device, Epoch: c.epoch, FirstSeq: uint64(first), Head: c.heads[last], Signature: c.sign(c.heads[last])}
	b.Records = append(b.Records, c.records[first-1:last]...)
	for _, seq := range quarantined {
		if seq >= first && seq <= last {
			b.Records[seq-first].Quarantined = "record_invalid"
		}
	}
	return b
}

// restart closes the platform and opens it again.
func (b *bench) restart() {
	b.Helper()
	if err := b.store.Close(); err != nil {
		b.Fatal(err)
	}
	st, err := sqlite.Open(b.Context(), b.file())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = st.Close() })
	ring, err := keys.Open(b.Context(), st, filepath.Join(b.dir, "kek"))
	if err != nil {
		b.Fatal(err)
	}
	b.store = st
	if b.ledger, err = ledger.Open(b.Context(), st, ring); err != nil {
		b.Fatal(err)
	}
}

// model is what the platform must hold of a chain, told without any of its code.
type model struct {
	*chain
	junk map[int]bool // sequences of what is no record
	held int
}

// deliver draws a batch and how it is spoilt, sends it, and compares the answer with what the model says.
func (m *model) deliver(r *rand.Rand) {
	m.Helper()
	first := 1 + r.IntN(min(m.held+3, len(m.records)))
	last := first + r.IntN(len(m.records)-first+1)
	var flags []int
	flagged := r.IntN(4) > 0
	if flagged {
		for seq := range m.records {
			if m.junk[seq+1] || r.IntN(20) == 0 { // a good one may be marked as well
				flags = append(flags, seq+1)
			}
		}
	}
	b := m.part(first, last, flags...)
	want, bad := stead.Code(""), 0
	for seq := max(first, m.held+1); seq <= last && !flagged && bad == 0; seq++ {
		if m.junk[seq] {
			want, bad = stead.CodeRecordInvalid, seq
		}
	}
	switch spoil := r.IntN(12); {
	case first > m.held+1:
		want = stead.CodeChainGap
	case spoil == 0 && first <= m.held: // another record in a taken place
		b.Records[0] = ledger.DeviceRecord{Envelope: append([]byte{0xff}, b.Records[0].Envelope...), Quarantined: b.Records[0].Quarantined}
		want = stead.CodeChainFork
	case spoil == 1 && last > m.held && want == "":
		b.Signature[r.IntN(64)] ^= 1
		want = stead.CodeDeviceSignature
	case spoil == 2 && last > m.held && want == "":
		b.Head.Leaf[0] ^= 1
		want = stead.CodeRecordInvalid
	}
	if r.IntN(2) == 0 {
		b.Prepare()
	}
	next, err := m.take(b)
	gap, invalid := new(ledger.GapError), new(ledger.BadRecordError)
	switch {
	case stead.CodeOf(err) != want:
		m.Fatalf("records %d to %d with %d held: got %v, want %q", first, last, m.held, err, want)
	case want == stead.CodeChainGap && (!errors.As(err, &gap) || gap.NextSeq != uint64(m.held)+1):
		m.Fatalf("the gap says %+v with %d held", gap, m.held)
	case bad > 0 && want == stead.CodeRecordInvalid && (!errors.As(err, &invalid) || invalid.Seq != uint64(bad)):
		m.Fatalf("%v names record %d, want %d", err, invalid.Seq, bad)
	case want == "":
		m.held = max(m.held, last)
		if next != uint64(m.held)+1 {
			m.Fatalf("next %d with %d held", next, m.held)
		}
	}
}

// holds compares all that the platform has with the model.
func (m *model) holds() (records, bridged int) {
	m.Helper()
	source, err := stead.ParsePseudonym(string(m.device))
	if err != nil {
		m.Fatal(err)
	}
	m.update(func(tx store.Tx) error {
		seq, leaf, err := tx.DeviceHead(m.device, m.epoch)
		if err != nil || seq != uint64(m.held) || leaf != m.heads[m.held].Leaf {
			m.Fatalf("the head is %d, want %d (%v)", seq, m.held, err)
		}
		for i := range m.records {
			e, err := tx.IntakeAt(source, m.epoch, uint64(i)+1)
			q, missing := tx.QuarantinedAt(source, m.epoch, uint64(i)+1)
			isRecord, isEvidence := i < m.held && !m.junk[i+1], i < m.held && m.junk[i+1]
			switch {
			case (err == nil) != isRecord || (missing == nil) != isEvidence:
				m.Fatalf("record %d of %d held, junk %v: %v, %v", i+1, m.held, m.junk[i+1], err, missing)
			case isRecord && (e.Leaf != m.heads[i+1].Leaf || string(e.Envelope) != string(m.records[i].Envelope)):
				m.Fatalf("record %d is another one", i+1)
			case isEvidence && (q.Leaf != m.heads[i+1].Leaf || string(q.Envelope) != string(m.records[i].Envelope) || q.Said != "record_invalid"):
				m.Fatalf("the evidence at %d is another one", i+1)
			}
			if isRecord {
				records++
			} else if isEvidence {
				bridged++
			}
		}
		return nil
	})
	return records, bridged
}

// grow adds what a device may add: mostly records, sometimes what is none.
func (m *model) grow(r *rand.Rand) {
	for range 1 + r.IntN(70) {
		switch r.IntN(25) {
		case 0:
			junk := make([]byte, 1+r.IntN(40))
			for i := range junk {
				junk[i] = byte(r.IntN(256))
			}
			m.addBytes(junk, nil)
			m.junk[len(m.records)] = true
		case 1: // a record that says what another one says already
			if len(m.records) > 0 && !m.junk[len(m.records)] {
				before, err := audit.Decode(m.records[len(m.records)-1].Envelope)
				if err != nil {
					m.Fatal(err)
				}
				m.add(func(x *audit.Record) { x.EventID = before.EventID })
				m.junk[len(m.records)] = true
			}
		default:
			m.add(nil)
		}
	}
}

// TestWhateverComesIsTakenOnceAndInOrder drives the intake with batches by chance and compares it with a model that
// shares no code with it: duplicates, gaps, forks, wrong signatures, records that are none, restarts. In the end the
// ledger proves itself. STEAD_SEED repeats a run.
func TestWhateverComesIsTakenOnceAndInOrder(t *testing.T) {
	seed := rand.Uint64()
	if s, err := strconv.ParseUint(os.Getenv("STEAD_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("STEAD_SEED=%d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	b := newBench(t)
	chains := []*model{{chain: b.chain(), junk: map[int]bool{}}, {chain: b.chain(), junk: map[int]bool{}}}
	for range 120 {
		m := chains[r.IntN(len(chains))]
		switch n := r.IntN(20); {
		case n < 4 || len(m.records) == 0:
			m.grow(r)
		case n == 4:
			b.restart()
		case n == 5:
			b.sequence(b.sequencer(signer(1)))
		default:
			m.deliver(r)
		}
	}
	all := int64(0)
	for _, m := range chains {
		records, bridged := m.holds()
		all += int64(records + bridged) // a bridge is a record, too
	}
	b.sequence(b.sequencer(signer(1)))
	b.verified(all)
	for _, m := range chains {
		b.update(func(tx store.Tx) error {
			positions, err := ledger.Positions(tx, b.device, m.epoch, 1, len(m.records)+5)
			if err != nil || len(positions) != m.held {
				t.Errorf("%d positions of %d records: %v", len(positions), m.held, err)
			}
			for i, p := range positions {
				if (p < 0) != m.junk[i+1] {
					t.Errorf("record %d is at position %d", i+1, p)
				}
				if p < 0 {
					continue
				}
				if e, err := tx.LogEntries(p, 1); err != nil || e[0].Leaf != m.heads[i+1].Leaf {
					t.Errorf("position %d does not hold record %d: %v", p, i+1, err)
				}
			}
			return nil
		})
	}
}
