package desktop

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"stead/internal/stead"
)

func TestReadSettings(t *testing.T) {
	home := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", home)
	if _, _, err := ReadSettings(); !errors.Is(err, fs.ErrNotExist) || stead.CodeOf(err) != stead.CodeConfigInvalid {
		t.Errorf("without a file: %v", err)
	}
	if err := os.Mkdir(filepath.Join(home, "stead"), 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		if err := os.WriteFile(filepath.Join(home, "stead", "config.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"platform": "https://stead.example.org", "browser": "chromium", "forbidden_browsers": ["edge", "/opt/x"], "no_fallback": true}`)
	s, _, err := ReadSettings()
	if c := s.Choice(); err != nil || s.Platform != "https://stead.example.org" || c.Pin != "chromium" || !slices.Equal(c.Forbid, []string{"edge", "/opt/x"}) || !s.NoFallback {
		t.Errorf("%+v, %v", s, err)
	}
	for _, bad := range []string{`{"platform": "https://x", "forbidden_browser": ["edge"]}`, `{"platform": 1}`, `{`, ``, `{} {}`, `[]`} {
		write(bad)
		if s, _, err := ReadSettings(); stead.CodeOf(err) != stead.CodeConfigInvalid || s.Platform != "" || s.NoFallback {
			t.Errorf("%s: %+v, %v", bad, s, err)
		}
	}
}
