package audit

import (
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/uuid"

	"stead/internal/stead"
)

// encoding builds the encoder of what is signed. Its options are constants, so a failure is a mistake in this file.
func encoding() cbor.EncMode {
	enc, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		panic(err)
	}
	return enc
}

var encoder = encoding() // immutable and safe for concurrent use

// Encode returns the record's one encoding, or says why it is not a valid record.
func (r Record) Encode() ([]byte, error) {
	v, err := r.encodable()
	if err != nil {
		return nil, err
	}
	out := v.write(make([]byte, 0, v.room()))
	return out, fits(len(out))
}

// encodable is the valid record with all of its parts.
func (r Record) encodable() (view, error) {
	v, err := r.view()
	if err != nil {
		return v, err
	}
	if err = v.valid(); err == nil {
		err = r.validCommitments()
	}
	if err != nil {
		return v, fmt.Errorf("record: %w", err)
	}
	v.commitments = appendCommitments(nil, r.Commitments)
	v.body, err = EncodeBody(r.Body)
	return v, err
}

// room is enough for the envelope of the view.
func (v *view) room() int { return 320 + len(v.commitments) + len(v.body) }

func fits(size int) error {
	if size > MaxEnvelope {
		return fmt.Errorf("record of %d bytes: at most %d", size, MaxEnvelope)
	}
	return nil
}

// Decode reads an envelope and refuses everything but the one encoding of a valid record: other orders, longer
// integers, indefinite lengths, double, missing or unknown keys, tags, trailing bytes.
func Decode(data []byte) (Record, error) {
	var v view
	if err := v.scan(data); err != nil {
		return Record{}, err
	}
	return v.record(), nil
}

func deviceBytes(id stead.DeviceID) ([16]byte, error) {
	b, err := parseHex16(string(id))
	if err != nil {
		return b, fmt.Errorf("device id %q: %w", string(id), err)
	}
	if b == [16]byte{} {
		return b, errors.New("device id is zero")
	}
	return b, nil
}

func deviceID(b [16]byte) stead.DeviceID { return stead.DeviceID(Epoch(b).String()) }

func sessionBytes(id stead.SessionID) ([16]byte, error) {
	b, err := id.Bytes()
	if err == nil && (uuid.UUID(b).String() != string(id) || b == [16]byte{}) {
		err = fmt.Errorf("session id %q: not in canonical form", string(id))
	}
	return b, err
}
