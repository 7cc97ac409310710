package storetest

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"stead/internal/platform/store"
	"stead/internal/stead"
)

// begin is a session about to start at a time.
func begin(agent stead.StaffID, at time.Time) store.SessionRow {
	m := cast()[0]
	return store.SessionRow{
		Session: stead.Session{ID: stead.NewSessionID(), Agent: agent, AgentName: "Agent", Member: m.ID, MemberName: m.Name,
			MemberEmail: m.Email, Account: m.Account, Device: "00112233445566778899aabbccddeeff", State: stead.StateStarted,
			Scope: "read", Reason: stead.Reason{Category: stead.CategoryGuidance, Text: "the plan page stays empty"},
			Ticket: "SUP-4711", Consent: stead.Consent{Attested: true, How: stead.ConsentPhone, At: at.Add(-time.Minute)},
			StartedAt: at, ExpiresAt: at.Add(stead.SessionTTL)},
		RequestKey: stead.NewEventID(), RequestHash: [32]byte{1, 2, 3},
	}
}

var sessionTests = []test{
	{"a session's whole life", sessionLife},
	{"what is missing is not found", func(h *harness) {
		h.people()
		h.update(func(tx store.Tx) {
			_, err := tx.Session("none")
			h.want(err, store.ErrNotFound)
			_, err = tx.OpenSession(lena)
			h.want(err, store.ErrNotFound)
			_, err = tx.SessionByRequest(lena, uuid.New())
			h.want(err, store.ErrNotFound)
			h.want(tx.SetHandoff("none", [32]byte{1}), store.ErrNotFound)
			h.want(tx.MarkLive("none", tx.Now()), store.ErrNotFound)
			h.want(tx.Touch("none", tx.Now()), store.ErrNotFound)
			h.want(tx.EndSession("none", tx.Now(), stead.CauseAgent, ""), store.ErrNotFound)
			h.want(tx.SetNote("none", tx.Now(), "n"), store.ErrNotFound)
		})
	}},
	{"each step in its state only", func(h *harness) {
		h.people()
		h.update(func(tx store.Tx) {
			s := begin(lena, tx.Now())
			h.ok(tx.InsertSession(s))
			h.want(tx.SetNote(s.ID, tx.Now(), "too early"), store.ErrConflict)
			h.ok(tx.MarkLive(s.ID, tx.Now()))
			h.want(tx.MarkLive(s.ID, tx.Now()), store.ErrConflict)
			h.want(tx.SetHandoff(s.ID, [32]byte{9}), store.ErrConflict)
			h.ok(tx.EndSession(s.ID, tx.Now(), stead.CauseAgent, lena))
			h.want(tx.EndSession(s.ID, tx.Now(), stead.CauseAdmin, tom), store.ErrConflict)
			h.want(tx.MarkLive(s.ID, tx.Now()), store.ErrConflict)
			h.want(tx.Touch(s.ID, tx.Now()), store.ErrConflict)
			h.want(tx.SetHandoff(s.ID, [32]byte{9}), store.ErrConflict)
			h.ok(tx.SetNote(s.ID, tx.Now(), "first"))
			h.want(tx.SetNote(s.ID, tx.Now(), "second"), store.ErrConflict)
			got := must(tx.Session(s.ID))(h)
			same(h, "cause", got.Cause, stead.CauseAgent)
			same(h, "note", got.Note, "first")
		})
	}},
	{"one open session per agent, one session per request", func(h *harness) {
		h.people()
		h.update(func(tx store.Tx) {
			a, b := begin(lena, tx.Now()), begin(lena, tx.Now())
			h.ok(tx.InsertSession(a))
			h.want(tx.InsertSession(b), store.ErrConflict)
			h.ok(tx.InsertSession(begin(tom, tx.Now()))) // somebody else may
			h.ok(tx.EndSession(a.ID, tx.Now(), stead.CauseSuperseded, ""))
			b.RequestKey = a.RequestKey
			h.want(tx.InsertSession(b), store.ErrConflict)
			b.RequestKey, b.ID = stead.NewEventID(), a.ID
			h.want(tx.InsertSession(b), store.ErrConflict)
			b.ID = stead.NewSessionID()
			h.ok(tx.InsertSession(b))
			same(h, "open", must(tx.OpenSession(lena))(h).ID, b.ID)
			c := begin(tom, tx.Now())
			h.ok(tx.EndSession(must(tx.OpenSession(tom))(h).ID, tx.Now(), stead.CauseAgent, tom))
			c.RequestKey = a.RequestKey // keys are each agent's own
			h.ok(tx.InsertSession(c))
			same(h, "by request", must(tx.SessionByRequest(lena, a.RequestKey))(h).ID, a.ID)
		})
	}},
	{"a heartbeat never goes back", func(h *harness) {
		h.people()
		h.update(func(tx store.Tx) {
			s := begin(lena, tx.Now())
			h.ok(tx.InsertSession(s))
			h.ok(tx.MarkLive(s.ID, tx.Now()))
			h.ok(tx.Touch(s.ID, tx.Now().Add(10*time.Second)))
			h.ok(tx.Touch(s.ID, tx.Now().Add(5*time.Second)))
			same(h, "last seen", must(tx.Session(s.ID))(h).LastSeen, tx.Now().Add(10*time.Second))
		})
	}},
	{"S1_08 fifty starts at once leave one session open", startRace(true)},
	{"S1_08 of fifty starts that end nothing one succeeds", startRace(false)},
	{"lists are filtered and paged, newest first", listSessions},
	{"a fallback's code is set once and kept", fallbackCode},
	{"notes are owed for ended sessions that were opened", owedNotes},
}

