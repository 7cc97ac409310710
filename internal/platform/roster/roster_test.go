package roster_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"stead/internal/stead"

	"stead/internal/platform/casework"
	"stead/internal/platform/keys"
	"stead/internal/platform/ledger"
	"stead/internal/platform/roster"
	"stead/internal/platform/sqlite"
	"stead/internal/platform/store"
)

const (
	issuer       = "https://login.stead.test"
	memberHeader = "id,name,email,phone,account,account_name,branch,branch_name,level,disabled,staff\n"
	staffHeader  = "id,name,email,role,tier,privilege,disabled,scope_all,scope_accounts,scope_branches,subject\n"

	ana  = "m-ana,Ana Souza,ana@members.test,+1 555 0100,acme,Acme,acme-west,West,power,false,\n"
	bo   = "m-bo,\"Bo \"\"Bee\"\" Li\",bo@members.test,,acme,Acme,acme-east,East,,true,st-lena\n"
	lena = "st-lena,Lena Ortiz,lena@stead.test,support,1,true,false,false,acme;birch,corvid-depot,sub-lena\n"
	tom  = "st-tom,Tom Fischer,tom@stead.test,lead,,true,,true,,,sub-tom\n"
)

func open(t *testing.T) store.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "platform.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func mustMembers(t *testing.T, s store.Store, format roster.Format, file string) roster.Counts {
	t.Helper()
	n, bad, err := roster.Members(t.Context(), s, format, []byte(file))
	if err != nil || len(bad) > 0 {
		t.Fatal(err, bad)
	}
	return n
}

func mustStaff(t *testing.T, s store.Store, format roster.Format, file string) roster.Counts {
	t.Helper()
	n, bad, err := roster.Staff(t.Context(), s, issuer, format, []byte(file))
	if err != nil || len(bad) > 0 {
		t.Fatal(err, bad)
	}
	return n
}

func member(t *testing.T, s store.Store, id stead.MemberID) (m stead.Member, link stead.StaffID) {
	t.Helper()
	err := s.View(t.Context(), func(tx store.Tx) (err error) {
		if m, err = tx.Member(id); err == nil {
			link, err = tx.MemberLink(id)
		}
		return err
	})
	if err != nil {
		t.Fatal(id, err)
	}
	return m, link
}

// person reads by subject, so that the subject is checked as well.
func person(t *testing.T, s store.Store, subject string) (p stead.Staff) {
	t.Helper()
	err := s.View(t.Context(), func(tx store.Tx) (err error) {
		p, err = tx.StaffBySubject(issuer, subject)
		return err
	})
	if err != nil {
		t.Fatal(subject, err)
	}
	return p
}

