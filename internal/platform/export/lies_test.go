package export_test

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"stead/internal/audit/bundle"
	"stead/internal/stead"
)

// lie is a bundle made over by somebody who holds the platform's database and makes every count and hash fit.
type lie struct {
	t   *testing.T
	all []member
	m   bundle.Manifest
}

func newLie(t *testing.T, pristine []member) *lie {
	t.Helper()
	l := &lie{t: t, all: slices.Clone(pristine)}
	if err := json.Unmarshal(pristine[len(pristine)-1].data, &l.m); err != nil {
		t.Fatal(err)
	}
	return l
}

// lines changes the lines of a view: what edit returns is written in place of the line, nothing when it is nil.
func lines[T any](l *lie, name string, edit func(T) *T) {
	l.t.Helper()
	i := slices.IndexFunc(l.all, func(m member) bool { return m.name == name })
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	for _, raw := range pieces(l.all[i]) {
		var v T
		if err := json.Unmarshal(raw, &v); err != nil {
			l.t.Fatal(err)
		}
		if changed := edit(v); changed != nil {
			if err := e.Encode(changed); err != nil {
				l.t.Fatal(err)
			}
		}
	}
	l.all[i].data = bytes.ReplaceAll(out.Bytes(), []byte(`page \"shows\"\u2028an`), []byte("page \\\"shows\\\"\u2028an"))
}

// pack writes the bundle with the manifest's counts as the lie has them.
func (l *lie) pack(path string) {
	l.t.Helper()
	raw, err := json.Marshal(l.m)
	if err != nil {
		l.t.Fatal(err)
	}
	l.all[len(l.all)-1].data = raw
	pack(l.t, path, l.all, true)
}

