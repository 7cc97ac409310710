package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"reflect"
	"strings"

	"stead/internal/stead"
)

// sayable are the codes of which the cause can be that what the command line names is not there, or not for this user.
var sayable = map[stead.Code]bool{stead.CodeDataReadOnly: true, stead.CodeLedgerUnusable: true, stead.CodeBadRequest: true}

// say is what a person reads of an error: what happened and what to do. A path that leads nowhere has words of its own,
// since what the code says in general would send people elsewhere.
func say(e *stead.Error) (sentence, hint string) {
	detail := ""
	if e.Detail != "" {
		detail = " (" + e.Detail + ")"
	}
	switch {
	case sayable[e.Code] && errors.Is(e, fs.ErrNotExist):
		return "There is no such file or folder." + detail, "Check the path; a folder that is to be written into has to be there."
	case sayable[e.Code] && e.Code != stead.CodeDataReadOnly && errors.Is(e, fs.ErrPermission):
		return "This user may not read or write that." + detail, "Check its owner and rights."
	}
	return e.Sentence(), e.Code.Hint()
}

// decodeConfig reads a configuration file strictly. Its error names line, field and what belongs there, in words.
func decodeConfig(path string, raw []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if err == nil {
		if _, err := dec.Token(); !errors.Is(err, io.EOF) {
			return configError(path, raw, dec.InputOffset(), "something follows the last bracket").Because(err)
		}
		return nil
	}
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	unknown, isUnknown := strings.CutPrefix(err.Error(), "json: unknown field ")
	switch {
	case errors.Is(err, io.EOF):
		return configError(path, raw, 0, "the file is empty").Because(err)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return configError(path, raw, int64(len(raw)), "the file ends too early: a bracket or a quote is not closed").Because(err)
	case errors.As(err, &syntax):
		what := "it is not JSON here"
		if at := int(syntax.Offset) - 1; at >= 0 && at < len(raw) {
			what = fmt.Sprintf("it is not JSON: %q has no place there", string(raw[at]))
		}
		return configError(path, raw, syntax.Offset-1, "%s", what).Because(err)
	case errors.As(err, &kind):
		field := "the file"
		if kind.Field != "" {
			field = kind.Field
		}
		return configError(path, raw, kind.Offset-1, "%s has to be %s, not %s", field, inWords(kind.Type), article(kind.Value)).Because(err)
	case isUnknown:
		return configError(path, raw, int64(max(bytes.Index(raw, []byte(unknown)), 0)), "there is no setting %s", unknown).Because(err)
	}
	return configError(path, raw, dec.InputOffset(), "it cannot be read").Because(err)
}

func configError(path string, raw []byte, at int64, format string, args ...any) *stead.Error {
	return stead.Errorf(stead.CodeConfigInvalid, "%s, line %d: %s", path, line(raw, max(at, 0)), fmt.Sprintf(format, args...))
}

// inWords says what a field takes.
func inWords(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a text in quotes"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list in [ ]"
	case reflect.Struct, reflect.Map:
		return "an object in { }"
	}
	return "a whole number"
}

// article is what encoding/json calls a value, as a person would.
func article(value string) string {
	switch value {
	case "string":
		return "a text"
	case "array":
		return "a list"
	case "object":
		return "an object"
	case "bool":
		return "true or false"
	}
	if number, one := strings.CutPrefix(value, "number "); one {
		return number
	}
	return "a number"
}
