package cli

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/desktop/outbox"
)

func TestAuditExportAndVerifyBundle(t *testing.T) {
	dir := logged(t)
	keep := t.TempDir()
	file := filepath.Join(keep, "bundle.zip")
	code, out, errOut := command(t, "audit", "export", "--format", "bundle", "--ledger", dir, "--out", file)
	if code != 0 || !strings.Contains(out, "5 records, 0 pending") {
		t.Fatalf("exit %d: %s%s", code, out, errOut)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	code, _, errOut = command(t, "audit", "export", "--format", "bundle", "--ledger", dir, "--out", file)
	wantRefused(t, code, errOut, stead.CodeBadRequest)

	checkpoint, key := filepath.Join(keep, "checkpoint"), filepath.Join(keep, "key")
	code, out, errOut = command(t, "audit", "verify", "--bundle", file, "--save-checkpoint", checkpoint, "--save-key", key)
	if code != 0 || !strings.Contains(out, "proven: localhost, ") || !strings.Contains(out, "only --key FILE shows") || !strings.Contains(out, "sessions: 0, of which 0 not opened yet") {
		t.Fatalf("exit %d: %s%s", code, out, errOut)
	}
	full := []string{"audit", "verify", "--bundle", file, "--trusted-checkpoint", checkpoint, "--key", key}
	if code, out, errOut := command(t, full...); code != 0 || strings.Contains(out, "--key") {
		t.Errorf("exit %d: %s%s", code, out, errOut)
	}
	var answer verifyJSON
	code, out, _ = command(t, append(full, "--json")...)
	if err := json.Unmarshal([]byte(out), &answer); err != nil || code != 0 || !answer.Proven || answer.Bundle == nil || answer.Bundle.Size != 5 {
		t.Errorf("exit %d: %s, %v", code, out, err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	for _, args := range [][]string{full, {"audit", "export", "--format", "ndjson", "--ledger", dir, "--out", filepath.Join(keep, "stopped")}} {
		if code := Run(stopped, args, new(strings.Builder), new(strings.Builder), nil); code == 0 {
			t.Errorf("%v was interrupted and ends like one that succeeded", args)
		}
	}
	if _, err := os.Stat(filepath.Join(keep, "stopped")); err == nil {
		t.Error("an export that was interrupted left its file")
	}

	rezip(t, file, "records/000000.entries", func(b []byte) { b[len(b)-1] ^= 1 })
	code, _, errOut = command(t, full...)
	wantRefused(t, code, errOut, stead.CodeLedgerBroken)
	code, out, _ = command(t, append(full, "--json")...)
	if err := json.Unmarshal([]byte(out), &answer); err != nil || code != 1 || answer.Proven || answer.Broken == nil {
		t.Errorf("exit %d: %s, %v", code, out, err)
	}
	nothing := filepath.Join(keep, "nothing")
	if err := os.WriteFile(nothing, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{nothing, filepath.Join(keep, "absent"), keep} {
		code, _, errOut := command(t, "audit", "verify", "--bundle", path)
		wantRefused(t, code, errOut, stead.CodeLedgerUnusable)
	}
}

// rezip changes one member of a zip.
func rezip(t *testing.T, file, name string, change func([]byte)) {
	t.Helper()
	z, err := zip.OpenReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if f.Name == name {
			change(data)
		}
		m, err := w.Create(f.Name)
		if err == nil {
			_, err = m.Write(data)
		}
		if err != nil || r.Close() != nil {
			t.Fatal(err)
		}
	}
	if w.Close() != nil || z.Close() != nil || os.WriteFile(file, out.Bytes(), 0o600) != nil {
		t.Fatal("not written")
	}
}

func TestAuditExportWithoutTexts(t *testing.T) {
	dir := logged(t)
	keep := t.TempDir()
	if err := os.Remove(filepath.Join(dir, "platform", keyFile)); err != nil {
		t.Fatal(err)
	}
	code, _, errOut := command(t, "audit", "export", "--format", "bundle", "--ledger", dir, "--out", filepath.Join(keep, "a"))
	wantRefused(t, code, errOut, stead.CodeLedgerUnusable)
	if left, _ := os.ReadDir(keep); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	for _, format := range []string{"bundle", "ndjson"} {
		if code, out, errOut := command(t, "audit", "export", "--format", format, "--redact", "--ledger", dir, "--out", filepath.Join(keep, format)); code != 0 {
			t.Errorf("%s: exit %d: %s%s", format, code, out, errOut)
		}
	}
	lines, err := os.ReadFile(filepath.Join(keep, "ndjson"))
	if err != nil || bytes.Count(lines, []byte("\n")) != 5 {
		t.Errorf("%s, %v", lines, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "platform", keyFile)); err == nil {
		t.Error("an export made a key file")
	}
	code, _, errOut = command(t, "audit", "export", "--format", "ndjson", "--redact", "--since", "yesterday", "--ledger", dir, "--out", filepath.Join(keep, "b"))
	wantRefused(t, code, errOut, stead.CodeBadRequest)
	if code, _, _ := command(t, "audit", "export", "--format", "cef", "--ledger", dir, "--out", filepath.Join(keep, "c")); code != exitUsage {
		t.Errorf("a format that does not exist: exit %d", code)
	}
}

// TestAuditVerifyAddress proves a log of no records from its address: what the tiles themselves must be is tested where
// they are read.
func TestAuditVerifyAddress(t *testing.T) {
	dir := logged(t)
	keep := t.TempDir()
	checkpoint, key := filepath.Join(keep, "checkpoint"), filepath.Join(keep, "key")
	if code, _, errOut := command(t, "audit", "verify", "--ledger", dir, "--save-checkpoint", checkpoint, "--save-key", key); code != 0 {
		t.Fatal(errOut)
	}
	note, _ := os.ReadFile(checkpoint)
	vkey, _ := os.ReadFile(key)
	hashes := leavesOf(t, filepath.Join(dir, "platform", "platform.db"))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/log/checkpoint":
			_, _ = w.Write(note)
		case "/v1/log/trust":
			_ = json.NewEncoder(w).Encode(map[string]any{"log_keys": []string{strings.TrimSpace(string(vkey))}})
		case "/log/tile/0/000.p/5":
			_, _ = w.Write(hashes)
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	code, out, errOut := command(t, "audit", "verify", "--ledger", server.URL)
	if code != 0 || !strings.Contains(out, "the records themselves were not read") || !strings.Contains(out, "only --key FILE shows") {
		t.Errorf("exit %d: %s%s", code, out, errOut)
	}
	if code, out, errOut := command(t, "audit", "verify", "--ledger", server.URL, "--key", key, "--trusted-checkpoint", checkpoint, "--json"); code != 0 || !strings.Contains(out, `"tree_only":true`) {
		t.Errorf("exit %d: %s%s", code, out, errOut)
	}
	hashes[3] ^= 1
	code, _, errOut = command(t, "audit", "verify", "--ledger", server.URL)
	wantRefused(t, code, errOut, stead.CodeLedgerBroken)
	server.Close()
	code, _, errOut = command(t, "audit", "verify", "--ledger", server.URL)
	wantRefused(t, code, errOut, stead.CodeLedgerUnusable)
}

func leavesOf(t *testing.T, db string) (hashes []byte) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "lines")
	if code, _, errOut := command(t, "audit", "export", "--format", "ndjson", "--ledger", db, "--out", file); code != 0 {
		t.Fatal(errOut)
	}
	lines, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range bytes.Split(bytes.TrimSpace(lines), []byte("\n")) {
		var l struct{ Leaf string }
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatal(err)
		}
		leaf, err := hex.DecodeString(l.Leaf)
		if err != nil || len(leaf) != len(audit.Leaf(nil)) {
			t.Fatal(err)
		}
		hashes = append(hashes, leaf...)
	}
	return hashes
}

