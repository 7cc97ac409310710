package cli

import (
	"os"
	"strings"
	"testing"

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
	d.refused(stead.CodeLedgerBroken, "no known key", "audit", "verify", "--ledger", data, "--key", d.path("first"))
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
	d.open()
	d.append(1)
	d.drain()
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
