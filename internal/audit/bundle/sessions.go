package bundle

import (
	"reflect"

	"github.com/google/uuid"
)

// owedNotice is a notice that the records of a session call for.
type owedNotice struct {
	session, kind string
	released      bool
}

// At returns the line of a session as the facts have it; state and cause are left as they are.
func (s Session) At(f *SessionFacts) Session {
	s.Started, s.Opened, s.Ended = placeOrNull(f.Started), placeOrNull(f.Opened), placeOrNull(f.Ended)
	return s
}

// sessions holds the platform's list of sessions to the records: neither may have one that the other has not.
func (v *verifier) sessions() error {
	found := SessionCounts{Ended: map[string]int64{}, Refused: v.facts.Refused}
	v.owed = map[owedNotice]int{}
	seen := 0
	for s, err := range lines[Session](v.Bundle, memberSessions) {
		if err != nil {
			return err
		}
		id, err := sessionBytes(s.Session)
		if err != nil {
			return broken("%v", err)
		}
		f := v.facts.Sessions[id]
		if f == nil {
			return broken("session %s has no start among the records, or is listed twice", s.Session)
		}
		if want := (Session{Session: s.Session, State: f.State(), Cause: f.Cause}).At(f); !reflect.DeepEqual(s, want) {
			return broken("session %s is not what its records say", s.Session)
		}
		delete(v.facts.Sessions, id)
		seen++
		switch s.State {
		case "ended":
			found.Ended[s.Cause]++
		case "live":
			found.Live++
		default:
			found.Started++
		}
		v.owed[owedNotice{s.Session, "started", f.Opened >= 0}]++
		if f.Opened >= 0 && f.Ended >= 0 {
			v.owed[owedNotice{s.Session, "ended", true}]++
		}
	}
	for id := range v.facts.Sessions {
		return broken("session %s was started and is not listed", uuid.UUID(id))
	}
	if !reflect.DeepEqual(found, v.m.Sessions) {
		return broken("the manifest counts other sessions")
	}
	return nil
}

// notices holds what members were told to the sessions: one notice for each start and one for each end of an opened
// session, shown when the session was opened.
func (v *verifier) notices() error {
	var found NoticeCounts
	ids := map[int64]bool{}
	for n, err := range lines[Notice](v.Bundle, memberNotices) {
		if err != nil {
			return err
		}
		released, read := n.ReleasedMS != nil, n.ReadMS != nil
		if ids[n.Notice] || read && !released {
			return broken("notice %d is there twice, or was read before it was shown", n.Notice)
		}
		ids[n.Notice] = true
		found.Add(released, read)
		if n.Kind != "started" && n.Kind != "ended" {
			continue
		}
		var of owedNotice
		if n.Session != nil {
			of = owedNotice{*n.Session, n.Kind, released}
		}
		if v.owed[of] == 0 {
			return broken("notice %d is one that the records do not call for", n.Notice)
		}
		v.owed[of]--
	}
	for of, n := range v.owed {
		if n > 0 {
			return broken("session %s calls for a notice of kind %s that is not there", of.session, of.kind)
		}
	}
	if found != v.m.Notices {
		return broken("the manifest counts other notices")
	}
	return nil
}
