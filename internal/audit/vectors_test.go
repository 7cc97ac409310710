package audit

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/google/uuid"

	"stead/internal/stead"
)

// hexBytes is a byte string written in hex.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(b []byte) error {
	out, err := hex.DecodeString(string(b))
	*h = out
	return err
}

type vectorRecord struct {
	Device, Epoch, Prev, Session, Actor, Subject, Ref hexBytes
	BootID                                            hexBytes `json:"boot_id"`
	EventID                                           hexBytes `json:"event_id"`
	KeyID                                             hexBytes `json:"key_id"`
	Seq                                               uint64
	WallMS                                            int64  `json:"wall_ms"`
	MonoMS                                            int64  `json:"mono_ms"`
	ServerOffsetMS                                    *int64 `json:"server_offset_ms"`
	Kind                                              Kind
	Commitments                                       [][2]string
	Body                                              map[string]any
}

type vectors struct {
	Key struct {
		Seed, Public hexBytes
		KeyID        hexBytes `json:"key_id"`
	}
	Texts []struct {
		Name, Value      string
		Salt, Commitment hexBytes
	}
	Records []struct {
		Name           string
		Record         vectorRecord
		Envelope, Leaf hexBytes
	}
	Refused []struct {
		Name  string
		Bytes hexBytes
	}
	Chain struct {
		Envelopes []hexBytes
		Head      struct {
			Device, Epoch string
			Seq           uint64
			Leaf          hexBytes
		}
		Signature hexBytes
	}
	Claims struct {
		Start struct {
			Device, Epoch, Member string
			RequestKey            string `json:"request_key"`
			Seq                   uint64
			Leaf, Signature       hexBytes
		}
		Handoff struct {
			Device, Session, Code string
			Signature             hexBytes
		}
		Enrol struct {
			Code, Name string
			PublicKey  hexBytes `json:"public_key"`
			Signature  hexBytes
		}
	}
}

