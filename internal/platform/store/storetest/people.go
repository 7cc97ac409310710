package storetest

import (
	"reflect"

	"stead/internal/platform/store"
	"stead/internal/stead"
)

var staffTests = []test{
	{"put, read, replace, count", func(h *harness) {
		s := stead.Staff{ID: "st-x", Name: "Zoë", Email: "Zoe@Stead.example", Role: stead.RoleLead, Tier: 3, Privilege: true,
			Disabled: true, Pseudonym: pseudonym(9),
			Scope: stead.Scope{Accounts: []stead.AccountID{"a", "b"}, Branches: []stead.BranchID{"c"}}}
		h.update(func(tx store.Tx) {
			same(h, "count", must(tx.CountStaff())(h), 0)
			h.ok(tx.PutStaff(s, issuer, "sub-x"))
			equal(h, must(tx.Staff("st-x"))(h), s)
			equal(h, must(tx.StaffBySubject(issuer, "sub-x"))(h), s)
			s.Name, s.Scope, s.Disabled = "Zoë B.", stead.Scope{All: true}, false
			h.ok(tx.PutStaff(s, issuer, "sub-y"))
			same(h, "count", must(tx.CountStaff())(h), 1)
		})
		h.view(func(tx store.Tx) {
			got := must(tx.StaffBySubject(issuer, "sub-y"))(h)
			got.Scope.Accounts, got.Scope.Branches = nil, nil // empty or nil is the same
			equal(h, got, s)
			_, err := tx.StaffBySubject(issuer, "sub-x")
			h.want(err, store.ErrNotFound)
		})
	}},
	{"a subject belongs to one person at one issuer", func(h *harness) {
		h.update(func(tx store.Tx) {
			h.ok(tx.PutStaff(stead.Staff{ID: "a"}, issuer, "sub"))
			h.want(tx.PutStaff(stead.Staff{ID: "b"}, issuer, "sub"), store.ErrConflict)
			h.ok(tx.PutStaff(stead.Staff{ID: "b"}, "https://other.example", "sub"))
			same(h, "id", must(tx.StaffBySubject(issuer, "sub"))(h).ID, "a")
			_, err := tx.StaffBySubject(issuer, "SUB")
			h.want(err, store.ErrNotFound)
		})
	}},
	{"nobody signs in with an empty subject", func(h *harness) {
		h.update(func(tx store.Tx) {
			h.ok(tx.PutStaff(stead.Staff{ID: "a"}, "", ""))
			h.ok(tx.PutStaff(stead.Staff{ID: "b"}, issuer, ""))
			for _, pair := range [][2]string{{"", ""}, {issuer, ""}, {"", "sub"}} {
				_, err := tx.StaffBySubject(pair[0], pair[1])
				h.want(err, store.ErrNotFound)
			}
		})
	}},
	{"an unknown id is not found", func(h *harness) {
		h.view(func(tx store.Tx) {
			_, err := tx.Staff("nobody")
			h.want(err, store.ErrNotFound)
		})
	}},
}

var memberTests = []test{
	{"put, read, replace, count", func(h *harness) {
		h.people()
		h.update(func(tx store.Tx) {
			for _, want := range cast() {
				equal(h, must(tx.Member(want.ID))(h), want)
			}
			m := cast()[0]
			m.Name, m.Email, m.Phone, m.Level, m.Disabled = "Ada King", "king@mail.example", "", stead.LevelPower, true
			m.Branch, m.BranchName = "alder-south", "South"
			m.Language, m.TimeZone = "de-CH", "Europe/Zurich"
			h.ok(tx.PutMember(m, ""))
			equal(h, must(tx.Member(m.ID))(h), m)
			same(h, "count", must(tx.CountMembers())(h), len(cast()))
		})
		h.view(func(tx store.Tx) {
			_, err := tx.Member("m-none")
			h.want(err, store.ErrNotFound)
		})
	}},
	{"accounts and branches are renamed", func(h *harness) {
		h.people()
		h.update(func(tx store.Tx) {
			h.ok(tx.PutAccount("birch", "Birch Bread"))
			h.ok(tx.PutBranch("birch-mill", "birch", "Windmill"))
			m := must(tx.Member("m-0003"))(h)
			same(h, "account", m.AccountName, "Birch Bread")
			same(h, "branch", m.BranchName, "Windmill")
		})
	}},
	{"a member needs a known account and a branch of it", func(h *harness) {
		h.people()
		for _, m := range []stead.Member{
			{ID: "x", Account: "none", Level: stead.LevelMember},
			{ID: "x", Account: "birch", Branch: "none", Level: stead.LevelMember},
			{ID: "x", Account: "birch", Branch: "alder-north", Level: stead.LevelMember},
		} {
			err := h.Update(h.Context(), func(tx store.Tx) error { return tx.PutMember(m, "") })
			h.want(err, store.ErrNotFound)
		}
	}},
	{"S0_16 staff are known behind their member account", func(h *harness) {
		h.people()
		h.update(func(tx store.Tx) {
			of := func(id stead.MemberID) stead.StaffID {
				s, err := tx.StaffOfMember(id)
				if err != nil {
					h.want(err, store.ErrNotFound)
				}
				return s.ID
			}
			m := cast()[0]
			same(h, "a customer", of(m.ID), "")
			m.Email = "LENA@Stead.example"
			h.ok(tx.PutMember(m, ""))
			same(h, "by address", of(m.ID), lena)
			same(h, "the link when there is none", must(tx.MemberLink(m.ID))(h), "")
			h.ok(tx.PutMember(m, tom))
			same(h, "the link", must(tx.MemberLink(m.ID))(h), tom)
			_, err := tx.MemberLink("m-none")
			h.want(err, store.ErrNotFound)
			same(h, "by link, which goes first", of(m.ID), tom)
			m.Email = "lená@stead.example"
			h.ok(tx.PutMember(m, ""))
			same(h, "by an address with an accent, which is another one", of(m.ID), "")
			m.Email = ""
			h.ok(tx.PutStaff(stead.Staff{ID: "st-silent"}, "", ""))
			h.ok(tx.PutMember(m, ""))
			same(h, "without an address", of(m.ID), "")
			same(h, "unknown", of("m-none"), "")
		})
	}},
}

func equal(h *harness, got, want any) {
	h.Helper()
	if !reflect.DeepEqual(got, want) {
		h.Errorf("got  %+v\nwant %+v", got, want)
	}
}
