package audit_test

import (
	"bytes"
	"reflect"
	"strings"
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

// TestSealedAgreesWithTheLibrary: files that the library wrote open, and the library reads ours.
func TestSealedAgreesWithTheLibrary(t *testing.T) {
	key, err := audit.NewDataKey(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	for _, texts := range [][]audit.Text{nil, {}, {audit.NewText("a", "")}, {audit.NewText("reason", strings.Repeat("ü", 200)), audit.NewText("b", "x")}} {
		for _, size := range []int{0, 23, 24, 300, 70_000} {
			want := audit.Sealed{Envelope: bytes.Repeat([]byte{7}, size), Texts: texts}
			theirs, err := audit.SealAs(key, 1, audit.Epoch{2}, 3, nil, want)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := audit.OpenRecord(key, 1, audit.Epoch{2}, 3, theirs); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("the library's of %d bytes: %v", size, err)
			}
			ours, err := audit.SealRecord(key, 1, audit.Epoch{2}, 3, want)
			if err != nil {
				t.Fatal(err)
			}
			var got audit.Sealed
			if err := audit.OpenAs(key, 1, audit.Epoch{2}, 3, nil, ours, &got); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("ours of %d bytes: %v", size, err)
			}
		}
	}
	for _, bad := range []any{[]any{[]byte{1}}, []any{[]byte{1}, []any{[]any{"a", make([]byte, 31), "x"}}}, []any{"no bytes", nil}, []any{[]byte{1}, []any{[]any{"a"}}}, 7} {
		sealed, err := audit.SealAs(key, 1, audit.Epoch{2}, 3, nil, bad)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := audit.OpenRecord(key, 1, audit.Epoch{2}, 3, sealed); err == nil {
			t.Errorf("%v opens as a record", bad)
		}
	}
}
