package audit

import (
	"bytes"
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

// coding builds the one encoder and the one decoder of this package. The options are constants, so a failure is a
// mistake in this file.
func coding() (cbor.EncMode, cbor.DecMode) {
	enc, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		panic(err)
	}
	dec, err := cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		IntDec:            cbor.IntDecConvertSignedOrFail,
		MaxNestedLevels:   4,
		MaxArrayElements:  64,
		MaxMapPairs:       64,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return enc, dec
}

var encoder, decoder = coding() // both are immutable and safe for concurrent use

// Encode returns the record's one encoding, or says why it is not a valid record.
func (r Record) Encode() ([]byte, error) {
	if err := r.valid(); err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	w := envelope{Version: Version, Epoch: r.Epoch, Seq: r.Seq, Prev: r.Prev, WallMS: r.WallMS, BootID: r.BootID,
		MonoMS: r.MonoMS, ServerOffsetMS: r.ServerOffsetMS, Kind: string(r.Kind), EventID: r.EventID, Actor: r.Actor,
		Subject: (*[16]byte)(r.Subject), Ref: (*[16]byte)(r.Ref), Commitments: r.Commitments, KeyID: r.KeyID}
	var err error
	if w.Device, err = deviceBytes(r.Device); err != nil {
		return nil, err
	}
	if r.Session != nil {
		if w.Session, err = sessionBytes(*r.Session); err != nil {
			return nil, err
		}
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
	if len(data) > MaxEnvelope {
		return Record{}, fmt.Errorf("record of %d bytes: at most %d", len(data), MaxEnvelope)
	}
	var w envelope
	if err := decoder.Unmarshal(data, &w); err != nil {
		return Record{}, fmt.Errorf("record: %w", err)
	}
	if w.Version != Version {
		return Record{}, fmt.Errorf("record of version %d: this program reads %d", w.Version, Version)
	}
	body, err := DecodeBody(w.Body)
	if err != nil {
		return Record{}, err
	}
	r := Record{Device: deviceID(w.Device), Epoch: w.Epoch, Seq: w.Seq, Prev: w.Prev, WallMS: w.WallMS,
		BootID: w.BootID, MonoMS: w.MonoMS, ServerOffsetMS: w.ServerOffsetMS, Kind: Kind(w.Kind), EventID: w.EventID,
		Actor: w.Actor, Subject: (*stead.Pseudonym)(w.Subject), Ref: (*uuid.UUID)(w.Ref),
		Commitments: w.Commitments, Body: body, KeyID: w.KeyID}
	if w.Session != nil {
		s := stead.SessionID(uuid.UUID(*w.Session).String())
		r.Session = &s
	}
	again, err := r.Encode()
	if err != nil {
		return Record{}, err
	}
	if !bytes.Equal(again, data) {
		return Record{}, fmt.Errorf("record: %w", ErrNotCanonical)
	}
	return r, nil
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

func sessionBytes(id stead.SessionID) (*[16]byte, error) {
	b, err := id.Bytes()
	if err != nil {
		return nil, err
	}
	if uuid.UUID(b).String() != string(id) || b == [16]byte{} {
		return nil, fmt.Errorf("session id %q: not in canonical form", string(id))
	}
	return &b, nil
}
