package outbox

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"io"
	"slices"

	"github.com/fxamacker/cbor/v2"

	"stead/internal/audit"
	"stead/internal/stead"
)

// A damaged file is read as bytes, not as a database: what is looked for tells by itself what it is. A card has its
// checksum, a head its signature, a record its seal. So it does not matter which page they lie on, or whether anything
// leads there; and a page that bbolt freed and did not write again yet helps as well. Each byte is looked at once for
// each of the two passes, and at most one AES block is tried on it.
const (
	windowSize = 4 << 20
	// maxSealed is the most that one sealed record takes, and so how far windows overlap.
	maxSealed = audit.MaxEnvelope + MaxTexts + audit.MaxCommitments*(audit.MaxNameLength+64) + 64
	nonceSize = 12
	tagSize   = 16
)

// dataKey opens the records of one card.
type dataKey struct {
	card  card
	block cipher.Block
	aead  cipher.AEAD

	counter, stream [aes.BlockSize]byte // room for record, which is called for nearly every byte
}

// spot is a record found in the file.
type spot struct {
	epoch      audit.Epoch
	seq        uint64
	at         int64
	size       int
	key        int // index of its data key
	leaf, prev [32]byte
	device     stead.DeviceID
	signer     [8]byte // audit.KeyID of the key the record names
}

// finds is what the passes bring back.
type finds struct {
	cards []card
	keys  []dataKey
	heads map[mark][]byte // with their signatures, not verified yet
	acked map[mark]bool   // as far as the bytes can be believed
	given map[mark]bool   // receipted, the same
	owed  [][]byte        // names of evidence that the platform was still to read
	spots []spot
	proof *proof // what is known of the log, the newest

	wrong [2]int // records and proofs that began like one and were none
}

// Of what begins like something that is sealed; see finds.wrong.
const (
	wrongRecord = iota
	wrongProof
)

// piecewise shows visit the file piece by piece. Visit looks at what begins in the first n bytes, may read beyond them,
// and returns where it goes on, at least n.
func piecewise(ctx context.Context, r io.ReaderAt, size int64, visit func(at int64, b []byte, n int) int) error {
	buf := make([]byte, windowSize+maxSealed)
	for at := int64(0); at < size; {
		if err := ctx.Err(); err != nil {
			return err
		}
		b := buf[:min(int64(len(buf)), size-at)]
		readWhatCan(r, b, at)
		at += int64(max(visit(at, b, min(windowSize, len(b))), 1))
	}
	return ctx.Err() // visit may have ended early
}

// readWhatCan fills b; where the device fails, zeros stand for the block that cannot be read.
func readWhatCan(r io.ReaderAt, b []byte, at int64) {
	if n, err := r.ReadAt(b, at); n == len(b) || err == nil {
		return
	}
	const block = 4096
	for i := 0; i < len(b); i += block {
		part := b[i:min(i+block, len(b))]
		if n, err := r.ReadAt(part, at+int64(i)); n < len(part) && err != nil {
			clear(part)
		}
	}
}

// scan makes both passes. A card that the sealer does not open is reported, and its records stay closed.
func scan(ctx context.Context, r io.ReaderAt, size int64, s Sealer) (*finds, error) {
	f := &finds{heads: map[mark][]byte{}, acked: map[mark]bool{}, given: map[mark]bool{}}
	if err := piecewise(ctx, r, size, f.landmarks); err != nil {
		return nil, err
	}
	for _, c := range f.cards {
		if key, err := c.open(s); err == nil {
			block, errBlock := aes.NewCipher(key)
			aead, errKey := audit.NewDataKey(key)
			if errBlock == nil && errKey == nil {
				f.keys = append(f.keys, dataKey{card: c, block: block, aead: aead})
			}
		}
	}
	if len(f.keys) == 0 {
		return f, nil
	}
	return f, piecewise(ctx, r, size, func(at int64, b []byte, n int) int { return f.records(ctx, at, b, n) })
}

