package audit

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestFormatDocumentNamesEveryKind keeps the document's list as closed as the program's.
func TestFormatDocumentNamesEveryKind(t *testing.T) {
	papers := Papers()
	_, list, _ := strings.Cut(string(papers["FORMAT.md"]), "## 2. Kinds")
	list, _, _ = strings.Cut(list, "## 3.")
	named := map[string]bool{}
	for i, part := range strings.Split(list, "`") {
		if i%2 == 1 {
			named[part] = true
		}
	}
	for _, k := range Kinds() {
		if !named[string(k)] {
			t.Errorf("FORMAT.md does not name %s", k)
		}
		if !strings.Contains(string(papers["proof.py"]), `"`+string(k)+`"`) {
			t.Errorf("proof.py does not know %s", k)
		}
		delete(named, string(k))
	}
	if len(named) > 0 {
		t.Errorf("FORMAT.md names kinds that do not exist: %v", named)
	}
}

// TestSecondVerifierHoldsEveryVector runs the vectors through the verifier that was written from the document alone.
func TestSecondVerifierHoldsEveryVector(t *testing.T) {
	python := python3(t)
	out, err := exec.CommandContext(t.Context(), python, "-B", "verifier/verify.py", "--vectors", "testdata/vectors.json").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "checks against the vectors hold") {
		t.Fatalf("%v: %s", err, out)
	}
	var all map[string]any
	if err := json.Unmarshal(Papers()["vectors.json"], &all); err != nil {
		t.Fatal(err)
	}
	spoil(all["records"].([]any)[3], "leaf")
	changed, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	file := t.TempDir() + "/vectors.json"
	if err := os.WriteFile(file, changed, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), python, "-B", "verifier/verify.py", "--vectors", file).CombinedOutput(); err == nil {
		t.Errorf("a wrong vector holds as well: %s", out)
	}
}

func spoil(vector any, field string) {
	v := vector.(map[string]any)
	v[field] = "00" + v[field].(string)[2:]
}

// python3 is Debian's; build/test.sh installs it, so only a machine that is not prepared is let off, and loudly.
func python3(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("there is no python3, and CI must have it: the second verifier was not run")
		}
		t.Skip("THE SECOND VERIFIER WAS NOT RUN: there is no python3 here; install it with: apt-get install python3")
	}
	return path
}
