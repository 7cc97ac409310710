package bundle

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"stead/internal/audit"
)

// TestThereIsOneWayToWriteJSON: what encode writes is read back, and nothing that says the same in another way.
func TestThereIsOneWayToWriteJSON(t *testing.T) {
	line := Texts{Place: 7, Texts: []Text{{Name: "reason", Salt: "00", Value: "a\u2028b\u2029c \\u2028 \\\\u2029 \"<&>\x00\x1f\x7f\b\f\n\r\té😀"}}, Missing: []Missing{}}
	raw, err := encode(line, false)
	if err != nil || !bytes.Contains(raw, []byte("a\u2028b\u2029c \\\\u2028 \\\\\\\\u2029 \\\"<&>\\u0000\\u001f\x7f\\b\\f\\n\\r\\té😀")) {
		t.Fatalf("%s, %v", raw, err)
	}
	var back Texts
	if err := decode(raw, &back, false); err != nil || back.Texts[0] != line.Texts[0] {
		t.Errorf("%+v, %v", back, err)
	}
	whole := `{"notice":1,"session":null,"kind":"ended","created_ms":5,"released_ms":null,"read_ms":-5}` + "\n"
	if err := decode([]byte(whole), new(Notice), false); err != nil {
		t.Error(err)
	}
	for name, c := range map[string][2]string{
		"a blank":            {`:1`, `: 1`},
		"another order":      {`"notice":1,"session":null`, `"session":null,"notice":1`},
		"capitals":           {`"notice"`, `"Notice"`},
		"a key twice":        {`"notice":1`, `"notice":1,"notice":1`},
		"a key too many":     {`"notice":1`, `"notice":1,"more":1`},
		"a key too few":      {`,"read_ms":-5`, ``},
		"an escape":          {`"ended"`, `"\u0065nded"`},
		"an exponent":        {`:5`, `:5e0`},
		"a fraction":         {`:5`, `:5.0`},
		"a leading zero":     {`:5`, `:05`},
		"minus nothing":      {`:5`, `:-0`},
		"beyond 64 bits":     {`:5`, `:9223372036854775808`},
		"a text as number":   {`:5`, `:"5"`},
		"true as number":     {`:1`, `:true`},
		"null as text":       {`"ended"`, `null`},
		"no UTF-8":           {`ended`, "end\xffd"},
		"half a pair":        {`ended`, `\ud800`},
		"no line feed":       {"}\n", "}"},
		"two line feeds":     {"}\n", "}\n\n"},
		"something behind":   {"}\n", "}{}\n"},
		"another line break": {"}\n", "}\r\n"},
	} {
		other := strings.Replace(whole, c[0], c[1], 1)
		if other == whole {
			t.Fatalf("%s changes nothing", name)
		}
		if err := decode([]byte(other), new(Notice), false); !errors.Is(err, errForm) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestWriterKeepsTheOrder: what the format does not have cannot be written.
func TestWriterKeepsTheOrder(t *testing.T) {
	var out bytes.Buffer
	w, err := NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Finish(Manifest{}); err == nil {
		t.Error("a bundle of documents alone")
	}
	if w, err = NewWriter(&out); err != nil {
		t.Fatal(err)
	}
	if err := w.View(Manifest{}); err == nil {
		t.Error("a view that the format does not have")
	}
	if err := w.Log(nil, nil, nil, func() error { return w.Entry(make([]byte, audit.MaxEnvelope+1)) }); err == nil {
		t.Error("an entry that is too long for its length")
	}
}
