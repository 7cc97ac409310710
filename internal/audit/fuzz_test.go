package audit

import (
	"bytes"
	"testing"
)

// FuzzDecode: Decode never panics, says what the library says, and what it accepts has exactly this one encoding.
func FuzzDecode(f *testing.F) {
	v := loadVectors(f)
	for _, r := range v.Records {
		f.Add([]byte(r.Envelope))
	}
	for _, r := range v.Refused {
		f.Add([]byte(r.Bytes))
	}
	library := oracle(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		agree(t, library, data)
		r, err := Decode(data)
		if err != nil {
			return
		}
		again, err := r.Encode()
		if err != nil {
			t.Fatalf("decoded, and does not encode: %v", err)
		}
		if !bytes.Equal(again, data) {
			t.Fatalf("two encodings of one record:\n%x\n%x", data, again)
		}
	})
}
