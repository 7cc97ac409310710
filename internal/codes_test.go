package internal_test

import (
	"encoding/json"
	"slices"
	"testing"

	"stead/internal/api"
	"stead/internal/cli"
	"stead/internal/platform/httpapi"
	"stead/internal/stead"
)

// unlisted is a code that no table can hold, so what an edge answers to it is what a forgotten code would get.
const unlisted stead.Code = "no code has this name"

// desktopsOwn lists the codes that the platform never answers. A new code goes either here or into httpapi's table.
var desktopsOwn = []stead.Code{
	stead.CodeSignInFailed, stead.CodeDescriptorMismatch, stead.CodeNotEnrolled,
	stead.CodeOutboxDamaged, stead.CodeOutboxWrite,
	stead.CodeOutboxFull, stead.CodeOutboxRecovered,
	stead.CodeLedgerBroken, stead.CodeLedgerUnusable, stead.CodeLogForked, stead.CodeLogWithheld, stead.CodeStatementInvalid, stead.CodeStaffEnabled,
	stead.CodeUnreachable, stead.CodeVersion,
	stead.CodeKeyringMissing, stead.CodeKeyringSilent,
	stead.CodeBrowserMissing, stead.CodeBrowserAsRoot, stead.CodeBrowserSilent,
	stead.CodeBrowserPolicy, stead.CodeBrowserOpenFailed, stead.CodeBrowserLeft, stead.CodeBrowserContested,
	stead.CodePortTaken, stead.CodeDataReadOnly, stead.CodeDataNewer, stead.CodeAlreadyRunning, stead.CodeNoWindow,
	stead.CodeConfigInvalid, stead.CodeImportInvalid,
}

func TestEachCodeHasAStatusOrIsTheDesktopsOwn(t *testing.T) {
	if status, wire := httpapi.Status(unlisted); wire || status != 500 {
		t.Errorf("an unlisted code answers %d, %v; want 500, false", status, wire)
	}
	for _, c := range stead.Codes() {
		status, wire := httpapi.Status(c)
		if own := slices.Contains(desktopsOwn, c); own == wire {
			t.Errorf("%s: in httpapi's table is %v and the desktop's own is %v; want one of both", c, wire, own)
		}
		if status < 400 || status > 599 || status == 500 && wire && c != stead.CodeInternal {
			t.Errorf("%s answers %d", c, status)
		}
	}
	for _, c := range desktopsOwn {
		if !c.Known() {
			t.Errorf("%s is no code of internal/stead", c)
		}
	}
}

func TestTheContractListsTheCodesOfThePlatform(t *testing.T) {
	spec, err := api.GetSpecJSON()
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Components struct {
			Schemas struct {
				ProblemCode struct{ Enum []stead.Code }
			}
		}
	}
	if err := json.Unmarshal(spec, &document); err != nil {
		t.Fatal(err)
	}
	listed := document.Components.Schemas.ProblemCode.Enum
	for _, c := range stead.Codes() {
		if _, wire := httpapi.Status(c); wire != slices.Contains(listed, c) {
			t.Errorf("%s: in httpapi's table is %v, in openapi.yaml is %v", c, wire, !wire)
		}
	}
	for _, c := range listed {
		if !c.Known() {
			t.Errorf("openapi.yaml lists %s, which is no code of internal/stead", c)
		}
	}
}

func TestNoCodeExitsLikeSuccess(t *testing.T) {
	if exit := cli.ExitCode(unlisted); exit != 1 {
		t.Errorf("an unlisted code exits with %d, want 1", exit)
	}
	for _, c := range stead.Codes() {
		if exit := cli.ExitCode(c); exit != 1 && exit != 2 {
			t.Errorf("%s exits with %d, want 1 (refused or failed) or 2 (this machine has to change first)", c, exit)
		}
	}
	// What the platform answers is no fault of this machine.
	for _, c := range stead.Codes() {
		if _, wire := httpapi.Status(c); wire && cli.ExitCode(c) != 1 {
			t.Errorf("%s is the platform's and exits with %d, want 1", c, cli.ExitCode(c))
		}
	}
}

func TestEachCodeHasWords(t *testing.T) {
	seen := map[string]stead.Code{}
	for _, c := range stead.Codes() {
		if c.Sentence() == "" || c.Hint() == "" {
			t.Errorf("%s has no sentence or no hint", c)
		}
		if other, twice := seen[c.Sentence()]; twice {
			t.Errorf("%s and %s say the same sentence", c, other)
		}
		seen[c.Sentence()] = c
	}
}
