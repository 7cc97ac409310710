package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stead/internal/stead"

	"stead/internal/platform/store"
)

const (
	importMembers = "id,name,email,account,account_name,branch,branch_name\n"
	importStaff   = "id,name,email,role,scope_accounts,subject\n"
)

// importTo writes the file and imports it into the data folder as a person would.
func importTo(t *testing.T, data, what, name, file string) (code int, out, errOut string) {
	t.Helper()
	dir := t.TempDir()
	config := fmt.Sprintf(`{"listen":"127.0.0.1:0","data":%q,"issuer":"https://idp.example"}`, filepath.Join(dir, "overridden"))
	for name, text := range map[string]string{"platform.json": config, name: file} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return command(t, what, "import", filepath.Join(dir, name), "--config", filepath.Join(dir, "platform.json"), "--data", data)
}

func TestImport(t *testing.T) {
	data := filepath.Join(t.TempDir(), "not", "there", "yet")
	code, out, errOut := importTo(t, data, "staff", "staff.csv", importStaff+"st-lena,Lena Ortiz,lena@stead.test,support,acme,sub-lena\n")
	if code != exitOK || out != "1 staff: 1 new, 0 changed, 0 unchanged\n" {
		t.Fatal(code, out, errOut)
	}
	var file strings.Builder
	file.WriteString(importMembers)
	for i := range 1234 {
		fmt.Fprintf(&file, "m-%d,Member %d,m%d@members.test,acme,Acme,acme-main,Main\n", i, i, i)
	}
	if code, out, errOut = importTo(t, data, "members", "members.csv", file.String()); code != exitOK || out != "1,234 members: 1,234 new, 0 changed, 0 unchanged\n" {
		t.Fatal(code, out, errOut)
	}
	one := `{"id":"m-7","name":"Ana","email":"m7@members.test","account":"acme","account_name":"Acme","branch":"acme-main","branch_name":"Main"}`
	if code, out, errOut = importTo(t, data, "members", "members.jsonl", one); code != exitOK || out != "1 members: 0 new, 1 changed, 0 unchanged\n" {
		t.Fatal(code, out, errOut)
	}
	s, err := openData(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	err = s.View(t.Context(), func(tx store.Tx) error {
		p, err := tx.StaffBySubject("https://idp.example", "sub-lena")
		if err != nil {
			return err
		}
		found, _, err := tx.FindMembers("ana", p.Scope, 0, "")
		if len(found) != 1 || found[0].ID != "m-7" {
			t.Errorf("found %+v", found)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestImportNamesBadRows(t *testing.T) {
	data := t.TempDir()
	bad := "m 1,A,a@b.test,acme,Acme,acme-main,Main\n"
	code, out, errOut := importTo(t, data, "members", "members.csv", importMembers+strings.Replace(bad, " ", "-", 1)+strings.Repeat(bad, 2))
	want := "members.csv, line 3: id: \"m 1\" is not 1 to 64 of A-Z a-z 0-9 . _ -\n"
	if code != exitFailed || out != "" || !strings.HasPrefix(errOut, want) || !strings.HasSuffix(errOut, "stead: "+stead.CodeImportInvalid.Sentence()+" "+stead.CodeImportInvalid.Hint()+"\n") {
		t.Errorf("exit %d, %q, %q", code, out, errOut)
	}
	var file strings.Builder
	file.WriteString(importMembers)
	for i := range 1040 {
		fmt.Fprintf(&file, "m %d,A,a@b.test,acme,Acme,acme-main,Main\n", i)
	}
	_, _, errOut = importTo(t, data, "members", "members.csv", file.String())
	if strings.Count(errOut, "members.csv, line ") != 20 || !strings.Contains(errOut, "\nand 1,020 more\n") {
		t.Errorf("a person reads %q", errOut)
	}
	// Nothing of the first file went in, so its one good row is still new.
	if _, out, errOut = importTo(t, data, "members", "members.csv", importMembers+strings.Replace(bad, " ", "-", 1)); out != "1 members: 1 new, 0 changed, 0 unchanged\n" {
		t.Error(out, errOut)
	}
}

func TestImportIsRefused(t *testing.T) {
	data := t.TempDir()
	code, _, errOut := importTo(t, data, "members", "members.xlsx", "")
	wantRefused(t, code, errOut, stead.CodeBadRequest)
	code, _, errOut = importTo(t, data, "staff", "staff.csv", "id,password\n")
	if code != exitFailed || !strings.Contains(errOut, `line 1: unknown column "password"`) {
		t.Errorf("exit %d: %q", code, errOut)
	}
	code, _, errOut = command(t, "members", "import", "members.csv", "--config", filepath.Join(data, "none.json"))
	wantRefused(t, code, errOut, stead.CodeConfigInvalid)

	running, err := openData(context.Background(), data)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = running.Close() }()
	for _, what := range []string{"members", "staff"} {
		code, _, errOut = importTo(t, data, what, "people.csv", importMembers)
		wantRefused(t, code, errOut, stead.CodeAlreadyRunning)
	}
}
