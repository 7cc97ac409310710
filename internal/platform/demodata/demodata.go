// Package demodata makes up the members and staff of the demo: always the same ones, nobody real.
package demodata

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"stead/internal/platform/store"
	"stead/internal/stead"
)

// DefaultMembers is how many members Load adds.
const DefaultMembers = 2000

// Member is a member with what only the member app knows of them.
type Member struct {
	stead.Member
	Zip  string // five digits
	Plan string // e.g. "Family"
}

// Person is somebody the demo can sign in as. The subject at the demo's identity provider is the staff id.
type Person struct {
	stead.Staff
	Member stead.MemberID // their own member account, linked by the e-mail address alone
	About  string         // one line for the page where a persona is chosen
}

// Staff lists the personas. Their pseudonyms are zero: Load draws them.
func Staff() []Person {
	everybody := stead.Scope{All: true}
	return []Person{
		{stead.Staff{ID: "st-lena", Name: "Lena Ortiz", Email: "lena.ortiz@stead.example", Role: stead.RoleSupport, Tier: 1, Privilege: true,
			Scope: stead.Scope{Accounts: []stead.AccountID{"alder"}, Branches: []stead.BranchID{"corvid-depot"}}},
			"m-000001", "Support, tier 1. Looks after Alder Family Health and the depot of Corvid Logistics."},
		{stead.Staff{ID: "st-tom", Name: "Tom Fischer", Email: "tom.fischer@stead.example", Role: stead.RoleSupport, Tier: 2, Privilege: true, Scope: everybody},
			"m-000002", "Support, tier 2. Looks after every account."},
		{stead.Staff{ID: "st-priya", Name: "Priya Nair", Email: "priya.nair@stead.example", Role: stead.RoleLead, Privilege: true, Scope: everybody},
			"m-000003", "Team lead. Sees every session and can end it."},
		{stead.Staff{ID: "st-sam", Name: "Sam Okoye", Email: "sam.okoye@stead.example", Role: stead.RoleSuperadmin, Privilege: true, Scope: everybody},
			"m-000004", "Superadmin."},
		{stead.Staff{ID: "st-ines", Name: "Ines Marchetti", Email: "ines.marchetti@stead.example", Role: stead.RoleAuditor, Scope: everybody},
			"m-000005", "Auditor. Reads the trail and impersonates nobody."},
	}
}

// Members makes up n members, the same at each call and the first of them the same for each n. The first five are
// the staff's own. No two share an e-mail address. Pseudonyms are zero: Load draws them.
func Members(n int) []Member {
	rng := rand.New(rand.NewPCG(0x5354454144, 2026)) //nolint:gosec // the same members each time is the point
	staff := Staff()
	members, taken := make([]Member, 0, n), map[string]int{}
	for i := range n {
		m := invent(rng, i+1)
		if i < len(staff) {
			// Where Lena can find them: the first thing to try in a demo is to impersonate a colleague.
			m.Name, m.Email = staff[i].Name, staff[i].Email
			m.Account, m.AccountName, m.Branch, m.BranchName = "alder", accounts[0].name, "alder-north", accounts[0].branches[0][1]
			m.Level, m.Disabled = stead.LevelMember, false
		}
		local, host, _ := strings.Cut(m.Email, "@")
		if taken[m.Email]++; taken[m.Email] > 1 {
			m.Email = fmt.Sprintf("%s%d@%s", local, taken[m.Email], host)
		}
		members = append(members, m)
	}
	return members
}

// invent draws one member.
func invent(rng *rand.Rand, number int) Member {
	from := world[rng.IntN(len(world))]
	given, family := pick(rng, strings.Fields(from.given)), pick(rng, strings.Fields(from.family))
	name := given + " " + family
	if from.familyFirst {
		name = family + " " + given
	}
	a := weighted(rng)
	branch := a.branches[rng.IntN(len(a.branches))]
	m := Member{Zip: pick(rng, a.zips), Plan: plan(rng)}
	m.Member = stead.Member{
		ID: stead.MemberID(fmt.Sprintf("m-%06d", number)), Name: name, Level: stead.LevelMember,
		Account: stead.AccountID(a.id), AccountName: a.name, Branch: stead.BranchID(branch[0]), BranchName: branch[1],
		Phone:    fmt.Sprintf("+1 (%s) 555-01%02d", pick(rng, areaCodes), rng.IntN(100)),
		Email:    plain(given) + pick(rng, []string{".", "_", ""}) + plain(family) + "@" + pick(rng, mailHosts),
		Language: from.language, TimeZone: from.zone,
	}
	if rng.IntN(100) < 3 {
		m.Level = stead.LevelPower
	}
	m.Disabled = rng.IntN(100) < 1
	return m
}

func pick(rng *rand.Rand, from []string) string { return from[rng.IntN(len(from))] }

func weighted(rng *rand.Rand) account {
	total := 0
	for _, a := range accounts {
		total += a.weight
	}
	n := rng.IntN(total)
	for _, a := range accounts {
		if n -= a.weight; n < 0 {
			return a
		}
	}
	return accounts[0]
}

func plan(rng *rand.Rand) string {
	for _, p := range plans[:len(plans)-1] {
		if rng.IntN(2) == 0 {
			return p
		}
	}
	return plans[len(plans)-1]
}

// letters are the ones that do not come apart into a plain letter and a mark.
var letters = strings.NewReplacer("ø", "o", "ł", "l", "đ", "d", "þ", "th", "æ", "ae", "ß", "ss", "ı", "i")

// plain is a name as people put it in an e-mail address: "Świderska" is "swiderska".
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		if r < 'a' || r > 'z' {
			return -1
		}
		return r
	}, letters.Replace(norm.NFD.String(strings.Map(unicode.ToLower, name))))
}

// Load adds the demo's accounts, branches, members and staff to an empty store, in one transaction. In a store that
// has members, only the staff's sign-in is brought up to date: issuer is the demo's identity provider, whose address
// changes with the port.
func Load(ctx context.Context, s store.Store, issuer string) error {
	return s.Update(ctx, func(tx store.Tx) error {
		if n, err := tx.CountMembers(); err != nil {
			return err
		} else if n > 0 {
			return signInAt(tx, issuer)
		}
		for _, a := range accounts {
			if err := tx.PutAccount(stead.AccountID(a.id), a.name); err != nil {
				return fmt.Errorf("demo account %s: %w", a.id, err)
			}
			for _, b := range a.branches {
				if err := tx.PutBranch(stead.BranchID(b[0]), stead.AccountID(a.id), b[1]); err != nil {
					return fmt.Errorf("demo branch %s: %w", b[0], err)
				}
			}
		}
		for _, p := range Staff() {
			p.Pseudonym = stead.NewPseudonym()
			if err := tx.PutStaff(p.Staff, issuer, string(p.ID)); err != nil {
				return fmt.Errorf("demo staff %s: %w", p.ID, err)
			}
		}
		for _, m := range Members(DefaultMembers) {
			m.Pseudonym = stead.NewPseudonym()
			if err := tx.PutMember(m.Member, ""); err != nil {
				return fmt.Errorf("demo member %s: %w", m.ID, err)
			}
		}
		return nil
	})
}

func signInAt(tx store.Tx, issuer string) error {
	for _, p := range Staff() {
		known, err := tx.Staff(p.ID)
		if err != nil {
			return fmt.Errorf("demo staff %s: %w", p.ID, err)
		}
		if err := tx.PutStaff(known, issuer, string(p.ID)); err != nil {
			return fmt.Errorf("demo staff %s: %w", p.ID, err)
		}
	}
	return nil
}
