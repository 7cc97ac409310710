package frontend

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"stead/internal/stead"
)

func TestAssetsAreThereOrSayThatTheFrontendIsNotBuilt(t *testing.T) {
	files, err := Assets()
	if err == nil {
		if _, err := fs.Stat(files, "index.html"); err != nil {
			t.Fatalf("Assets returned files without a page: %v", err)
		}
		return
	}
	assertNotBuilt(t, err)
}

func TestAnEmptyBuildIsRefusedInWords(t *testing.T) {
	_, err := check(fstest.MapFS{".gitkeep": {}})
	assertNotBuilt(t, err)
}

func TestABuildWithAPageIsTaken(t *testing.T) {
	if _, err := check(fstest.MapFS{"index.html": {Data: []byte("<!doctype html>")}}); err != nil {
		t.Fatalf("check = %v, want nil", err)
	}
}

func assertNotBuilt(t *testing.T, err error) {
	t.Helper()
	var e *stead.Error
	if !errors.As(err, &e) || e.Code != stead.CodeNoWindow {
		t.Fatalf("error = %v, want code %s", err, stead.CodeNoWindow)
	}
	if !strings.Contains(e.Sentence(), "the frontend is not built") {
		t.Errorf("sentence = %q, want it to say that the frontend is not built", e.Sentence())
	}
}
