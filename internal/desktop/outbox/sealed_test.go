package outbox

import (
	"context"
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"stead/internal/audit"
	"stead/internal/stead"
)

// reader is a platform that also reads files with its own key, as the real one does.
type reader struct {
	ledgers
	private []byte
	held    uint64 // of the lost device's chain
	sealed  [][]byte
	got     []audit.Sealed
	file    audit.OutboxFile
	refuse  error
}

func (p *reader) PostSealed(_ context.Context, b SealedBatch) (uint64, error) {
	next := p.held + uint64(len(p.sealed)) + 1
	if p.refuse != nil {
		return 0, p.refuse
	}
	if b.First > next {
		return next, stead.E(stead.CodeChainGap, nil)
	}
	if err := audit.VerifyHead(testKey("device").Public().(ed25519.PublicKey), b.Head, b.HeadSig); err != nil {
		return 0, stead.E(stead.CodeDeviceSignature, err)
	}
	for i, r := range b.Records {
		if b.First+uint64(i) == next {
			p.sealed, next = append(p.sealed, r), next+1
		}
	}
	if next <= b.Head.Seq {
		return next, nil
	}
	raw, err := audit.OpenOutboxKey(p.private, b.File, b.Key)
	if err != nil {
		return 0, stead.E(stead.CodeRecordInvalid, err)
	}
	key, err := audit.NewDataKey(raw)
	if err != nil {
		return 0, err
	}
	p.file = b.File
	for i, r := range p.sealed {
		s, err := audit.OpenRecord(key, b.File.Generation, b.File.Epoch, p.held+1+uint64(i), r)
		if err != nil {
			return 0, stead.E(stead.CodeRecordInvalid, err)
		}
		p.got = append(p.got, s)
	}
	return next, nil
}

const secondDevice = stead.DeviceID("ffffffffffffffffffffffffffffffff")

// afterReset is the configuration once the keyring lost all keys and the device was enrolled anew.
func afterReset(public []byte) Config {
	cfg := testConfig()
	cfg.Device, cfg.Signer, cfg.Sealer, cfg.PlatformKey = secondDevice, testKey("second"), newTestSealer("second"), public
	cfg.KeyID = audit.KeyID(testKey("second").Public().(ed25519.PublicKey))
	return cfg
}

// lost makes an outbox with pending records that is sealed for the platform, of which the platform has 100.
func lost(t *testing.T, public []byte) (path string, placed []Placed) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "outbox-"+string(testDevice)+".db")
	cfg := testConfig()
	cfg.PlatformKey = public
	o, err := Open(t.Context(), path, cfg)
	if err != nil {
		t.Fatal(err)
	}
	placed = appendN(t, o, 100)
	given(t, o, 100)
	placed = append(placed, appendN(t, o, 450)...)
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	return path, placed
}

// TestAfterAKeyringResetThePlatformReads: nothing of the old outbox can be opened here, and all of it arrives.
func TestAfterAKeyringResetThePlatformReads(t *testing.T) {
	private, public, err := audit.NewOutboxKey()
	if err != nil {
		t.Fatal(err)
	}
	former, placed := lost(t, public)
	sum := fileSum(t, former)
	path := filepath.Join(filepath.Dir(former), "outbox-"+string(secondDevice)+".db")
	cfg := afterReset(public)
	r, err := Succeed(t.Context(), former, path, cfg)
	if err != nil || !r.Sealed || r.Salvaged != 0 || r.Why != WhyKeyringReset || r.SHA256 != sum {
		t.Fatalf("%+v, %v", r, err)
	}
	if again, err := Succeed(t.Context(), former, path, cfg); err != nil || again != r {
		t.Errorf("the second time: %+v, %v", again, err)
	}
	o, err := Open(t.Context(), path, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.Close() })
	p := &reader{ledgers: ledgers{of: map[audit.Epoch]*ledger{}}, private: private, held: 100}
	p.of[o.file.head.Epoch] = newLedger()
	p.of[o.file.head.Epoch].owner = "second"
	if err := o.Drain(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if p.file != (audit.OutboxFile{Device: testDevice, Epoch: placed[0].Epoch, Generation: 1}) || len(p.got) != 450 {
		t.Fatalf("%+v brought %d records", p.file, len(p.got))
	}
	for i, s := range p.got {
		if audit.Leaf(s.Envelope) != placed[100+i].Leaf || len(s.Texts) != 2 {
			t.Fatalf("record %d arrived as another", 101+i)
		}
	}
	p.refuse = errors.New("nobody should ask again")
	if err := o.Drain(t.Context(), p); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(path), "evidence", r.Evidence)); err != nil {
		t.Error(err)
	}
}

