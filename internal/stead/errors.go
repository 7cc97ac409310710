package stead

import (
	"errors"
	"fmt"
)

// Error is a refusal or failure that a person will read. Code says which; the sentence and the hint come from the
// one list in codes.go. The cause is for logs only and never leaves the process.
type Error struct {
	Code   Code
	Detail string // optional: facts of this case that may be shown, e.g. a path or a time
	cause  error
}

// E wraps a cause (nil allowed) in a code.
func E(code Code, cause error) *Error { return &Error{Code: code, cause: cause} }

// Errorf is E with a formatted detail for the reader.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// Because adds the cause and returns e.
func (e *Error) Because(cause error) *Error { e.cause = cause; return e }

// Error is for logs: code, detail and cause.
func (e *Error) Error() string {
	s := string(e.Code)
	if e.Detail != "" {
		s += " (" + e.Detail + ")"
	}
	if e.cause != nil {
		s += ": " + e.cause.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.cause }

// Is makes errors.Is(err, stead.E(code, nil)) compare codes.
func (e *Error) Is(target error) bool {
	var t *Error
	return errors.As(target, &t) && t.Code == e.Code
}

// Sentence is what a person reads: what happened, with the detail where there is one.
func (e *Error) Sentence() string {
	s := e.Code.Sentence()
	if e.Detail != "" {
		s += " (" + e.Detail + ")"
	}
	return s
}

// CodeOf returns the code of the first Error in err's chain, CodeInternal for any other error, "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeInternal
}