func sessionLife(h *harness) {
	h.people()
	var s store.SessionRow
	check := func(change func()) {
		h.Helper()
		change()
		h.view(func(tx store.Tx) { equal(h, must(tx.Session(s.ID))(h), s) })
	}
	var now time.Time
	step := func(f func(tx store.Tx) error) {
		h.Helper()
		h.update(func(tx store.Tx) { now = tx.Now(); h.ok(f(tx)) })
	}
	step(func(tx store.Tx) error { s = begin(lena, tx.Now()); return tx.InsertSession(s) })
	check(func() {})
	h.view(func(tx store.Tx) {
		equal(h, must(tx.OpenSession(lena))(h), s)
		equal(h, must(tx.SessionByRequest(lena, s.RequestKey))(h), s)
	})
	step(func(tx store.Tx) error { return tx.SetHandoff(s.ID, [32]byte{7}) })
	check(func() { s.HandoffHash = [32]byte{7} })
	step(func(tx store.Tx) error { return tx.MarkLive(s.ID, tx.Now()) })
	check(func() {
		s.State, s.Mode, s.OpenedAt, s.LastSeen, s.HandoffHash = stead.StateLive, stead.ModePipe, now, now, [32]byte{}
	})
	step(func(tx store.Tx) error { return tx.Touch(s.ID, tx.Now()) })
	check(func() { s.LastSeen = now })
	step(func(tx store.Tx) error { return tx.EndSession(s.ID, tx.Now(), stead.CauseAdmin, tom) })
	check(func() { s.State, s.EndedAt, s.Cause, s.EndedBy = stead.StateEnded, now, stead.CauseAdmin, tom })
	step(func(tx store.Tx) error {
		return tx.SetNote(s.ID, tx.Now(), "Showed the plan page. Ünïcode ✓\nand lines")
	})
	check(func() { s.NoteAt, s.Note = now, "Showed the plan page. Ünïcode ✓\nand lines" })
	h.view(func(tx store.Tx) {
		_, err := tx.OpenSession(lena)
		h.want(err, store.ErrNotFound)
	})
	h.reopen()
	check(func() {})
}

// startRace lets fifty goroutines start a session for one agent. With superseding, each first ends what is open.
func startRace(supersede bool) func(h *harness) {
	return func(h *harness) {
		h.people()
		const starters = 50
		ctx := background(h)
		errs := make([]error, starters)
		var wg sync.WaitGroup
		for i := range starters {
			wg.Go(func() {
				errs[i] = h.Update(ctx, func(tx store.Tx) error {
					open, err := tx.OpenSession(lena)
					if err == nil && supersede {
						err = tx.EndSession(open.ID, tx.Now(), stead.CauseSuperseded, "")
					}
					if err != nil && !errors.Is(err, store.ErrNotFound) {
						return err
					}
					return tx.InsertSession(begin(lena, tx.Now()))
				})
			})
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			switch {
			case err == nil:
				won++
			case supersede || !errors.Is(err, store.ErrConflict):
				h.Errorf("start: %v", err)
			}
		}
		want := 1
		if supersede {
			want = starters
		}
		same(h, "starts that succeeded", won, want)
		h.view(func(tx store.Tx) {
			open, _, err := tx.ListSessions(store.SessionFilter{Agent: lena, State: "live"})
			h.ok(err)
			same(h, "open sessions", len(open), 1)
			ended, _, err := tx.ListSessions(store.SessionFilter{Agent: lena, State: "ended", Limit: 100})
			h.ok(err)
			same(h, "ended sessions", len(ended), want-1)
			for _, s := range ended {
				same(h, "cause", s.Cause, stead.CauseSuperseded)
			}
		})
	}
}

