package stead

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestErrorKeepsItsCauseFromPeople(t *testing.T) {
	cause := errors.New("dial tcp 10.0.0.1: secret detail")
	e := E(CodeUnreachable, cause)
	if strings.Contains(e.Sentence(), "secret") {
		t.Errorf("the sentence tells the cause: %q", e.Sentence())
	}
	wrapped := fmt.Errorf("start: %w", e)
	if CodeOf(wrapped) != CodeUnreachable || !errors.Is(wrapped, cause) || !errors.Is(wrapped, E(CodeUnreachable, nil)) {
		t.Errorf("code or cause lost in %v", wrapped)
	}
	if errors.Is(wrapped, E(CodeInternal, nil)) {
		t.Error("errors of different codes are equal")
	}
	if CodeOf(nil) != "" || CodeOf(cause) != CodeInternal {
		t.Error("CodeOf of nil or a foreign error")
	}
	if s := Errorf(CodePortTaken, "%d", 7321).Sentence(); !strings.Contains(s, "(7321)") {
		t.Errorf("the detail is missing in %q", s)
	}
}

func TestIdentifiers(t *testing.T) {
	p := NewPseudonym()
	back, err := ParsePseudonym(p.String())
	if err != nil || back != p || p.IsZero() {
		t.Errorf("pseudonym %v does not survive its text form: %v, %v", p, back, err)
	}
	if _, err := ParsePseudonym("00"); err == nil {
		t.Error("a short pseudonym was read")
	}
	a, b := NewSessionID(), NewSessionID()
	if a >= b {
		t.Errorf("session ids do not sort by time: %s, %s", a, b)
	}
	if _, err := SessionID("nope").Bytes(); err == nil {
		t.Error("a session id that is no UUID has bytes")
	}
}
