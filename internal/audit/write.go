package audit

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
)

// The functions append core deterministic CBOR, as cursor reads it.

// appendItem appends the beginning of an item of the type: a number or a length, in its shortest form.
func appendItem(b []byte, kind byte, n uint64) []byte {
	kind <<= 5
	switch {
	case n < 24:
		return append(b, kind|byte(n))
	case n < 1<<8:
		return append(b, kind|24, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, kind|25), uint16(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(b, kind|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, kind|27), n)
}

func appendBytes(b, v []byte) []byte { return append(appendItem(b, cborBytes, uint64(len(v))), v...) }

func appendText(b []byte, v string) []byte {
	return append(appendItem(b, cborText, uint64(len(v))), v...)
}

func appendInteger(b []byte, v int64) []byte {
	if v < 0 {
		return appendItem(b, cborNeg, uint64(-1-v))
	}
	return appendItem(b, cborUint, uint64(v))
}

// appendID appends the key and what stands under it: null when there is none.
func appendID(b []byte, key byte, has bool, id *[16]byte) []byte {
	if b = append(b, key); !has {
		return append(b, cborNull)
	}
	return appendBytes(b, id[:])
}

// appendPlace appends the keys 1 to 8: where the record stands and when it was written.
func (v *view) appendPlace(b []byte) []byte {
	b = appendBytes(append(b, 1), v.device[:])
	b = appendBytes(append(b, 2), v.epoch[:])
	b = appendItem(append(b, 3), cborUint, v.seq)
	b = appendBytes(append(b, 4), v.prev[:])
	b = appendInteger(append(b, 5), v.wall)
	b = appendBytes(append(b, 6), v.boot[:])
	b = appendInteger(append(b, 7), v.mono)
	if b = append(b, 8); !v.hasOffset {
		return append(b, cborNull)
	}
	return appendInteger(b, v.offset)
}

// appendSubject appends the keys 9 to 17: what happened, who did it and to whom.
func (v *view) appendSubject(b []byte) []byte {
	b = appendText(append(b, 9), string(v.kind))
	b = appendID(b, 10, true, &v.event)
	b = appendID(b, 11, v.hasSession, &v.session)
	b = appendID(b, 12, true, &v.actor)
	b = appendID(b, 13, v.hasSubject, &v.subject)
	b = appendID(b, 14, v.hasRef, &v.ref)
	b = append(append(b, 15), v.commitments...)
	b = appendBytes(append(b, 16), v.body)
	return appendBytes(append(b, 17), v.keyID[:])
}

// envelopeStart is how every envelope begins: a map of 18 keys, the first of which is the version.
func envelopeStart(b []byte) []byte {
	return appendItem(append(appendItem(b, cborMap, 18), 0), cborUint, Version)
}

// write appends the envelope of the view.
func (v *view) write(b []byte) []byte { return v.appendSubject(v.appendPlace(envelopeStart(b))) }

func appendCommitments(b []byte, all []Commitment) []byte {
	b = appendItem(b, cborArray, uint64(len(all)))
	for _, c := range all {
		b = appendBytes(appendText(appendItem(b, cborArray, 2), c.Name), c.Hash[:])
	}
	return b
}

// appendBody appends a valid body. Keys are sorted as their encodings are: a shorter one comes first.
func appendBody(b []byte, body Body) []byte {
	var room [MaxBodyKeys]string
	keys := room[:0]
	for k := range body {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
	b = appendItem(b, cborMap, uint64(len(keys)))
	for _, k := range keys {
		b = appendText(b, k)
		switch v := body[k].(type) {
		case int64:
			b = appendInteger(b, v)
		case string:
			b = appendText(b, v)
		case bool:
			if v {
				b = append(b, cborTrue)
			} else {
				b = append(b, cborFalse)
			}
		}
	}
	return b
}

// Draft is a record of a device that only lacks its place in the chain and its times, checked and encoded as far as
// that goes. It is not changed by being placed.
type Draft struct {
	device  [16]byte
	boot    [16]byte
	subject []byte // keys 9 to 17
	size    int
}

// Draft makes a draft of the record, whose place and times are not looked at. The errors are those of Encode.
func (r Record) Draft() (Draft, error) {
	// The largest numbers have the longest encoding, so the record at its real place is never larger.
	r.Seq, r.Prev, r.WallMS, r.MonoMS = 1<<64-1, [32]byte{1}, 1<<63-1, 1<<63-1
	r.ServerOffsetMS = &r.WallMS
	v, err := r.encodable()
	if err != nil {
		return Draft{}, err
	}
	d := Draft{device: v.device, boot: v.boot, subject: v.appendSubject(make([]byte, 0, v.room()))}
	d.size = len(v.appendPlace(envelopeStart(make([]byte, 0, 256)))) + len(d.subject)
	if !v.kind.FromDevice() {
		return d, fmt.Errorf("record: %s is not a device's to write", v.kind)
	}
	return d, fits(d.size)
}

// Size is how long the envelope is at most.
func (d *Draft) Size() int { return d.size }

// Place returns the envelope of the record that follows the head of its device's chain, as Encode would: with the time
// by the wall clock, by the monotonic one (not negative), and the platform's clock minus the first, nil when that is
// not known.
func (d *Draft) Place(after Head, wall, mono int64, offset *int64) []byte {
	v := view{device: d.device, epoch: after.Epoch, seq: after.Seq + 1, prev: after.Leaf, wall: wall, boot: d.boot, mono: mono, hasOffset: offset != nil}
	if offset != nil {
		v.offset = *offset
	}
	return append(v.appendPlace(envelopeStart(make([]byte, 0, d.size))), d.subject...)
}