func loadVectors(t testing.TB) vectors {
	t.Helper()
	data, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v vectors
	if err := dec.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func (v vectorRecord) record(t *testing.T) Record {
	t.Helper()
	r := Record{Device: stead.DeviceID(hex.EncodeToString(v.Device)), Epoch: Epoch(v.Epoch), Seq: v.Seq,
		Prev: [32]byte(v.Prev), WallMS: v.WallMS, BootID: [16]byte(v.BootID), MonoMS: v.MonoMS,
		ServerOffsetMS: v.ServerOffsetMS, Kind: v.Kind, EventID: uuid.UUID(v.EventID),
		Actor: stead.Pseudonym(v.Actor), Body: Body{}, KeyID: [8]byte(v.KeyID)}
	if v.Session != nil {
		s := stead.SessionID(uuid.UUID(v.Session).String())
		r.Session = &s
	}
	if v.Subject != nil {
		p := stead.Pseudonym(v.Subject)
		r.Subject = &p
	}
	if v.Ref != nil {
		u := uuid.UUID(v.Ref)
		r.Ref = &u
	}
	for _, c := range v.Commitments {
		h, err := hex.DecodeString(c[1])
		if err != nil {
			t.Fatal(err)
		}
		r.Commitments = append(r.Commitments, Commitment{Name: c[0], Hash: [32]byte(h)})
	}
	for k, val := range v.Body {
		if n, ok := val.(json.Number); ok {
			i, err := n.Int64()
			if err != nil {
				t.Fatal(err)
			}
			val = i
		}
		r.Body[k] = val
	}
	return r
}

// TestVectorsRecords holds every record vector against every way in and out.
func TestVectorsRecords(t *testing.T) {
	kinds := map[Kind]bool{}
	for _, v := range loadVectors(t).Records {
		t.Run(v.Name, func(t *testing.T) {
			r := v.Record.record(t)
			kinds[r.Kind] = true
			got, err := r.Encode()
			if err != nil || !bytes.Equal(got, v.Envelope) {
				t.Fatalf("Encode: %v\n got %x\nwant %x", err, got, v.Envelope)
			}
			if Leaf(got) != [32]byte(v.Leaf) {
				t.Errorf("Leaf: %x, want %x", Leaf(got), v.Leaf)
			}
			back, err := Decode(v.Envelope)
			if err != nil {
				t.Fatalf("Decode: %v", err)
			}
			again, err := back.Encode()
			if err != nil || !bytes.Equal(again, v.Envelope) {
				t.Errorf("what Decode returned encodes to %x (%v)", again, err)
			}
			if back.Kind.FromDevice() != (back.Seq > 0) {
				t.Errorf("%s has seq %d", back.Kind, back.Seq)
			}
			body, err := EncodeBody(r.Body)
			if err != nil || !bytes.Contains(v.Envelope, body) {
				t.Errorf("EncodeBody: %x (%v) is not in the envelope", body, err)
			}
			head := Head{Device: r.Device, Epoch: r.Epoch, Seq: r.Seq - 1, Leaf: r.Prev}
			next, err := VerifyChain(head, [][]byte{v.Envelope})
			if r.Kind.FromDevice() && (err != nil || next.Leaf != [32]byte(v.Leaf)) {
				t.Errorf("VerifyChain: %+v, %v", next, err)
			}
		})
	}
	for _, k := range Kinds() {
		if !kinds[k] {
			t.Errorf("no vector of kind %s", k)
		}
	}
}

// TestVectorsRefused holds every bad vector against every way in.
func TestVectorsRefused(t *testing.T) {
	v := loadVectors(t)
	if len(v.Refused) < 60 {
		t.Fatalf("%d vectors", len(v.Refused))
	}
	start := Head{Device: "0f1e2d3c4b5a69788796a5b4c3d2e1f0", Epoch: Epoch(v.Chain.Envelopes[0][21:37])}
	for _, bad := range v.Refused {
		if _, err := Decode(bad.Bytes); err == nil {
			t.Errorf("%s: Decode accepted it", bad.Name)
		}
		if head, err := VerifyChain(start, [][]byte{bad.Bytes}); err == nil || head != start {
			t.Errorf("%s: VerifyChain accepted it", bad.Name)
		}
	}
}

func TestVectorsTexts(t *testing.T) {
	v := loadVectors(t)
	for _, vt := range v.Texts {
		text := Text{Name: vt.Name, Salt: [32]byte(vt.Salt), Value: vt.Value}
		if text.Commitment() != [32]byte(vt.Commitment) {
			t.Errorf("%s: %x", vt.Name, text.Commitment())
		}
	}
	r, err := Decode(v.Records[0].Envelope)
	if err != nil {
		t.Fatal(err)
	}
	for _, vt := range v.Texts[:2] {
		if err := r.Check([]Text{{Name: vt.Name, Salt: [32]byte(vt.Salt), Value: vt.Value}}); err != nil {
			t.Error(err)
		}
	}
}

func TestVectorsChainAndHead(t *testing.T) {
	v := loadVectors(t)
	epoch, err := ParseEpoch(v.Chain.Head.Epoch)
	if err != nil {
		t.Fatal(err)
	}
	want := Head{Device: stead.DeviceID(v.Chain.Head.Device), Epoch: epoch, Seq: v.Chain.Head.Seq, Leaf: [32]byte(v.Chain.Head.Leaf)}
	got, err := VerifyChain(Head{Device: want.Device, Epoch: epoch}, chainOf(v))
	if err != nil || got != want {
		t.Fatalf("VerifyChain: %+v, %v", got, err)
	}
	key := ed25519.NewKeyFromSeed(v.Key.Seed)
	if KeyID(v.Key.Public.key()) != [8]byte(v.Key.KeyID) {
		t.Errorf("KeyID: %x", KeyID(v.Key.Public.key()))
	}
	sig, err := SignHead(key, want)
	if err != nil || !bytes.Equal(sig, v.Chain.Signature) {
		t.Errorf("SignHead: %x, %v", sig, err)
	}
	if err := VerifyHead(v.Key.Public.key(), want, v.Chain.Signature); err != nil {
		t.Errorf("VerifyHead: %v", err)
	}
}

func TestVectorsClaims(t *testing.T) {
	v := loadVectors(t)
	key, pub := ed25519.NewKeyFromSeed(v.Key.Seed), v.Key.Public.key()
	s, h, e := v.Claims.Start, v.Claims.Handoff, v.Claims.Enrol
	epoch, err := ParseEpoch(s.Epoch)
	if err != nil {
		t.Fatal(err)
	}
	start := StartClaim{stead.DeviceID(s.Device), epoch, s.Seq, [32]byte(s.Leaf), stead.MemberID(s.Member), s.RequestKey}
	handoff := HandoffClaim{stead.DeviceID(h.Device), stead.SessionID(h.Session), stead.Secret(h.Code)}
	enrol := EnrolClaim{stead.Secret(e.Code), e.PublicKey, e.Name}
	for name, c := range map[string]struct {
		claim
		want hexBytes
	}{"start": {start, s.Signature}, "handoff": {handoff, h.Signature}, "enrol": {enrol, e.Signature}} {
		sig, err := signClaim(c.claim, key)
		if err != nil || !bytes.Equal(sig, c.want) {
			t.Errorf("%s: Sign %x, %v", name, sig, err)
		}
	}
	for name, err := range map[string]error{"start": start.Verify(pub, s.Signature),
		"handoff": handoff.Verify(pub, h.Signature), "enrol": enrol.Verify(pub, e.Signature)} {
		if err != nil {
			t.Errorf("%s: Verify: %v", name, err)
		}
	}
}

func (h hexBytes) key() ed25519.PublicKey { return ed25519.PublicKey(h) }

func chainOf(v vectors) [][]byte {
	var out [][]byte
	for _, e := range v.Chain.Envelopes {
		out = append(out, e)
	}
	return out
}
