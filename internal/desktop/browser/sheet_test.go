package browser

import (
	"os"
	"strings"
	"testing"
)

// The sheet is what security teams build rules on: a change of it must be meant. To mean it:
// go run . help browsers > internal/desktop/browser/testdata/browsers.txt
func TestSheet(t *testing.T) {
	want, err := os.ReadFile("testdata/browsers.txt")
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(Sheet(), "\n")
	for i, line := range strings.Split(string(want), "\n") {
		if i >= len(got) || got[i] != line {
			t.Fatalf("line %d is %q and not %q", i+1, strings.Join(got[i:min(i+1, len(got))], ""), line)
		}
	}
	if Sheet() != string(want) {
		t.Error("the sheet is longer than it should be")
	}
}

// Whatever the plan holds the sheet shows, and its rule fits the plan.
func TestSheetShowsThePlan(t *testing.T) {
	sheet := Sheet()
	for _, e := range examples {
		plan := e.plan()
		for _, part := range append(append([]string{plan.Path, plan.Dir}, plan.Args...), plan.Env...) {
			if !strings.Contains(sheet, "  "+part+"\n") && !strings.Contains(sheet, "in "+part+"\n") {
				t.Errorf("%s: %q is not in the sheet", e.name, part)
			}
		}
		command := strings.ReplaceAll(strings.Join(append([]string{plan.Path}, plan.Args...), " "), "USER", "ada")
		parts := 0
		for line := range strings.Lines(rule(e, plan)) {
			if part, ok := strings.CutPrefix(strings.TrimSpace(line), "- '"); ok {
				parts++
				if part = strings.TrimSuffix(part, "'"); !strings.Contains(command, part) {
					t.Errorf("%s: the rule's %q is not in %q", e.name, part, command)
				}
			}
		}
		if parts != 3 {
			t.Errorf("%s: the rule has %d parts", e.name, parts)
		}
	}
}
