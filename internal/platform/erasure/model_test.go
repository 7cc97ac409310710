package erasure_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/ledger"
	"stead/internal/platform/store"
)

// model is what a plain reading of the rules says must be readable.
type model struct {
	texts    map[int64]*told // by the record's index
	sessions map[stead.SessionID]*sitting
	erased   map[string]bool
	held     map[string]bool
	disabled map[string]bool
}

// told is the text beside one record.
type told struct {
	of    string // whose key
	at    time.Time
	text  string
	gone  bool
	holds string // whose hold it is the reason of, "" for none
}

type sitting struct {
	agent, member      string
	at                 time.Time
	agentGone, restOut bool
}

// kept reports whether a hold keeps the person: one on them or on somebody they share a session with.
func (m *model) kept(who string) bool {
	if m.held[who] {
		return true
	}
	for _, s := range m.sessions {
		if s.agent == who && m.held[s.member] || s.member == who && m.held[s.agent] {
			return true
		}
	}
	return false
}

func (m *model) mayErase(who string) stead.Code {
	switch {
	case m.kept(who):
		return stead.CodeLegalHold
	case who[0] == 's' && !m.disabled[who]:
		return stead.CodeStaffEnabled
	}
	return ""
}

func (m *model) erase(who string) {
	m.erased[who] = true
	for _, t := range m.texts {
		t.gone = t.gone || t.of == who
	}
	for _, s := range m.sessions {
		s.agentGone = s.agentGone || s.agent == who
		s.restOut = s.restOut || s.member == who
	}
}

func (m *model) sweep(now time.Time, days int) {
	limit := now.AddDate(0, 0, -days)
	over := func(at time.Time) bool { // the last moment of its month is that old
		return !time.Date(at.Year(), at.Month()+1, 1, 0, 0, 0, 0, time.UTC).After(limit)
	}
	months := map[string]bool{} // that a standing hold's reason lies in
	for _, t := range m.texts {
		if t.holds != "" {
			months[t.of+t.at.Format("2006-01")] = true
		}
	}
	for _, t := range m.texts {
		t.gone = t.gone || over(t.at) && !m.kept(t.of) && !months[t.of+t.at.Format("2006-01")]
	}
	for _, s := range m.sessions {
		if over(s.at) && !m.held[s.agent] && !m.held[s.member] {
			s.agentGone, s.restOut = true, true
		}
	}
}

// run is one random history, held to the model after each step.
type run struct {
	*place
	model
	rng *rand.Rand
}

func person(who string) store.Person {
	if who[0] == 'm' {
		return member(stead.MemberID(who))
	}
	return staff(stead.StaffID(who))
}

// wrote notes the newest record's text.
func (r *run) wrote(of, text, holds string) {
	l := r.lines(store.TrailFilter{Limit: 1})[0]
	r.texts[l.Index] = &told{of: of, at: r.store.now, text: text, gone: r.erased[of], holds: holds}
}

func (r *run) step() {
	who := []string{"m-1", "m-2", "m-3", "m-4", "st-1", "st-2"}[r.rng.IntN(6)]
	agent, m := fmt.Sprint("st-", 1+r.rng.IntN(2)), fmt.Sprint("m-", 1+r.rng.IntN(4))
	r.store.now = r.store.now.Add(time.Duration(r.rng.IntN(9*24)) * time.Hour)
	switch n := r.rng.IntN(20); {
	case n < 6:
		text := fmt.Sprint("text ", r.rng.Int())
		r.update(func(tx store.Tx) error {
			return r.ledger.Write(tx, ledger.Entry{Kind: audit.IdentityChecked, Actor: sam.Pseudonym, Subject: r.pseudonymIn(tx, who), Texts: map[string]string{"reason": text}})
		})
		r.wrote(who, text, "")
	case n < 10 && !r.erased[m] && !r.erased[agent]:
		id := r.visit(stead.StaffID(agent), stead.MemberID(m))
		r.sessions[id] = &sitting{agent: agent, member: m, at: r.store.now}
		r.wrote(m, "a reason", "")
	case n < 11:
		r.disable(agent)
	case n < 14 && !r.erased[who]:
		want := r.mayErase(who)
		r.want(r.place.erase(person(who)), want)
		if want == "" {
			r.model.erase(who)
			r.wrote("", "asked for by letter", "")
		}
	case n < 16 && !r.erased[who]:
		r.must(r.hold(person(who)))
		if !r.held[who] {
			r.held[who] = true
			r.wrote("", "case 4711", who)
		}
	case n < 18 && r.held[who]:
		r.must(r.release(person(who)))
		delete(r.held, who)
		for _, t := range r.texts {
			if t.holds == who {
				t.holds = ""
			}
		}
		r.wrote("", "case closed", "")
	case n >= 18:
		r.office.Days = 20 + r.rng.IntN(60)
		r.must(r.office.Sweep(r.Context()))
		r.model.sweep(r.store.now, r.office.Days)
	}
}

