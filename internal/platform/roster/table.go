package roster

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// Format is how a file is written.
type Format string

const (
	CSV    Format = "csv"
	NDJSON Format = "ndjson"
)

// FormatOf tells the format by the file's extension; false when it is none of .csv, .ndjson and .jsonl.
func FormatOf(path string) (Format, bool) {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".csv":
		return CSV, true
	case ".ndjson", ".jsonl":
		return NDJSON, true
	}
	return "", false
}

// columns are the ones a file must have and the ones it may have.
type columns struct{ required, optional []string }

func (c columns) known(name string) bool {
	return slices.Contains(c.required, name) || slices.Contains(c.optional, name)
}

// row is one line's cells by column, without the space around them.
type row struct {
	line  int
	cells map[string]string
}

// has reports whether the file says anything in that column, be it that it is empty.
func (r row) has(column string) bool { _, ok := r.cells[column]; return ok }

// read reads the rows. The ones that cannot be read, and those whose id an earlier one has, are problems instead.
func read(format Format, file []byte, c columns) (rows []row, bad problems) {
	file = bytes.TrimPrefix(file, []byte("\uFEFF"))
	if format == CSV {
		rows, bad = readCSV(file, c)
	} else {
		rows, bad = readNDJSON(file, c)
	}
	first := map[string]int{}
	rows = slices.DeleteFunc(rows, func(r row) bool {
		id := r.cells["id"]
		earlier, twice := first[id]
		if twice && id != "" {
			bad.add(r.line, "id %q is on line %d already", id, earlier)
			return true
		}
		first[id] = r.line
		return false
	})
	return rows, bad
}

func readCSV(file []byte, c columns) (rows []row, bad problems) {
	r := csv.NewReader(bytes.NewReader(file))
	r.FieldsPerRecord = -1 // counted below, where the line can be named
	header, err := r.Read()
	if err != nil {
		bad.add(1, "the first line must name the columns: %s", strings.Join(c.required, ","))
		return nil, bad
	}
	if bad = checkHeader(header, c); len(bad) > 0 {
		return nil, bad // every row would be wrong in the same way
	}
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, bad
		}
		var syntax *csv.ParseError
		if errors.As(err, &syntax) {
			bad.add(syntax.StartLine, "quotes are out of place in what begins here")
			continue
		}
		line, _ := r.FieldPos(0)
		if len(cells) != len(header) {
			bad.add(line, "%d cells, but there are %d columns", len(cells), len(header))
			continue
		}
		this := row{line: line, cells: map[string]string{}}
		for i, text := range cells {
			this.cells[header[i]] = strings.TrimSpace(text)
		}
		rows = append(rows, this)
	}
}

// checkHeader takes the space from around the names and says which are unknown, doubled or missing.
func checkHeader(header []string, c columns) (bad problems) {
	for i, name := range header {
		header[i] = strings.TrimSpace(name)
		switch {
		case !c.known(header[i]):
			bad.add(1, "unknown column %q", header[i])
		case slices.Contains(header[:i], header[i]):
			bad.add(1, "column %q is there twice", header[i])
		}
	}
	for _, name := range c.required {
		if !slices.Contains(header, name) {
			bad.add(1, "column %q is missing", name)
		}
	}
	return bad
}

func readNDJSON(file []byte, c columns) (rows []row, bad problems) {
	number := 0
	for text := range bytes.Lines(file) {
		number++
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		if !utf8.Valid(text) { // the decoder would replace what is not
			bad.add(number, "is not valid UTF-8")
			continue
		}
		before := len(bad)
		this := readObject(number, text, c, &bad)
		for _, name := range c.required {
			if len(bad) == before && !this.has(name) {
				bad.add(number, "%q is missing", name)
			}
		}
		if len(bad) == before {
			rows = append(rows, this)
		}
	}
	return rows, bad
}

// readObject reads one flat object, token by token, because a decoder would quietly take the last of two equal keys.
func readObject(number int, text []byte, c columns, bad *problems) row {
	this := row{line: number, cells: map[string]string{}}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		bad.add(number, "is not a JSON object")
		return this
	}
	for dec.More() {
		key, err := dec.Token()
		name, isText := key.(string)
		if err != nil || !isText {
			bad.add(number, "is not valid JSON")
			return this
		}
		value, err := dec.Token()
		cell, flat := cellOf(value)
		switch {
		case err != nil:
			bad.add(number, "is not valid JSON")
			return this
		case !flat:
			bad.add(number, "%q must be a text, a number, true or false", name)
			return this
		case !c.known(name):
			bad.add(number, "unknown column %q", name)
		case this.has(name):
			bad.add(number, "%q is there twice", name)
		}
		this.cells[name] = cell
	}
	if _, err := dec.Token(); err != nil {
		bad.add(number, "is not valid JSON")
	} else if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		bad.add(number, "goes on after its object")
	}
	return this
}

// cellOf is a JSON value as a CSV file would have it; false for objects and lists.
func cellOf(value json.Token) (string, bool) {
	switch v := value.(type) {
	case nil:
		return "", true
	case string:
		return strings.TrimSpace(v), true
	case json.Number:
		return v.String(), true
	case bool:
		if v {
			return "true", true
		}
		return "false", true
	}
	return "", false
}
