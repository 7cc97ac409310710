package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

var errForm = errors.New("it is not written in the one way")

// encode writes JSON in the one way that FORMAT.md allows, with a line feed at the end; indented for the manifest.
func encode(v any, indented bool) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if indented {
		e.SetIndent("", " ")
	}
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return separators(b.Bytes()), nil
}

// separators puts U+2028 and U+2029 back, which encoding/json always escapes and the format does not.
func separators(b []byte) []byte {
	if !bytes.Contains(b, []byte(`\u202`)) {
		return b
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' { // in JSON, a backslash always has something behind it
			out = append(out, b[i])
			continue
		}
		rest := b[i:]
		switch {
		case bytes.HasPrefix(rest, []byte(`\u2028`)):
			out, i = append(out, "\u2028"...), i+5
		case bytes.HasPrefix(rest, []byte(`\u2029`)):
			out, i = append(out, "\u2029"...), i+5
		default:
			out, i = append(out, rest[:2]...), i+1
		}
	}
	return out
}

// decode reads what encode writes and refuses every other way to write it: other keys, another order, blanks.
func decode(raw []byte, into any, indented bool) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("%w: %w", errForm, err)
	}
	again, err := encode(into, indented)
	if err != nil {
		return err
	}
	if !bytes.Equal(again, raw) {
		return errForm
	}
	return nil
}