// maxLandmarks bounds what one file may claim of each kind.
const maxLandmarks = 1 << 16

// landmarks finds cards, heads and marks. In a bbolt leaf a value follows its key, so the key's name is what to look for.
func (f *finds) landmarks(_ int64, b []byte, n int) int {
	each(b, n, cardMark, func(at []byte) {
		c, _, err := decodeCard(at)
		if err != nil || len(f.cards) >= 16 {
			return
		}
		for _, known := range f.cards {
			if bytes.Equal(known.encode(), c.encode()) {
				return
			}
		}
		f.cards = append(f.cards, c)
	})
	each(b, n, "head", func(at []byte) {
		if at = at[4:]; len(at) >= headLength && len(f.heads) < maxLandmarks {
			f.heads[decodeMark(at)] = bytes.Clone(at[markLength:headLength])
		}
	})
	for name, marks := range map[string]map[mark]bool{"acknowledged": f.acked, "receipted": f.given} {
		each(b, n, name, func(at []byte) {
			if at = at[len(name):]; len(at) >= markLength && len(marks) < maxLandmarks {
				marks[decodeMark(at)] = true
			}
		})
	}
	each(b, n, owedMark, func(at []byte) {
		name := evidenceForm.Find(at[len(owedMark):])
		if name != nil && len(f.owed) < 16 && !slices.ContainsFunc(f.owed, func(known []byte) bool { return bytes.Equal(known, name) }) {
			f.owed = append(f.owed, bytes.Clone(name))
		}
	})
	return n
}

func each(b []byte, n int, what string, found func(at []byte)) {
	for i := 0; ; i++ {
		next := bytes.Index(b[min(i, len(b)):], []byte(what))
		if next < 0 || i+next >= n {
			return
		}
		i += next
		found(b[i:])
	}
}

// records finds sealed records.
func (f *finds) records(ctx context.Context, at int64, b []byte, n int) int {
	each(b, n, string(proofKey), func(at []byte) {
		if f.wrong[wrongProof] < maxCandidates && ctx.Err() == nil {
			f.proven(at[len(proofKey):])
		}
	})
	i := 0
	for i < n {
		if b[i] == 0 { // no nonce of twelve zeros was ever drawn, and much of a file is nothing but zeros
			if run := zeros(b[i:]); run >= nonceSize {
				i += run - nonceSize + 1
				continue
			}
		}
		size := 0
		for k := range f.keys {
			length, like := f.keys[k].beginsRecord(b[i:])
			if !like || f.wrong[wrongRecord] >= maxCandidates {
				continue
			}
			if ctx.Err() != nil {
				return n
			}
			if s, ok := f.keys[k].record(b[i:], length); ok {
				s.at, s.key = at+int64(i), k
				f.spots, size = append(f.spots, s), s.size
				break
			}
			f.wrong[wrongRecord]++
		}
		i += max(size, 1)
	}
	return i
}

func zeros(b []byte) int {
	for i, c := range b {
		if c != 0 {
			return i
		}
	}
	return len(b)
}

// beginsRecord reports whether a sealed record may begin here, and how long its envelope is. One block is deciphered:
// only a record begins like one.
func (k *dataKey) beginsRecord(b []byte) (length int, ok bool) {
	if !k.begin(b) {
		return 0, false
	}
	return beginsLikeRecord(&k.stream, b[nonceSize:])
}

// begin sets the counter and the stream for what is sealed at the beginning of b; false when there is too little.
func (k *dataKey) begin(b []byte) bool {
	if len(b) < nonceSize+aes.BlockSize+tagSize {
		return false
	}
	copy(k.counter[:], b[:nonceSize])
	binary.BigEndian.PutUint32(k.counter[nonceSize:], 2) // GCM's counter begins at 2 for the text (NIST SP 800-38D)
	k.block.Encrypt(k.stream[:], k.counter[:])
	return true
}

