package roster_test

import (
	"errors"
	"strings"
	"testing"

	"stead/internal/stead"

	"stead/internal/platform/roster"
	"stead/internal/platform/store"
)

// wantOnly fails when anything of a refused file is in the store.
func wantOnly(t *testing.T, s store.Store, members, staff int) {
	t.Helper()
	err := s.View(t.Context(), func(tx store.Tx) error {
		m, err := tx.CountMembers()
		if err != nil {
			return err
		}
		p, err := tx.CountStaff()
		if m != members || p != staff {
			t.Errorf("%d members and %d staff are there, want %d and %d", m, p, members, staff)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestBadMembers(t *testing.T) {
	const object = `{"id":"m-1","name":"A","email":"a@b.test","account":"a","account_name":"A","branch":"b","branch_name":"B"`
	for name, c := range map[string]struct {
		format roster.Format
		file   string
		want   []string
	}{
		"empty":  {roster.CSV, "", []string{"line 1: the first line must name the columns: id,name,email,account,account_name,branch,branch_name"}},
		"header": {roster.CSV, "id,id,name,email,account,account_name,branch,colour\n" + ana, []string{`line 1: column "id" is there twice`, `line 1: unknown column "colour"`, `line 1: column "branch_name" is missing`}},
		"cells":  {roster.CSV, memberHeader + ana + "m-x,X\n", []string{"line 3: 2 cells, but there are 11 columns"}},
		"quotes": {roster.CSV, memberHeader + "m-\"x,X\n" + strings.Replace(ana, "m-ana", "m ana", 1), []string{"line 2: quotes are out of place in what begins here", `line 3: id: "m ana" is not 1 to 64 of A-Z a-z 0-9 . _ -`}},
		"twice":  {roster.CSV, memberHeader + ana + ana, []string{`line 3: id "m-ana" is on line 2 already`}},
		"values": {roster.CSV, memberHeader + ana + ",," + "Ana <a@b.test>," + strings.Repeat("1", 41) + ",,,b b,\xff,boss,yes,s/t\n", []string{
			`line 3: staff: "s/t" is not 1 to 64 of A-Z a-z 0-9 . _ -`, `line 3: id: "" is not 1 to 64 of A-Z a-z 0-9 . _ -`, `line 3: name: is empty`,
			`line 3: email: "Ana <a@b.test>" is not an e-mail address`, `line 3: phone: has 41 characters, more than 40`,
			`line 3: account: "" is not 1 to 64 of A-Z a-z 0-9 . _ -`, `line 3: account_name: is empty`, `line 3: branch: "b b" is not 1 to 64 of A-Z a-z 0-9 . _ -`,
			`line 3: branch_name: is not valid UTF-8`, `line 3: disabled: "yes" is neither true nor false`, `line 3: level: "boss" is neither member nor power`}},
		"long name": {roster.CSV, memberHeader + strings.Replace(ana, "Ana Souza", strings.Repeat("ß", 201), 1), []string{"line 2: name: has 201 characters, more than 200"}},
		"two lines": {roster.CSV, memberHeader + strings.Replace(ana, "Ana Souza", "\"Ana\nSouza\"", 1) + strings.Replace(bo, "bo@", "bo", 1), []string{"line 2: name: has a line break or another control character", `line 4: email: "bomembers.test" is not an e-mail address`}},
		"names of one account": {roster.CSV, memberHeader + ana + strings.Replace(strings.Replace(bo, "st-lena", "", 1), "Acme", "Acmee", 1), []string{
			`line 3: account_name: account "acme" is "Acmee" here and "Acme" on line 2`}},
		"names of one branch":     {roster.CSV, memberHeader + ana + "m-c,C,c@d.test,,acme,Acme,acme-west,Wild West,,,\n", []string{`line 3: branch_name: branch "acme-west" is "Wild West" here and "West" on line 2`}},
		"a branch of two":         {roster.CSV, memberHeader + ana + "m-c,C,c@d.test,,oak,Oak,acme-west,West,,,\n", []string{`line 3: branch: "acme-west" belongs to account "oak" here and to "acme" on line 2`}},
		"unknown staff":           {roster.CSV, memberHeader + ana + bo, []string{`line 3: staff: there is nobody with the id "st-lena"; import the staff first`}},
		"a branch already placed": {roster.CSV, memberHeader + ana + "m-c,C,c@d.test,,oak,Oak,old-main,Main,,,\n", []string{`line 3: branch: "old-main" has members in another account; give the branch of "oak" another id`}},
		"not JSON": {roster.NDJSON, "[1]\n" + object + "\n{\"id\" 1}\n" + object + "} {}\n\"\xff\"\n" + object + "]\n", []string{
			"line 1: is not a JSON object", "line 2: is not valid JSON", "line 3: is not valid JSON", "line 4: goes on after its object", "line 5: is not valid UTF-8", "line 6: is not valid JSON"}},
		"keys": {roster.NDJSON, object + `,"colour":"red","name":"B"}` + "\n" + object + `,"phone":["1"]}` + "\n" + `{"id":"m-2"}`, []string{
			`line 1: unknown column "colour"`, `line 1: "name" is there twice`, `line 2: "phone" must be a text, a number, true or false`,
			`line 3: "name" is missing`}},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			mustMembers(t, s, roster.CSV, memberHeader+"m-old,Old,old@members.test,,old,Old,old-main,Main,,,\n")
			n, bad, err := roster.Members(t.Context(), s, c.format, []byte(c.file))
			wantRefused(t, bad, err, c.want)
			wantOnly(t, s, 1, 0)
			if n != (roster.Counts{}) {
				t.Errorf("counted %+v", n)
			}
		})
	}
}

func TestBadStaff(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		want []string
	}{
		"values": {"st-1,One,one@stead.test,boss,ten,yes,no,1,a/b acme,;b b+,\n", []string{
			`line 3: subject: is empty`, `line 3: tier: "ten" is not a number from 0 to 9`, `line 3: privilege: "yes" is neither true nor false`,
			`line 3: disabled: "no" is neither true nor false`, `line 3: scope_all: "1" is neither true nor false`,
			`line 3: role: "boss" is none of support, lead, auditor, superadmin`, `line 3: scope_accounts: "a/b" is not 1 to 64 of A-Z a-z 0-9 . _ -`,
			`line 3: scope_branches: "b+" is not 1 to 64 of A-Z a-z 0-9 . _ -`}},
		"a subject of two":    {strings.Replace(lena, "st-lena", "st-other", 1), []string{`line 3: subject: "sub-lena" is on line 2 already`}},
		"somebody's subject":  {strings.Replace(tom, "sub-tom", "sub-old", 1), []string{`line 3: subject: "sub-old" already signs in as "st-old"`}},
		"the same id again":   {lena, []string{`line 3: id "st-lena" is on line 2 already`}},
		"too high in support": {strings.Replace(tom, "lead,,", "support,10,", 1), []string{`line 3: tier: "10" is not a number from 0 to 9`}},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			mustStaff(t, s, roster.CSV, staffHeader+strings.ReplaceAll(tom, "tom", "old"))
			_, bad, err := roster.Staff(t.Context(), s, issuer, roster.CSV, []byte(staffHeader+lena+c.file))
			wantRefused(t, bad, err, c.want)
			wantOnly(t, s, 0, 1)
		})
	}
}

