package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stead/internal/stead"

	"stead/internal/platform"
	"stead/internal/platform/store"
)

func TestMembersAreErasedHeldAndReleased(t *testing.T) {
	data := t.TempDir()
	if code, _, errOut := importTo(t, data, "staff", "staff.csv", importStaff+"st-lena,Lena Ortiz,lena@stead.test,support,acme,sub-lena\n"); code != exitOK {
		t.Fatal(errOut)
	}
	row := "m-1,Ana Souza,ana@members.test,acme,Acme,acme-main,Main\n"
	if code, _, errOut := importTo(t, data, "members", "members.csv", importMembers+row); code != exitOK {
		t.Fatal(errOut)
	}
	config := filepath.Join(t.TempDir(), "platform.json")
	if err := os.WriteFile(config, fmt.Appendf(nil, `{"listen":"127.0.0.1:0","data":%q}`, data), 0o600); err != nil {
		t.Fatal(err)
	}
	do := func(args ...string) (int, string, string) {
		if args[1] != "holds" {
			args = append(args, "--reason", "asked for by letter")
		}
		if args[1] == "erase" {
			args = append(args, "--yes")
		}
		return command(t, append(args, "--config", config)...)
	}
	says := func(want string, args ...string) {
		t.Helper()
		if code, out, errOut := do(args...); code != exitOK || errOut != "" || !strings.Contains(out, want) {
			t.Errorf("%v: exit %d, %q, %q", args, code, out, errOut)
		}
	}
	refused := func(want stead.Code, args ...string) {
		t.Helper()
		code, _, errOut := do(args...)
		wantRefused(t, code, errOut, want)
	}
	says("Nobody is held.", "members", "holds")
	refused(stead.CodeBadRequest, "members", "erase", "m-9")
	refused(stead.CodeStaffEnabled, "staff", "erase", "st-lena")
	says("m-1 is held since 20", "members", "hold", "m-1")
	says("st-lena is held since 20", "staff", "hold", "st-lena")
	says("asked for by letter", "members", "holds")
	says("staff st-lena", "members", "holds")
	says("the reason given now was recorded", "members", "hold", "m-1")
	says("asked for by letter; also: asked for by letter", "members", "holds")
	code, _, errOut := command(t, "members", "erase", "m-1", "--reason", "asked for by letter", "--config", config)
	wantRefused(t, code, errOut, stead.CodeBadRequest) // nobody can be asked here
	if !strings.Contains(errOut, "m-1 is ") || !strings.Contains(errOut, "--yes") {
		t.Errorf("%s", errOut)
	}
	refused(stead.CodeLegalHold, "members", "erase", "m-1")
	says("m-1 is not held", "members", "release", "m-1")
	says("st-lena is not held", "staff", "release", "st-lena")
	says("m-1 was erased at 20", "members", "erase", "m-1")
	if list, err := os.ReadFile(filepath.Join(data, platform.ErasedFile)); err != nil || len(list) != 90 {
		t.Errorf("the list of who was erased: %q, %v", list, err)
	}
	code, _, errOut = importTo(t, data, "members", "members.csv", importMembers+row)
	if code != exitFailed || !strings.Contains(errOut, "line 2: id: this person was erased on") {
		t.Errorf("imported again: exit %d, %q", code, errOut)
	}
	if code, _, errOut := command(t, "members", "erase", "m-1", "--config", config); code != exitUsage || !strings.Contains(errOut, "--reason") {
		t.Errorf("without a reason: exit %d, %q", code, errOut)
	}

	running, err := openData(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	err = running.View(t.Context(), func(tx store.Tx) error {
		m, err := tx.Member("m-1")
		if m.Name != "" {
			t.Errorf("left: %+v", m)
		}
		return err
	})
	refused(stead.CodeAlreadyRunning, "members", "erase", "m-1")
	refused(stead.CodeAlreadyRunning, "members", "holds")
	if err := errors.Join(err, running.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestCareNeedsData(t *testing.T) {
	empty := t.TempDir()
	config := filepath.Join(t.TempDir(), "platform.json")
	if err := os.WriteFile(config, fmt.Appendf(nil, `{"listen":"127.0.0.1:0","data":%q}`, empty), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, errOut := command(t, "members", "holds", "--config", config)
	wantRefused(t, code, errOut, stead.CodeConfigInvalid)
	if left, err := os.ReadDir(empty); err != nil || len(left) > 0 {
		t.Errorf("a folder without data was written to: %v, %v", left, err)
	}
}
