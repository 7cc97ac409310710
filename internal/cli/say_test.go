package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// missing is how it is said that a path leads nowhere.
const missing = "There is no such file or folder."

// TestWhatIsNotThereIsNamed: a person who mistyped a path is not sent to rights and owners, or to another kind of file.
func TestWhatIsNotThereIsNamed(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "platform.json")
	if err := os.WriteFile(config, []byte(`{"listen":"127.0.0.1:0","issuer":"https://idp.test","data":"`+filepath.ToSlash(dir)+`"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := openData(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	away := filepath.Join(dir, "away", "x.csv")
	for _, args := range [][]string{
		{"audit", "export", "--format", "ndjson", "--redact", "--ledger", dir, "--out", away},
		{"audit", "verify", "--ledger", away}, {"audit", "verify", "--bundle", away}, {"audit", "verify", "--outbox", away},
		{"platform", "sign", "--statement", away, "--key", config}, {"members", "import", away, "--config", config},
	} {
		code, _, errOut := command(t, args...)
		if code == 0 || !strings.HasPrefix(errOut, "stead: "+missing) || !strings.Contains(errOut, filepath.Join(dir, "away")) || !strings.Contains(errOut, "Check the path") {
			t.Errorf("%v: exit %d, %s", args, code, errOut)
		}
	}
}

// TestConfigurationFaultsAreSaidInWords: with file, line and setting, and no type of a program.
func TestConfigurationFaultsAreSaidInWords(t *testing.T) {
	for text, want := range map[string]string{
		`{"listen":5}`:                       "line 1: listen has to be a text in quotes, not a number",
		"{\"data\":\"x\",\n\"datta\":\"x\"}": `line 2: there is no setting "datta"`,
		"{\"data\":\"x\",\n":                 "line 2: the file ends too early",
		"":                                   "line 1: the file is empty",
		"[]":                                 "line 1: the file has to be an object in { }, not a list",
		"{\n\"copies\":\"x\"}":               "line 2: copies has to be a list in [ ], not a text",
		`{"retention_days":3.5}`:             "line 1: retention_days has to be a whole number, not 3.5",
		`{"data":"x"} x`:                     "line 1: something follows the last bracket",
		"{\"app\":{\n\"id\":{}}}":            "line 2: app.id has to be a text in quotes, not an object",
		"hello":                              `line 1: it is not JSON: "h" has no place there`,
		`{"copies":[{"folder":true}]}`:       "line 1: copies.folder has to be a text in quotes, not true or false",
	} {
		file := filepath.Join(t.TempDir(), "platform.json")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		code, _, errOut := command(t, "members", "holds", "--config", file)
		if code != exitMachine || !strings.Contains(errOut, file+", "+want) || strings.Contains(errOut, "json:") || strings.Contains(errOut, "Go ") {
			t.Errorf("%q: exit %d, %s; want %s", text, code, errOut, want)
		}
	}
}
