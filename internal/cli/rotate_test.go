package cli

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stead/internal/desktop/signin"
	"stead/internal/stead"
)

// TestRotateDrill: the key is changed, then it is found to be in other hands. What was kept elsewhere still proves the
// ledger with the new keys, and with the old key alone no more.
func TestRotateDrill(t *testing.T) {
	d := newDrill(t)
	d.append(2)
	d.drain()
	rotate := []string{"platform", "rotate-key", "--config", d.config}
	d.refused(stead.CodeAlreadyRunning, "", rotate...)
	d.close()
	data := d.path("platform")
	d.must("audit", "verify", "--ledger", data, "--save-key", d.path("first"))

	second := d.write("second", keyLine(t, d.must(rotate...)))
	d.must("audit", "verify", "--ledger", data, "--key", second)
	if out := d.must("audit", "verify", "--ledger", data, "--key", d.path("first")); !strings.Contains(out, "1 handover followed, from the keys") {
		t.Errorf("the handover was not followed: %s", out)
	}
	d.open()
	d.append(2)
	d.drain()
	d.close()
	d.must("audit", "verify", "--ledger", data, "--key", second)

	statement := d.path("handover")
	stolen := append(rotate, "--compromised", "--statement", statement)
	d.refused(stead.CodeBadRequest, "--compromised", append(rotate, "--statement", statement)...)
	if out := d.must(stolen...); !strings.Contains(out, "0 of 2 people signed") {
		t.Errorf("%s", out)
	}
	text, err := os.ReadFile(statement)
	if err != nil {
		t.Fatal(err)
	}
	out := d.must(append(stolen, "--key", d.path("alice.key"), "--passphrase-file", d.path("pass"), "--key", d.path("bob.key"), "--passphrase-file", d.path("pass"))...)
	third := keyLine(t, out)
	if !strings.Contains(string(text), third) || !strings.Contains(out, "Sessions have to be started anew") {
		t.Errorf("signed for %q, and now %s", text, out)
	}
	d.must("audit", "verify", "--ledger", data, "--key", d.write("third", third))
	d.refused(stead.CodeLedgerBroken, "no known key", "audit", "verify", "--ledger", data, "--key", second)
	first, err := os.ReadFile(d.path("first"))
	if err != nil {
		t.Fatal(err)
	}
	people, err := recoveryKeys()
	if err != nil {
		t.Fatal(err)
	}
	kept := string(first)
	for _, p := range people {
		kept += "recovery " + p.vkey + "\n"
	}
	oldest := d.write("oldest", kept)
	if out := d.must("audit", "verify", "--ledger", data, "--key", oldest); !strings.Contains(out, "2 handovers followed, from the keys") {
		t.Errorf("the handovers were not followed: %s", out)
	}
	file := d.path("bundle.zip")
	d.must("audit", "export", "--format", "bundle", "--ledger", data, "--out", file)
	d.must("audit", "verify", "--bundle", file, "--key", oldest)
	d.refused(stead.CodeLedgerBroken, "no known key", "audit", "verify", "--bundle", file, "--key", second)
	d.open()
	d.append(1)
	d.drain()
	d.atItsAddress(oldest, second)
}

// atItsAddress verifies the platform that runs here over HTTP, as the auditor who kept the oldest key and those of the
// people.
func (d *drill) atItsAddress(oldest, second string) {
	d.Helper()
	at := []string{"audit", "verify", "--ledger", d.demo.platformURL}
	checkpoint := d.path("checkpoint")
	d.must(append(at, "--save-checkpoint", checkpoint)...)
	if out := d.must(append(at, "--key", oldest, "--trusted-checkpoint", checkpoint)...); !strings.Contains(out, "were not read") || !strings.Contains(out, "2 handovers followed") {
		d.Errorf("%s", out)
	}
	d.refused(stead.CodeLedgerBroken, "no known key", append(at, "--key", second)...)
	token := d.write("token", d.token("st-ines"))
	if out := d.must(append(at, "--key", oldest, "--token-file", token)...); !strings.Contains(out, "Signed by alice and bob") || strings.Contains(out, "were not read") {
		d.Errorf("%s", out)
	}
	d.refused(stead.CodeLedgerUnusable, "", append(at, "--token-file", d.write("none", "no token"))...)
}

// token is an access token of that person.
func (d *drill) token(who stead.StaffID) string {
	d.Helper()
	ctx, cancel := context.WithTimeout(d.Context(), time.Minute)
	defer cancel()
	in := signin.Open(signin.Config{Issuer: d.demo.issuer, ClientID: demoClient, File: filepath.Join(d.TempDir(), "signin"), Sealer: newGCM(d.T),
		OpenBrowser: func(url string) error { return choosePerson(ctx, url, who) }})
	defer func() { _ = in.Close() }()
	if err := in.Begin(ctx); err != nil {
		d.Fatal(err)
	}
	token, err := in.Token(ctx)
	if err != nil {
		d.Fatal(err)
	}
	return token
}

// keyLine is the verifier key that a rotation printed.
func keyLine(t *testing.T, out string) string {
	t.Helper()
	for line := range strings.Lines(out) {
		if key, ok := strings.CutPrefix(line, "    "); ok {
			return strings.TrimSpace(key)
		}
	}
	t.Fatalf("no key in %q", out)
	return ""
}
