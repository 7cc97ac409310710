package httpapi

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"stead/internal/api"
)

// written is a batch as programs write it.
func written(t testing.TB) []byte {
	t.Helper()
	said := "record_invalid"
	batch := api.RecordBatch{FirstSeq: 7, HeadSeq: 9, HeadLeaf: bytes.Repeat([]byte{0xff}, 32), Signature: []byte{1, 2, 3, 4}, Records: []api.DeviceRecord{
		{Envelope: bytes.Repeat([]byte{0x3e, 0x3f}, 301), Texts: []api.RecordText{{Name: "reason", Salt: make([]byte, 32), Value: `"Zoë" & <Søn>` + "\n\u2028"}, {Name: "a", Value: ""}}},
		{Envelope: []byte{}, Texts: []api.RecordText{}, Quarantined: &said},
		{Envelope: []byte{0}, Texts: []api.RecordText{{Name: "n", Salt: []byte{}, Value: "v"}}},
	}}
	out, err := json.Marshal(batch)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Replace(out, []byte(`"salt":null`), []byte(`"salt":"AA=="`), 1)
}

// alike fails when readBatch takes what encoding/json would read in another way, or not at all.
func alike(t *testing.T, body []byte) (read bool) {
	t.Helper()
	var got, want api.RecordBatch
	if read = readBatch(body, &got); !read {
		return false
	}
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&want); err != nil {
		t.Fatalf("%q was read, and encoding/json says: %v", body, err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%q was read as %+v, encoding/json reads %+v", body, got, want)
	}
	return true
}

func TestABatchIsReadAsByEncodingJSON(t *testing.T) {
	good := string(written(t))
	indented := new(bytes.Buffer)
	if err := json.Indent(indented, []byte(good), " ", "\t"); err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{good, indented.String(), good + "x", `{"records":[]}`, "{}", ` {"head_seq":0,"first_seq":123456789012345678}`,
		`{"records":[{"texts":[{"name":"","name":"\ud83d\ude00 \u0000 é"}]}]}`} {
		if !alike(t, []byte(body)) {
			t.Errorf("left to encoding/json: %s", body)
		}
	}
	for name, body := range map[string]string{"nothing": "", "a list": "[]", "another key": `{"more":1,` + good[1:], "a key of another case": strings.Replace(good, "envelope", "Envelope", 1),
		"a number twice": `{"first_seq":1,` + good[1:], "records twice": `{"records":[],` + good[1:], "a leaf twice": `{"head_leaf":"",` + good[1:], "null": `{"records":null}`,
		"a fraction": `{"head_seq":1.5}`, "an exponent": `{"head_seq":1e3}`, "a sign": `{"head_seq":-1}`, "leading zero": `{"head_seq":01}`, "19 digits": `{"head_seq":1234567890123456789}`,
		"no base64": `{"head_leaf":"%%"}`, "half of base64": `{"head_leaf":"AAA"}`, "a line in base64": "{\"head_leaf\":\"AA\nAA\"}", "escaped base64": `{"head_leaf":"\u0041AAA"}`,
		"not UTF-8": "{\"records\":[{\"quarantined\":\"\xff\"}]}", "a bare tab": "{\"records\":[{\"quarantined\":\"\t\"}]}", "an unknown escape": `{"records":[{"quarantined":"\x"}]}`,
		"an escaped key": `{"head_\u0073eq":1}`, "cut": good[:len(good)-1], "cut in a text": good[:len(good)/2], "a comma": `{"records":[],}`} {
		if alike(t, []byte(body)) {
			t.Errorf("not left to encoding/json: %s", name)
		}
	}
}

func FuzzABatchIsReadAsByEncodingJSON(f *testing.F) {
	f.Add(written(f))
	f.Add([]byte(`{"records":[{"texts":[{"value":"\u00e9\""}]}],"head_leaf":"AAAA","head_seq":1}`))
	f.Fuzz(func(t *testing.T, body []byte) { alike(t, body) })
}

func BenchmarkReadBatch(b *testing.B) {
	var batch api.RecordBatch
	body := written(b)
	if !readBatch(body, &batch) {
		b.Fatal("left to encoding/json")
	}
	batch.Records = slices.Repeat(batch.Records[:1], 200)
	body, _ = json.Marshal(batch)
	for _, read := range []struct {
		name string
		by   func() bool
	}{{"here", func() bool { return readBatch(body, new(api.RecordBatch)) }},
		{"encoding/json", func() bool { return json.NewDecoder(bytes.NewReader(body)).Decode(new(api.RecordBatch)) == nil }}} {
		b.Run(read.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !read.by() {
					b.Fatal("not read")
				}
			}
		})
	}
}
