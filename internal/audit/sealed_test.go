package audit_test

import (
	"bytes"
	"testing"

	"stead/internal/audit"
)

func TestASealedRecordOpensOnlyWhereItWasSealed(t *testing.T) {
	key, err := audit.NewDataKey(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	epoch := audit.NewEpoch()
	rec := audit.Sealed{Envelope: []byte("envelope"), Texts: []audit.Text{audit.NewText("reason", "why")}}
	sealed, err := audit.SealRecord(key, 3, epoch, 9, rec)
	if err != nil {
		t.Fatal(err)
	}
	got, err := audit.OpenRecord(key, 3, epoch, 9, sealed)
	if err != nil || !bytes.Equal(got.Envelope, rec.Envelope) || len(got.Texts) != 1 || got.Texts[0] != rec.Texts[0] {
		t.Errorf("%+v, %v", got, err)
	}
	other, err := audit.NewDataKey(bytes.Repeat([]byte{8}, 32))
	if err != nil {
		t.Fatal(err)
	}
	_, anotherKey := audit.OpenRecord(other, 3, epoch, 9, sealed)
	_, anotherFile := audit.OpenRecord(key, 4, epoch, 9, sealed)
	_, anotherEpoch := audit.OpenRecord(key, 3, audit.NewEpoch(), 9, sealed)
	_, anotherSeq := audit.OpenRecord(key, 3, epoch, 10, sealed)
	for name, err := range map[string]error{"key": anotherKey, "generation": anotherFile, "epoch": anotherEpoch, "sequence": anotherSeq} {
		if err == nil {
			t.Errorf("it opens under another %s", name)
		}
	}
}

func TestOnlyThePlatformOpensADataKey(t *testing.T) {
	private, public, err := audit.NewOutboxKey()
	if err != nil {
		t.Fatal(err)
	}
	again, err := audit.PublicOutboxKey(private)
	if err != nil || !bytes.Equal(again, public) {
		t.Fatalf("%x, %v", again, err)
	}
	f := audit.OutboxFile{Device: "0123456789abcdef0123456789abcdef", Epoch: audit.NewEpoch(), Generation: 2}
	key := bytes.Repeat([]byte{9}, 32)
	sealed, err := audit.SealOutboxKey(public, f, key)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := audit.OpenOutboxKey(private, f, sealed); err != nil || !bytes.Equal(got, key) {
		t.Errorf("%x, %v", got, err)
	}
	stranger, _, err := audit.NewOutboxKey()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := audit.OpenOutboxKey(stranger, f, sealed); err == nil {
		t.Error("another platform opens it")
	}
	elsewhere := f
	elsewhere.Generation++
	if _, err := audit.OpenOutboxKey(private, elsewhere, sealed); err == nil {
		t.Error("it opens as the key of another file")
	}
	sealed[len(sealed)-1] ^= 1
	if _, err := audit.OpenOutboxKey(private, f, sealed); err == nil {
		t.Error("it opens changed")
	}
	if _, err := audit.SealOutboxKey(public[:31], f, key); err == nil {
		t.Error("it was sealed for half a key")
	}
}
