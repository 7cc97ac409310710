package app

import (
	"os"
	"reflect"
	"regexp"
	"testing"

	"stead/internal/stead"
)

// TestWindowCallsWhatIsBound holds the window's door to the bound structs, both ways: every method is called by
// wails.ts, and wails.ts calls nothing else.
func TestWindowCallsWhatIsBound(t *testing.T) {
	source, err := os.ReadFile("../frontend/src/backend/wails.ts")
	if err != nil {
		t.Fatal(err)
	}
	called := map[string]bool{}
	for _, m := range regexp.MustCompile(`\('([A-Z]\w+)', '([A-Z]\w+)'`).FindAllStringSubmatch(string(source), -1) {
		called[m[1]+"."+m[2]] = true
	}
	bound := 0
	for _, s := range newCore(Settings{}).bound() {
		typ := reflect.TypeOf(s)
		for i := range typ.NumMethod() {
			name := typ.Elem().Name() + "." + typ.Method(i).Name
			if bound++; !called[name] {
				t.Errorf("%s is bound and the window never calls it", name)
			}
			delete(called, name)
		}
	}
	for name := range called {
		t.Errorf("the window calls %s, which is not bound", name)
	}
	if bound < 15 {
		t.Errorf("only %d methods are bound", bound)
	}
}

func TestUserSettings(t *testing.T) {
	for address, good := range map[string]bool{
		"https://stead.example.org": true, "http://platform.localhost:7321": true, "http://127.0.0.1:1": true, "http://localhost": true,
		"http://stead.example.org": false, "https://user:secret@stead.example.org": false, "stead.example.org": false, "": false,
		"http://localhost.evil.example": false, "ftp://localhost": false,
	} {
		if stead.StaysPrivate(address) != good {
			t.Errorf("StaysPrivate(%q) = %v", address, !good)
		}
	}
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	if s := UserSettings(); s.problem == nil {
		t.Error("settings without a file have no problem")
	}
}

func TestProblemsTellNoCause(t *testing.T) {
	if p := problem(os.ErrPermission); p.Code != "internal" || p.Sentence == "" || p.Hint == "" {
		t.Errorf("%+v", p)
	}
	if problem(nil) != nil {
		t.Error("no error is a problem")
	}
}
