package demodata

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"stead/internal/platform/sqlite"
	"stead/internal/platform/store"
	"stead/internal/stead"
)

func TestMembersAreAlwaysTheSame(t *testing.T) {
	all := Members(DefaultMembers)
	if !slices.Equal(all, Members(DefaultMembers)) {
		t.Error("two calls differ")
	}
	if !slices.Equal(all[:100], Members(100)) {
		t.Error("the first hundred of many are not a hundred")
	}
	for _, n := range []int{0, 1, 3} {
		if len(Members(n)) != n {
			t.Errorf("%d members asked for, %d made", n, len(Members(n)))
		}
	}
}

func TestMembersAreBelievable(t *testing.T) {
	emails, power, disabled, accented := map[string]bool{}, 0, 0, 0
	inAccount := map[stead.AccountID]map[stead.BranchID]bool{}
	for _, m := range Members(DefaultMembers) {
		if emails[m.Email] {
			t.Errorf("%s: %s is taken", m.ID, m.Email)
		}
		emails[m.Email] = true
		local, host, ok := strings.Cut(m.Email, "@")
		if !ok || len(local) < 3 || strings.Trim(local, "abcdefghijklmnopqrstuvwxyz0123456789._") != "" || !strings.Contains(host, "example") {
			t.Errorf("%s: e-mail %q of %q", m.ID, m.Email, m.Name)
		}
		if len(m.Zip) != 5 || m.Plan == "" || !strings.Contains(m.Name, " ") || !strings.Contains(m.Phone, " 555-01") {
			t.Errorf("incomplete: %+v", m)
		}
		if m.Level == stead.LevelPower {
			power++
		}
		if m.Disabled {
			disabled++
		}
		if strings.ContainsFunc(m.Name, func(r rune) bool { return r > 127 }) {
			accented++
		}
		if inAccount[m.Account] == nil {
			inAccount[m.Account] = map[stead.BranchID]bool{}
		}
		inAccount[m.Account][m.Branch] = true
	}
	if power < 30 || power > 90 {
		t.Errorf("%d power users of %d, want about 3 %%", power, DefaultMembers)
	}
	if disabled == 0 || disabled > 50 {
		t.Errorf("%d disabled members", disabled)
	}
	if accented < DefaultMembers/4 {
		t.Errorf("only %d names with more than ASCII", accented)
	}
	if len(inAccount) != 8 {
		t.Errorf("%d accounts, want 8", len(inAccount))
	}
	for a, branches := range inAccount {
		if len(branches) < 2 || len(branches) > 4 {
			t.Errorf("%s has %d branches", a, len(branches))
		}
	}
}

func TestLoad(t *testing.T) {
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "stead.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	const issuer = "http://id.localhost"
	if err := Load(t.Context(), s, issuer); err != nil {
		t.Fatal(err)
	}
	// Once loaded, a second time changes nothing, not even what was changed since.
	err = s.Update(t.Context(), func(tx store.Tx) error { return tx.PutStaff(stead.Staff{ID: "st-tom", Name: "Renamed"}, "", "") })
	if err != nil {
		t.Fatal(err)
	}
	if err := Load(t.Context(), s, issuer); err != nil {
		t.Fatal(err)
	}
	err = s.View(t.Context(), func(tx store.Tx) error {
		if n, err := tx.CountMembers(); err != nil || n != DefaultMembers {
			t.Errorf("%d members, %v", n, err)
		}
		if n, err := tx.CountStaff(); err != nil || n != len(Staff()) {
			t.Errorf("%d staff, %v", n, err)
		}
		if tom, err := tx.Staff("st-tom"); err != nil || tom.Name != "Renamed" {
			t.Errorf("loaded twice: %+v, %v", tom, err)
		}
		lena, err := tx.StaffBySubject(issuer, "st-lena")
		if err != nil {
			return err
		}
		for _, p := range Staff() {
			m, err := tx.Member(p.Member)
			if err != nil || m.Pseudonym.IsZero() {
				t.Errorf("%s: member %+v, %v", p.ID, m, err)
			}
			if p.ID != "st-tom" { // whose address was taken away above
				if who, err := tx.StaffOfMember(p.Member); err != nil || who.ID != p.ID {
					t.Errorf("%s: member account leads to %q, %v", p.ID, who.ID, err)
				}
			}
			if !lena.Scope.Covers(m.Account, m.Branch) {
				t.Errorf("%s is outside the scope of %s", p.Member, lena.Name)
			}
		}
		found, _, err := tx.FindMembers("jose", lena.Scope, 100, "")
		everywhere, _, err2 := tx.FindMembers("jose", stead.Scope{All: true}, 100, "")
		if err != nil || err2 != nil || len(found) == 0 || len(found) >= len(everywhere) {
			t.Errorf("jose: %d in Lena's scope, %d everywhere, %v, %v", len(found), len(everywhere), err, err2)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
