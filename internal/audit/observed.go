package audit

import (
	"fmt"
	"strconv"
	"strings"
)

// ObservedAction is what a session's browser asked of the member app, without anything that could be personal: neither
// query nor body, and of the path its template (stead.PathTemplate).
type ObservedAction struct {
	Method, Origin, Path string
	Status               int   // of the answer; 0 when none was seen
	Stopped              bool  // in the browser: it was never sent
	Count                int64 // how often, 1 at least
}

// Observed is the content of a record of kind SessionObserved: what was asked since the one before.
type Observed struct {
	Actions []ObservedAction // at most MaxObserved, each different from the others in more than its count
	Assets  int64            // pictures, styles, scripts and fonts of the member app, which are not listed
	Dropped int64            // requests that were too many to be listed
}

// MaxObserved is how many different actions a record lists.
const MaxObserved = 50

// stoppedWord stands in place of the status of what was stopped.
const stoppedWord = "stopped"

// Empty reports whether there is nothing to record.
func (o Observed) Empty() bool { return len(o.Actions) == 0 && o.Assets == 0 && o.Dropped == 0 }

// Body is the record's body. Each action is a line: count, method, origin, template, status or "stopped".
func (o Observed) Body() Body {
	lines := make([]string, 0, len(o.Actions))
	for _, a := range o.Actions {
		answer := strconv.Itoa(a.Status)
		if a.Stopped {
			answer = stoppedWord
		}
		lines = append(lines, fmt.Sprintf("%d %s %s %s %s", a.Count, a.Method, a.Origin, a.Path, answer))
	}
	return Body{"actions": strings.Join(lines, "\n"), "assets": o.Assets, "dropped": o.Dropped}
}

// ReadObserved reads what Body writes. What a device wrote otherwise is an error.
func ReadObserved(b Body) (o Observed, err error) {
	text, ok := b["actions"].(string)
	assets, ok2 := b["assets"].(int64)
	dropped, ok3 := b["dropped"].(int64)
	if !ok || !ok2 || !ok3 || assets < 0 || dropped < 0 {
		return o, fmt.Errorf("audit: an observation lacks what it must have")
	}
	o.Assets, o.Dropped = assets, dropped
	if text == "" {
		return o, nil
	}
	for line := range strings.SplitSeq(text, "\n") {
		f := strings.Split(line, " ")
		if len(f) != 5 || len(o.Actions) == MaxObserved {
			return o, fmt.Errorf("audit: an observed action is not one: %q", line)
		}
		a := ObservedAction{Method: f[1], Origin: f[2], Path: f[3], Stopped: f[4] == stoppedWord}
		if a.Count, err = strconv.ParseInt(f[0], 10, 64); err == nil && !a.Stopped {
			a.Status, err = strconv.Atoi(f[4])
		}
		if err != nil || a.Count < 1 {
			return o, fmt.Errorf("audit: an observed action is not one: %q", line)
		}
		o.Actions = append(o.Actions, a)
	}
	return o, nil
}
