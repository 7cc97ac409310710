package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestAimsAreComparedWithTheRatioOrTheValue(t *testing.T) {
	plain := row{Name: "x", Value: 10, Unit: "s, of something"}
	for name, c := range map[string]struct {
		row row
		ok  bool
		aim string
	}{
		"ratio reached":          {plain.against("f", 10).atMost(1.2), true, "≤ 1.2 ×"},
		"ratio at the limit":     {plain.against("f", 10).atMost(1), true, "≤ 1 ×"},
		"ratio missed":           {plain.against("f", 5).atMost(1.2), false, "≤ 1.2 ×"},
		"at least reached":       {plain.against("f", 12).atLeast(0.7), true, "≥ 0.7 ×"},
		"at least missed":        {plain.against("f", 20).atLeast(0.7), false, "≥ 0.7 ×"},
		"value reached":          {plain.atMost(10), true, "≤ 10 s"},
		"value missed":           {plain.atMost(9.9), false, "≤ 9.9 s"},
		"value, floor told too":  {plain.atLeast(8).against("f", 100), true, "≥ 8 s"},
		"value missed, at least": {plain.atLeast(11), false, "≥ 11 s"},
	} {
		if c.row.OK == nil || *c.row.OK != c.ok || c.row.Aim != c.aim {
			t.Errorf("%s: %+v", name, c.row)
		}
	}
	if r := plain.against("f", 4); *r.Ratio != 2.5 || r.Against != "f: 4" || r.OK != nil {
		t.Errorf("%+v", r)
	}
}

func TestOnlyChoosesRows(t *testing.T) {
	for only, want := range map[string]string{
		"":                               "outbox.append.1 outbox.append.16 outbox.open outbox.drain audit.verify ledger.append browser.start browser.end",
		"audit.verify":                   "audit.verify",
		"outbox.append":                  "outbox.append.1 outbox.append.16",
		"outbox.append.1":                "outbox.append.1",
		" ledger.append , audit, ledger": "ledger.append audit.verify",
	} {
		chosen, err := choose(figures(), only)
		var names []string
		for _, f := range chosen {
			names = append(names, f.name)
		}
		if err != nil || strings.Join(names, " ") != want {
			t.Errorf("%q: %v, %v", only, names, err)
		}
	}
	if _, err := choose(figures(), "outbox.app"); err == nil {
		t.Error("half a name was taken for a row")
	}
}

func TestMediansTakeTurns(t *testing.T) {
	var order strings.Builder
	measure := func(name string, values ...float64) func() (float64, error) {
		return func() (float64, error) {
			order.WriteString(name)
			v := values[0]
			values = values[1:]
			return v, nil
		}
	}
	got, err := medians(t.Context(), 3, measure("a", 9, 1, 2), measure("b", 5, 5, 100))
	if err != nil || !slices.Equal(got, []float64{2, 5}) || order.String() != "abbaab" {
		t.Errorf("%v %v %s", got, err, &order)
	}
	if m := median([]float64{4, 1, 3, 2}); m != 2.5 {
		t.Errorf("median %v", m)
	}
	failure := errors.New("x")
	if _, err := medians(t.Context(), 1, func() (float64, error) { return 0, failure }); !errors.Is(err, failure) {
		t.Errorf("%v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := medians(ended, 1, measure("c", 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// TestEverythingStillRuns takes the figures of very little, whose values mean nothing.
func TestEverythingStillRuns(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bench.json")
	var table, progress bytes.Buffer
	if err := run(t.Context(), []string{"-size", "tiny", "-out", file}, &table, &progress); err != nil {
		t.Fatalf("%v\n%s", err, &progress)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	if err := json.Unmarshal(text, &rows); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range rows {
		names = append(names, r.Name)
		if r.Value <= 0 || math.IsInf(r.Value, 0) || r.Unit == "" || (r.Aim == "") != (r.OK == nil) || r.Ratio != nil && *r.Ratio <= 0 {
			t.Errorf("%+v", r)
		}
		if !strings.Contains(table.String(), r.Name+" ") {
			t.Errorf("%s is not in the table:\n%s", r.Name, &table)
		}
	}
	for _, f := range figures() {
		if !slices.Contains(names, f.name) && !strings.Contains(progress.String(), f.name+" is left out: ") {
			t.Errorf("no row %s", f.name)
		}
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(file), "bench-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestRecordsHaveTheirSize(t *testing.T) {
	r := sample(newDevice(), [16]byte{1}, 1<<20, [32]byte{1})
	envelope, err := r.Encode()
	if err != nil || len(envelope) < recordSize-10 || len(envelope) > recordSize+10 {
		t.Errorf("%d bytes, %v", len(envelope), err)
	}
	e := entry()
	r.Commitments, r.Body = nil, e.Body
	if envelope, err = r.Encode(); err != nil || len(envelope) < recordSize-10 || len(envelope) > recordSize+10 {
		t.Errorf("without texts: %d bytes, %v", len(envelope), err)
	}
}