// TestWhenOnlyTheFilesKeyIsLost the device is the one it was, and its file is read by the platform all the same.
func TestWhenOnlyTheFilesKeyIsLost(t *testing.T) {
	private, public, err := audit.NewOutboxKey()
	if err != nil {
		t.Fatal(err)
	}
	path, _ := lost(t, public)
	cfg := testConfig()
	cfg.Sealer, cfg.PlatformKey = newTestSealer("second"), public
	r, err := Recover(t.Context(), path, cfg)
	if err != nil || !r.Sealed || r.Salvaged != 0 || r.Why != WhyDamaged || r.Missing != "" {
		t.Fatalf("%+v, %v", r, err)
	}
	o, err := Open(t.Context(), path, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.Close() })
	b, err := o.Pending(t.Context(), 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	rec, err := audit.Decode(b.Items[0].Envelope)
	if err != nil || rec.Body["unreadable"] != true || rec.Body["sealed"] != true || rec.Body["last_signed_seq"] != int64(550) {
		t.Errorf("%v, %v", rec.Body, err)
	}
	p := &reader{ledgers: ledgers{of: map[audit.Epoch]*ledger{}}, private: private, held: 100}
	if err := o.Drain(t.Context(), p); err != nil || len(p.got) != 450 {
		t.Errorf("%d records, %v", len(p.got), err)
	}
}

// TestSucceedGoesOnWhereItWasCutOff between the fresh file's name and the end of the old one's.
func TestSucceedGoesOnWhereItWasCutOff(t *testing.T) {
	_, public, err := audit.NewOutboxKey()
	if err != nil {
		t.Fatal(err)
	}
	former, _ := lost(t, public)
	path := filepath.Join(filepath.Dir(former), "outbox-"+string(secondDevice)+".db")
	r, err := Succeed(t.Context(), former, path, afterReset(public))
	if err != nil {
		t.Fatal(err)
	}
	evidence := filepath.Join(filepath.Dir(path), "evidence")
	if err := errors.Join(os.Link(filepath.Join(evidence, r.Evidence), former), os.Chmod(former, 0o600)); err != nil {
		t.Fatal(err)
	}
	if again, err := Succeed(t.Context(), former, path, afterReset(public)); err != nil || again != r {
		t.Errorf("%+v, %v", again, err)
	}
	if all, err := os.ReadDir(evidence); err != nil || len(all) != 1 || exists(former) {
		t.Errorf("%v, %v; the former file is there: %v", all, err, exists(former))
	} else if info, _ := all[0].Info(); info.Mode().Perm() != 0o400 {
		t.Errorf("mode %v", info.Mode())
	}
}

// TestWhatThePlatformRefusesStaysEvidence and is not sent again.
func TestWhatThePlatformRefusesStaysEvidence(t *testing.T) {
	_, public, err := audit.NewOutboxKey()
	if err != nil {
		t.Fatal(err)
	}
	former, _ := lost(t, public)
	path := filepath.Join(filepath.Dir(former), "outbox-"+string(secondDevice)+".db")
	cfg := afterReset(public)
	r, err := Succeed(t.Context(), former, path, cfg)
	if err != nil {
		t.Fatal(err)
	}
	o, err := Open(t.Context(), path, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.Close() })
	l := newLedger()
	l.owner = "second"
	p := &reader{ledgers: ledgers{of: map[audit.Epoch]*ledger{o.file.head.Epoch: l}}, refuse: stead.E(stead.CodeUnreachable, nil)}
	if err := o.Drain(t.Context(), p); stead.CodeOf(err) != stead.CodeUnreachable {
		t.Errorf("while it cannot be reached: %v", err)
	}
	p.refuse = stead.E(stead.CodeDeviceUnknown, nil)
	if err := o.Drain(t.Context(), p); err != nil {
		t.Error(err)
	}
	if got, _ := o.Recovered(); got.Refused != r.Evidence+" device_unknown" {
		t.Errorf("%+v", got)
	}
	p.refuse = errors.New("nobody should ask again")
	if err := o.Drain(t.Context(), p); err != nil {
		t.Error(err)
	}
}

// TestOwedEvidenceOutlivesTheNextDamage: the file that was to bring it to the platform is damaged before it could.
func TestOwedEvidenceOutlivesTheNextDamage(t *testing.T) {
	private, public, err := audit.NewOutboxKey()
	if err != nil {
		t.Fatal(err)
	}
	former, _ := lost(t, public)
	path := filepath.Join(filepath.Dir(former), "outbox-"+string(secondDevice)+".db")
	cfg := afterReset(public)
	if _, err := Succeed(t.Context(), former, path, cfg); err != nil {
		t.Fatal(err)
	}
	if err := putMeta(path, "format", []byte("stead-outbox/1 00000000")); err != nil {
		t.Fatal(err)
	}
	if r, err := Recover(t.Context(), path, cfg); err != nil || r.Salvaged != 1 || r.Sealed {
		t.Fatalf("%+v, %v", r, err)
	}
	o, err := Open(t.Context(), path, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.Close() })
	p := &reader{ledgers: ledgers{of: map[audit.Epoch]*ledger{}, owner: "second"}, private: private, held: 100}
	if err := o.Drain(t.Context(), p); err != nil || len(p.got) != 450 || len(p.of) != 2 {
		t.Errorf("%d records, %d epochs, %v", len(p.got), len(p.of), err)
	}
}

func TestOpenSealedRefuses(t *testing.T) {
	path := newPath(t)
	o := open(t, path)
	appendN(t, o, 3)
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenSealed(path); stead.CodeOf(err) != stead.CodeOutboxDamaged {
		t.Errorf("sealed for no platform: %v", err)
	}
	if err := os.Truncate(path, int64(3*os.Getpagesize())); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenSealed(path); stead.CodeOf(err) != stead.CodeOutboxDamaged {
		t.Errorf("cut: %v", err)
	}
}
