package ledger_test

import (
	"crypto/ed25519"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/keys"
	"stead/internal/platform/ledger"
	"stead/internal/platform/sqlite"
	"stead/internal/platform/store"
)

// bench is a ledger with one enrolled device.
type bench struct {
	*testing.T
	store  store.Store
	ledger *ledger.Ledger
	ring   *keys.Ring
	key    ed25519.PrivateKey
	device stead.DeviceID
	epoch  audit.Epoch
	dir    string
}

var (
	agent  = stead.Staff{ID: "st-lena", Name: "Lena Ortiz", Email: "lena@stead.test", Role: stead.RoleSupport, Pseudonym: stead.NewPseudonym()}
	member = stead.Member{ID: "m-ana", Account: "acme", Branch: "acme-west", Name: "Ana Souza", Email: "ana@members.test", Level: stead.LevelMember, Pseudonym: stead.NewPseudonym()}
)

func newBench(t *testing.T) *bench {
	t.Helper()
	dir := t.TempDir()
	st, err := sqlite.Open(t.Context(), filepath.Join(dir, "platform.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	ring, err := keys.Open(t.Context(), st, filepath.Join(dir, "kek"))
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{T: t, dir: dir, store: st, ring: ring, device: stead.DeviceID(stead.NewPseudonym().String()), epoch: audit.NewEpoch()}
	if b.ledger, err = ledger.Open(t.Context(), st, ring); err != nil {
		t.Fatal(err)
	}
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	b.key = private
	b.update(func(tx store.Tx) error {
		return errors.Join(tx.PutStaff(agent, "i", "s"), tx.PutAccount("acme", "Acme"), tx.PutBranch("acme-west", "acme", "West"), tx.PutMember(member, ""),
			tx.PutDevice(store.Device{ID: b.device, Name: "laptop", PublicKey: public, EnrolledBy: agent.ID, EnrolledAt: tx.Now()}))
	})
	return b
}

func (b *bench) update(f func(store.Tx) error) {
	b.Helper()
	if err := b.store.Update(b.Context(), f); err != nil {
		b.Fatal(err)
	}
}

// batch makes n chained records after prev, signed; change may spoil each before it is encoded.
func (b *bench) batch(prev audit.Head, n int, change func(*audit.Record)) ledger.Batch {
	b.Helper()
	out := ledger.Batch{Device: b.device, Epoch: b.epoch, FirstSeq: prev.Seq + 1, Head: prev}
	for range n {
		subject := member.Pseudonym
		texts := []audit.Text{audit.NewText("reason", "plan page shows an error")}
		r := audit.Record{Device: b.device, Epoch: b.epoch, Seq: out.Head.Seq + 1, Prev: out.Head.Leaf, WallMS: 1, Kind: audit.SessionIntent, EventID: stead.NewEventID(),
			Actor: agent.Pseudonym, Subject: &subject, KeyID: audit.KeyID(b.key.Public().(ed25519.PublicKey))}
		r.Commit(texts)
		if change != nil {
			change(&r)
		}
		envelope, err := r.Encode()
		if err != nil {
			b.Fatal(err)
		}
		out.Records = append(out.Records, ledger.DeviceRecord{Envelope: envelope, Texts: texts})
		out.Head = audit.Head{Device: b.device, Epoch: b.epoch, Seq: r.Seq, Leaf: audit.Leaf(envelope)}
	}
	var err error
	if out.Signature, err = audit.SignHead(b.key, out.Head); err != nil {
		b.Fatal(err)
	}
	return out
}

func (b *bench) take(batch ledger.Batch) (next uint64, err error) {
	err = b.store.Update(b.Context(), func(tx store.Tx) error {
		next, err = b.ledger.TakeIn(tx, agent.ID, batch)
		return err
	})
	return next, err
}

func (b *bench) count() (n int) {
	b.Helper()
	b.update(func(tx store.Tx) error {
		entries, err := tx.Trail(store.TrailFilter{Limit: 1000})
		n = len(entries)
		return err
	})
	return n
}

func start(b *bench) audit.Head { return audit.Head{Device: b.device, Epoch: b.epoch} }

func TestRecordsAreTakenOnceAndInOrder(t *testing.T) {
	b := newBench(t)
	first := b.batch(start(b), 3, nil)
	second := b.batch(first.Head, 2, nil)
	if _, err := b.take(second); stead.CodeOf(err) != stead.CodeChainGap {
		t.Errorf("records with a gap before them: %v", err)
	} else if gap := new(ledger.GapError); !errors.As(err, &gap) || gap.NextSeq != 1 {
		t.Errorf("the gap says %+v", gap)
	}
	for range 2 { // the second time all are duplicates
		if next, err := b.take(first); err != nil || next != 4 {
			t.Fatalf("next %d, %v", next, err)
		}
	}
	overlapping := second
	overlapping.FirstSeq, overlapping.Records = 2, append(append([]ledger.DeviceRecord{}, first.Records[1:]...), second.Records...)
	if next, err := b.take(overlapping); err != nil || next != 6 {
		t.Errorf("next %d, %v", next, err)
	}
	if n := b.count(); n != 5 {
		t.Errorf("%d records are there, want 5", n)
	}
}

func TestForkIsRefused(t *testing.T) {
	b := newBench(t)
	first := b.batch(start(b), 2, nil)
	if _, err := b.take(first); err != nil {
		t.Fatal(err)
	}
	if _, err := b.take(b.batch(start(b), 2, nil)); stead.CodeOf(err) != stead.CodeChainFork {
		t.Errorf("another record in a taken place: %v", err)
	}
}

func TestWhatDoesNotVerifyIsRefusedWhole(t *testing.T) {
	b := newBench(t)
	for name, c := range map[string]struct {
		change func(*audit.Record)
		spoil  func(*ledger.Batch)
		want   stead.Code
	}{
		"another key":             {change: func(r *audit.Record) { r.KeyID[0] ^= 1 }, want: stead.CodeRecordInvalid},
		"a text it does not hold": {spoil: func(x *ledger.Batch) { x.Records[1].Texts[0].Value = "something else" }, want: stead.CodeRecordInvalid},
		"a changed byte":          {spoil: func(x *ledger.Batch) { x.Records[1].Envelope[20] ^= 1 }, want: stead.CodeRecordInvalid},
		"a missing record":        {spoil: func(x *ledger.Batch) { x.Records = append(x.Records[:1], x.Records[2:]...) }, want: stead.CodeRecordInvalid},
		"a foreign signature":     {spoil: func(x *ledger.Batch) { x.Signature[3] ^= 1 }, want: stead.CodeDeviceSignature},
		"another head":            {spoil: func(x *ledger.Batch) { x.Head.Seq++ }, want: stead.CodeRecordInvalid},
		"an unknown device":       {spoil: func(x *ledger.Batch) { x.Device = stead.DeviceID(stead.NewPseudonym().String()) }, want: stead.CodeDeviceUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			batch := b.batch(start(b), 3, c.change)
			if c.spoil != nil {
				c.spoil(&batch)
			}
			if _, err := b.take(batch); stead.CodeOf(err) != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if n := b.count(); n != 0 {
				t.Fatalf("%d records of a refused batch are there", n)
			}
		})
	}
}

// TestDoubts: what a device may say without being believed.
func TestDoubts(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*audit.Record)
		want   string
	}{
		"itself":                {nil, ""},
		"an actor nobody knows": {func(r *audit.Record) { r.Actor = stead.NewPseudonym() }, "the actor does not work here"},
		"a member as who acted": {func(r *audit.Record) { r.Actor = member.Pseudonym }, "the actor does not work here"},
		"a session nobody has":  {func(r *audit.Record) { s := stead.NewSessionID(); r.Session = &s }, "there is no such session"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			if _, err := b.take(b.batch(start(b), 1, c.change)); err != nil {
				t.Fatal(err)
			}
			b.update(func(tx store.Tx) error {
				lines, err := b.ledger.Trail(tx, store.TrailFilter{Limit: 1})
				if len(lines) != 1 || lines[0].Facts["doubt"] != c.want || lines[0].Facts["delivered_by"] != "st-lena" {
					t.Errorf("%+v", lines)
				}
				return err
			})
		})
	}
	b := newBench(t)
	if _, err := b.take(b.batch(start(b), 2, nil)); err != nil {
		t.Fatal(err)
	}
	b.epoch = audit.NewEpoch()
	if _, err := b.take(b.batch(start(b), 1, nil)); err != nil {
		t.Fatal(err)
	}
	b.update(func(tx store.Tx) error {
		lines, err := b.ledger.Trail(tx, store.TrailFilter{Limit: 1})
		if lines[0].Facts["doubt"] == "" {
			t.Error("a chain that begins anew without saying why is not doubted")
		}
		return err
	})
}