// TestLiesWithFittingCountsAreReportedByBothVerifiers: completeness is held against the records, not against counts.
func TestLiesWithFittingCountsAreReportedByBothVerifiers(t *testing.T) {
	w := newWorld(t)
	w.history()
	path, m := w.export(w.options())
	pristine := membersOf(t, path)
	var hidden string // the session that was ended by an admin
	lines(newLie(t, pristine), "sessions.ndjson", func(s bundle.Session) *bundle.Session {
		if s.Cause == "admin" {
			hidden = s.Session
		}
		return &s
	})
	if hidden == "" || m.Sessions.Ended["admin"] != 1 {
		t.Fatal("no session was ended by an admin")
	}
	dropNotices := func(l *lie) {
		lines(l, "notices.ndjson", func(n bundle.Notice) *bundle.Notice {
			if n.Session != nil && *n.Session == hidden {
				l.m.Notices.Released--
				return nil
			}
			return &n
		})
	}
	s := newSecond(t)
	file := filepath.Join(t.TempDir(), "lie.zip")
	for name, c := range map[string]struct {
		tell func(*lie)
		fine bool
	}{
		"nothing is changed": {fine: true, tell: func(l *lie) { lines(l, "texts.ndjson", func(x bundle.Texts) *bundle.Texts { return &x }) }},
		"a session is hidden": {tell: func(l *lie) {
			lines(l, "sessions.ndjson", func(s bundle.Session) *bundle.Session {
				if s.Session == hidden {
					return nil
				}
				return &s
			})
			delete(l.m.Sessions.Ended, "admin")
			dropNotices(l)
		}},
		"a session is invented": {tell: func(l *lie) {
			first := true
			lines(l, "sessions.ndjson", func(s bundle.Session) *bundle.Session {
				if first && s.Cause == "not_opened" {
					first, s.Session = false, string(stead.NewSessionID())
				}
				return &s
			})
		}},
		"another cause": {tell: func(l *lie) {
			lines(l, "sessions.ndjson", func(s bundle.Session) *bundle.Session {
				s.Cause = strings.Replace(s.Cause, "admin", "agent", 1)
				return &s
			})
			l.m.Sessions.Ended = map[string]int64{"agent": 2, "not_opened": 1}
		}},
		"a live session is said to have ended": {tell: func(l *lie) {
			lines(l, "sessions.ndjson", func(s bundle.Session) *bundle.Session {
				if s.State == "live" {
					s.State, s.Cause = "ended", "agent"
				}
				return &s
			})
			l.m.Sessions.Live, l.m.Sessions.Ended["agent"] = 0, 2
		}},
		"the member was not told": {tell: dropNotices},
		"a notice that was hidden is said to be shown": {tell: func(l *lie) {
			lines(l, "notices.ndjson", func(n bundle.Notice) *bundle.Notice {
				if n.ReleasedMS == nil {
					n.ReleasedMS = &n.CreatedMS
				}
				return &n
			})
			l.m.Notices.Hidden, l.m.Notices.Released = 0, 6
		}},
		"another count of chains":      {tell: func(l *lie) { l.m.Chains++ }},
		"another count of devices":     {tell: func(l *lie) { l.m.Devices++ }},
		"another count of staff":       {tell: func(l *lie) { l.m.Staff++ }},
		"another count of records":     {tell: func(l *lie) { l.m.Size++ }},
		"another count of checkpoints": {tell: func(l *lie) { l.m.Checkpoints++ }},
		"another count of pending":     {tell: func(l *lie) { l.m.Pending++ }},
		"another count of texts":       {tell: func(l *lie) { l.m.Texts.Erased++ }},
		"another count of notices":     {tell: func(l *lie) { l.m.Notices.Read++ }},
		"another log":                  {tell: func(l *lie) { l.m.Origin += "x" }},
		"another root":                 {tell: func(l *lie) { l.m.Root = strings.Repeat("0", 64) }},
		"it is said to be redacted":    {tell: func(l *lie) { l.m.Redacted = true }},
		"it is said to be of later on": {tell: func(l *lie) { later := l.m.MadeMS + 1; l.m.SinceMS = &later }},
		"a refused start is hidden":    {tell: func(l *lie) { l.m.Sessions.Refused = 0 }},
		"a text is passed over": {tell: func(l *lie) {
			first := true
			lines(l, "texts.ndjson", func(x bundle.Texts) *bundle.Texts {
				if first && len(x.Texts) > 1 {
					first, x.Texts = false, x.Texts[1:]
					l.m.Texts.Opened--
				}
				return &x
			})
		}},
		"a text is withheld in secret": {tell: func(l *lie) {
			first := true
			lines(l, "texts.ndjson", func(x bundle.Texts) *bundle.Texts {
				if first && len(x.Texts) == 1 {
					first, x.Missing, x.Texts = false, []bundle.Missing{{Name: x.Texts[0].Name, Why: bundle.WhyRedacted}}, []bundle.Text{}
					l.m.Texts.Opened--
					l.m.Texts.Redacted++
				}
				return &x
			})
		}},
		"another text": {tell: func(l *lie) {
			lines(l, "texts.ndjson", func(x bundle.Texts) *bundle.Texts {
				for i := range x.Texts {
					x.Texts[i].Value = strings.Replace(x.Texts[i].Value, "Bo Lind", "Ana Souza", 1)
				}
				return &x
			})
		}},
		"the device is hidden": {tell: func(l *lie) {
			lines(l, "devices.ndjson", func(bundle.Device) *bundle.Device { return nil })
			l.m.Devices = 0
		}},
		"its chain's head is hidden": {tell: func(l *lie) { lines(l, "heads.ndjson", func(bundle.Head) *bundle.Head { return nil }) }},
		"who started sessions is hidden": {tell: func(l *lie) {
			lines(l, "staff.ndjson", func(p bundle.Person) *bundle.Person {
				if p.FirstStart != nil {
					return nil
				}
				return &p
			})
			l.m.Staff--
		}},
		"who claimed the platform is hidden": {tell: func(l *lie) {
			lines(l, "staff.ndjson", func(p bundle.Person) *bundle.Person { p.Claims = []int64{}; return &p })
		}},
	} {
		l := newLie(t, pristine)
		c.tell(l)
		l.pack(file)
		_, err := verify(file)
		code, said := s.verify(file)
		want := 1
		if c.fine {
			want = 0
		}
		if exitOf(err) != want || code != want {
			t.Errorf("%s: want %d: %v; %s", name, want, err, said)
		}
	}
}
