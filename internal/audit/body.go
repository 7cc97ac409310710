package audit

import (
	"fmt"
	"reflect"
	"unicode/utf8"
)

// Body holds the facts of a record that are not personal: causes, categories, counts, ids. Values are string, int64
// or bool, and nothing else.
type Body map[string]any

// MaxBodyKeys is how many facts a body may hold.
const MaxBodyKeys = 32

// EncodeBody returns the body's one encoding: core deterministic CBOR, keys sorted. A nil body is an empty one.
func EncodeBody(b Body) ([]byte, error) {
	if err := b.valid(); err != nil {
		return nil, err
	}
	return appendBody(make([]byte, 0, b.room()), b), nil
}

// room is enough for the encoding of a valid body.
func (b Body) room() int {
	n := 3
	for k, v := range b {
		text, _ := v.(string)
		n += 2 + len(k) + 9 + len(text)
	}
	return n
}

// DecodeBody reads what EncodeBody writes and refuses every other encoding of it.
func DecodeBody(data []byte) (Body, error) {
	b := Body{}
	if err := scanBody(data, b); err != nil {
		return nil, err
	}
	return b, nil
}

func (b Body) valid() error {
	if len(b) > MaxBodyKeys {
		return fmt.Errorf("body of %d facts: at most %d", len(b), MaxBodyKeys)
	}
	for k, v := range b {
		if err := validName([]byte(k)); err != nil {
			return fmt.Errorf("body: %w", err)
		}
		switch v := v.(type) {
		case int64, bool:
		case string:
			if !utf8.ValidString(v) {
				return fmt.Errorf("body: %q is not UTF-8", k)
			}
		default:
			return fmt.Errorf("body: %q is %v: want string, int64 or bool", k, reflect.TypeOf(v))
		}
	}
	return nil
}
