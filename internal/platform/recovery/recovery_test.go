package recovery_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/recovery"
)

const passphrase = "correct horse battery"

func TestTwoPeopleSign(t *testing.T) {
	var vkeys []string
	var people []recovery.Key
	for _, name := range []string{"alice", "bob", "mallory"} {
		file, vkey, err := recovery.New(name, passphrase)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(file, []byte("PRIVATE")) {
			t.Error("the private key is readable")
		}
		if name == "alice" {
			if _, err := recovery.Open(file, "correct horse batter"); stead.CodeOf(err) != stead.CodeBadRequest || !strings.Contains(err.Error(), "passphrase") {
				t.Errorf("a wrong passphrase: %v", err)
			}
			file[len(file)/2] ^= 1
			if _, err := recovery.Open(file, passphrase); stead.CodeOf(err) != stead.CodeBadRequest {
				t.Errorf("a damaged file: %v", err)
			}
			file[len(file)/2] ^= 1
		}
		key, err := recovery.Open(file, passphrase)
		if err != nil || key.Name != name {
			t.Fatalf("%s: %v", key.Name, err)
		}
		vkeys, people = append(vkeys, vkey), append(people, key)
	}
	known, err := audit.ParseRecoveryKeys(vkeys[:2])
	if err != nil {
		t.Fatal(err)
	}
	alice, bob, mallory := people[0], people[1], people[2]
	statement, err := audit.Restored{Origin: "x.test", Kept: audit.Checkpoint{Origin: "x.test", Size: 3}, Lost: 4, At: time.Unix(1, 0), Why: "disk"}.Text()
	if err != nil {
		t.Fatal(err)
	}
	half, err := alice.Sign([]byte(statement), known)
	if err != nil {
		t.Fatal(err)
	}
	for name, again := range map[string]recovery.Key{"the same person": alice, "a stranger": mallory} {
		if _, err := again.Sign(half, known); stead.CodeOf(err) != stead.CodeStatementInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	whole, err := bob.Sign(half, known)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := known.OpenRestored(whole); err != nil || r.Lost != 4 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := bob.Sign([]byte("anything\n"), known); stead.CodeOf(err) != stead.CodeStatementInvalid {
		t.Errorf("what is no statement: %v", err)
	}
}

func TestKeysThatAreNotMade(t *testing.T) {
	for name, pass := range map[string]stead.Secret{"alice": "short", "": passphrase, "al ice": passphrase, "al+ice": passphrase, "al\x1bice": passphrase, "al\u202eice": passphrase} {
		if _, _, err := recovery.New(name, pass); stead.CodeOf(err) != stead.CodeBadRequest {
			t.Errorf("%q: %v", name, err)
		}
	}
	for name, file := range map[string]string{"empty": "", "not a key": "PRIVATE+KEY+alice+00000000+AAAA", "endless": strings.Repeat("x", 1<<20)} {
		if _, err := recovery.Open([]byte(file), passphrase); stead.CodeOf(err) != stead.CodeBadRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
}