func wantCounts(t *testing.T, got roster.Counts, fresh, changed, unchanged int) {
	t.Helper()
	if want := (roster.Counts{New: fresh, Changed: changed, Unchanged: unchanged}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestRowsArriveAsTheyAreWritten(t *testing.T) {
	s := open(t)
	wantCounts(t, mustStaff(t, s, roster.CSV, "\uFEFF"+staffHeader+lena+tom), 2, 0, 0)
	wantCounts(t, mustMembers(t, s, roster.CSV, "\uFEFF"+memberHeader+ana+bo), 2, 0, 0)

	m, link := member(t, s, "m-bo")
	want := stead.Member{ID: "m-bo", Account: "acme", AccountName: "Acme", Branch: "acme-east", BranchName: "East", Name: `Bo "Bee" Li`,
		Email: "bo@members.test", Level: stead.LevelMember, Disabled: true, Pseudonym: m.Pseudonym}
	if m != want || link != "st-lena" || m.Pseudonym.IsZero() {
		t.Errorf("got %+v, linked to %q", m, link)
	}
	if m, link := member(t, s, "m-ana"); m.Level != stead.LevelPower || m.Phone != "+1 555 0100" || m.Disabled || link != "" {
		t.Errorf("got %+v, linked to %q", m, link)
	}
	p := person(t, s, "sub-lena")
	if p.ID != "st-lena" || p.Role != stead.RoleSupport || p.Tier != 1 || !p.Privilege || p.Disabled || p.Scope.All || p.Pseudonym.IsZero() ||
		!slices.Equal(p.Scope.Accounts, []stead.AccountID{"acme", "birch"}) || !slices.Equal(p.Scope.Branches, []stead.BranchID{"corvid-depot"}) {
		t.Errorf("got %+v", p)
	}
	if p := person(t, s, "sub-tom"); !p.Scope.All || p.Tier != 0 || p.Role != stead.RoleLead {
		t.Errorf("got %+v", p)
	}
}

func TestASecondImportKeepsPseudonymsAndCounts(t *testing.T) {
	s := open(t)
	mustStaff(t, s, roster.CSV, staffHeader+lena+tom)
	mustMembers(t, s, roster.CSV, memberHeader+ana+bo)
	before, _ := member(t, s, "m-ana")
	lenaBefore := person(t, s, "sub-lena")

	wantCounts(t, mustMembers(t, s, roster.CSV, memberHeader+ana+bo), 0, 0, 2)
	wantCounts(t, mustStaff(t, s, roster.CSV, staffHeader+lena+tom), 0, 0, 2)
	wantCounts(t, mustMembers(t, s, roster.CSV, memberHeader+strings.Replace(ana, "Souza", "Sousa", 1)+bo), 0, 1, 1)
	wantCounts(t, mustStaff(t, s, roster.CSV, staffHeader+strings.Replace(lena, "sub-lena", "sub-new", 1)+tom), 0, 1, 1)
	wantCounts(t, mustMembers(t, s, roster.CSV, memberHeader+strings.ReplaceAll(ana+bo, ",Acme,", ",Acme Ltd,")), 0, 2, 0)
	wantCounts(t, mustMembers(t, s, roster.CSV, memberHeader+strings.ReplaceAll(strings.ReplaceAll(ana, "Souza", "Sousa"), ",Acme,", ",Acme Ltd,")), 0, 1, 0)

	after, _ := member(t, s, "m-ana")
	if after.Name != "Ana Sousa" || after.AccountName != "Acme Ltd" || after.Pseudonym != before.Pseudonym {
		t.Errorf("got %+v, was %+v", after, before)
	}
	if p := person(t, s, "sub-new"); p.Pseudonym != lenaBefore.Pseudonym {
		t.Errorf("got %+v, was %+v", p, lenaBefore)
	}
}

func TestWhatAFileDoesNotSayStays(t *testing.T) {
	s := open(t)
	mustStaff(t, s, roster.CSV, staffHeader+lena)
	mustMembers(t, s, roster.CSV, memberHeader+bo)
	was := person(t, s, "sub-lena")
	few := "id,name,email,account,account_name,branch,branch_name\n"
	wantCounts(t, mustMembers(t, s, roster.CSV, few+"m-bo,Bo Li,bo@members.test,acme,Acme,acme-east,East\n"), 0, 1, 0)
	if m, link := member(t, s, "m-bo"); !m.Disabled || link != "st-lena" || m.Name != "Bo Li" {
		t.Errorf("got %+v, linked to %q", m, link)
	}
	mustStaff(t, s, roster.NDJSON, `{"id":"st-lena","name":"Lena Ortiz","email":"lena@stead.test","role":"support","subject":"sub-lena"}`)
	if p := person(t, s, "sub-lena"); fmt.Sprint(p) != fmt.Sprint(was) {
		t.Errorf("got %+v, was %+v", p, was)
	}
	// An empty cell does say something.
	mustMembers(t, s, roster.CSV, memberHeader+"m-bo,Bo Li,bo@members.test,,acme,Acme,acme-east,East,,,\n")
	if m, link := member(t, s, "m-bo"); m.Disabled || link != "" {
		t.Errorf("got %+v, linked to %q", m, link)
	}
}

func TestBothFormatsGiveTheSame(t *testing.T) {
	s := open(t)
	mustStaff(t, s, roster.CSV, staffHeader+lena+tom)
	mustMembers(t, s, roster.CSV, memberHeader+ana+bo)
	wantCounts(t, mustStaff(t, s, roster.NDJSON, "\uFEFF"+
		`{"id":"st-lena","name":"Lena Ortiz","email":"lena@stead.test","role":"support","tier":1,"privilege":true,"scope_accounts":"acme birch","scope_branches":"corvid-depot","subject":"sub-lena"}`+"\r\n\n"+
		`{"id":"st-tom","name":"Tom Fischer","email":"tom@stead.test","role":"lead","tier":null,"privilege":"true","scope_all":true,"subject":"sub-tom"}`+"\n"), 0, 0, 2)
	wantCounts(t, mustMembers(t, s, roster.NDJSON,
		`{"id":"m-ana","name":"Ana Souza","email":"ana@members.test","phone":"+1 555 0100","account":"acme","account_name":"Acme","branch":"acme-west","branch_name":"West","level":"power","disabled":false,"staff":null}`+"\n"+
			`{"id":"m-bo","name":"Bo \"Bee\" Li","email":"bo@members.test","phone":"","account":"acme","account_name":"Acme","branch":"acme-east","branch_name":"East","disabled":true,"staff":"st-lena"}`), 0, 0, 2)
}

func TestManyRows(t *testing.T) {
	rows := 1_000 // the race detector makes more take minutes
	if os.Getenv("SIZE") == "full" {
		rows = 10_000
	}
	s := open(t)
	var file strings.Builder
	file.WriteString(memberHeader)
	for i := range rows {
		fmt.Fprintf(&file, "m-%d,Member Number%d,m%d@members.test,,a%d,Account %d,a%d-main,Main,,,\n", i, i, i, i%50, i%50, i%50)
	}
	wantCounts(t, mustMembers(t, s, roster.CSV, file.String()), rows, 0, 0)
	wantCounts(t, mustMembers(t, s, roster.CSV, file.String()), 0, 0, rows)
}

func TestImportedStaffFindImportedMembers(t *testing.T) {
	s := open(t)
	mustStaff(t, s, roster.CSV, staffHeader+lena)
	mustMembers(t, s, roster.CSV, memberHeader+ana+"m-far,Ana Far,far@members.test,,far,Far,far-main,Main,,,\n")
	ring, err := keys.Open(t.Context(), s, filepath.Join(t.TempDir(), "kek"))
	if err != nil {
		t.Fatal(err)
	}
	led, err := ledger.Open(t.Context(), s, ring)
	if err != nil {
		t.Fatal(err)
	}
	desk := &casework.Desk{Store: s, Ledger: led}
	found, _, err := desk.Find(t.Context(), person(t, s, "sub-lena"), "ana", 0, "")
	if err != nil || len(found) != 1 || found[0].ID != "m-ana" {
		t.Errorf("found %+v, %v; want m-ana alone, for the other is in nobody's account that Lena has", found, err)
	}
}

func wantRefused(t *testing.T, bad []roster.Problem, err error, want []string) {
	t.Helper()
	var got []string
	for _, p := range bad {
		got = append(got, p.String())
	}
	if !errors.Is(err, stead.E(stead.CodeImportInvalid, nil)) || !slices.Equal(got, want) {
		t.Errorf("%v\ngot  %q\nwant %q", err, got, want)
	}
}

// TestLanguageAndTimeZone: they are kept in the form of their standards, and a file without the columns changes neither.
func TestLanguageAndTimeZone(t *testing.T) {
	s := open(t)
	const header = "id,name,email,account,account_name,branch,branch_name,language,time_zone\n"
	mustMembers(t, s, roster.CSV, header+"m-ana,Ana,ana@members.test,acme,Acme,acme-west,West,pt-br,America/Sao_Paulo\n")
	mustMembers(t, s, roster.CSV, memberHeader+ana)
	if m, _ := member(t, s, "m-ana"); m.Language != "pt-BR" || m.TimeZone != "America/Sao_Paulo" {
		t.Errorf("language %q, time zone %q", m.Language, m.TimeZone)
	}
	_, bad, err := roster.Members(t.Context(), s, roster.CSV, []byte(header+"m-x,X,x@members.test,acme,Acme,acme-west,West,klingonish_!,Local\n"))
	wantRefused(t, bad, err, []string{`line 2: language: "klingonish_!" is not a language such as en or de-CH (BCP 47)`,
		`line 2: time_zone: "Local" is not a time zone such as Europe/Zurich (IANA)`})
}
