package audit

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/google/uuid"

	"stead/internal/stead"
)

// The first three bits of an item of CBOR (RFC 8949 section 3.1).
const (
	cborUint  = 0
	cborNeg   = 1
	cborBytes = 2
	cborText  = 3
	cborArray = 4
	cborMap   = 5
)

const (
	cborFalse = 0xf4
	cborTrue  = 0xf5
	cborNull  = 0xf6
)

var (
	errShort = errors.New("it ends too early")
	errShape = errors.New("something else than what belongs there")
)

// cursor walks over core deterministic CBOR. The first thing that is wrong stays in err, and from then on every method
// returns zero values: who uses it looks at err once, at the end.
type cursor struct {
	rest []byte
	err  error
}

func (c *cursor) refuse(err error) {
	if c.err == nil {
		c.err, c.rest = err, nil
	}
}

// next returns the next byte without passing it, 0xff (a break, which is never valid here) when there is none.
func (c *cursor) next() byte {
	if len(c.rest) == 0 {
		return 0xff
	}
	return c.rest[0]
}

// head passes the beginning of an item of the type and returns its argument: a number or a length, in its shortest form.
func (c *cursor) head(kind byte) uint64 {
	if len(c.rest) == 0 {
		c.refuse(errShort)
		return 0
	}
	first := c.rest[0]
	info := first & 0x1f
	switch {
	case first>>5 != kind || info > 27: // above: reserved, and of indefinite length
		c.refuse(errShape)
		return 0
	case info < 24:
		c.rest = c.rest[1:]
		return uint64(info)
	}
	n := 1 << (info - 24)
	if len(c.rest) <= n {
		c.refuse(errShort)
		return 0
	}
	var v uint64
	for _, b := range c.rest[1 : n+1] {
		v = v<<8 | uint64(b)
	}
	c.rest = c.rest[n+1:]
	if n == 1 && v < 24 || n > 1 && v>>(4*n) == 0 { // half of the bytes would do
		c.refuse(ErrNotCanonical)
		return 0
	}
	return v
}

// text passes a byte string or a text and returns what is in it.
func (c *cursor) text(kind byte) []byte {
	n := c.head(kind)
	if n > uint64(len(c.rest)) {
		c.refuse(errShort)
		return nil
	}
	out := c.rest[:n]
	c.rest = c.rest[n:]
	return out
}

// fixed passes a byte string of just this length.
func (c *cursor) fixed(into []byte) {
	if n := len(into); n < 24 && len(c.rest) > n && int(c.rest[0]) == cborBytes<<5|n { // as a rule, and faster
		copy(into, c.rest[1:])
		c.rest = c.rest[n+1:]
		return
	}
	b := c.text(cborBytes)
	if len(b) != len(into) {
		c.refuse(errShape)
		return
	}
	copy(into, b)
}

// null passes a null and reports whether there was one.
func (c *cursor) null() bool {
	if c.next() != cborNull {
		return false
	}
	c.rest = c.rest[1:]
	return true
}

func (c *cursor) integer() int64 {
	negative := c.next()>>5 == cborNeg
	kind := byte(cborUint)
	if negative {
		kind = cborNeg
	}
	v := c.head(kind)
	if v > 1<<63-1 {
		c.refuse(errShape)
		return 0
	}
	if negative {
		return -1 - int64(v)
	}
	return int64(v)
}

// key passes the key of a map that only has small numbers for keys.
func (c *cursor) key(n byte) {
	if c.next() != n {
		c.refuse(fmt.Errorf("key %d is not in its place", n))
		return
	}
	c.rest = c.rest[1:]
}

// view is a record as its bytes say it, without a copy of what has no fixed size. Its slices are parts of the envelope.
type view struct {
	device, epoch, boot, event, session, actor, subject, ref [16]byte
	hasSession, hasSubject, hasRef, hasOffset                bool

	seq                uint64
	prev               [32]byte
	wall, mono, offset int64
	kind               Kind
	keyID              [8]byte
	commitments, body  []byte // as encoded; the body without its length
}