func TestARefusedFileChangesNobody(t *testing.T) {
	s := open(t)
	mustMembers(t, s, roster.CSV, memberHeader+ana)
	before, _ := member(t, s, "m-ana")
	// The first row is good and would rename; the second is found bad in the store only.
	_, bad, err := roster.Members(t.Context(), s, roster.CSV, []byte(memberHeader+strings.NewReplacer("Souza", "Sousa", "Acme", "Acme Ltd").Replace(ana+bo)))
	if len(bad) != 1 || stead.CodeOf(err) != stead.CodeImportInvalid {
		t.Fatal(bad, err)
	}
	if after, _ := member(t, s, "m-ana"); after != before {
		t.Errorf("got %+v, was %+v", after, before)
	}
}

// Who was erased does not come back by a file that still names them.
func TestTheErasedStayErased(t *testing.T) {
	s := open(t)
	mustStaff(t, s, roster.CSV, staffHeader+strings.Replace(lena, "1,true,false", "1,true,true", 1)+tom)
	mustMembers(t, s, roster.CSV, memberHeader+ana)
	err := s.Update(t.Context(), func(tx store.Tx) error {
		a, err := tx.Member("m-ana")
		l, err2 := tx.Staff("st-lena")
		return errors.Join(err, err2, tx.ErasePerson(store.Person{Member: a.ID, Pseudonym: a.Pseudonym}, tx.Now()),
			tx.ErasePerson(store.Person{Staff: l.ID, Pseudonym: l.Pseudonym}, tx.Now()))
	})
	if err != nil {
		t.Fatal(err)
	}
	_, bad, err := roster.Members(t.Context(), s, roster.CSV, []byte(memberHeader+ana))
	if stead.CodeOf(err) != stead.CodeImportInvalid || len(bad) != 1 || !strings.Contains(bad[0].What, "was erased on") {
		t.Errorf("members: %v, %v", err, bad)
	}
	_, bad, err = roster.Staff(t.Context(), s, issuer, roster.CSV, []byte(staffHeader+tom+lena))
	if stead.CodeOf(err) != stead.CodeImportInvalid || len(bad) != 1 || bad[0].Line != 3 || !strings.Contains(bad[0].What, "was erased on") {
		t.Errorf("staff: %v, %v", err, bad)
	}
}
