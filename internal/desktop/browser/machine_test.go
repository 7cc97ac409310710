package browser

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing/fstest"
	"time"
)

// tree is a file system as a table: path to content, or to "-> target" for a link. Every file may be run, but those
// whose content begins with "data:".
type tree map[string]string

func (t tree) EvalSymlinks(name string) (string, error) {
	for range 10 {
		content, ok := t[name]
		if !ok {
			return "", fs.ErrNotExist
		}
		target, link := strings.CutPrefix(content, "-> ")
		if !link {
			return name, nil
		}
		name = target
	}
	return "", errors.New("a loop of links")
}

func (t tree) Stat(name string) (fs.FileInfo, error) {
	target, err := t.EvalSymlinks(name)
	if err != nil {
		return nil, err
	}
	mode := fs.FileMode(0o755)
	if strings.HasPrefix(t[target], "data:") {
		mode = 0o644
	}
	return fstest.MapFS{"f": {Mode: mode, ModTime: time.Unix(0, 0)}}.Stat("f")
}

func (t tree) ReadFile(name string) ([]byte, error) {
	target, err := t.EvalSymlinks(name)
	if err != nil {
		return nil, err
	}
	return []byte(strings.TrimPrefix(t[target], "data:")), nil
}

func (t tree) List(dir string) ([]string, error) {
	var names []string
	for file := range t {
		for _, separator := range []string{"/", `\`} {
			if rest, ok := strings.CutPrefix(file, dir+separator); ok {
				name, _, _ := strings.Cut(rest, separator)
				names = append(names, name)
			}
		}
	}
	if names == nil {
		return nil, fs.ErrNotExist
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// hives is a registry as a table: `HKLM64\SOFTWARE\X|name` to its value.
type hives map[string]string

func (h hives) at(k key) string {
	if k.view == 32 {
		return k.hive + `32\` + k.path
	}
	return k.hive + `64\` + k.path
}

func (h hives) Value(k key, name string) (string, error) {
	v, ok := h[h.at(k)+"|"+name]
	if !ok {
		return "", fs.ErrNotExist
	}
	if v == "DENIED" {
		return "", fs.ErrPermission
	}
	return v, nil
}

func (h hives) Names(k key) ([]string, error) {
	var names []string
	for place := range h {
		if name, ok := strings.CutPrefix(place, h.at(k)+"|"); ok {
			names = append(names, name)
		}
	}
	if names == nil {
		return nil, fs.ErrNotExist
	}
	return names, nil
}

func (h hives) Subkeys(k key) ([]string, error) {
	var names []string
	for place := range h {
		if rest, ok := strings.CutPrefix(place, h.at(k)+`\`); ok {
			name, _, _ := strings.Cut(rest, `\`)
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func variables(pairs map[string]string) func(string) string {
	return func(name string) string { return pairs[name] }
}

func noProgram(_ context.Context, program string, _ ...string) ([]byte, error) {
	return nil, errors.New(program + " is not on this machine")
}
