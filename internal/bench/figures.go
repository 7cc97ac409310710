package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// sizes says how much is measured. All else is the same.
type sizes struct {
	rounds   int // of value and floor by turns; the medians count
	appends  int // of one caller a round
	seconds  float64
	pending  int // records of an outbox that is opened
	drained  int
	verified int
	logged   int  // records a round
	browsers int  // that are started, and as many bare ones; and that are ended
	peers    bool // build and run other people's programs too
}

func allSizes() map[string]sizes {
	return map[string]sizes{
		"tiny":  {rounds: 1, appends: 20, seconds: 0.1, pending: 500, drained: 500, verified: 3000, logged: 500, browsers: 1},
		"small": {rounds: 5, appends: 300, seconds: 1, pending: 100_000, drained: 20_000, verified: 100_000, logged: 5_000, browsers: 15, peers: true},
		"full":  {rounds: 9, appends: 1_000, seconds: 2, pending: 1_000_000, drained: 100_000, verified: 1_000_000, logged: 20_000, browsers: 100, peers: true},
	}
}

// bench is what one figure is given.
type bench struct {
	size     sizes
	folder   string // its own, empty
	progress io.Writer
}

// figure measures the row of its name, and perhaps others whose names begin with it.
type figure struct {
	name    string
	measure func(context.Context, bench) ([]row, error)
}

func figures() []figure {
	return []figure{
		{"outbox.append.1", appendAlone},
		{"outbox.append.16", appendTogether},
		{"outbox.open", openOutbox},
		{"outbox.drain", drainOutbox},
		{"audit.verify", verifyLedger},
		{"ledger.append", appendLedger},
		{"browser.start", startBrowser},
		{"browser.end", endBrowser},
	}
}

// choose picks the figures of the names; all when there are none.
func choose(all []figure, only string) ([]figure, error) {
	if strings.TrimSpace(only) == "" {
		return all, nil
	}
	var chosen []figure
	for name := range strings.SplitSeq(only, ",") {
		name = strings.TrimSpace(name)
		found := false
		for _, f := range all {
			if f.name != name && !strings.HasPrefix(f.name, name+".") {
				continue
			}
			found = true
			if !slices.ContainsFunc(chosen, func(c figure) bool { return c.name == f.name }) {
				chosen = append(chosen, f)
			}
		}
		if !found {
			return nil, fmt.Errorf("bench: there is no row %q", name)
		}
	}
	return chosen, nil
}

// row is one line of the table.
type row struct {
	Name    string   `json:"name"`
	Value   float64  `json:"value"`
	Unit    string   `json:"unit"`
	Against string   `json:"against,omitempty"` // the floor and its own value
	Ratio   *float64 `json:"ratio"`             // value to floor; null without one
	Aim     string   `json:"aim,omitempty"`
	OK      *bool    `json:"ok"` // whether the aim was reached; null without one
}

// against adds a floor.
func (r row) against(what string, floor float64) row {
	ratio := 0.0
	if floor != 0 {
		ratio = r.Value / floor
	}
	r.Against, r.Ratio = fmt.Sprintf("%s: %s", what, number(floor)), &ratio
	return r
}

// atMost and atLeast add an aim for the ratio to the floor, or for the value where there is none.
func (r row) atMost(limit float64) row {
	ok := r.aimed() <= limit
	r.Aim, r.OK = "≤ "+r.limit(limit), &ok
	return r
}

func (r row) atLeast(limit float64) row {
	ok := r.aimed() >= limit
	r.Aim, r.OK = "≥ "+r.limit(limit), &ok
	return r
}

func (r row) aimed() float64 {
	if r.Ratio != nil {
		return *r.Ratio
	}
	return r.Value
}

func (r row) limit(n float64) string {
	if r.Ratio != nil {
		return number(n) + " ×"
	}
	unit, _, _ := strings.Cut(r.Unit, ",")
	return number(n) + " " + unit
}

// number writes three significant digits, and all digits before the point.
func number(n float64) string {
	if n >= 100 {
		return fmt.Sprintf("%.0f", n)
	}
	return fmt.Sprintf("%.3g", n)
}

func writeTable(out io.Writer, rows []row) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "name\tvalue\tunit\tagainst\tratio\taim\t")
	for _, r := range rows {
		ratio, verdict := "", ""
		if r.Ratio != nil {
			ratio = number(*r.Ratio)
		}
		if r.OK != nil {
			verdict = map[bool]string{true: "ok", false: "MISSED"}[*r.OK]
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Name, number(r.Value), r.Unit, r.Against, ratio, r.Aim, verdict)
	}
	return w.Flush()
}

// medians takes all measures by turns, so often, and returns the median of each.
func medians(ctx context.Context, rounds int, measures ...func() (float64, error)) ([]float64, error) {
	all := make([][]float64, len(measures))
	for round := range rounds {
		for i := range measures {
			i = (i + round) % len(measures) // nobody is always first
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			v, err := measures[i]()
			if err != nil {
				return nil, err
			}
			all[i] = append(all[i], v)
		}
	}
	out := make([]float64, len(measures))
	for i, values := range all {
		out[i] = median(values)
	}
	return out, nil
}

// median of no values is 0.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}
