package sqlite

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"stead/internal/stead"
)

// millis is how a time is stored; NULL for the zero time.
func millis(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

// stamp scans what millis stored.
type stamp struct{ to *time.Time }

func (s stamp) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*s.to = time.Time{}
	case int64:
		*s.to = time.UnixMilli(v).UTC()
	default:
		return fmt.Errorf("a time is stored as %T", v)
	}
	return nil
}

// bytesOrNull stores an array of bytes that is all zero as NULL.
func bytesOrNull(b []byte) any {
	for _, x := range b {
		if x != 0 {
			return b
		}
	}
	return nil
}

// fixed scans a BLOB into an array of its size; NULL becomes zeros.
type fixed []byte

func (f fixed) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		clear(f)
	case []byte:
		if len(v) != len(f) {
			return fmt.Errorf("%d bytes are stored where %d belong", len(v), len(f))
		}
		copy(f, v)
	default:
		return fmt.Errorf("bytes are stored as %T", v)
	}
	return nil
}

// textOrNull stores "" as NULL, for columns that refer to another table.
func textOrNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// optional scans NULL as "".
type optional[T ~string] struct{ to *T }

func (o optional[T]) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*o.to = ""
	case string:
		*o.to = T(v)
	default:
		return fmt.Errorf("a text is stored as %T", v)
	}
	return nil
}

// list stores ids as a JSON array and reads them back.
type list[T ~string] struct{ of *[]T }

func (l list[T]) text() string {
	if len(*l.of) == 0 {
		return "[]"
	}
	b, _ := json.Marshal(*l.of) // strings always marshal
	return string(b)
}

func (l list[T]) Scan(v any) error {
	s, ok := v.(string)
	if !ok {
		return fmt.Errorf("a list is stored as %T", v)
	}
	return json.Unmarshal([]byte(s), l.of)
}

// page is how many rows a caller gets who asked for n.
func page(n, standard, most int) int {
	if n <= 0 {
		return standard
	}
	return min(n, most)
}

// A cursor is the place of a page's last row, in a form nobody should read. maxCursor is far above what we write.
const maxCursor = 4096

func encodeCursor(place any) string {
	b, _ := json.Marshal(place) // places are made of strings and numbers
	return base64.RawURLEncoding.EncodeToString(b)
}

func decodeCursor(cursor string, place any) error {
	if len(cursor) > maxCursor {
		return stead.Errorf(stead.CodeBadRequest, "cursor")
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err == nil {
		err = json.Unmarshal(b, place)
	}
	if err != nil {
		return stead.Errorf(stead.CodeBadRequest, "cursor").Because(err)
	}
	return nil
}
