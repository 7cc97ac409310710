package browser

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"stead/internal/stead"
)

// path makes a folder of programs and a lookPath for it.
func path(t *testing.T, programs map[string]string) (dir string, lookPath func(string) (string, error)) {
	t.Helper()
	dir = t.TempDir()
	for name, content := range programs {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if target, ok := strings.CutPrefix(content, "-> "); ok {
			if err := os.Symlink(filepath.Join(dir, target), file); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(file, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir, func(name string) (string, error) {
		file := filepath.Join(dir, name)
		if _, err := os.Stat(file); err != nil {
			return "", exec.ErrNotFound
		}
		return file, nil
	}
}

func TestFindPutsUsableBrowsersFirstAndEachOnce(t *testing.T) {
	dir, lookPath := path(t, map[string]string{
		"google-chrome-stable": "\x7fELF", "google-chrome": "-> google-chrome-stable",
		"chromium-browser": "#!/bin/sh\nif true; then\nexec /snap/bin/chromium \"$@\"\nfi\n",
		"chromium":         "#!/bin/sh\nexec /usr/lib/chromium/chromium \"$@\"\n",
		"brave":            "-> flatpak/exports/bin/com.brave.Browser", "flatpak/exports/bin/com.brave.Browser": "#!/bin/sh\n",
		"microsoft-edge": "#!/bin/sh\nexec /usr/bin/flatpak run --branch=stable com.microsoft.Edge\n",
		"firefox":        "\x7fELF",
	})
	got, err := Find(lookPath)
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		kind        Kind
		name        string
		confinement string
		usable      bool
	}
	var rows []row
	for _, f := range got {
		rows = append(rows, row{f.Kind, strings.TrimPrefix(f.Path, dir+"/"), f.Confinement, f.Usable()})
	}
	want := []row{
		{Chrome, "google-chrome-stable", "", true},
		{Chromium, "chromium", "", true},
		{Edge, "microsoft-edge", Flatpak, false},
		{Brave, "brave", Flatpak, false},
		{Chromium, "chromium-browser", Snap, false},
	}
	if !reflect.DeepEqual(rows, want) {
		t.Errorf("got  %v\nwant %v", rows, want)
	}
}

func TestFindNamesWhatItPassesOver(t *testing.T) {
	_, lookPath := path(t, map[string]string{"chromium": "#!/bin/sh\nexec /snap/bin/chromium\n"})
	got, err := Find(lookPath)
	if stead.CodeOf(err) != stead.CodeBrowserMissing || len(got) != 1 || !strings.Contains(err.Error(), "chromium is not used: it is a snap") {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestFindWithoutAnyBrowser(t *testing.T) {
	_, lookPath := path(t, nil)
	if got, err := Find(lookPath); stead.CodeOf(err) != stead.CodeBrowserMissing || got != nil {
		t.Errorf("got %+v, %v", got, err)
	}
}
