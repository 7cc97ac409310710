package authority

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/ledger"
	"stead/internal/platform/store"
)

const (
	// compareAfter is how long after an end the reports of the member app and the last records of the device may take.
	compareAfter = 2 * time.Minute
	// compareAgain is how often it is looked whether the device has delivered its end.
	compareAgain = time.Minute
	// comparePatience is how long a device may be away with its records before that is a mismatch by itself.
	comparePatience = 24 * time.Hour
	// compareBatch bounds how many sessions one sweep compares.
	compareBatch = 20
	// unshownReads is how many reads a browser does for itself, a site's icon for one.
	unshownReads = 2
	// compareRecords bounds how many observations of one session are read. A browser's own in twenty minutes are fewer
	// than half of it; what a device delivers beyond that, the earliest first, counts as not shown.
	compareRecords = 1000
	// compareExamples is how many missing actions a record names.
	compareExamples = 5
)

// Why a session's actions and its browser do not fit together.
const (
	mismatchNotShown     = "not_shown"        // the member app reported what the browser did not show
	mismatchNothing      = "nothing_observed" // the browser showed nothing, and the member app reported actions
	mismatchNotDelivered = "not_delivered"    // the device never delivered what it saw
)

// compare holds ended sessions that are due against what their browsers showed.
func (a *Authority) compare(ctx context.Context) error {
	var due []store.Comparison
	err := a.Store.View(ctx, func(tx store.Tx) (err error) {
		due, err = tx.DueComparisons(tx.Now(), compareBatch)
		return err
	})
	var errs []error
	for _, c := range due {
		errs = append(errs, a.compareOne(ctx, c))
	}
	return errors.Join(append(errs, err)...)
}

// compareOne compares one session, or puts it off while its device has not delivered its end. It is put off first of all,
// so that one which cannot be compared does not keep the others from it. Whatever a device delivered is read in a
// transaction that holds nobody up.
func (a *Authority) compareOne(ctx context.Context, c store.Comparison) error {
	var again time.Time
	err := a.Store.Update(ctx, func(tx store.Tx) error {
		again = tx.Now().Add(compareAgain)
		return tx.PutOffComparison(c.Session, again)
	})
	if err != nil {
		return err
	}
	var f found
	if err := a.Store.View(ctx, func(tx store.Tx) (err error) { f, err = find(tx, c.Session); return err }); err != nil || f.early {
		return err
	}
	return a.Store.Update(ctx, func(tx store.Tx) error {
		total := f.missing.changes + f.missing.reads
		if f.why != "" && total > c.Missing {
			if err := a.writeMismatch(tx, f); err != nil {
				return err
			}
		}
		return tx.Compared(c.Session, max(total, c.Missing), again)
	})
}

// found is what came out of a comparison.
type found struct {
	session stead.Session
	early   bool // the device has not delivered its end, and may still
	sides   sides
	missing missing
	why     string // "" when both sides fit together
}

func find(tx store.Tx, id stead.SessionID) (f found, err error) {
	row, err := tx.Session(id)
	f.session = row.Session
	if err != nil || row.Mode == stead.ModeFallback { // nothing observes there, as session.opened says of it
		return f, err
	}
	device, err := stead.ParsePseudonym(string(row.Device))
	if err != nil {
		return f, err
	}
	delivered := false
	err = eachOf(tx, id, audit.SessionObservedEnd, func(e store.IntakeEntry, _ audit.Record) bool {
		delivered = delivered || e.Device == device
		return !delivered
	})
	if err != nil {
		return f, err
	}
	if !delivered && tx.Now().Before(row.EndedAt.Add(comparePatience)) {
		f.early = true
		return f, nil
	}
	if f.sides, err = gather(tx, id, device); err != nil {
		return f, err
	}
	f.missing = f.sides.missing()
	switch {
	case f.sides.reportedAll() == 0: // nothing to hold it against
	case f.sides.records == 0 && !delivered:
		f.why = mismatchNotDelivered
	case f.sides.records == 0:
		f.why = mismatchNothing
	case f.missing.changes > 0 || f.missing.reads > 0:
		f.why = mismatchNotShown
	}
	return f, nil
}

func (a *Authority) writeMismatch(tx store.Tx, f found) error {
	s, why, sides, m := f.session, f.why, f.sides, f.missing
	facts := audit.Body{"why": why, "device": string(s.Device), "changes": m.changes, "reads": m.reads,
		"reported": sides.reportedAll(), "observed": sides.observed, "dropped": sides.dropped, "examples": strings.Join(m.examples, "\n")}
	agent, err := tx.Staff(s.Agent)
	if err == nil {
		facts[ledger.AgentFact] = agent.Pseudonym.String()
	} else if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	member, err := tx.Member(s.Member)
	if err != nil && !errors.Is(err, store.ErrNotFound) { // the person may have been erased since
		return err
	}
	a.Log.Warn("a session's browser did not show what the member app reported", "session", s.ID, "why", why, "changes", m.changes, "reads", m.reads)
	return a.Ledger.Write(tx, ledger.Entry{Kind: audit.SessionMismatch, Session: s.ID, Subject: member.Pseudonym, Facts: facts})
}

