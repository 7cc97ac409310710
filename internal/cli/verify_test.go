package cli

import (
	"context"
	"database/sql"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"stead/internal/stead"
)

// proofEnv makes the test program be stead audit verify in a process of its own.
const proofEnv = "STEAD_TEST_VERIFY"

// logged is a data folder of a platform with a few records, closed.
func logged(t *testing.T) string {
	t.Helper()
	dir := demoData(t)
	d, err := openDemo(t.Context(), &demoCommand{Data: dir, Port: freePort(t)})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if _, _, err := d.platform.Office.IssueEnrolmentCode(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestAuditVerify(t *testing.T) {
	dir := logged(t)
	keep := t.TempDir()
	checkpoint, key := filepath.Join(keep, "checkpoint"), filepath.Join(keep, "key")
	code, out, errOut := command(t, "audit", "verify", "--ledger", dir, "--save-checkpoint", checkpoint, "--save-key", key)
	if code != 0 || !strings.Contains(out, "proven: localhost, ") || !strings.Contains(out, "5 records") {
		t.Fatalf("exit %d: %s%s", code, out, errOut)
	}
	full := []string{"audit", "verify", "--ledger", filepath.Join(dir, "platform", "platform.db"), "--trusted-checkpoint", checkpoint, "--key", key}
	if code, out, errOut := command(t, full...); code != 0 || strings.Contains(out, "--key") {
		t.Errorf("exit %d: %s%s", code, out, errOut)
	}
	if code, _, errOut := command(t, append(full, "--save-key", key)...); code == 0 {
		t.Errorf("a kept key was replaced: %s", errOut)
	}
	nothing := filepath.Join(keep, "nothing")
	if err := os.WriteFile(nothing, []byte("nothing\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"no folder":     {"--ledger", filepath.Join(keep, "absent")},
		"no ledger":     {"--ledger", keep},
		"no database":   {"--ledger", nothing},
		"no key":        {"--ledger", dir, "--key", nothing},
		"no checkpoint": {"--ledger", dir, "--trusted-checkpoint", nothing},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, errOut := command(t, append([]string{"audit", "verify"}, args...)...)
			wantRefused(t, code, errOut, stead.CodeLedgerUnusable)
		})
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if code := Run(stopped, full, new(strings.Builder), new(strings.Builder), nil); code == 0 {
		t.Error("a verification that was interrupted ends like one that succeeded")
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "platform", "platform.db"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec("DROP TRIGGER intake_no_update; UPDATE intake SET actor = randomblob(16) WHERE idx = 3")
	if err != nil || db.Close() != nil {
		t.Fatal(err)
	}
	code, _, errOut = command(t, full...)
	wantRefused(t, code, errOut, stead.CodeLedgerBroken)
	code, out, _ = command(t, append(full, "--json")...)
	var answer verifyJSON
	if err := json.Unmarshal([]byte(out), &answer); err != nil || code != 1 || answer.Proven || answer.Broken == nil || *answer.Broken.Place != 2 {
		t.Errorf("exit %d: %s, %v", code, out, err)
	}
}

// TestAuditVerifyWhileThePlatformRuns verifies from another process while this one writes.
func TestAuditVerifyWhileThePlatformRuns(t *testing.T) {
	dir := demoData(t)
	d, err := openDemo(t.Context(), &demoCommand{Data: dir, Port: freePort(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	for range 5 {
		for range 10 {
			if _, _, err := d.platform.Office.IssueEnrolmentCode(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), proofEnv+"="+dir)
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "proven: ") {
			t.Fatalf("%v: %s", err, out)
		}
	}
}
