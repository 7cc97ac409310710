package erasure_test

import (
	"context"
	"crypto"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/erasure"
	"stead/internal/platform/keys"
	"stead/internal/platform/ledger"
	"stead/internal/platform/sqlite"
	"stead/internal/platform/store"
)

// clocked is a store whose clock the test sets.
type clocked struct {
	store.Store
	now time.Time
}

type timed struct {
	store.Tx
	now time.Time
}

func (t timed) Now() time.Time { return t.now }

func (c *clocked) View(ctx context.Context, f func(store.Tx) error) error {
	return c.Store.View(ctx, func(tx store.Tx) error { return f(timed{tx, c.now}) })
}

func (c *clocked) Update(ctx context.Context, f func(store.Tx) error) error {
	return c.Store.Update(ctx, func(tx store.Tx) error { return f(timed{tx, c.now}) })
}

// place is a platform's data with an office that erases.
type place struct {
	*testing.T
	dir    string
	store  *clocked
	ring   *keys.Ring
	ledger *ledger.Ledger
	office *erasure.Office
}

var (
	start = time.Date(2026, 1, 10, 9, 0, 0, 0, time.UTC)
	sam   = stead.Staff{ID: "st-sam", Name: "Sam Okoye", Role: stead.RoleSuperadmin, Scope: stead.Scope{All: true}, Pseudonym: stead.NewPseudonym()}
	root  = erasure.By{Operator: "root"}
)

func newPlace(t *testing.T) *place {
	p := &place{T: t, dir: t.TempDir()}
	p.open()
	p.update(func(tx store.Tx) error {
		err := errors.Join(tx.PutStaff(sam, "", ""), tx.PutAccount("acme", "Acme"), tx.PutAccount("other", "Other"))
		for _, id := range []stead.MemberID{"m-1", "m-2", "m-3", "m-4"} {
			err = errors.Join(err, tx.PutMember(stead.Member{ID: id, Account: "acme", Name: "Name of " + string(id), Level: stead.LevelMember, Pseudonym: stead.NewPseudonym()}, ""))
		}
		for _, id := range []stead.StaffID{"st-1", "st-2"} {
			err = errors.Join(err, tx.PutStaff(stead.Staff{ID: id, Name: "Name of " + string(id), Role: stead.RoleSupport, Pseudonym: stead.NewPseudonym()}, "", ""))
		}
		return err
	})
	return p
}

func (p *place) open() {
	p.Helper()
	st, err := sqlite.Open(p.Context(), filepath.Join(p.dir, "platform.db"))
	p.must(err)
	p.Cleanup(func() { _ = st.Close() })
	now := start
	if p.store != nil {
		now = p.store.now
	}
	p.store = &clocked{st, now}
	p.ring, err = keys.Open(p.Context(), p.store, filepath.Join(p.dir, "kek"))
	p.must(err)
	p.ledger, err = ledger.Open(p.Context(), p.store, p.ring)
	p.must(err)
	p.office = &erasure.Office{Store: p.store, Ledger: p.ledger, List: filepath.Join(p.dir, "erased"), Marks: p.ring, Log: slog.New(slog.DiscardHandler)}
}

func (p *place) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

func (p *place) update(f func(tx store.Tx) error) {
	p.Helper()
	p.must(p.store.Update(p.Context(), f))
}

// code is the code of an error that a person would read.
func (p *place) want(err error, want stead.Code) {
	p.Helper()
	if stead.CodeOf(err) != want {
		p.Errorf("got %q (%v), want %q", stead.CodeOf(err), err, want)
	}
}

func (p *place) erase(who store.Person) error {
	_, err := p.office.Erase(p.Context(), root, who, stead.NewEventID(), "asked for by letter")
	return err
}

func (p *place) hold(who store.Person) error {
	_, err := p.office.Place(p.Context(), root, who, stead.NewEventID(), "case 4711")
	return err
}

func (p *place) release(who store.Person) error {
	return p.office.Release(p.Context(), root, who, stead.NewEventID(), "case closed")
}

func member(id stead.MemberID) store.Person { return store.Person{Member: id} }
func staff(id stead.StaffID) store.Person   { return store.Person{Staff: id} }

// visit writes an ended session with everything that is kept about it.
func (p *place) visit(agent stead.StaffID, m stead.MemberID) stead.SessionID {
	p.Helper()
	id := stead.NewSessionID()
	p.update(func(tx store.Tx) error {
		a, err := tx.Staff(agent)
		who, err2 := tx.Member(m)
		now := tx.Now()
		return errors.Join(err, err2,
			tx.InsertSession(store.SessionRow{RequestKey: stead.NewEventID(), RequestHash: [32]byte{1}, Session: stead.Session{ID: id, Agent: agent, AgentName: a.Name,
				Member: m, MemberName: who.Name, Account: "acme", Reason: stead.Reason{Text: "a reason"}, StartedAt: now, ExpiresAt: now.Add(time.Minute)}}),
			tx.MarkLive(id, now), tx.EndSession(id, now, stead.CauseAgent, agent), tx.SetNote(id, now, "a note"),
			p.ledger.Write(tx, ledger.Entry{Kind: audit.SessionStarted, Session: id, Actor: a.Pseudonym, Subject: who.Pseudonym, Texts: map[string]string{"reason": "a reason"}}))
	})
	return id
}

// verify puts everything into the log and proves it from the file alone.
func (p *place) verify() {
	p.Helper()
	s := ledger.NewSequencer(p.store.Store, "stead.test", func() crypto.Signer { return p.ring.Current().Signer }, slog.New(slog.NewTextHandler(io.Discard, nil)))
	p.must(s.Append(p.Context()))
	e, err := sqlite.OpenEvidence(p.Context(), filepath.Join(p.dir, "platform.db"))
	p.must(err)
	defer func() { _ = e.Close() }()
	own, err := e.Keys()
	p.must(err)
	trusted, err := audit.ParseLogKeys(strings.Join(own, "\n"))
	p.must(err)
	if _, err := audit.VerifyLedger(e, audit.LedgerCheck{Keys: trusted}); err != nil {
		p.Errorf("the ledger does not verify: %v", err)
	}
}

// lines is the trail.
func (p *place) lines(f store.TrailFilter) (lines []ledger.Line) {
	p.Helper()
	p.must(p.store.View(p.Context(), func(tx store.Tx) (err error) {
		lines, err = p.ledger.Trail(tx, f)
		return err
	}))
	return lines
}

func (p *place) session(id stead.SessionID) (s store.SessionRow) {
	p.Helper()
	p.must(p.store.View(p.Context(), func(tx store.Tx) (err error) { s, err = tx.Session(id); return err }))
	return s
}

// copyData copies the store's files, as a backup of the folder does while nothing runs.
func (p *place) copyData(from, to string) {
	p.Helper()
	content, err := os.ReadFile(from)
	p.must(err)
	p.must(os.WriteFile(to, content, 0o600))
}
