package audit

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Text is something personal that a record only commits to: a name, a reason, a note. It lies beside the record.
type Text struct {
	_     struct{} `cbor:",toarray"`
	Name  string
	Salt  [32]byte // random, so that the commitment tells nothing about a guessed value
	Value string
}

// NewText draws a salt for the value.
func NewText(name, value string) Text {
	t := Text{Name: name, Value: value}
	rand.Read(t.Salt[:]) // never fails since Go 1.24
	return t
}

// Commitment is SHA-256("stead-commitment/v1\0" || length of the name as 4 bytes, big-endian || name || salt || value).
func (t Text) Commitment() [32]byte {
	h := sha256.New()
	h.Write([]byte("stead-commitment/v1\x00"))
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(t.Name)))) //nolint:gosec // G115: a name has 40 bytes at most
	h.Write([]byte(t.Name))
	h.Write(t.Salt[:])
	h.Write([]byte(t.Value))
	return [32]byte(h.Sum(nil))
}

// Valid says why the text cannot lie beside a record, or nil.
func (t Text) Valid() error {
	if err := validName([]byte(t.Name)); err != nil {
		return fmt.Errorf("text: %w", err)
	}
	if len(t.Value) > MaxTextValue {
		return fmt.Errorf("text %q of %d bytes: at most %d", t.Name, len(t.Value), MaxTextValue)
	}
	if !utf8.ValidString(t.Value) {
		return errors.New("text is not UTF-8")
	}
	return nil
}