// scan reads an envelope as Decode does and keeps nothing on the heap.
func (v *view) scan(data []byte) error {
	c, err := v.begin(data)
	if err != nil {
		return err
	}
	v.scanSubject(&c)
	c.key(15)
	from := c.rest
	scanCommitments(&c)
	v.commitments = from[:len(from)-len(c.rest)]
	c.key(16)
	v.body = c.text(cborBytes)
	c.key(17)
	c.fixed(v.keyID[:])
	if c.err == nil && len(c.rest) > 0 {
		c.refuse(fmt.Errorf("%d bytes follow it", len(c.rest)))
	}
	if c.err != nil {
		return fmt.Errorf("record: %w", c.err)
	}
	if err := scanBody(v.body, nil); err != nil {
		return err
	}
	if err := v.valid(); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

// scanPlace reads the keys 1 to 8: where the record stands and when it was written.
func (v *view) scanPlace(c *cursor) {
	c.key(1)
	c.fixed(v.device[:])
	c.key(2)
	c.fixed(v.epoch[:])
	c.key(3)
	v.seq = c.head(cborUint)
	c.key(4)
	c.fixed(v.prev[:])
	c.key(5)
	v.wall = c.integer()
	c.key(6)
	c.fixed(v.boot[:])
	c.key(7)
	v.mono = c.integer()
	c.key(8)
	if v.hasOffset = !c.null(); v.hasOffset {
		v.offset = c.integer()
	}
}

// scanSubject reads the keys 9 to 14: what happened, who did it and to whom.
func (v *view) scanSubject(c *cursor) {
	c.key(9)
	name := c.text(cborText)
	if v.kind = kindsByName[string(name)]; v.kind == "" {
		c.refuse(fmt.Errorf("unknown kind %q", name))
	}
	c.key(10)
	c.fixed(v.event[:])
	c.key(11)
	if v.hasSession = !c.null(); v.hasSession {
		c.fixed(v.session[:])
	}
	c.key(12)
	c.fixed(v.actor[:])
	c.key(13)
	if v.hasSubject = !c.null(); v.hasSubject {
		c.fixed(v.subject[:])
	}
	c.key(14)
	if v.hasRef = !c.null(); v.hasRef {
		c.fixed(v.ref[:])
	}
}

// scanCommitments passes the commitments of a record: sorted by name, each name once.
func scanCommitments(c *cursor) {
	n := c.head(cborArray)
	if n > MaxCommitments {
		c.refuse(fmt.Errorf("more than %d commitments", MaxCommitments))
	}
	var before []byte
	for ; n > 0 && c.err == nil; n-- {
		name, _ := commitment(c)
		if c.err == nil && bytes.Compare(before, name) >= 0 { // no name is empty
			c.refuse(errors.New("commitments are not sorted by name, each once"))
		}
		before = name
	}
}

// commitment passes one commitment.
func commitment(c *cursor) (name []byte, hash [32]byte) {
	if c.head(cborArray) != 2 {
		c.refuse(errShape)
	}
	name = scanName(c)
	c.fixed(hash[:])
	return name, hash
}

// scanName passes the name of a text or a fact.
func scanName(c *cursor) []byte {
	name := c.text(cborText)
	if c.err == nil {
		if err := validName(name); err != nil {
			c.refuse(err)
		}
	}
	return name
}

// scanBody reads a body as DecodeBody does, and puts its facts into b unless that is nil.
func scanBody(data []byte, b Body) error {
	c := cursor{rest: data}
	n := c.head(cborMap)
	if n > MaxBodyKeys {
		c.refuse(fmt.Errorf("%d facts: at most %d", n, MaxBodyKeys))
	}
	var before []byte
	for ; n > 0 && c.err == nil; n-- {
		from := c.rest
		name := scanName(&c)
		encoded := from[:len(from)-len(c.rest)]
		if c.err == nil && bytes.Compare(before, encoded) >= 0 {
			c.refuse(ErrNotCanonical)
		}
		before = encoded
		switch kind := c.next(); {
		case kind == cborFalse || kind == cborTrue:
			c.rest = c.rest[1:]
			if b != nil {
				b[string(name)] = kind == cborTrue
			}
		case kind>>5 == cborText:
			text := c.text(cborText)
			if !utf8.Valid(text) {
				c.refuse(fmt.Errorf("%q is not UTF-8", name))
			}
			if b != nil {
				b[string(name)] = string(text)
			}
		default:
			if value := c.integer(); b != nil {
				b[string(name)] = value
			}
		}
	}
	if c.err == nil && len(c.rest) > 0 {
		c.refuse(ErrNotCanonical)
	}
	if c.err != nil {
		return fmt.Errorf("body: %w", c.err)
	}
	return nil
}

// record is the record of the view, with copies of everything.
func (v *view) record() Record {
	r := Record{Device: deviceID(v.device), Epoch: v.epoch, Seq: v.seq, Prev: v.prev, WallMS: v.wall, BootID: v.boot, MonoMS: v.mono,
		Kind: v.kind, EventID: v.event, Actor: v.actor, KeyID: v.keyID, Body: Body{}}
	if v.hasOffset {
		offset := v.offset
		r.ServerOffsetMS = &offset
	}
	if v.hasSession {
		session := stead.SessionID(uuid.UUID(v.session).String())
		r.Session = &session
	}
	if v.hasSubject {
		subject := stead.Pseudonym(v.subject)
		r.Subject = &subject
	}
	if v.hasRef {
		ref := uuid.UUID(v.ref)
		r.Ref = &ref
	}
	c := cursor{rest: v.commitments}
	r.Commitments = make([]Commitment, c.head(cborArray))
	for i := range r.Commitments {
		name, hash := commitment(&c)
		r.Commitments[i] = Commitment{Name: string(name), Hash: hash}
	}
	_ = scanBody(v.body, r.Body) // scan has read it before
	return r
}

// begin reads an envelope up to its place, as scan does.
func (v *view) begin(data []byte) (cursor, error) {
	c := cursor{rest: data}
	if len(data) > MaxEnvelope {
		return c, fmt.Errorf("record of %d bytes: at most %d", len(data), MaxEnvelope)
	}
	if n := c.head(cborMap); c.err == nil && n != 18 {
		c.refuse(fmt.Errorf("a map of %d keys", n))
	}
	c.key(0)
	if n := c.head(cborUint); c.err == nil && n != Version {
		return c, fmt.Errorf("record of version %d: this program reads %d", n, Version)
	}
	v.scanPlace(&c)
	return c, nil
}
