package browser

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// propertyList reads a macOS property list whose top is a dictionary. Binary ones are first translated by the
// system's own plutil. Values are string, bool, int64, []any and map[string]any; dates and data stay text.
func (m machine) propertyList(ctx context.Context, file string) (map[string]any, error) {
	raw, err := m.files.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(raw, []byte("bplist")) {
		if raw, err = m.run(ctx, "/usr/bin/plutil", "-convert", "xml1", "-o", "-", file); err != nil {
			return nil, fmt.Errorf("plutil: %w", err)
		}
	}
	return parsePropertyList(raw)
}

func parsePropertyList(raw []byte) (map[string]any, error) {
	d := xml.NewDecoder(bytes.NewReader(raw))
	for {
		token, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("not a property list: %w", err)
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local == "plist" {
			continue
		}
		v, err := propertyValue(d, start, 0)
		if err != nil {
			return nil, err
		}
		if dict, ok := v.(map[string]any); ok {
			return dict, nil
		}
		return nil, errors.New("not a property list: its top is no dictionary")
	}
}

const propertyDepth = 32 // deeper than any policy

func propertyValue(d *xml.Decoder, start xml.StartElement, depth int) (any, error) {
	if depth > propertyDepth {
		return nil, errors.New("a property list nested too deeply")
	}
	switch start.Name.Local {
	case "dict":
		return propertyDict(d, depth)
	case "array":
		list := []any{}
		for {
			next, err := nextElement(d)
			if err != nil || next == nil {
				return list, err
			}
			v, err := propertyValue(d, *next, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
	case "true", "false":
		return start.Name.Local == "true", d.Skip()
	}
	var text string
	if err := d.DecodeElement(&text, &start); err != nil {
		return nil, err
	}
	if start.Name.Local == "integer" {
		return strconv.ParseInt(strings.TrimSpace(text), 0, 64)
	}
	return text, nil
}

func propertyDict(d *xml.Decoder, depth int) (map[string]any, error) {
	dict := map[string]any{}
	for {
		next, err := nextElement(d)
		if err != nil || next == nil {
			return dict, err
		}
		if next.Name.Local != "key" {
			return nil, fmt.Errorf("a property list with <%s> in place of a key", next.Name.Local)
		}
		var name string
		if err := d.DecodeElement(&name, next); err != nil {
			return nil, err
		}
		if next, err = nextElement(d); err != nil {
			return nil, err
		}
		if next == nil {
			return nil, fmt.Errorf("a property list without a value for %q", name)
		}
		if dict[name], err = propertyValue(d, *next, depth+1); err != nil {
			return nil, err
		}
	}
}

// nextElement is the next element inside the present one, nil at its end.
func nextElement(d *xml.Decoder) (*xml.StartElement, error) {
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil, io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			return &t, nil
		case xml.EndElement:
			return nil, nil
		}
	}
}
