package export_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"stead/internal/audit"
	"stead/internal/audit/bundle"

	"stead/internal/platform/export"
	"stead/internal/platform/ledger"
	"stead/internal/platform/store"
)

func signer(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

func vkey(t testing.TB, name string, key crypto.Signer) string {
	t.Helper()
	v, err := audit.LogKey(name, key.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// people are three with recovery keys.
var people = map[string]byte{"alice": 11, "bob": 12, "carol": 13}

func recoveryLines(t testing.TB, names ...string) (lines string) {
	for _, name := range names {
		lines += "recovery " + vkey(t, name, signer(people[name])) + "\n"
	}
	return lines
}

// handOver lets the log go on with another key; the people sign when the key before is in wrong hands.
func (w *world) handOver(to ed25519.PrivateKey, by ...string) {
	w.Helper()
	var known []string
	for name, n := range people {
		known = append(known, vkey(w, name, signer(n)))
	}
	recovery, err := audit.ParseRecoveryKeys(known)
	w.must(err)
	h := audit.Handover{Origin: origin, Key: vkey(w, origin, to), At: time.Now().UTC().Truncate(time.Second)}
	text, err := h.Text()
	w.must(err)
	note := []byte(text)
	if len(by) == 0 {
		note, err = audit.SignHandover(w.logSigner(), h)
		w.must(err)
	}
	for _, name := range by {
		note, err = audit.SignStatement(note, name, signer(people[name]))
		w.must(err)
	}
	w.update(func(tx store.Tx) error {
		_, err := w.ledger.TakeHandover(tx, note, recovery)
		return err
	})
	w.signer = to
}

// trouble is what an auditor hopes not to find: a record that is none, one of a device that was revoked, and a key of
// the log that was replaced twice, the second time because it was stolen.
func (w *world) trouble() {
	w.Helper()
	envelope := []byte{0xff, 'n', 'o', ' ', 'r', 'e', 'c', 'o', 'r', 'd'}
	head := audit.Head{Device: w.head.Device, Epoch: w.head.Epoch, Seq: w.head.Seq + 1, Leaf: audit.Leaf(envelope)}
	signature, err := audit.SignHead(w.key, head)
	w.must(err)
	w.update(func(tx store.Tx) error {
		_, err := w.ledger.TakeIn(tx, lena.ID, ledger.Batch{Device: head.Device, Epoch: head.Epoch, FirstSeq: head.Seq, Head: head, Signature: signature,
			Records: []ledger.DeviceRecord{{Envelope: envelope, Quarantined: "record_invalid"}}})
		return err
	})
	w.head = head
	w.handOver(signer(2))
	w.sequence()
	w.handOver(signer(3), "alice", "carol")
	w.sequence()
	w.update(func(tx store.Tx) error { return tx.RevokeDevice(w.head.Device, tx.Now()) })
	w.record(audit.SessionObservedEnd, nil, nil, audit.Body{"cause": "agent"})
	ahead := audit.Head{Device: w.head.Device, Epoch: w.head.Epoch, Seq: w.head.Seq + 3, Leaf: [32]byte{5}}
	signature, err = audit.SignHead(w.key, ahead)
	w.must(err)
	w.update(func(tx store.Tx) error {
		_, found, err := w.ledger.Meet(tx, lena.Pseudonym, ledger.SignedHead{Head: ahead, Signature: signature})
		if found != nil {
			w.Errorf("%v", found)
		}
		return err
	})
	w.sequence()
}

// verifyWith is the Go verifier with a file of keys that somebody kept.
func verifyWith(t testing.TB, path, kept string) error {
	t.Helper()
	b, err := bundle.Open(t.Context(), path)
	if err != nil {
		return err
	}
	defer func() { _ = b.Close() }()
	file, err := audit.ParseKeyFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	s, err := b.Statements()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := file.Follow(s.Notes)
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Verify(bundle.Check{Keys: keys})
	return err
}

// TestOneOlderKeyLeadsToTheNewest: with which keys a log is proven whose key was changed and then stolen.
func TestOneOlderKeyLeadsToTheNewest(t *testing.T) {
	w := newWorld(t)
	w.history()
	first := vkey(t, origin, w.logSigner()) + "\n"
	w.trouble()
	path, m := w.export(w.options())
	if m.Statements != 2 {
		t.Fatalf("%+v", m)
	}
	second, third := vkey(t, origin, signer(2))+"\n", vkey(t, origin, signer(3))+"\n"
	s := newSecond(t)
	for name, c := range map[string]struct {
		kept string
		want string // "" for proven
	}{
		"the newest":                       {third, ""},
		"the first and two of the people":  {first + recoveryLines(t, "carol", "alice"), ""},
		"the second and all of the people": {second + recoveryLines(t, "alice", "bob", "carol"), ""},
		"the first":                        {first, "no known key"},
		"the first and another pair":       {first + recoveryLines(t, "bob", "carol"), "no known key"},
		"the first two":                    {first + second, "no known key"},
		"a stranger's and the people":      {vkey(t, "elsewhere.test", signer(1)) + "\n" + recoveryLines(t, "bob", "carol"), "no known key"},
	} {
		keys := filepath.Join(t.TempDir(), "keys")
		if err := os.WriteFile(keys, []byte(c.kept), 0o600); err != nil {
			t.Fatal(err)
		}
		err := verifyWith(t, path, c.kept)
		code, said := s.verify("--key", keys, path)
		if exitOf(err) != code || (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; %s", name, err, said)
		}
	}
}

// TestAStatementWithoutARecordIsReported: what somebody slips into the platform's file beside the log.
func TestAStatementWithoutARecordIsReported(t *testing.T) {
	w := newWorld(t)
	w.history()
	w.handOver(signer(2))
	w.sequence()
	prove := func() error {
		e := w.evidence()
		lines, err := e.Keys()
		w.must(err)
		keys, err := audit.ParseLogKeys(strings.Join(lines, "\n"))
		w.must(err)
		proof, err := audit.VerifyLedger(e, audit.LedgerCheck{Keys: keys})
		if err == nil && len(proof.Stated) != 1 {
			t.Errorf("%+v", proof)
		}
		return err
	}
	w.must(prove())
	w.update(func(tx store.Tx) error {
		return tx.PutStatement(store.Statement{Kind: store.StatementHandover, Note: "slipped in", At: tx.Now()})
	})
	if err := prove(); exitOf(err) != 1 || !strings.Contains(err.Error(), "that no record names") {
		t.Errorf("%v", err)
	}
}

// TestAStolenKeySignsNoMore: a checkpoint that the stolen key signed after the people had replaced it is reported, true
// as its root may be.
func TestAStolenKeySignsNoMore(t *testing.T) {
	w := newWorld(t)
	w.history()
	first := vkey(t, origin, w.logSigner()) + "\n"
	w.trouble()
	path, _ := w.export(w.options())
	kept := first + recoveryLines(t, "alice", "carol")
	keys := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(keys, []byte(kept), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newSecond(t)
	file := filepath.Join(t.TempDir(), "forged.zip")
	for by, want := range map[byte]string{2: "was signed only with a key that was replaced", 3: "", 66: "no known key"} {
		l := newLie(t, membersOf(t, path))
		newest := l.member("checkpoint")
		c, err := audit.ParseCheckpoint(newest.data)
		w.must(err)
		forged, err := audit.SignCheckpoint(signer(by), c)
		w.must(err)
		all := l.member("checkpoints.entries")
		parts := pieces(*all)
		parts[len(parts)-1] = append(binary.BigEndian.AppendUint16(nil, uint16(len(forged))), forged...)
		newest.data, all.data = forged, bytes.Join(parts, nil)
		l.pack(file)
		err = verifyWith(t, file, kept)
		code, said := s.verify("--key", keys, file)
		if exitOf(err) != code || (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("signed by %d: %v; %s", by, err, said)
		}
	}
}

// TestEvidenceIsWholeInBothVerifiers: what stands beside the records can neither be left out nor made up.
func TestEvidenceIsWholeInBothVerifiers(t *testing.T) {
	w := newWorld(t)
	w.history()
	w.trouble()
	path, m := w.export(w.options())
	proof, err := verify(path)
	if err != nil || m.Quarantined != 1 || m.Doubts != 1 || m.SignedHeads != 2 || proof.Signed != 1 || proof.Claimed != 3 || len(proof.Stated) != 2 || proof.Chains != 1 {
		t.Fatalf("%+v, %+v, %v", m, proof, err)
	}
	if code, out := python(t)(path); code != 0 || !strings.Contains(out, "1 signed by their device to the end") || !strings.Contains(out, "3 more that devices signed to have") {
		t.Errorf("exit %d: %s", code, out)
	}
	redacted, _ := w.export(export.Options{Redact: true, Tool: "stead test"})
	for _, member := range membersOf(t, redacted) {
		if member.name == "quarantined.ndjson" && !bytes.Contains(member.data, []byte(`"envelope":null`)) {
			t.Errorf("%s", member.data)
		}
	}
	if _, err := verify(redacted); err != nil {
		t.Error(err)
	}
	pristine := membersOf(t, path)
	s := newSecond(t)
	file := filepath.Join(t.TempDir(), "lie.zip")
	for name, tell := range map[string]func(*lie){
		"a statement is left out": func(l *lie) {
			all := l.member("statements.entries")
			all.data = bytes.Join(slices.Delete(pieces(*all), 0, 1), nil)
			l.m.Statements--
		},
		"a statement is made up": func(l *lie) {
			all := l.member("statements.entries")
			all.data = append(bytes.Clone(all.data), 0, 4, 't', 'e', 'x', 't')
			l.m.Statements++
		},
		"evidence is left out": func(l *lie) {
			lines(l, "quarantined.ndjson", func(bundle.Quarantined) *bundle.Quarantined { return nil })
			l.m.Quarantined--
		},
		"evidence is another": func(l *lie) {
			other := "AAAA"
			lines(l, "quarantined.ndjson", func(q bundle.Quarantined) *bundle.Quarantined { q.Envelope = &other; return &q })
		},
		"evidence is withheld": func(l *lie) {
			lines(l, "quarantined.ndjson", func(q bundle.Quarantined) *bundle.Quarantined { q.Envelope = nil; return &q })
		},
		"a device said something else": func(l *lie) {
			lines(l, "quarantined.ndjson", func(q bundle.Quarantined) *bundle.Quarantined { q.Said = "nothing"; return &q })
		},
		"a signature is another's": func(l *lie) {
			lines(l, "signed.ndjson", func(h bundle.SignedHead) *bundle.SignedHead {
				h.Signature = strings.Repeat("0", 128)
				return &h
			})
		},
		"a signed head is cut short": func(l *lie) {
			lines(l, "signed.ndjson", func(h bundle.SignedHead) *bundle.SignedHead { h.Seq = max(1, h.Seq-2); return &h })
		},
		"a doubt about a record of the platform": func(l *lie) {
			lines(l, "doubts.ndjson", func(d bundle.Doubt) *bundle.Doubt { d.Place = 0; return &d })
		},
		"a doubt about nothing": func(l *lie) {
			lines(l, "doubts.ndjson", func(d bundle.Doubt) *bundle.Doubt { d.Place = 1 << 40; return &d })
		},
	} {
		l := newLie(t, pristine)
		tell(l)
		l.pack(file)
		_, err := verify(file)
		if code, said := s.verify(file); exitOf(err) != 1 || code != 1 {
			t.Errorf("%s: %v; %s", name, err, said)
		}
	}
}

// member is a member of the bundle, to be changed.
func (l *lie) member(name string) *member {
	return &l.all[slices.IndexFunc(l.all, func(m member) bool { return m.name == name })]
}

// TestAMembersNoticeIsAPieceOfProof: the checkpoint that a notice carries shows a log that was written anew.
func TestAMembersNoticeIsAPieceOfProof(t *testing.T) {
	w := newWorld(t)
	w.history()
	path, _ := w.export(w.options())
	var list []store.Notice
	w.update(func(tx store.Tx) (err error) {
		list, err = tx.Notices(ana.ID, 10)
		return err
	})
	if len(list) < 2 {
		t.Fatalf("%+v", list)
	}
	var held audit.Checkpoint
	for _, n := range list {
		b, err := bundle.Open(t.Context(), path)
		w.must(err)
		keys, err := ownKeys(b)
		w.must(err)
		if held, err = keys.Open([]byte(n.Proof)); err != nil || held.Size == 0 {
			t.Fatalf("%+v: %v", n, err)
		}
		if _, err := b.Verify(bundle.Check{Keys: keys, OwnKeys: true, Trusted: &held}); err != nil {
			t.Errorf("%+v: %v", held, err)
		}
		held.Root[0] ^= 1 // as if the log were another than the one that the member was told of
		if _, err := b.Verify(bundle.Check{Keys: keys, OwnKeys: true, Trusted: &held}); exitOf(err) != 1 {
			t.Errorf("%+v: %v", held, err)
		}
		w.must(b.Close())
	}
}
