// Package internal_test holds the repository to its own shape: the listing, the arrows between the parts, package docs and
// the size of files and functions.
package internal_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const (
	maxFileLines     = 400
	maxFunctionLines = 60
)

// source is one Go file of ours.
type source struct {
	path    string // from the repository's root, with slashes
	tree    *ast.File
	set     *token.FileSet
	lines   int
	imports []string // import paths, ours begin with "stead/"
}

func (s source) folder() string  { return path.Dir(s.path) }
func (s source) isTest() bool    { return strings.HasSuffix(s.path, "_test.go") }
func (s source) generated() bool { return ast.IsGenerated(s.tree) }

// sources parses every Go file of the repository, once.
var sources = sync.OnceValues(func() ([]source, error) {
	var all []source
	root := os.DirFS("..")
	err := fs.WalkDir(root, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if p != "." && strings.HasPrefix(d.Name(), ".") || slices.Contains([]string{"frontend/node_modules", "build/out"}, p) || d.Name() == "testdata" {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(p) != ".go" {
			return nil
		}
		s, err := parse(root, p)
		all = append(all, s)
		return err
	})
	return all, err
})

func parse(root fs.FS, p string) (source, error) {
	text, err := fs.ReadFile(root, p)
	if err != nil {
		return source{}, err
	}
	s := source{path: p, set: token.NewFileSet(), lines: strings.Count(string(text), "\n")}
	s.tree, err = parser.ParseFile(s.set, p, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return source{}, err
	}
	for _, spec := range s.tree.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return source{}, fmt.Errorf("%s: %w", p, err)
		}
		s.imports = append(s.imports, name)
	}
	return s, nil
}

func allSources(t *testing.T) []source {
	t.Helper()
	all, err := sources()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("found only %d Go files: is this test still in internal/?", len(all))
	}
	return all
}

func TestTopLevelIsWhatTheCustomerFixed(t *testing.T) {
	wanted := []string{"app", "build", "frontend", "go.mod", "internal", "main.go", "README.md", "wails.json"}
	demandedByTools := []string{"go.sum", "LICENSE", "Makefile"}

	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, e := range entries {
		found = append(found, e.Name())
		if !strings.HasPrefix(e.Name(), ".") && !slices.Contains(wanted, e.Name()) && !slices.Contains(demandedByTools, e.Name()) {
			t.Errorf("%s does not belong on the top level", e.Name())
		}
	}
	for _, name := range wanted {
		if !slices.Contains(found, name) {
			t.Errorf("%s is missing from the top level", name)
		}
	}
}

func TestEachPackageHasOneDocComment(t *testing.T) {
	docs := map[string][]string{} // folder and package to the files with a doc comment
	for _, s := range allSources(t) {
		name := s.tree.Name.Name
		if s.isTest() && strings.HasSuffix(name, "_test") && s.folder() != "internal" {
			continue // an external test package is part of the package it tests
		}
		key := s.folder() + " (package " + name + ")"
		docs[key] = append(docs[key], []string{}...)
		if s.tree.Doc == nil || s.generated() {
			continue
		}
		docs[key] = append(docs[key], s.path)
		if want := opening(name); !strings.HasPrefix(s.tree.Doc.Text(), want) {
			t.Errorf("%s: the package comment does not begin with %q", s.path, want)
		}
	}
	for key, files := range docs {
		if len(files) != 1 {
			t.Errorf("%s has %d package comments, and not one: %v", key, len(files), files)
		}
	}
}

// opening is how godoc wants a package comment to begin.
func opening(name string) string {
	if name == "main" {
		return "Stead "
	}
	return "Package " + name + " "
}

func TestFilesAndFunctionsStaySmall(t *testing.T) {
	for _, s := range allSources(t) {
		if s.isTest() || s.generated() {
			continue
		}
		if s.lines > maxFileLines {
			t.Errorf("%s has %d lines, more than %d: it is usually two things", s.path, s.lines, maxFileLines)
		}
		ast.Inspect(s.tree, func(n ast.Node) bool {
			f, ok := n.(*ast.FuncDecl)
			if !ok {
				return true
			}
			first, last := s.set.Position(f.Pos()).Line, s.set.Position(f.End()).Line
			if lines := last - first + 1; lines > maxFunctionLines {
				t.Errorf("%s:%d: %s has %d lines, more than %d", s.path, first, f.Name.Name, lines, maxFunctionLines)
			}
			return true
		})
	}
}

func TestReadmeListsEachPackage(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var listed, found []string
	for _, row := range regexp.MustCompile(`(?m)^([a-z0-9/]+)/ {2,}\S`).FindAllStringSubmatch(string(readme), -1) {
		listed = append(listed, row[1])
	}
	for _, s := range allSources(t) {
		if name, ok := strings.CutPrefix(s.folder(), "internal/"); ok && !slices.Contains(found, name) {
			found = append(found, name)
		}
	}
	for _, name := range found {
		if !slices.Contains(listed, name) {
			t.Errorf("internal/README.md does not list %s/", name)
		}
	}
	for _, name := range listed {
		if !slices.Contains(found, name) {
			t.Errorf("internal/README.md lists %s/, which does not exist", name)
		}
	}
}

func TestReadmeSaysWhyEachDependencyIsThere(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	module, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	// What go.mod does not mark as indirect is imported by us.
	for _, need := range regexp.MustCompile(`(?m)^(?:require )?\t?([a-z0-9.-]+\.[a-z]+/\S+) v\S+$`).FindAllStringSubmatch(string(module), -1) {
		if !strings.Contains(string(readme), "| `"+need[1]+"` |") {
			t.Errorf("internal/README.md has no line for %s", need[1])
		}
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(string(readme), -1) {
		imported := slices.ContainsFunc(allSources(t), func(s source) bool {
			return slices.ContainsFunc(s.imports, func(name string) bool { return name == row[1] || strings.HasPrefix(name, row[1]+"/") })
		})
		if !imported {
			t.Errorf("internal/README.md says why %s is there, but nothing imports it", row[1])
		}
	}
}
