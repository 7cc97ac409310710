// Package storetest is the suite that every store of the platform answers to.
package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"stead/internal/platform/store"
	"stead/internal/stead"
)

// Run runs the suite. open opens the store that belongs to t: empty the first time, and, when that one was closed,
// the same data again. Run closes what it opened.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for _, group := range []struct {
		name  string
		tests []test
	}{
		{"transactions", transactionTests},
		{"staff", staffTests},
		{"members", memberTests},
		{"search", searchTests},
		{"devices", deviceTests},
		{"sessions", sessionTests},
		{"deadlines", deadlineTests},
		{"intake", intakeTests},
		{"log", logTests},
		{"chains", chainTests},
		{"notices", noticeTests},
		{"keys", keyTests},
		{"erasure", erasureTests},
		{"holds", holdTests},
		{"retention", retentionTests},
		{"statements", statementTests},
		{"late", lateTests},
		{"comparisons", comparisonTests},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, tt := range group.tests {
				t.Run(tt.name, func(t *testing.T) {
					h := &harness{T: t, open: open}
					h.Store = open(t)
					t.Cleanup(func() { _ = h.Store.Close() })
					tt.run(h)
				})
			}
		})
	}
}

type test struct {
	name string
	run  func(*harness)
}

// harness is one test with its store.
type harness struct {
	*testing.T
	store.Store
	open func(t *testing.T) store.Store
}

// reopen closes the store and opens it again.
func (h *harness) reopen() {
	h.Helper()
	if err := h.Close(); err != nil {
		h.Fatalf("close: %v", err)
	}
	h.Store = h.open(h.T)
}

// update runs f, which must not fail.
func (h *harness) update(f func(tx store.Tx)) {
	h.Helper()
	if err := h.Update(h.Context(), func(tx store.Tx) error { f(tx); return nil }); err != nil {
		h.Fatalf("update: %v", err)
	}
}

// view runs f, which must not fail.
func (h *harness) view(f func(tx store.Tx)) {
	h.Helper()
	if err := h.View(h.Context(), func(tx store.Tx) error { f(tx); return nil }); err != nil {
		h.Fatalf("view: %v", err)
	}
}

func (h *harness) ok(err error) {
	h.Helper()
	if err != nil {
		h.Fatalf("unexpected error: %v", err)
	}
}

func (h *harness) want(err, want error) {
	h.Helper()
	if !errors.Is(err, want) {
		h.Fatalf("got error %v, want %v", err, want)
	}
}

func same[T comparable](h *harness, what string, got, want T) {
	h.Helper()
	if got != want {
		h.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// must is the value of a call that must not fail.
func must[T any](v T, err error) func(h *harness) T {
	return func(h *harness) T {
		h.Helper()
		h.ok(err)
		return v
	}
}

const (
	lena stead.StaffID = "st-lena" // works for birch and for alder's north branch
	tom  stead.StaffID = "st-tom"  // works for everybody

	issuer = "https://id.example"
)

// people puts two agents, two accounts with branches and a few members into the store.
func (h *harness) people() {
	h.Helper()
	h.update(func(tx store.Tx) {
		for _, s := range []stead.Staff{
			{ID: lena, Name: "Lena", Email: "lena@stead.example", Role: stead.RoleSupport, Tier: 1, Privilege: true,
				Scope: stead.Scope{Accounts: []stead.AccountID{"birch"}, Branches: []stead.BranchID{"alder-north"}}, Pseudonym: pseudonym(1)},
			{ID: tom, Name: "Tom", Email: "tom@stead.example", Role: stead.RoleSupport, Tier: 2, Privilege: true,
				Scope: stead.Scope{All: true}, Pseudonym: pseudonym(2)},
		} {
			h.ok(tx.PutStaff(s, issuer, string(s.ID)))
		}
		h.ok(tx.PutAccount("alder", "Alder & Sons"))
		h.ok(tx.PutAccount("birch", "Birch Bakery"))
		h.ok(tx.PutBranch("alder-north", "alder", "North"))
		h.ok(tx.PutBranch("alder-south", "alder", "South"))
		h.ok(tx.PutBranch("birch-mill", "birch", "Mill"))
		for _, m := range cast() {
			h.ok(tx.PutMember(m, ""))
		}
	})
}

// cast is who people puts in, by name.
func cast() []stead.Member {
	member := func(n byte, id stead.MemberID, account stead.AccountID, branch stead.BranchID, name, email, phone string) stead.Member {
		names := map[stead.AccountID]string{"alder": "Alder & Sons", "birch": "Birch Bakery"}
		places := map[stead.BranchID]string{"alder-north": "North", "alder-south": "South", "birch-mill": "Mill"}
		return stead.Member{ID: id, Account: account, AccountName: names[account], Branch: branch, BranchName: places[branch],
			Name: name, Email: email, Phone: phone, Language: "en-GB", TimeZone: "Europe/London", Level: stead.LevelMember, Pseudonym: pseudonym(n)}
	}
	return []stead.Member{
		member(11, "m-0001", "alder", "alder-north", "Ada Brontë", "ada.bronte@mail.example", "+44 20 7946 0001"),
		member(12, "m-0002", "alder", "alder-south", "José García López", "pepe@mail.example", "+49 (0)170 555 0102"),
		member(13, "m-0003", "birch", "birch-mill", "Joséphine Müller-Weiß", "jmw@post.example", "0049 170 5550103"),
		member(14, "m-0004", "birch", "", "Łukasz Żółć", "lukasz@post.example", ""),
		member(15, "m-0005", "birch", "birch-mill", "Sinéad O’Brien", "o'brien_100%@post.example", "+1 (212) 555-0105"),
	}
}

func pseudonym(n byte) stead.Pseudonym { return stead.Pseudonym{0: 0xa0, 15: n} }

// background is a context for goroutines that outlive no test but may outlive its deadline.
func background(h *harness) context.Context {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(h.Context()), time.Minute)
	h.Cleanup(cancel)
	return ctx
}