func (r *run) pseudonymIn(tx store.Tx, who string) stead.Pseudonym {
	m, err := tx.Member(stead.MemberID(who))
	if errors.Is(err, store.ErrNotFound) {
		s, err := tx.Staff(stead.StaffID(who))
		r.must(err)
		return s.Pseudonym
	}
	r.must(err)
	return m.Pseudonym
}

func (r *run) disable(agent string) {
	if r.erased[agent] {
		return
	}
	r.disabled[agent] = true
	r.update(func(tx store.Tx) error {
		s, err := tx.Staff(stead.StaffID(agent))
		s.Disabled = true
		return errors.Join(err, tx.PutStaff(s, "", ""))
	})
}

// agree compares everything that can be read with the model.
func (r *run) agree() {
	r.Helper()
	r.must(r.store.View(r.Context(), func(tx store.Tx) error {
		entries, err := tx.Trail(store.TrailFilter{Limit: 500})
		for _, e := range entries {
			want := r.texts[e.Index]
			if want == nil {
				continue // a retention's own record has no text
			}
			line, err := r.ledger.Read(tx, e)
			if err != nil {
				return err
			}
			if want.gone != (line.State == ledger.TextsErased) || !want.gone && line.Texts["reason"] != want.text {
				r.Errorf("record %d of %q from %v: %s %v, want gone %v", e.Index, want.of, want.at, line.State, line.Texts, want.gone)
			}
			if len(e.SealedTexts) == 0 {
				continue
			}
			if _, err := r.ring.OpenFor(tx, e.TextsOf, e.SealedTexts); want.gone != errors.Is(err, store.ErrNotFound) || !want.gone && err != nil {
				r.Errorf("record %d: OpenFor says %v, want gone %v", e.Index, err, want.gone)
			}
		}
		return err
	}))
	for id, want := range r.sessions {
		s := r.session(id)
		if (s.AgentName == "") != want.agentGone || (s.MemberName == "") != want.restOut || (s.Note == "") != want.restOut || (s.Reason.Text == "") != want.restOut {
			r.Errorf("session of %s and %s from %v: %+v, want %+v", want.agent, want.member, want.at, s.Session, *want)
		}
	}
}

// TestErasingHoldingAndSweepingInAnyOrder: whatever the order, what is readable is what a plain reading of the rules says,
// and the ledger proves whole.
func TestErasingHoldingAndSweepingInAnyOrder(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			r := &run{place: newPlace(t), rng: rand.New(rand.NewPCG(seed, 3)),
				model: model{texts: map[int64]*told{}, sessions: map[stead.SessionID]*sitting{}, erased: map[string]bool{}, held: map[string]bool{}, disabled: map[string]bool{}}}
			for i := range 60 {
				r.step()
				if r.agree(); t.Failed() {
					t.Fatalf("after step %d, on %v", i, r.store.now)
				}
			}
			r.must(r.office.Reapply(t.Context())) // has nothing to do
			r.agree()
			r.verify()
		})
	}
}