func listSessions(h *harness) {
	h.people()
	var ids []stead.SessionID
	h.update(func(tx store.Tx) {
		for i := range 7 {
			s := begin([]stead.StaffID{lena, tom}[i%2], tx.Now().Add(time.Duration(i/3)*time.Second)) // some start together
			s.Member = cast()[i%3].ID
			h.ok(tx.InsertSession(s))
			ids = append(ids, s.ID)
			if i < 5 {
				h.ok(tx.EndSession(s.ID, tx.Now(), stead.CauseAgent, s.Agent))
			}
		}
	})
	pages := func(tx store.Tx, f store.SessionFilter) (found []store.SessionRow) {
		for {
			rows, next, err := tx.ListSessions(f)
			h.ok(err)
			found = append(found, rows...)
			if f.After = next; next == "" {
				return found
			}
		}
	}
	h.view(func(tx store.Tx) {
		for _, limit := range []int{0, 1, 2, 3, 7, 1000} {
			for _, tt := range []struct {
				f    store.SessionFilter
				want []int // places in ids
			}{
				{store.SessionFilter{}, []int{6, 5, 4, 3, 2, 1, 0}},
				{store.SessionFilter{State: "all"}, []int{6, 5, 4, 3, 2, 1, 0}},
				{store.SessionFilter{State: "live"}, []int{6, 5}},
				{store.SessionFilter{State: "ended", Agent: tom}, []int{3, 1}},
				{store.SessionFilter{Member: "m-0001"}, []int{6, 3, 0}},
				{store.SessionFilter{Member: "m-0001", Agent: tom}, []int{3}},
				{store.SessionFilter{Agent: "nobody"}, nil},
			} {
				tt.f.Limit = limit
				got := pages(tx, tt.f)
				places := map[stead.SessionID]int{}
				for i, id := range ids {
					places[id] = i
				}
				same(h, fmt.Sprintf("%+v: sessions", tt.f), len(got), len(tt.want))
				var order []int
				for i, s := range got {
					order = append(order, places[s.ID])
					if i > 0 && s.StartedAt.After(got[i-1].StartedAt) {
						h.Errorf("%+v: not newest first", tt.f)
					}
				}
				sameSet(h, fmt.Sprintf("%+v", tt.f), order, tt.want)
			}
		}
		refuseBadFilters(h, tx)
	})
}

func refuseBadFilters(h *harness, tx store.Tx) {
	h.Helper()
	for _, f := range []store.SessionFilter{{State: "dead"}, {After: "?"}, {After: "AAAA"}, {After: "'--"}} {
		_, _, err := tx.ListSessions(f)
		same(h, fmt.Sprintf("%+v", f), stead.CodeOf(err), stead.CodeBadRequest)
	}
}

func sameSet(h *harness, what string, got, want []int) {
	h.Helper()
	count := map[int]int{}
	for _, v := range got {
		count[v]++
	}
	for _, v := range want {
		count[v]--
	}
	for v, n := range count {
		if n != 0 {
			h.Errorf("%s: %d is there %+d times too often", what, v, n)
		}
	}
}

func owedNotes(h *harness) {
	h.people()
	h.update(func(tx store.Tx) {
		end := func(agent stead.StaffID, opened bool, cause stead.Cause, after time.Duration) stead.SessionID {
			s := begin(agent, tx.Now())
			h.ok(tx.InsertSession(s))
			if opened {
				h.ok(tx.MarkLive(s.ID, tx.Now()))
			}
			h.ok(tx.EndSession(s.ID, tx.Now().Add(after), cause, ""))
			return s.ID
		}
		second := end(lena, true, stead.CauseExpired, 2*time.Second)
		first := end(lena, true, stead.CauseAgent, time.Second)
		end(lena, false, stead.CauseAgent, 0) // never opened, whatever ended it
		end(tom, true, stead.CauseAgent, 0)
		written := end(lena, true, stead.CauseAgent, 3*time.Second)
		h.ok(tx.SetNote(written, tx.Now(), "done"))
		h.ok(tx.InsertSession(begin(lena, tx.Now()))) // still open: not owed yet
		owed := must(tx.OwedNotes(lena))(h)
		same(h, "owed", len(owed), 2)
		same(h, "oldest", owed[0].ID, first)
		same(h, "newest", owed[1].ID, second)
		for _, s := range owed {
			same(h, "NoteOwed agrees", s.NoteOwed(), true)
		}
		opened, _, err := tx.ListSessions(store.SessionFilter{Agent: lena, Opened: true})
		h.ok(err)
		same(h, "opened sessions", len(opened), 3)
	})
}