// record reports whether a sealed record begins here; beginsRecord has just said so.
func (k *dataKey) record(b []byte, length int) (spot, bool) {
	var s audit.Sealed
	size, ok := k.unsealed(b, length+1<<10, maxSealed, &s)
	if !ok {
		return spot{}, false
	}
	return k.opened(b, size, s)
}

// unsealed reads into v what is sealed at the beginning of b, without a look at the seal, and returns how many bytes that
// is with it. Only its own end says how long it is; so more and more is deciphered, up to most, for as long as what is
// there so far is the beginning of something.
func (k *dataKey) unsealed(b []byte, n, most int, v any) (size int, ok bool) {
	for ; ; n *= 4 {
		n = min(n, most, len(b)-nonceSize)
		plain := make([]byte, n)
		cipher.NewCTR(k.block, k.counter[:]).XORKeyStream(plain, b[nonceSize:nonceSize+n])
		rest, err := cbor.UnmarshalFirst(plain, v)
		switch {
		case err == nil:
			size = nonceSize + n - len(rest) + tagSize
			return size, size <= len(b)
		case !errors.Is(err, io.ErrUnexpectedEOF), n == most, n == len(b)-nonceSize:
			return 0, false
		}
	}
}

// beginsLikeRecord looks for an array of two, a byte string of at least 24, and in it a map of 18 with version 1 first.
func beginsLikeRecord(stream *[aes.BlockSize]byte, b []byte) (length int, ok bool) {
	if b[0]^stream[0] != 0x82 {
		return 0, false
	}
	var p [aes.BlockSize]byte
	for i := range p {
		p[i] = b[i] ^ stream[i]
	}
	var rest []byte
	switch p[1] {
	case 0x58:
		length, rest = int(p[2]), p[3:]
	case 0x59:
		length, rest = int(binary.BigEndian.Uint16(p[2:])), p[4:]
	default:
		return 0, false
	}
	return length, rest[0] == 0xb2 && rest[1] == 0 && rest[2] == audit.Version
}

// maxProof is the most that is looked at of what may be known of the log.
const maxProof = 256 << 10

// proven takes over what is known of the log when it begins here and is newer than what was found before. Of two
// that followed the log equally far, the one that speaks against it counts.
func (f *finds) proven(b []byte) {
	for i := range f.keys {
		k := &f.keys[i]
		if !k.begin(b) || k.stream[0]^b[nonceSize] != 0x80|proofFields { // an array of so many
			continue
		}
		p, ok := k.proof(b)
		if !ok {
			f.wrong[wrongProof]++
			continue
		}
		_, why := p.accuse()
		if f.proof == nil || p.size() > f.proof.size() || p.size() == f.proof.size() && why != nil {
			f.proof = &p
		}
	}
}

// proofFields is how many fields a proof has.
const proofFields = 7

// proof reads what is known of the log; begin has been called.
func (k *dataKey) proof(b []byte) (p proof, ok bool) {
	size, ok := k.unsealed(b, 1<<10, maxProof, &p)
	if !ok {
		return p, false
	}
	var sealed proof
	err := audit.OpenAs(k.aead, k.card.Generation, k.card.Epoch, 0, proofPlace, b[:size], &sealed)
	return sealed, err == nil
}

// size is how far the log was followed.
func (p *proof) size() int64 {
	c, err := audit.ParseCheckpoint(p.Checkpoint)
	if err != nil {
		return 0
	}
	return c.Size
}

// opened checks the seal at the place the record itself names.
func (k *dataKey) opened(b []byte, size int, s audit.Sealed) (spot, bool) {
	rec, err := audit.Decode(s.Envelope)
	if err != nil || size > len(b) {
		return spot{}, false
	}
	if _, err := audit.OpenRecord(k.aead, k.card.Generation, rec.Epoch, rec.Seq, b[:size]); err != nil {
		return spot{}, false
	}
	return spot{epoch: rec.Epoch, seq: rec.Seq, size: size, leaf: audit.Leaf(s.Envelope), prev: rec.Prev,
		device: rec.Device, signer: rec.KeyID}, true
}
