package audit

import (
	"crypto/cipher"
	"fmt"
	"slices"

	"stead/internal/stead"
)

// SealRecord seals a record for one place: nonce || ciphertext || tag. The additional data is generation || epoch ||
// sequence, numbers as 8 bytes, big-endian, so that a sealed record opens in no other place.
func SealRecord(key cipher.AEAD, generation uint64, epoch Epoch, seq uint64, s Sealed) ([]byte, error) {
	closer := Closer{Key: key, Generation: generation, Epoch: epoch}
	return closer.Seal(seq, s), nil
}

// Closer seals records of one file one after the other, in the same memory. It is for one goroutine.
type Closer struct {
	Key        cipher.AEAD
	Generation uint64
	Epoch      Epoch

	plain []byte
	place []byte
}

// Seal is SealRecord.
func (c *Closer) Seal(seq uint64, s Sealed) []byte {
	c.plain = s.write(c.plain[:0])
	c.place = appendSealedAAD(c.place[:0], c.Generation, c.Epoch, seq, nil)
	return c.Key.Seal(nil, nil, c.plain, c.place)
}

// OpenRecord opens what SealRecord sealed for the same place.
func OpenRecord(key cipher.AEAD, generation uint64, epoch Epoch, seq uint64, sealed []byte) (s Sealed, err error) {
	plain, err := key.Open(nil, nil, sealed, sealedAAD(generation, epoch, seq, nil))
	if err == nil {
		err = s.read(plain)
	}
	if err != nil {
		return Sealed{}, fmt.Errorf("record %d: %w", seq, err)
	}
	return s, nil
}

// write appends the CBOR of the array [envelope, texts], where null stands for no texts.
func (s *Sealed) write(b []byte) []byte {
	size := len(s.Envelope) + 16
	for _, t := range s.Texts {
		size += len(t.Name) + len(t.Salt) + len(t.Value) + 16
	}
	b = appendItem(slices.Grow(b, size), cborArray, 2)
	b = appendBytes(b, s.Envelope)
	if s.Texts == nil {
		return append(b, cborNull)
	}
	b = appendItem(b, cborArray, uint64(len(s.Texts)))
	for _, t := range s.Texts {
		b = appendText(appendItem(b, cborArray, 3), t.Name)
		b = appendText(appendBytes(b, t.Salt[:]), t.Value)
	}
	return b
}

// read reads what write wrote. The envelope is a part of it, the texts are copies.
func (s *Sealed) read(plain []byte) error {
	c := cursor{rest: plain}
	if c.head(cborArray) != 2 {
		c.refuse(errShape)
	}
	s.Envelope = c.text(cborBytes)
	if !c.null() {
		n := c.head(cborArray)
		if n > uint64(len(c.rest)) {
			c.refuse(errShort)
			n = 0
		}
		s.Texts = make([]Text, n)
	}
	for i := range s.Texts {
		if c.head(cborArray) != 3 {
			c.refuse(errShape)
		}
		t := &s.Texts[i]
		t.Name = string(c.text(cborText))
		c.fixed(t.Salt[:])
		t.Value = string(c.text(cborText))
	}
	if c.err == nil && len(c.rest) > 0 {
		c.refuse(fmt.Errorf("%d bytes follow it", len(c.rest)))
	}
	return c.err
}

// Link is what a chain needs to know of one of its records.
type Link struct {
	Head   Head     // after it
	Prev   [32]byte // the leaf that it follows
	WallMS int64
}

// Opener opens sealed records of one file one after the other, in the same memory. It is for one goroutine.
type Opener struct {
	Key        cipher.AEAD
	Generation uint64
	Epoch      Epoch

	plain  []byte
	place  []byte
	device [16]byte // of the record before, and
	name   stead.DeviceID
}

// Open opens what SealRecord sealed for the place and returns where the record itself says that it stands. A record with
// texts is checked as Decode checks it, and that the texts are its own. Of another only the place is read: the seal shows
// that it is what was sealed, and the leaf is over all of it.
func (o *Opener) Open(seq uint64, sealed []byte) (Link, error) {
	o.place = appendSealedAAD(o.place[:0], o.Generation, o.Epoch, seq, nil)
	plain, err := o.Key.Open(o.plain[:0], nil, sealed, o.place)
	if err != nil {
		return Link{}, fmt.Errorf("record %d: %w", seq, err)
	}
	o.plain = plain
	var s Sealed
	var v view
	if err = s.read(plain); err == nil {
		err = v.link(&s)
	}
	if err != nil {
		return Link{}, fmt.Errorf("record %d: %w", seq, err)
	}
	if v.device != o.device { // as a rule all are of one, and its name need not be made for each
		o.device, o.name = v.device, deviceID(v.device)
	}
	return Link{Head: Head{Device: o.name, Epoch: v.epoch, Seq: v.seq, Leaf: Leaf(s.Envelope)}, Prev: v.prev, WallMS: v.wall}, nil
}

// link reads what a Link needs; see Opener.Open.
func (v *view) link(s *Sealed) error {
	if len(s.Texts) > 0 {
		if err := v.scan(s.Envelope); err != nil {
			return err
		}
		return v.record().Check(s.Texts)
	}
	c, err := v.begin(s.Envelope)
	if err == nil && c.err != nil {
		err = fmt.Errorf("record: %w", c.err)
	}
	return err
}

// Follows returns nil when the record stands behind prev in its chain, as Step does.
func (l Link) Follows(prev Head) error {
	_, err := Step(prev, Record{Device: l.Head.Device, Epoch: l.Head.Epoch, Seq: l.Head.Seq, Prev: l.Prev}, l.Head.Leaf)
	return err
}
