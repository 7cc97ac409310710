package audit

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/uuid"

	"stead/internal/stead"
)

// envelope is a Record as the library writes it.
type envelope struct {
	Version        uint64       `cbor:"0,keyasint"`
	Device         [16]byte     `cbor:"1,keyasint"`
	Epoch          [16]byte     `cbor:"2,keyasint"`
	Seq            uint64       `cbor:"3,keyasint"`
	Prev           [32]byte     `cbor:"4,keyasint"`
	WallMS         int64        `cbor:"5,keyasint"`
	BootID         [16]byte     `cbor:"6,keyasint"`
	MonoMS         int64        `cbor:"7,keyasint"`
	ServerOffsetMS *int64       `cbor:"8,keyasint"`
	Kind           string       `cbor:"9,keyasint"`
	EventID        [16]byte     `cbor:"10,keyasint"`
	Session        *[16]byte    `cbor:"11,keyasint"`
	Actor          [16]byte     `cbor:"12,keyasint"`
	Subject        *[16]byte    `cbor:"13,keyasint"`
	Ref            *[16]byte    `cbor:"14,keyasint"`
	Commitments    []Commitment `cbor:"15,keyasint"`
	Body           []byte       `cbor:"16,keyasint"`
	KeyID          [8]byte      `cbor:"17,keyasint"`
}

// written is the record as the library encodes it: slow, and the meaning of Encode.
func written(r Record) []byte {
	v, err := r.view()
	if err != nil {
		panic(err)
	}
	w := envelope{Version: Version, Device: v.device, Epoch: v.epoch, Seq: v.seq, Prev: v.prev, WallMS: v.wall, BootID: v.boot,
		MonoMS: v.mono, ServerOffsetMS: r.ServerOffsetMS, Kind: string(v.kind), EventID: v.event, Actor: v.actor,
		Subject: (*[16]byte)(r.Subject), Ref: (*[16]byte)(r.Ref), Commitments: r.Commitments, KeyID: v.keyID}
	if v.hasSession {
		w.Session = &v.session
	}
	if w.Commitments == nil {
		w.Commitments = []Commitment{}
	}
	if w.Body, err = encoder.Marshal(map[string]any(r.Body)); err != nil {
		panic(err)
	}
	out, err := encoder.Marshal(w)
	if err != nil {
		panic(err)
	}
	return out
}

// TestEncodeAgreesWithTheLibrary holds our writer of CBOR against the library's on random records, and drafts against
// records that are encoded whole.
func TestEncodeAgreesWithTheLibrary(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	drafts := 0
	for range 2000 {
		r := randomRecord(random)
		data, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if want := written(r); !bytes.Equal(data, want) {
			t.Fatalf("%+v:\n%x\nthe library:\n%x", r, data, want)
		}
		d, err := r.Draft()
		if (err == nil) != r.Kind.FromDevice() {
			t.Fatalf("draft of %s: %v", r.Kind, err)
		}
		if err != nil {
			continue
		}
		drafts++
		placed := d.Place(Head{Device: r.Device, Epoch: r.Epoch, Seq: r.Seq - 1, Leaf: r.Prev}, r.WallMS, r.MonoMS, r.ServerOffsetMS)
		if !bytes.Equal(placed, data) || len(placed) > d.Size() {
			t.Fatalf("%+v:\n%x\nplaced, of %d at most:\n%x", r, data, d.Size(), placed)
		}
	}
	if drafts < 200 {
		t.Errorf("%d drafts", drafts)
	}
}

// oracle decodes with the library, encodes again and compares: slow, and the meaning of Decode.
func oracle(t testing.TB) func(data []byte) (Record, bool) {
	t.Helper()
	options := cbor.DecOptions{DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden, TagsMd: cbor.TagsForbidden,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField, IntDec: cbor.IntDecConvertSignedOrFail, MaxNestedLevels: 4, MaxArrayElements: 64, MaxMapPairs: 64}
	library, err := options.DecMode()
	if err != nil {
		t.Fatal(err)
	}
	return func(data []byte) (Record, bool) {
		var w envelope
		body := Body{}
		if len(data) > MaxEnvelope || library.Unmarshal(data, &w) != nil || w.Version != Version ||
			library.Unmarshal(w.Body, (*map[string]any)(&body)) != nil || body == nil {
			return Record{}, false
		}
		if again, err := encoder.Marshal(map[string]any(body)); err != nil || !bytes.Equal(again, w.Body) {
			return Record{}, false
		}
		r := Record{Device: deviceID(w.Device), Epoch: w.Epoch, Seq: w.Seq, Prev: w.Prev, WallMS: w.WallMS, BootID: w.BootID, MonoMS: w.MonoMS,
			ServerOffsetMS: w.ServerOffsetMS, Kind: Kind(w.Kind), EventID: w.EventID, Actor: w.Actor, Subject: (*stead.Pseudonym)(w.Subject),
			Ref: (*uuid.UUID)(w.Ref), Commitments: w.Commitments, Body: body, KeyID: w.KeyID}
		if w.Session != nil {
			s := stead.SessionID(uuid.UUID(*w.Session).String())
			r.Session = &s
		}
		again, err := r.Encode()
		return r, err == nil && bytes.Equal(again, data) && bytes.Equal(written(r), data)
	}
}

