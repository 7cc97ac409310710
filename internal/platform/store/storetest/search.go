package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"stead/internal/platform/store"
	"stead/internal/stead"
)

var everybody = stead.Scope{All: true}

// find reads all pages of a search, two at a time, and checks that no page overlaps another.
func (h *harness) find(tx store.Tx, query string, scope stead.Scope) []stead.MemberID {
	h.Helper()
	var ids []stead.MemberID
	for after := ""; ; {
		found, next, err := tx.FindMembers(query, scope, 2, after)
		h.ok(err)
		for _, m := range found {
			if slices.Contains(ids, m.ID) {
				h.Fatalf("%q: %s came twice", query, m.ID)
			}
			if !scope.Covers(m.Account, m.Branch) {
				h.Fatalf("%q: %s is outside the scope %+v", query, m.ID, scope)
			}
			ids = append(ids, m.ID)
		}
		if next == "" {
			return ids
		}
		if len(found) != 2 {
			h.Fatalf("%q: %d of 2 members on a page that is not the last", query, len(found))
		}
		after = next
	}
}

// finds is a table: a query and the last digits of the ids it finds, in order.
type finds struct{ query, want string }

func (h *harness) finds(table []finds) {
	h.Helper()
	h.people()
	h.view(func(tx store.Tx) {
		for _, tt := range table {
			got := ""
			for _, id := range h.find(tx, tt.query, everybody) {
				got += string(id[len(id)-1:])
			}
			if got != tt.want {
				h.Errorf("%q found %q, want %q", tt.query, got, tt.want)
			}
		}
	})
}