func TestTextsAreMadeToFit(t *testing.T) {
	b := newBench(t)
	b.update(func(tx store.Tx) error {
		return b.ledger.Write(tx, ledger.Entry{Kind: audit.MemberSearched, Actor: agent.Pseudonym,
			Texts: map[string]string{"query": "a\xff", "long": strings.Repeat("é", audit.MaxTextValue)}})
	})
	b.update(func(tx store.Tx) error {
		lines, err := b.ledger.Trail(tx, store.TrailFilter{Limit: 1})
		if len(lines) != 1 || lines[0].Texts["query"] != "a\uFFFD" || len(lines[0].Texts["long"]) != audit.MaxTextValue {
			t.Errorf("%.80v", lines)
		}
		return err
	})
}

func TestTrailNamesPeopleAndOpensTexts(t *testing.T) {
	b := newBench(t)
	if _, err := b.take(b.batch(start(b), 1, nil)); err != nil {
		t.Fatal(err)
	}
	b.update(func(tx store.Tx) error {
		return b.ledger.Write(tx, ledger.Entry{Kind: audit.NoteWritten, Session: stead.NewSessionID(), Actor: agent.Pseudonym, Subject: member.Pseudonym,
			Texts: map[string]string{"note": "all well", "empty": ""}, Facts: audit.Body{"count": int64(3), ledger.AgentFact: agent.Pseudonym.String()}})
	})
	b.update(func(tx store.Tx) error {
		lines, err := b.ledger.Trail(tx, store.TrailFilter{Limit: 10})
		if err != nil {
			return err
		}
		if len(lines) != 2 {
			t.Fatalf("%d lines", len(lines))
		}
		own, devices := lines[0], lines[1]
		if own.Source != "platform" || own.Texts["note"] != "all well" || len(own.Texts) != 1 || own.Facts["count"] != "3" || own.Facts[ledger.AgentFact] != "st-lena" {
			t.Errorf("the platform's own: %+v", own)
		}
		if devices.Source != string(b.device) || devices.Texts["reason"] != "plan page shows an error" || devices.Actor.Name != "Lena Ortiz" || devices.Subject.ID != "m-ana" {
			t.Errorf("the device's: %+v", devices)
		}
		return nil
	})
}
