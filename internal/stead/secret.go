package stead

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Secret is a credential or a one-time code. Every way of printing, logging or encoding it shows [redacted]; whoever
// must send it converts it to a string on purpose. (As the key of a map, encoding/json would show it: it never asks
// such keys.)
type Secret string

// Format writes [redacted] for every verb and flag.
func (Secret) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// String returns [redacted].
func (Secret) String() string { return redacted }

// LogValue returns [redacted].
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns [redacted]; JSON and XML use it too.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