func TestAuditVerifyWantsOneSubject(t *testing.T) {
	for _, args := range [][]string{{}, {"--ledger", "a", "--bundle", "b"}, {"--outbox", "a", "--ledger", "b"}} {
		if code, _, _ := command(t, append([]string{"audit", "verify"}, args...)...); code != exitUsage {
			t.Errorf("%v: exit %d", args, code)
		}
	}
	code, _, errOut := command(t, "audit", "verify", "--outbox", filepath.Join(t.TempDir(), "absent"))
	wantRefused(t, code, errOut, stead.CodeLedgerUnusable)
}

// noSealer seals nothing: what is looked at here is what lies open.
type noSealer struct{}

func (noSealer) Seal(plain, _ []byte) []byte           { return plain }
func (noSealer) Open(sealed, _ []byte) ([]byte, error) { return sealed, nil }

func TestAuditVerifyOutbox(t *testing.T) {
	dir := t.TempDir()
	file, keyFile := filepath.Join(dir, "outbox.db"), filepath.Join(dir, "key")
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	o, err := outbox.Open(t.Context(), file, outbox.Config{Device: "0123456789abcdef0123456789abcdef", Signer: private, KeyID: audit.KeyID(public), Sealer: noSealer{}})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := o.Append(t.Context(), outbox.Entry{Kind: audit.DeviceRecovery}); err != nil {
			t.Fatal(err)
		}
	}
	code, _, errOut := command(t, "audit", "verify", "--outbox", file)
	wantRefused(t, code, errOut, stead.CodeAlreadyRunning)
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	if code, out, errOut := command(t, "audit", "verify", "--outbox", file); code != 0 || !strings.Contains(out, "3 records up to number 3") || !strings.Contains(out, "was not looked at") {
		t.Errorf("exit %d: %s%s", code, out, errOut)
	}
	if err := os.WriteFile(keyFile, []byte(hex.EncodeToString(public)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, errOut := command(t, "audit", "verify", "--outbox", file, "--key", keyFile, "--json"); code != 0 || !strings.Contains(out, `"signed":true`) || !strings.Contains(out, `"opened":false`) {
		t.Errorf("exit %d: %s%s", code, out, errOut)
	}
	if err := os.WriteFile(keyFile, []byte(strings.Repeat("07", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, errOut = command(t, "audit", "verify", "--outbox", file, "--key", keyFile)
	wantRefused(t, code, errOut, stead.CodeOutboxDamaged)
	if err := os.WriteFile(keyFile, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, errOut = command(t, "audit", "verify", "--outbox", file, "--key", keyFile)
	wantRefused(t, code, errOut, stead.CodeLedgerUnusable)
}
