package browser

import "bytes"

// strictJSON makes JSON out of what Chromium takes for it in its policy files: there a byte order mark, comments and
// a comma after the last element are no mistakes.
func strictJSON(raw []byte) []byte {
	raw = bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
	var out []byte
	for i := 0; i < len(raw); {
		rest := raw[i:]
		switch {
		case rest[0] == '"':
			n := stringLength(rest)
			out = append(out, rest[:n]...)
			i += n
		case bytes.HasPrefix(rest, []byte("//")):
			i += lengthUntil(rest, "\n")
		case bytes.HasPrefix(rest, []byte("/*")):
			i += lengthUntil(rest, "*/")
		case rest[0] == '}' || rest[0] == ']':
			out = append(bytes.TrimSuffix(bytes.TrimRight(out, " \t\r\n"), []byte(",")), rest[0])
			i++
		default:
			out = append(out, rest[0])
			i++
		}
	}
	return out
}

// stringLength is that of the string literal that raw begins with, or of all of raw when it does not end.
func stringLength(raw []byte) int {
	for i := 1; i < len(raw); i++ {
		switch raw[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(raw)
}

// lengthUntil is the length up to and with the end mark, or all of raw.
func lengthUntil(raw []byte, end string) int {
	if i := bytes.Index(raw, []byte(end)); i >= 0 {
		return i + len(end)
	}
	return len(raw)
}