// The cast in the order of names: Ada(1), José(2), Joséphine(3), Łukasz(4), Sinéad(5).
var searchTests = []test{
	{"S0_01 by the beginning of any word of the name", func(h *harness) {
		h.finds([]finds{{"ada", "1"}, {"ADA", "1"}, {"bront", "1"}, {"jo", "23"}, {"garcia", "2"}, {"lopez jose", "2"},
			{"jose gar", "2"}, {"weiss", "3"}, {"WEISS mul", "3"}, {"muller-weiss", "3"}, {"  jose   garcia ", "2"}, {"a b", "1"},
			{"jose muller", "3"}, {"lopez muller", ""}, {"nobody", ""}})
	}},
	{"S0_01 without caring for diacritics", func(h *harness) {
		h.finds([]finds{{"jose", "23"}, {"José", "23"}, {"jose\u0301", "23"}, {"JOSÉ", "23"}, {"bronte", "1"}, {"Bröntë", "1"},
			{"lukasz", "4"}, {"łukasz", "4"}, {"zolc", "4"}, {"muller", "3"}, {"weiß", "3"}, {"sinead", "5"},
			{"o'brien", "5"}, {"o’brien", "5"}, {"obrien", "5"}})
	}},
	{"S0_01 by e-mail, id and account", func(h *harness) {
		h.finds([]finds{{"pepe@", "2"}, {"PEPE@MAIL.EXAMPLE", "2"}, {"m-0004", "4"}, {"M-0004", "4"}, {"m-000", "12345"},
			{"birch", "345"}, {"Birch Bak", "345"}, {"alder & s", "12"}, {"alder", "12"}})
	}},
	{"S0_01 by phone, however it is written", func(h *harness) {
		h.finds([]finds{{"+49 170 5550102", "2"}, {"0049170", "23"}, {"+49 (0)170", "23"}, {"49 170-555/01", "23"},
			{"0170 555 0103", "3"}, {"5550102", "2"}, {"(212) 555-0105", "5"}, {"+1.212", "5"}, {"555 01", "235"}, {"999 999", ""}})
	}},
	{"S0_01 by the middle", func(h *harness) {
		h.finds([]finds{{"rien", "5"}, {"phine", "3"}, {"onte@mail", "1"}, {"@post", "345"}, {"ost.exam", "345"}, {"0003", "3"},
			{"arci ope", "2"}, {"uller eis", "3"}, {"ie", ""}, {"xqzzy", ""}, {"example", "12345"}})
	}},
	{"prefix matches go before infix matches", func(h *harness) {
		// "bro" begins a word of Ada's name; "lu" begins Łukasz.
		h.people()
		h.update(func(tx store.Tx) {
			h.ok(tx.PutMember(stead.Member{ID: "m-0006", Account: "birch", Name: "Aaron Posten", Email: "a@b.example", Level: stead.LevelMember}, ""))
			h.ok(tx.PutMember(stead.Member{ID: "m-0007", Account: "birch", Name: "Postumus Zed", Email: "z@b.example", Level: stead.LevelMember}, ""))
			got := fmt.Sprint(h.find(tx, "post", everybody))
			same(h, "order", got, "[m-0007 m-0006 m-0003 m-0004 m-0005]")
		})
	}},
	{"an empty search lists everybody by name", func(h *harness) {
		h.finds([]finds{{"", "12345"}, {"   ", "12345"}, {"\t\n", "12345"}})
	}},
	{"a changed member is found by the new and not by the old", func(h *harness) {
		h.people()
		h.update(func(tx store.Tx) {
			m := cast()[0]
			m.Name, m.Email, m.Phone = "Grace Hopper", "grace@mail.example", "+1 212 555 0199"
			h.ok(tx.PutMember(m, ""))
			for _, old := range []string{"ada", "bront", "onte@", "79460001", "+44"} {
				same(h, old, len(h.find(tx, old, everybody)), 0)
			}
			for _, now := range []string{"grace", "hopp", "opper", "grace@mail", "0199"} {
				same(h, now, len(h.find(tx, now, everybody)), 1)
			}
			h.ok(tx.PutAccount("alder", "Quince Works"))
			same(h, "account", len(h.find(tx, "quince", everybody)), 2)
			same(h, "old account", len(h.find(tx, "alder & sons", everybody)), 0)
		})
	}},
	{"what somebody types is never syntax", hostileSearch},
	{"S2_01 scope by account and branch never leaks", func(h *harness) {
		h.people()
		h.view(func(tx store.Tx) {
			for _, tt := range []struct {
				scope stead.Scope
				query string
				want  string
			}{
				{stead.Scope{}, "", "[]"},
				{stead.Scope{Accounts: []stead.AccountID{""}, Branches: []stead.BranchID{""}}, "", "[]"},
				{stead.Scope{Accounts: []stead.AccountID{"none"}}, "jo", "[]"},
				{stead.Scope{Accounts: []stead.AccountID{"alder"}}, "", "[m-0001 m-0002]"},
				{stead.Scope{Accounts: []stead.AccountID{"alder"}}, "jo", "[m-0002]"},
				{stead.Scope{Accounts: []stead.AccountID{"alder"}}, "birch", "[]"},
				{stead.Scope{Accounts: []stead.AccountID{"alder"}}, "@post", "[]"},
				{stead.Scope{Accounts: []stead.AccountID{"alder"}}, "m-0003", "[]"},
				{stead.Scope{Branches: []stead.BranchID{"alder-north"}}, "", "[m-0001]"},
				{stead.Scope{Branches: []stead.BranchID{"alder-north", "birch-mill"}}, "example", "[m-0001 m-0003 m-0005]"},
				{stead.Scope{Accounts: []stead.AccountID{"birch"}, Branches: []stead.BranchID{"birch-mill", "alder-north"}}, "", "[m-0001 m-0003 m-0004 m-0005]"},
				{stead.Scope{Accounts: []stead.AccountID{`birch"]') OR 1 --`}}, "", "[]"},
			} {
				same(h, fmt.Sprintf("%q in %+v", tt.query, tt.scope), fmt.Sprint(h.find(tx, tt.query, tt.scope)), tt.want)
			}
		})
	}},
	{"S2_01 a narrow scope answers what a wide one does", scopesAgree},
	{"a cursor of one scope opens no other", func(h *harness) {
		h.people()
		h.view(func(tx store.Tx) {
			_, next, err := tx.FindMembers("", everybody, 1, "")
			h.ok(err)
			narrow := stead.Scope{Branches: []stead.BranchID{"birch-mill"}}
			found, _, err := tx.FindMembers("", narrow, 10, next)
			h.ok(err)
			for _, m := range found {
				same(h, "branch", m.Branch, "birch-mill")
			}
		})
	}},
	{"a bad cursor is a bad request", func(h *harness) {
		h.people()
		h.view(func(tx store.Tx) {
			_, good, err := tx.FindMembers("", everybody, 1, "")
			h.ok(err)
			for _, c := range []string{"x", "%", "!!!!", good + "A", good[1:], "bnVsbA=", "eyJTdGFnZSI6OTl9", "eyJTdGFnZSI6LTF9",
				"eyJTdGFnZSI6IngifQ", strings.Repeat("A", 10_000), "' OR 1 --"} {
				_, _, err := tx.FindMembers("", everybody, 1, c)
				same(h, c, stead.CodeOf(err), stead.CodeBadRequest)
			}
		})
	}},
	{"the limit has bounds", func(h *harness) {
		h.crowd(210)
		h.view(func(tx store.Tx) {
			for limit, want := range map[int]int{-1: 20, 0: 20, 7: 7, 200: 200, 100_000: 200} {
				found, next, err := tx.FindMembers("", everybody, limit, "")
				h.ok(err)
				same(h, fmt.Sprint("limit ", limit), len(found), want)
				same(h, "more", next != "", true)
			}
		})
	}},
	{"pages neither repeat nor lose anybody while members come and go", func(h *harness) {
		h.crowd(60)
		seen := map[stead.MemberID]int{}
		for after := ""; ; {
			var next string
			h.update(func(tx store.Tx) {
				found, n, err := tx.FindMembers("a", everybody, 7, after)
				h.ok(err)
				for _, m := range found {
					seen[m.ID]++
				}
				next = n
				h.ok(tx.PutMember(stead.Member{ID: stead.MemberID("new-" + fmt.Sprint(len(seen))), Account: "alder", Name: "Aaa", Level: stead.LevelMember}, ""))
			})
			if next == "" {
				break
			}
			after = next
		}
		for i := range 60 {
			same(h, "times seen", seen[stead.MemberID(fmt.Sprintf("c-%04d", i))], 1)
		}
	}},
}