// agree fails the test when Decode and the library do not say the same of the bytes. It returns whether they accept them.
func agree(t testing.TB, library func([]byte) (Record, bool), data []byte) bool {
	t.Helper()
	want, ok := library(data)
	got, err := Decode(data)
	switch {
	case ok != (err == nil):
		t.Fatalf("Decode: %v; the library accepts it: %v\n%x", err, ok, data)
	case ok && !reflect.DeepEqual(got, want):
		t.Fatalf("Decode:\n%+v\nthe library:\n%+v\n%x", got, want, data)
	}
	return ok
}

// randomRecord is valid; every field takes all of its forms.
func randomRecord(r *rand.Rand) Record {
	maybe := func() bool { return r.IntN(2) == 0 }
	number := func() int64 { return int64(r.Uint64()>>r.IntN(64)) * int64(1-2*r.IntN(2)) }
	name := func() string {
		return strings.Repeat("aé", r.IntN(13)) + string("abcdefgh"[r.IntN(8)]) + strings.Repeat("z", r.IntN(2))
	}
	fill := func(b []byte) {
		for i := range b {
			b[i] = byte(r.Uint32())
		}
	}
	rec := Record{Device: testDevice, WallMS: number(), MonoMS: int64(r.Uint64() >> (1 + r.IntN(63))), Kind: Kinds()[r.IntN(len(Kinds()))],
		EventID: stead.NewEventID(), Body: Body{}}
	fill(rec.Epoch[:])
	fill(rec.BootID[:])
	fill(rec.Actor[:])
	fill(rec.KeyID[:])
	if rec.Kind.FromDevice() {
		rec.Seq = 1 + r.Uint64()>>r.IntN(64)
		if rec.Seq > 1 {
			fill(rec.Prev[:])
		} else {
			rec.Seq = 1
		}
	}
	if maybe() {
		offset := number()
		rec.ServerOffsetMS = &offset
	}
	if maybe() {
		session := stead.NewSessionID()
		rec.Session = &session
	}
	if maybe() {
		rec.Subject = &stead.Pseudonym{1, 2, 3}
	}
	if maybe() {
		ref := stead.NewEventID()
		rec.Ref = &ref
	}
	texts := map[string]Text{}
	for range r.IntN(MaxCommitments + 1) {
		n := name()
		texts[n] = NewText(n, "x")
	}
	var list []Text
	for _, t := range texts {
		list = append(list, t)
	}
	rec.Commit(list)
	for range r.IntN(MaxBodyKeys + 1) {
		rec.Body[name()] = []any{number(), maybe(), strings.Repeat("ü", r.IntN(200))}[r.IntN(3)]
	}
	return rec
}

// bend changes some bytes.
func bend(r *rand.Rand, data []byte) []byte {
	out := bytes.Clone(data)
	for range 1 + r.IntN(2) {
		at := r.IntN(len(out))
		switch r.IntN(5) {
		case 0:
			out[at] ^= 1 << r.IntN(8)
		case 1:
			out[at] = byte(r.Uint32())
		case 2:
			out = append(out[:at], out[at+1:]...)
		case 3:
			out = append(out[:at], append([]byte{[]byte{0, 1, 0x18, 0x19, 0x1b, 0x38, 0x58, 0x78, 0x98, 0xb8, 0xf6, 0xf4, 0xff, 0xc0}[r.IntN(14)]}, out[at:]...)...)
		case 4:
			n := min(len(out)-at, 1+r.IntN(20))
			out = append(out[:at], append(bytes.Clone(out[at:at+n]), out[at:]...)...)
		}
		if len(out) == 0 {
			return out
		}
	}
	return out
}

// TestDecodeAgreesWithTheLibrary holds our reader of CBOR against the library's: on all vectors, one of them with each byte
// set to each value, on random records and on such with some bytes changed.
func TestDecodeAgreesWithTheLibrary(t *testing.T) {
	library := oracle(t)
	v := loadVectors(t)
	for _, refused := range v.Refused {
		if agree(t, library, refused.Bytes) {
			t.Errorf("%s: accepted", refused.Name)
		}
	}
	for i, good := range v.Records {
		if !agree(t, library, good.Envelope) {
			t.Errorf("%s: refused", good.Name)
		}
		if i > 0 {
			continue // one is enough: the bytes between its items are everywhere
		}
		bent := bytes.Clone(good.Envelope)
		for at, was := range bent {
			for b := range 256 {
				bent[at] = byte(b)
				agree(t, library, bent)
			}
			bent[at] = was
			agree(t, library, bent[:at])
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	accepted, refused := 0, 0
	for range 400 {
		data, err := randomRecord(r).Encode()
		if err != nil {
			t.Fatal(err)
		}
		if !agree(t, library, data) {
			t.Fatalf("a record was refused: %x", data)
		}
		for range 20 {
			if agree(t, library, bend(r, data)) {
				accepted++
			} else {
				refused++
			}
		}
	}
	if accepted < 500 || refused < 500 {
		t.Errorf("%d accepted, %d refused: the test looks at one side only", accepted, refused)
	}
}

func BenchmarkDecode(b *testing.B) {
	data := []byte(loadVectors(b).Records[0].Envelope)
	b.Run("view", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var v view
			if err := v.scan(data); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("record", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Decode(data); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("library", func(b *testing.B) {
		b.ReportAllocs()
		library := oracle(b)
		for b.Loop() {
			library(data)
		}
	})
	b.Run("leaf", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			Leaf(data)
		}
	})
}