// eachOf calls f with the session's records of a kind, newest first, until it has seen enough.
func eachOf(tx store.Tx, id stead.SessionID, kind audit.Kind, f func(store.IntakeEntry, audit.Record) (more bool)) error {
	filter := store.TrailFilter{Session: id, Kind: string(kind), Limit: 500}
	for {
		entries, err := tx.Trail(filter)
		if err != nil {
			return err
		}
		for _, e := range entries {
			rec, err := audit.Decode(e.Envelope)
			if err != nil {
				return fmt.Errorf("authority: record %d: %w", e.Index, err)
			}
			if !f(e, rec) {
				return nil
			}
		}
		if len(entries) < filter.Limit {
			return nil
		}
		filter.Before = entries[len(entries)-1].Index
	}
}

// asked is a method with a path's template.
type asked struct{ method, path string }

// changes reports whether the method does more than read.
func (k asked) changes() bool {
	return k.method != "GET" && k.method != "HEAD" && k.method != "OPTIONS"
}

// sides is what both sides say of one session.
type sides struct {
	reported map[asked]int64 // by the member app
	shown    map[asked]int64 // by the browser, without what it stopped
	assets   int64
	dropped  int64
	observed int64 // how many actions the browser showed
	records  int   // how many records it showed them in
}

func (s sides) reportedAll() (n int64) {
	for _, count := range s.reported {
		n += count
	}
	return n
}

// gather reads both sides. What the app reports of a request that came to nothing (its sign-in was over, or it failed)
// may be the second report of the same request, so it does not count as one.
func gather(tx store.Tx, id stead.SessionID, device stead.Pseudonym) (sides, error) {
	s := sides{reported: map[asked]int64{}, shown: map[asked]int64{}}
	err := eachOf(tx, id, audit.SessionAction, func(_ store.IntakeEntry, rec audit.Record) bool {
		method, _ := rec.Body["method"].(string)
		path, _ := rec.Body["path"].(string)
		if status, _ := rec.Body["status"].(int64); status != 401 && status < 500 {
			s.reported[asked{method, stead.PathTemplate(path)}]++
		}
		return true
	})
	if err != nil {
		return s, err
	}
	read := 0
	err = eachOf(tx, id, audit.SessionObserved, func(e store.IntakeEntry, rec audit.Record) bool {
		read++
		o, err := audit.ReadObserved(rec.Body)
		if err != nil || e.Device != device {
			return read < compareRecords // it is not what this session's device says
		}
		s.records++
		s.assets, s.dropped = s.assets+o.Assets, s.dropped+o.Dropped
		for _, a := range o.Actions {
			if !a.Stopped {
				s.shown[asked{a.Method, a.Path}] += a.Count
				s.observed += a.Count
			}
		}
		return read < compareRecords
	})
	return s, err
}

// missing is what the member app reported and the browser did not show.
type missing struct {
	changes, reads int64
	examples       []string
}

// missing takes each reported action off what was shown, those first that name their path most closely. A missing change
// always counts. A browser reads some things for itself and lists no assets: so many missing reads are none.
func (s sides) missing() (m missing) {
	left := map[asked]int64{}
	for k, n := range s.shown {
		left[k] = n
	}
	open := func(k asked) int { return strings.Count(k.path, "{id}") + 10*strings.Count(k.path, "*") }
	keys := slices.SortedFunc(func(yield func(asked) bool) {
		for k := range s.reported {
			if !yield(k) {
				return
			}
		}
	}, func(a, b asked) int {
		return cmp.Or(cmp.Compare(open(a), open(b)), strings.Compare(a.path, b.path), strings.Compare(a.method, b.method))
	})
	var changes, reads []string
	for _, k := range keys {
		need := s.reported[k]
		for seen, n := range left {
			if need > 0 && seen.method == k.method && stead.TemplateFits(k.path, seen.path) {
				used := min(n, need)
				need, left[seen] = need-used, n-used
			}
		}
		switch {
		case need > 0 && k.changes():
			m.changes += need
			changes = append(changes, fmt.Sprintf("%d %s %s", need, k.method, k.path))
		case need > 0:
			m.reads += need
			reads = append(reads, fmt.Sprintf("%d %s %s", need, k.method, k.path))
		}
	}
	if s.records > 0 && m.reads <= unshownReads+s.assets+s.dropped {
		m.reads, reads = 0, nil
	}
	m.examples = append(changes, reads...)
	m.examples = m.examples[:min(len(m.examples), compareExamples)]
	return m
}
