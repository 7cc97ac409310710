package audit_test

import (
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"
	"time"

	"stead/internal/audit"
)

const statedOrigin = "stead.example.org"

var stated = time.Date(2026, 11, 22, 10, 30, 0, 0, time.UTC)

func keyOf(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(append(make([]byte, 31), n))
}

func vkeyOf(t *testing.T, name string, n byte) string {
	t.Helper()
	vkey, err := audit.LogKey(name, keyOf(n).Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	return vkey
}

func recoveryKeys(t *testing.T) audit.RecoveryKeys {
	t.Helper()
	keys, err := audit.ParseRecoveryKeys([]string{vkeyOf(t, "alice", 11), vkeyOf(t, "bob", 12), vkeyOf(t, "carol", 13)})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func restored() audit.Restored {
	return audit.Restored{Origin: statedOrigin, Kept: audit.Checkpoint{Origin: statedOrigin, Size: 120, Root: [32]byte{7}}, Lost: 133, At: stated, Why: "disk of node 2 failed"}
}

func text(t *testing.T, s interface{ Text() (string, error) }) string {
	t.Helper()
	out, err := s.Text()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// signedBy signs one after the other, as people at machines of their own do.
func signedBy(t *testing.T, statement string, who ...string) []byte {
	t.Helper()
	out := []byte(statement)
	for _, name := range who {
		signer := keyOf(map[string]byte{"alice": 11, "bob": 12, "carol": 13, "mallory": 66, "alice-again": 11}[name])
		var err error
		if out, err = audit.SignStatement(out, strings.TrimSuffix(name, "-again"), signer); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func TestHandover(t *testing.T) {
	h := audit.Handover{Origin: statedOrigin, Key: vkeyOf(t, statedOrigin, 2), At: stated}
	signed, err := audit.SignHandover(keyOf(1), h)
	if err != nil {
		t.Fatal(err)
	}
	old, err := audit.ParseLogKeys(vkeyOf(t, statedOrigin, 1))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := old.OpenHandover(signed); err != nil || got != h {
		t.Errorf("%+v, %v", got, err)
	}
	others, err := audit.ParseLogKeys(vkeyOf(t, statedOrigin, 9))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := others.OpenHandover(signed); !errors.Is(err, audit.ErrUnknownKey) {
		t.Errorf("another log's key: %v", err)
	}
	if _, err := recoveryKeys(t).OpenHandover(signed); !errors.Is(err, audit.ErrTooFewSigners) {
		t.Errorf("the key before it is not two people: %v", err)
	}
	if _, err := old.OpenHandover([]byte(strings.Replace(string(signed), "2026", "2027", 1))); !errors.Is(err, audit.ErrSignature) {
		t.Errorf("a changed time: %v", err)
	}
	if _, err := old.Open(signed); err == nil {
		t.Error("a handover passes for a checkpoint")
	}
	// A person's signature is not the log's, even if the person's key were among the log's.
	if _, err := others.OpenHandover(signedBy(t, text(t, h), "alice", "bob")); err == nil {
		t.Error("people signed for the log")
	}
	people := signedBy(t, text(t, h), "alice", "bob")
	if got, err := recoveryKeys(t).OpenHandover(people); err != nil || got != h {
		t.Errorf("two people: %+v, %v", got, err)
	}
}

func TestRestoredNeedsTwoPeople(t *testing.T) {
	keys, want := recoveryKeys(t), restored()
	statement := text(t, want)
	for name, c := range map[string]struct {
		who  []string
		want error
	}{
		"two":                   {[]string{"alice", "bob"}, nil},
		"three":                 {[]string{"carol", "alice", "bob"}, nil},
		"two and a stranger":    {[]string{"alice", "mallory", "carol"}, nil},
		"one":                   {[]string{"alice"}, audit.ErrTooFewSigners},
		"one twice":             {[]string{"alice", "alice-again"}, audit.ErrTooFewSigners},
		"one and a stranger":    {[]string{"alice", "mallory"}, audit.ErrTooFewSigners},
		"a stranger":            {[]string{"mallory"}, audit.ErrTooFewSigners},
		"one twice, a stranger": {[]string{"alice", "mallory", "alice-again"}, audit.ErrTooFewSigners},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := keys.OpenRestored(signedBy(t, statement, c.who...))
			if !errors.Is(err, c.want) || err == nil && got != want {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
	signed := string(signedBy(t, statement, "alice", "bob"))
	if _, err := keys.OpenRestored([]byte(strings.Replace(signed, "\n133\n", "\n999\n", 1))); !errors.Is(err, audit.ErrSignature) {
		t.Errorf("a changed size: %v", err)
	}
	// Mallory signs with a key of her own under Bob's name.
	forged, err := audit.SignStatement(signedBy(t, statement, "alice"), "bob", keyOf(66))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keys.OpenRestored(forged); !errors.Is(err, audit.ErrTooFewSigners) {
		t.Errorf("another key under a known name: %v", err)
	}
	if _, err := keys.OpenRestored([]byte(statement)); err == nil {
		t.Error("nobody signed")
	}
	if _, err := keys.OpenHandover([]byte(signed)); !errors.Is(err, audit.ErrStatement) {
		t.Errorf("a restore passes for a handover: %v", err)
	}
	if names, err := keys.Signers(signedBy(t, statement, "mallory", "carol")); err != nil || len(names) != 1 || names[0] != "carol" {
		t.Errorf("%v, %v", names, err)
	}
	if _, err := (audit.RecoveryKeys{}).OpenRestored([]byte(signed)); !errors.Is(err, audit.ErrTooFewSigners) {
		t.Errorf("without known keys: %v", err)
	}
}

func TestStatementsHaveOneForm(t *testing.T) {
	good := text(t, restored())
	handover := text(t, audit.Handover{Origin: statedOrigin, Key: vkeyOf(t, statedOrigin, 2), At: stated})
	for name, c := range map[string]struct{ of, old, with string }{
		"a size with a zero":     {good, "\n120 ", "\n0120 "},
		"a size with a sign":     {good, "\n120 ", "\n+120 "},
		"a negative size":        {good, "\n133\n", "\n-1\n"},
		"less than was kept":     {good, "\n133\n", "\n119\n"},
		"more than can be":       {good, "\n133\n", "\n9007199254740992\n"},
		"more than fits":         {good, "\n133\n", "\n99999999999999999999\n"},
		"a short root":           {good, "120 B", "120 "},
		"two blanks":             {good, "\n120 ", "\n120  "},
		"a time with a zone":     {good, "10:30:00Z", "10:30:00+00:00"},
		"a time with fractions":  {good, "10:30:00Z", "10:30:00.0Z"},
		"a day that is not":      {good, "2026-11-22", "2026-11-31"},
		"no reason":              {good, "disk of node 2 failed", ""},
		"a blank after it":       {good, "failed", "failed "},
		"a tab":                  {good, "disk of", "disk\tof"},
		"an escape":              {good, "disk of", "disk\x1b[2Kof"},
		"text that runs back":    {good, "disk of", "disk \u202eof"},
		"no UTF-8":               {good, "disk", "\xff"},
		"a reason of two lines":  {good, "disk of", "disk\nof"},
		"a carriage return":      {good, "133\n", "133\r\n"},
		"a line too many":        {good, "failed\n", "failed\n\n"},
		"no end":                 {good, "failed\n", "failed"},
		"another version":        {good, "v1", "v2"},
		"a name with a blank":    {good, statedOrigin, "stead example"},
		"no name":                {good, statedOrigin, ""},
		"another log's key":      {handover, "\n" + statedOrigin + "\n", "\nother.example.org\n"},
		"no key":                 {handover, "+", "-"},
		"a key in capitals":      {handover, "+", "+0"},
		"a time too early":       {handover, "2026", "20266"},
		"a restore's first line": {handover, "stead log key v1", "stead log restored v1"},
	} {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(c.of, c.old, c.with, 1)
			if changed == c.of {
				t.Fatal("the case changes nothing")
			}
			if _, _, err := audit.ReadStatement([]byte(changed)); err == nil {
				t.Errorf("%q was read", changed)
			}
			if _, err := audit.SignStatement([]byte(changed), "alice", keyOf(11)); err == nil {
				t.Errorf("%q was signed", changed)
			}
		})
	}
	other := restored()
	other.Kept.Origin = "other.example.org"
	if _, err := other.Text(); err == nil {
		t.Error("another log's checkpoint")
	}
	long := restored()
	long.Why = strings.Repeat("x", 401)
	if _, err := long.Text(); err == nil {
		t.Error("a reason without end")
	}
	if _, _, err := audit.ReadStatement([]byte(strings.Repeat("x", 1<<20))); err == nil {
		t.Error("a statement without end")
	}
}

func TestParseRecoveryKeys(t *testing.T) {
	alice, bob := vkeyOf(t, "alice", 11), vkeyOf(t, "bob", 12)
	for name, list := range map[string][]string{
		"nobody": nil, "one": {alice}, "one twice": {alice, alice}, "two names, one key": {alice, vkeyOf(t, "bob", 11)},
		"one name, two keys": {alice, vkeyOf(t, "alice", 12)}, "not a key": {alice, "bob"}, "two lines": {alice + "\n" + bob, bob},
		"another form": {alice, strings.ToUpper(bob[:12]) + bob[12:]},
	} {
		if _, err := audit.ParseRecoveryKeys(list); err == nil {
			t.Errorf("%s: %q is good enough", name, list)
		}
	}
	keys, err := audit.ParseRecoveryKeys([]string{alice, bob})
	if err != nil || len(keys.Names()) != 2 || keys.Names()[1] != "bob" {
		t.Errorf("%v, %v", keys.Names(), err)
	}
}

// FuzzStatement: what is read at all is read from its one form, and nothing panics.
func FuzzStatement(f *testing.F) {
	r := restored()
	plain, err := r.Text()
	if err != nil {
		f.Fatal(err)
	}
	signed, err := audit.SignStatement([]byte(plain), "alice", keyOf(11))
	if err != nil {
		f.Fatal(err)
	}
	vkey, err := audit.LogKey(statedOrigin, keyOf(2).Public().(ed25519.PublicKey))
	if err != nil {
		f.Fatal(err)
	}
	handover, err := audit.SignHandover(keyOf(1), audit.Handover{Origin: statedOrigin, Key: vkey, At: stated})
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(plain))
	f.Add(signed)
	f.Add(handover)
	f.Fuzz(func(t *testing.T, data []byte) {
		h, r, err := audit.ReadStatement(data)
		if err != nil {
			return
		}
		var again string
		if h != nil {
			again, err = h.Text()
		} else {
			again, err = r.Text()
		}
		if err != nil || !strings.HasPrefix(string(data), again) {
			t.Errorf("read from %q, written as %q, %v", data, again, err)
		}
		if len(data) > len(again) && data[len(again)] != '\n' {
			t.Errorf("%q has two readings", data)
		}
		if _, err := audit.SignStatement(data, "bob", keyOf(12)); err != nil {
			t.Errorf("what can be read cannot be signed: %v", err)
		}
	})
}
