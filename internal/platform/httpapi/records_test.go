package httpapi_test

import (
	"encoding/json"
	"strings"
	"testing"

	"stead/internal/api"
	"stead/internal/audit"
	"stead/internal/stead"
)

// TestABatchIsHeldToTheContract: the handler refuses what the document's schema of a batch refuses.
func TestABatchIsHeldToTheContract(t *testing.T) {
	s := newServer(t)
	s.staff(nil)
	d := s.enrolled(1)
	good, err := json.Marshal(d.batch(stead.NewPseudonym(), stead.NewPseudonym(), 2))
	if err != nil {
		t.Fatal(err)
	}
	change := func(f func(batch, record, text map[string]any)) string {
		var batch map[string]any
		if err := json.Unmarshal(good, &batch); err != nil {
			t.Fatal(err)
		}
		record := batch["records"].([]any)[1].(map[string]any)
		f(batch, record, record["texts"].([]any)[0].(map[string]any))
		out, err := json.Marshal(batch)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	without := func(field string) string {
		return change(func(batch, _, _ map[string]any) { delete(batch, field) })
	}
	record := func(field string, value any) string {
		return change(func(_, r, _ map[string]any) {
			if r[field] = value; value == nil {
				delete(r, field)
			}
		})
	}
	text := func(field string, value any) string {
		return change(func(_, _, x map[string]any) {
			if x[field] = value; value == nil {
				delete(x, field)
			}
		})
	}
	many := func(n int, v any) []any {
		out := make([]any, n)
		for i := range out {
			out[i] = v
		}
		return out
	}
	for name, body := range map[string]string{
		"nothing": "{}", "no JSON": "{", "a list": "{[]", "an envelope that is no base64": record("envelope", "%%"), "a number for a text": record("envelope", 7),
		"no first": without("first_seq"), "no head": without("head_seq"), "no leaf": without("head_leaf"), "no signature": without("signature"), "no records": without("records"),
		"no record": change(func(b, _, _ map[string]any) { b["records"] = []any{} }), "too many": change(func(b, r, _ map[string]any) { b["records"] = many(501, r) }),
		"first of 0": change(func(b, _, _ map[string]any) { b["first_seq"] = 0 }), "head of -1": change(func(b, _, _ map[string]any) { b["head_seq"] = -1 }),
		"half a leaf": change(func(b, _, _ map[string]any) { b["head_leaf"] = "AAAA" }), "a fraction": change(func(b, _, _ map[string]any) { b["head_seq"] = 1.5 }),
		"no envelope": record("envelope", nil), "no texts": record("texts", nil), "too many texts": record("texts", many(17, map[string]any{"name": "a", "salt": "", "value": ""})),
		"quarantined for nothing": record("quarantined", ""), "quarantined at length": record("quarantined", strings.Repeat("é", 201)),
		"no salt": text("salt", nil), "a short salt": text("salt", "AAAA"), "no name": text("name", nil), "a long name": text("name", strings.Repeat("é", 41)), "a long text": text("value", strings.Repeat("é", 16001)),
	} {
		if a := s.do("POST", d.path(), "st-lena", body); a.status != 400 || stead.Code(a.problem.Code) != stead.CodeBadRequest {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	s.want(s.do("POST", d.path(), "st-lena", " "+string(good)), 400, stead.CodeBadRequest) // sent as a form
	s.want(s.do("POST", strings.Replace(d.path(), "/v1/audit/0", "/v1/audit/X", 1), "st-lena", string(good)), 400, stead.CodeBadRequest)
	if a := s.do("POST", d.path(), "st-lena", string(good)); a.status != 200 || strings.TrimSpace(a.body) != `{"next_seq":3}` {
		t.Errorf("the good one: %d %s", a.status, a.body)
	}
}

func TestARefusedRecordIsNamedAndCanBeQuarantined(t *testing.T) {
	s := newServer(t)
	s.staff(nil)
	d := s.enrolled(1)
	batch := d.batch(stead.NewPseudonym(), stead.NewPseudonym(), 2)
	d.head.Seq, d.head.Leaf = 3, audit.Leaf([]byte("no record"))
	leaf := d.head.Leaf
	batch.Records = append(batch.Records, api.DeviceRecord{Envelope: []byte("no record"), Texts: []api.RecordText{}})
	batch.HeadSeq, batch.HeadLeaf, batch.Signature = 3, leaf[:], d.sign()
	send := func() answer {
		body, err := json.Marshal(batch)
		if err != nil {
			t.Fatal(err)
		}
		return s.do("POST", d.path(), "st-lena", string(body))
	}
	a := send()
	s.want(a, 422, stead.CodeRecordInvalid)
	if a.problem.BadSeq == nil || *a.problem.BadSeq != 3 {
		t.Errorf("the bad record is not named: %s", a.body)
	}
	why := "record_invalid"
	batch.Records[2].Quarantined = &why
	if a := send(); a.status != 200 || strings.TrimSpace(a.body) != `{"next_seq":4}` {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func (d *device) sign() []byte {
	d.Helper()
	sig, err := audit.SignHead(d.key, d.head)
	if err != nil {
		d.Fatal(err)
	}
	return sig
}

func TestHeadsOverHTTP(t *testing.T) {
	s := newServer(t)
	s.staff(nil)
	s.staff(func(p *stead.Staff) { p.ID, p.Role, p.Pseudonym = "st-audit", stead.RoleAuditor, stead.NewPseudonym() })
	d := s.enrolled(1)
	post := func(epoch audit.Epoch, change func(map[string]any)) answer {
		leaf := d.head.Leaf
		body := map[string]any{"seq": d.head.Seq, "leaf": leaf[:], "signature": d.sign()}
		if change != nil {
			change(body)
		}
		out, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		return s.do("POST", "/v1/audit/"+string(d.id)+"/"+epoch.String()+"/head", "st-lena", string(out))
	}
	if a := post(d.epoch, nil); a.status != 200 || strings.TrimSpace(a.body) != `{"next_seq":1}` {
		t.Errorf("an empty chain: %d %s", a.status, a.body)
	}
	s.grow(d, 3)
	early := d.head
	s.grow(d, 2)
	if a := post(d.epoch, nil); a.status != 200 || strings.TrimSpace(a.body) != `{"next_seq":6}` {
		t.Errorf("%d %s", a.status, a.body)
	}
	now := d.head
	d.head = early
	for range 2 {
		a := post(d.epoch, nil)
		s.want(a, 409, stead.CodeChainFork)
		if a.problem.NextSeq == nil || *a.problem.NextSeq != 6 {
			t.Errorf("what is expected next is not said: %s", a.body)
		}
	}
	d.head = now
	s.want(post(audit.Epoch{9}, nil), 403, stead.CodeDeviceSignature) // the signature holds for its epoch
	for name, change := range map[string]func(map[string]any){
		"no seq": func(m map[string]any) { delete(m, "seq") }, "a negative one": func(m map[string]any) { m["seq"] = -1 }, "no leaf": func(m map[string]any) { delete(m, "leaf") },
		"half a leaf": func(m map[string]any) { m["leaf"] = "AAAA" }, "no signature": func(m map[string]any) { delete(m, "signature") }, "a number": func(m map[string]any) { m["signature"] = 7 },
	} {
		if a := post(d.epoch, change); a.status != 400 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := s.do("GET", "/v1/trail", "st-audit", ""); strings.Count(a.body, `"device.alarm"`) != 1 {
		t.Errorf("want one alarm: %s", a.body)
	}
	for _, query := range []string{"", "?first=0", "?first=x", "?first=1&limit=0", "?first=1&limit=1001"} {
		s.want(s.do("GET", d.path()+"/positions"+query, "st-lena", ""), 400, stead.CodeBadRequest)
	}
	if a := s.do("GET", d.path()+"/positions?first=2&limit=3", "st-lena", ""); strings.TrimSpace(a.body) != `{"first":2,"positions":[1,2,3]}` {
		t.Errorf("%s", a.body)
	}
	if a := s.do("GET", d.path()+"/positions?first=9", "st-lena", ""); strings.TrimSpace(a.body) != `{"first":9,"positions":[]}` {
		t.Errorf("%s", a.body)
	}
	s.want(s.do("GET", "/v1/audit/"+strings.Repeat("e", 32)+"/"+d.epoch.String()+"/positions?first=1", "st-lena", ""), 403, stead.CodeDeviceUnknown)
}
