package audit

import (
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/uuid"

	"stead/internal/stead"
)

// envelope is a Record as it is written. There is no omitempty: all keys are always there.
type envelope struct {
	Version        uint64       `cbor:"0,keyasint"`
	Device         [16]byte     `cbor:"1,keyasint"`
	Epoch          [16]byte     `cbor:"2,keyasint"`
	Seq            uint64       `cbor:"3,keyasint"`
	Prev           [32]byte     `cbor:"4,keyasint"`
	WallMS         int64        `cbor:"5,keyasint"`
	BootID         [16]byte     `cbor:"6,keyasint"`
	MonoMS         int64        `cbor:"7,keyasint"`
	ServerOffsetMS *int64       `cbor:"8,keyasint"`
	Kind           string       `cbor:"9,keyasint"`
	EventID        [16]byte     `cbor:"10,keyasint"`
	Session        *[16]byte    `cbor:"11,keyasint"`
	Actor          [16]byte     `cbor:"12,keyasint"`
	Subject        *[16]byte    `cbor:"13,keyasint"`
	Ref            *[16]byte    `cbor:"14,keyasint"`
	Commitments    []Commitment `cbor:"15,keyasint"`
	Body           []byte       `cbor:"16,keyasint"`
	KeyID          [8]byte      `cbor:"17,keyasint"`
}

// encoding builds the one encoder of this package. Its options are constants, so a failure is a mistake in this file.
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
	v, err := r.view()
	if err != nil {
		return nil, err
	}
	if err = v.valid(); err == nil {
		err = r.validCommitments()
	}
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	w := envelope{Version: Version, Device: v.device, Epoch: v.epoch, Seq: v.seq, Prev: v.prev, WallMS: v.wall, BootID: v.boot,
		MonoMS: v.mono, ServerOffsetMS: r.ServerOffsetMS, Kind: string(v.kind), EventID: v.event, Actor: v.actor,
		Subject: (*[16]byte)(r.Subject), Ref: (*[16]byte)(r.Ref), Commitments: r.Commitments, KeyID: v.keyID}
	if v.hasSession {
		w.Session = &v.session
	}
	if w.Body, err = EncodeBody(r.Body); err != nil {
		return nil, err
	}
	if w.Commitments == nil {
		w.Commitments = []Commitment{}
	}
	out, err := encoder.Marshal(w)
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	if len(out) > MaxEnvelope {
		return nil, fmt.Errorf("record of %d bytes: at most %d", len(out), MaxEnvelope)
	}
	return out, nil
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
