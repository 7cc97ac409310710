package audit

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"

	"github.com/google/uuid"

	"stead/internal/stead"
)

const testDevice = stead.DeviceID("0123456789abcdef0123456789abcdef")

// testRecord is a valid first record of an epoch; tests bend one thing at a time.
func testRecord() Record {
	return Record{Device: testDevice, Epoch: Epoch{1}, Seq: 1, Kind: SessionIntent, EventID: stead.NewEventID(),
		Actor: stead.Pseudonym{1}, KeyID: [8]byte{1}}
}

// testChain returns n chained envelopes and the head after them.
func testChain(t *testing.T, n int) ([][]byte, Head) {
	t.Helper()
	head := Head{Device: testDevice, Epoch: Epoch{1}}
	var out [][]byte
	for range n {
		r := testRecord()
		r.Seq, r.Prev = head.Seq+1, head.Leaf
		e, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e)
		head.Seq, head.Leaf = r.Seq, Leaf(e)
	}
	return out, head
}

func TestChainNamesTheFirstBadRecord(t *testing.T) {
	whole, end := testChain(t, 6)
	start := Head{Device: testDevice, Epoch: Epoch{1}}
	other := testRecord()
	other.Epoch = Epoch{2}
	foreign, err := other.Encode()
	if err != nil {
		t.Fatal(err)
	}
	flipped := append([]byte(nil), whole[2]...)
	flipped[len(flipped)-1] ^= 1 // in the key id: decodes, and is another record
	for name, c := range map[string]struct {
		chain [][]byte
		seq   uint64
		what  string
	}{
		"dropped":   {[][]byte{whole[0], whole[1], whole[3]}, 3, "has sequence 4"},
		"swapped":   {[][]byte{whole[0], whole[2], whole[1]}, 2, "has sequence 3"},
		"replayed":  {[][]byte{whole[0], whole[0]}, 2, "has sequence 1"},
		"altered":   {[][]byte{whole[0], whole[1], flipped, whole[3]}, 4, "does not follow"},
		"of others": {[][]byte{foreign}, 1, "another epoch"},
		"rubbish":   {[][]byte{whole[0], {0xff}}, 2, "record:"},
	} {
		_, err := VerifyChain(start, c.chain)
		var ce *ChainError
		if !errors.As(err, &ce) || ce.Seq != c.seq || !strings.Contains(ce.What, c.what) {
			t.Errorf("%s: %v, want record %d: %s", name, err, c.seq, c.what)
		}
	}
	if got, err := VerifyChain(start, whole); err != nil || got != end {
		t.Errorf("the whole chain: %+v, %v", got, err)
	}
	if _, err := VerifyChain(Head{Device: strings2device("f"), Epoch: Epoch{1}}, whole); err == nil {
		t.Error("the chain was taken for another device's")
	}
}

func strings2device(digit string) stead.DeviceID { return stead.DeviceID(strings.Repeat(digit, 32)) }

// TestEveryBitOfARecordCounts flips each bit of an envelope: it must stop decoding or have another leaf, and never
// pass for the record the next one follows.
func TestEveryBitOfARecordCounts(t *testing.T) {
	chain, _ := testChain(t, 2)
	start := Head{Device: testDevice, Epoch: Epoch{1}}
	for bit := range len(chain[0]) * 8 {
		bent := append([]byte(nil), chain[0]...)
		bent[bit/8] ^= 1 << (bit % 8)
		if _, err := VerifyChain(start, [][]byte{bent, chain[1]}); err == nil {
			t.Fatalf("bit %d of byte %d may be changed unnoticed", bit%8, bit/8)
		}
	}
}

func TestHeadSignatureCoversEveryField(t *testing.T) {
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	h := Head{Device: testDevice, Epoch: Epoch{1}, Seq: 7, Leaf: [32]byte{9}}
	sig, err := SignHead(key, h)
	if err != nil {
		t.Fatal(err)
	}
	if err := VerifyHead(pub, h, sig); err != nil {
		t.Fatal(err)
	}
	for name, bent := range map[string]Head{
		"device": {strings2device("a"), h.Epoch, h.Seq, h.Leaf},
		"epoch":  {h.Device, Epoch{2}, h.Seq, h.Leaf},
		"seq":    {h.Device, h.Epoch, 8, h.Leaf},
		"leaf":   {h.Device, h.Epoch, h.Seq, [32]byte{8}},
	} {
		if err := VerifyHead(pub, bent, sig); !errors.Is(err, ErrSignature) {
			t.Errorf("another %s: %v", name, err)
		}
	}
	if err := VerifyHead(nil, h, sig); !errors.Is(err, ErrSignature) {
		t.Errorf("no key: %v", err)
	}
	if err := VerifyHead(pub, h, nil); !errors.Is(err, ErrSignature) {
		t.Errorf("no signature: %v", err)
	}
}

