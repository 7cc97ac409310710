package httpapi

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"unicode/utf8"

	"stead/internal/api"
)

// handlers is the generated handler of every operation but one: a batch of records is the largest body by far, and
// encoding/json takes as long for it as the rest of the request does outside the store.
type handlers struct {
	api.ServerInterface

	server  *server
	onError func(http.ResponseWriter, *http.Request, error)
}

// PostRecords does what the generated handler does.
func (h handlers) PostRecords(w http.ResponseWriter, r *http.Request, device, epoch string) {
	request := api.PostRecordsRequestObject{DeviceID: device, Epoch: epoch, Body: new(api.RecordBatch)}
	body, _ := r.Body.(*held)
	if body == nil || !readBatch(body.all, request.Body) {
		*request.Body = api.RecordBatch{}
		if err := json.NewDecoder(r.Body).Decode(request.Body); err != nil {
			h.onError(w, r, badRequest(err))
			return
		}
	}
	response, err := h.server.PostRecords(r.Context(), request)
	if err == nil {
		err = response.VisitPostRecordsResponse(w)
	}
	if err != nil {
		h.onError(w, r, err)
	}
}

// held is the body of a request that was read already.
type held struct {
	*bytes.Reader

	all []byte
}

func hold(body []byte) *held { return &held{bytes.NewReader(body), body} }

// Close implements io.ReadCloser.
func (h *held) Close() error { return nil }

// readBatch reads a batch in the form in which programs write one. Whatever has another form, wrong or not, it leaves to
// encoding/json and reports false; where it reports true, encoding/json would have read the same.
func readBatch(body []byte, into *api.RecordBatch) bool {
	// All byte strings lie in one piece of memory, for which their base64 has room.
	b := batchReader{rest: body, room: make([]byte, 0, base64.StdEncoding.DecodedLen(len(body)))}
	b.object(func(key []byte) {
		switch string(key) {
		case "first_seq":
			into.FirstSeq = b.number(&b.seen.first)
		case "head_seq":
			into.HeadSeq = b.number(&b.seen.head)
		case "head_leaf":
			into.HeadLeaf = b.bytes(into.HeadLeaf)
		case "signature":
			into.Signature = b.bytes(into.Signature)
		case "records":
			b.once(into.Records == nil)
			into.Records = make([]api.DeviceRecord, 0, 64)
			b.array(func() { into.Records = append(into.Records, b.record()) })
		default:
			b.other = true
		}
	})
	return !b.other
}

// batchReader walks over the JSON of a batch. Once it met something of another form, it reads nothing more.
type batchReader struct {
	rest  []byte
	room  []byte
	other bool
	seen  struct{ first, head bool }
}

func (b *batchReader) record() (r api.DeviceRecord) {
	b.object(func(key []byte) {
		switch string(key) {
		case "envelope":
			r.Envelope = b.bytes(r.Envelope)
		case "quarantined":
			b.once(r.Quarantined == nil)
			said := b.text()
			r.Quarantined = &said
		case "texts":
			b.once(r.Texts == nil)
			r.Texts = make([]api.RecordText, 0, 4)
			b.array(func() { r.Texts = append(r.Texts, b.recordText()) })
		default:
			b.other = true
		}
	})
	return r
}

func (b *batchReader) recordText() (t api.RecordText) {
	b.object(func(key []byte) {
		switch string(key) {
		case "name":
			b.once(t.Name == "")
			t.Name = b.text()
		case "salt":
			t.Salt = b.bytes(t.Salt)
		case "value":
			b.once(t.Value == "")
			t.Value = b.text()
		default:
			b.other = true
		}
	})
	return t
}

// once is told whether a key comes for the first time. Empty texts may come again: they change nothing.
func (b *batchReader) once(first bool) { b.other = b.other || !first }

// next passes white space and returns the byte behind it without passing it, 0 at the end.
func (b *batchReader) next() byte {
	for len(b.rest) > 0 && !b.other {
		switch c := b.rest[0]; c {
		case ' ', '\t', '\n', '\r':
			b.rest = b.rest[1:]
		default:
			return c
		}
	}
	return 0
}

// take passes the byte if it is the next one.
func (b *batchReader) take(c byte) bool {
	if b.next() != c {
		return false
	}
	b.rest = b.rest[1:]
	return true
}

func (b *batchReader) want(c byte) { b.other = !b.take(c) || b.other }

// list passes what stands between two brackets, separated by commas.
func (b *batchReader) list(from, to byte, one func()) {
	if b.want(from); b.take(to) {
		return
	}
	for !b.other {
		one()
		if b.take(to) {
			return
		}
		b.want(',')
	}
}

func (b *batchReader) array(one func()) { b.list('[', ']', one) }

func (b *batchReader) object(member func(key []byte)) {
	b.list('{', '}', func() {
		key, escaped := b.quoted()
		b.other = b.other || escaped
		if b.want(':'); !b.other {
			member(key)
		}
	})
}

// quoted passes a string of valid UTF-8 and returns what stands between its quotes.
func (b *batchReader) quoted() (text []byte, escaped bool) {
	if b.want('"'); b.other {
		return nil, false
	}
	ascii := true
	for i := 0; i < len(b.rest); i++ {
		switch c := b.rest[i]; {
		case c == '"':
			text, b.rest = b.rest[:i], b.rest[i+1:]
			b.other = !ascii && !utf8.Valid(text)
			return text, escaped
		case c == '\\':
			escaped = true
			i++
		case c < ' ':
			i = len(b.rest)
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	b.other = true
	return nil, false
}

// text passes a string.
func (b *batchReader) text() (s string) {
	text, escaped := b.quoted()
	if !escaped {
		return string(text)
	}
	if err := json.Unmarshal(slices.Concat([]byte{'"'}, text, []byte{'"'}), &s); err != nil {
		b.other = true
	}
	return s
}

// bytes passes a string of base64. before is what stood under its key so far.
func (b *batchReader) bytes(before []byte) []byte {
	b.once(before == nil)
	if b.want('"'); b.other {
		return nil
	}
	end := bytes.IndexByte(b.rest, '"')
	if end < 0 || bytes.IndexByte(b.rest[:end], '\n') >= 0 || bytes.IndexByte(b.rest[:end], '\r') >= 0 { // base64 would pass over them
		b.other = true
		return nil
	}
	into := b.room[len(b.room):]
	n, err := base64.StdEncoding.Decode(into[:base64.StdEncoding.DecodedLen(end)], b.rest[:end])
	b.other = err != nil
	b.rest, b.room = b.rest[end+1:], b.room[:len(b.room)+n]
	return into[:n:n]
}

// number passes a whole number of at most 18 digits that is not negative.
func (b *batchReader) number(seen *bool) (n int64) {
	b.once(!*seen)
	*seen = true
	b.next()
	digits := 0
	for digits < len(b.rest) && '0' <= b.rest[digits] && b.rest[digits] <= '9' {
		n, digits = 10*n+int64(b.rest[digits]-'0'), digits+1
		if digits > 18 {
			break
		}
	}
	if digits == 0 || digits > 18 || digits > 1 && b.rest[0] == '0' {
		b.other = true
		return 0
	}
	b.rest = b.rest[digits:]
	return n
}
