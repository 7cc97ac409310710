package memberapp

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Secret is the app's secret at the platform. Every way of printing, logging or encoding it shows [redacted].
type Secret string

// Format writes [redacted] for every verb and flag.
func (Secret) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// String returns [redacted].
func (Secret) String() string { return redacted }

// LogValue returns [redacted].
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns [redacted]; JSON uses it too.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