func TestClaimsAreBoundAndApart(t *testing.T) {
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := StartClaim{Device: testDevice, Epoch: Epoch{1}, Seq: 1, Leaf: [32]byte{1}, Member: "m-1", RequestKey: "k"}
	sig, err := s.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	bent := []StartClaim{s, s, s, s, s, s}
	bent[0].Device, bent[1].Epoch, bent[2].Seq = strings2device("a"), Epoch{2}, 2
	bent[3].Leaf, bent[4].Member, bent[5].RequestKey = [32]byte{2}, "m-2", "other"
	for i, b := range bent {
		if err := b.Verify(pub, sig); !errors.Is(err, ErrSignature) {
			t.Errorf("bent claim %d: %v", i, err)
		}
	}
	session := stead.NewSessionID()
	h := HandoffClaim{Device: testDevice, Session: session, Code: "code"}
	hs, err := h.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := (HandoffClaim{Device: testDevice, Session: session, Code: "edoc"}).Verify(pub, hs); !errors.Is(err, ErrSignature) {
		t.Errorf("another code: %v", err)
	}
	if err := (HandoffClaim{Device: testDevice, Session: stead.NewSessionID(), Code: "code"}).Verify(pub, hs); !errors.Is(err, ErrSignature) {
		t.Errorf("another session: %v", err)
	}
	// The first fields of a start and of a head are the same; only the domain keeps them apart.
	head := Head{Device: testDevice, Epoch: Epoch{1}, Seq: 1, Leaf: [32]byte{1}}
	if err := VerifyHead(pub, head, sig); !errors.Is(err, ErrSignature) {
		t.Errorf("a start's signature passes for a head's: %v", err)
	}
	otherPub, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	e := EnrolClaim{Code: "c", PublicKey: otherPub, Name: "n"}
	if _, err := e.Sign(key); err == nil {
		t.Error("a key claimed to be another")
	}
	if err := e.Verify(pub, sig); !errors.Is(err, ErrSignature) {
		t.Errorf("enrolment of another key: %v", err)
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	var log strings.Builder
	claim := HandoffClaim{Device: testDevice, Session: stead.NewSessionID(), Code: "open-sesame"}
	slog.New(slog.NewTextHandler(&log, nil)).Info("claim", "code", claim.Code)
	out := fmt.Sprintf("%v %+v %#v %s", claim, claim, claim, claim.Code) + log.String()
	if strings.Contains(out, "open-sesame") || strings.Count(out, "[redacted]") != 5 {
		t.Errorf("printed: %s", out)
	}
}

func TestCheckTexts(t *testing.T) {
	reason, name := NewText("reason", "The invoice of May is missing."), NewText("member_name", "Zoë")
	r := testRecord()
	r.Commit([]Text{reason, name})
	if err := r.Check([]Text{name, reason}); err != nil {
		t.Error(err)
	}
	if err := r.Check([]Text{name}); err != nil {
		t.Errorf("a withheld text: %v", err)
	}
	salted := reason
	salted.Salt[0] ^= 1
	for what, texts := range map[string][]Text{
		"another value":    {{Name: "reason", Salt: reason.Salt, Value: "Something else."}},
		"another salt":     {salted},
		"an unknown name":  {NewText("note", "x")},
		"under other name": {{Name: "member_name", Salt: reason.Salt, Value: reason.Value}},
		"twice":            {reason, reason},
	} {
		if r.Check(texts) == nil {
			t.Errorf("%s passed", what)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	session := stead.SessionID(strings.ToUpper(string(stead.NewSessionID())))
	v4 := uuid.New()
	for name, bend := range map[string]func(*Record){
		"upper case device":  func(r *Record) { r.Device = stead.DeviceID(strings.ToUpper(string(testDevice))) },
		"no device":          func(r *Record) { r.Device = "" },
		"other session form": func(r *Record) { r.Session = &session },
		"ref of version 4":   func(r *Record) { r.Ref = &v4 },
		"int in the body":    func(r *Record) { r.Body = Body{"n": 1} },
		"float in the body":  func(r *Record) { r.Body = Body{"n": math.Pi} },
		"not UTF-8":          func(r *Record) { r.Body = Body{"n": "\xff"} },
		"name not UTF-8":     func(r *Record) { r.Commitments = []Commitment{{Name: "\xff"}} },
		"larger than 64 KiB": func(r *Record) { r.Body = Body{"n": strings.Repeat("x", MaxEnvelope)} },
	} {
		r := testRecord()
		bend(&r)
		if _, err := r.Encode(); err == nil {
			t.Errorf("%s: encoded", name)
		}
	}
}