func hostileSearch(h *harness) {
	h.people()
	h.view(func(tx store.Tx) {
		for query, want := range map[string]int{
			"%": 0, "_": 0, "%%%": 0, "*": 0, "jo*": 0, "jo%": 0, "j_s": 0, "jose OR ada": 0, "jose NOT ada": 0, "NEAR(jose ada)": 0,
			`"`: 0, `"""`: 0, `"jose"`: 0, "'": 0, "''; DROP TABLE members; --": 0, "name:jose": 0, "^jose": 0,
			"{jose}": 0, "((((((((": 0, "))))": 0, "+++": 0, "---": 0, "\\": 0, "\x00": 5, "jose\x00": 2, "jo\x00se": 0, "\xff\xfe": 5,
			"100%": 1, "_100": 1, "brien_100%@": 1, "o'brien_": 1, "\U0010ffff": 0,
			strings.Repeat("a", 100_000): 0, strings.Repeat("(", 250): 0, strings.Repeat("ab ", 85): 0,
			strings.Repeat("\u0301", 200): 5, "\u202ejose": 0,
		} {
			found, _, err := tx.FindMembers(query, everybody, 100, "")
			if err != nil {
				h.Errorf("%.40q: %v", query, err)
			}
			// Punctuation around a word may be ignored, but it must never widen what the word itself finds.
			if len(found) > max(want, 2) {
				h.Errorf("%.40q found %d members", query, len(found))
			}
			if want > 0 && len(found) != want {
				h.Errorf("%.40q found %d members, want %d", query, len(found), want)
			}
		}
	})
	h.view(func(tx store.Tx) { same(h, "members afterwards", must(tx.CountMembers())(h), len(cast())) })
}

// crowd puts n members with like names into the store.
func (h *harness) crowd(n int) {
	h.Helper()
	first := []string{"Ana", "Anders", "Bo", "José", "Mary-Ann", "Öznur", "Chen"}
	last := []string{"Almeida", "Brandt", "Santos", "O'Hara", "Ågren", "Nguyễn", "Sanna"}
	rng := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same crowd each time
	h.update(func(tx store.Tx) {
		for _, a := range []stead.AccountID{"alder", "birch", "cedar"} {
			h.ok(tx.PutAccount(a, strings.ToTitle(string(a))+" Ltd"))
			h.ok(tx.PutBranch(stead.BranchID(a+"-1"), a, "One"))
			h.ok(tx.PutBranch(stead.BranchID(a+"-2"), a, "Two"))
		}
		for i := range n {
			a := []stead.AccountID{"alder", "birch", "cedar"}[rng.IntN(3)]
			m := stead.Member{ID: stead.MemberID(fmt.Sprintf("c-%04d", i)), Account: a, Level: stead.LevelMember,
				Name: first[rng.IntN(len(first))] + " " + last[rng.IntN(len(last))], Phone: fmt.Sprintf("+1 212 555 %04d", rng.IntN(10_000))}
			m.Branch = stead.BranchID(fmt.Sprintf("%s-%d", a, 1+rng.IntN(2)))
			m.Email = fmt.Sprintf("a%d@%s.example", i, a)
			h.ok(tx.PutMember(m, ""))
		}
	})
}

// scopesAgree compares what narrow scopes find with what the scope leaves of everybody, whichever way a store takes.
func scopesAgree(h *harness) {
	h.crowd(400)
	scopes := []stead.Scope{
		{Accounts: []stead.AccountID{"alder"}},
		{Branches: []stead.BranchID{"birch-1", "cedar-2"}},
		{Accounts: []stead.AccountID{"alder", "birch", "cedar"}},
		{Accounts: []stead.AccountID{"cedar"}, Branches: []stead.BranchID{"cedar-1", "alder-2"}},
	}
	h.view(func(tx store.Tx) {
		for _, query := range []string{"", "jose", "mary brandt", "santos j", "c-01", "anna", "0@b", "agren", "55501", "qq"} {
			all := h.findAll(tx, query, everybody)
			for _, scope := range scopes {
				h.sameMembers(fmt.Sprintf("%q in %+v", query, scope), h.findAll(tx, query, scope), inside(scope, all))
			}
		}
	})
}

func inside(scope stead.Scope, all []stead.Member) []stead.Member {
	return slices.DeleteFunc(slices.Clone(all), func(m stead.Member) bool { return !scope.Covers(m.Account, m.Branch) })
}

func (h *harness) sameMembers(what string, got, want []stead.Member) {
	h.Helper()
	if !slices.Equal(got, want) {
		h.Errorf("%s: %d members, want %d", what, len(got), len(want))
	}
}

func (h *harness) findAll(tx store.Tx, query string, scope stead.Scope) (all []stead.Member) {
	h.Helper()
	for after := ""; ; {
		found, next, err := tx.FindMembers(query, scope, 200, after)
		h.ok(err)
		all = append(all, found...)
		if next == "" {
			return all
		}
		after = next
	}
}
