package audit_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"stead/internal/audit"
)

// cosign is what a witness answers, written from c2sp.org/tlog-cosignature.
func cosign(name string, key ed25519.PrivateKey, checkpoint string, at uint64) (vkey, line string) {
	typed := append([]byte{4}, key.Public().(ed25519.PublicKey)...)
	id := sha256.Sum256(append([]byte(name+"\n"), typed...))
	text, _, _ := strings.Cut(checkpoint, "\n\n")
	sig := ed25519.Sign(key, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s\n", at, text))
	raw := append(binary.BigEndian.AppendUint64(append([]byte{}, id[:4]...), at), sig...)
	return fmt.Sprintf("%s+%x+%s", name, id[:4], base64.StdEncoding.EncodeToString(typed)), fmt.Sprintf("— %s %s\n", name, base64.StdEncoding.EncodeToString(raw))
}

func TestCosignature(t *testing.T) {
	signed, err := audit.SignCheckpoint(keyOf(1), audit.Checkpoint{Origin: statedOrigin, Size: 5, Root: [32]byte{3}})
	if err != nil {
		t.Fatal(err)
	}
	vkey, line := cosign("witness.example/w1", keyOf(21), string(signed), 1_790_000_000)
	_, other := cosign("witness.example/w2", keyOf(22), string(signed), 1_790_000_000)
	w, err := audit.ParseWitness(vkey)
	if err != nil {
		t.Fatal(err)
	}
	both, at, err := w.Cosigned(signed, []byte(other+line))
	if err != nil || string(both) != string(signed)+line || at.Unix() != 1_790_000_000 || w.Name() != "witness.example/w1" {
		t.Errorf("%s, %v, %v", both, at, err)
	}
	keys, err := audit.ParseLogKeys(vkeyOf(t, statedOrigin, 1))
	if err != nil {
		t.Fatal(err)
	}
	if c, err := keys.Open(both); err != nil || c.Size != 5 {
		t.Errorf("the cosigned checkpoint is none: %+v, %v", c, err)
	}
	_, early := cosign("witness.example/w1", keyOf(21), string(signed), 0)
	_, late := cosign("witness.example/w1", keyOf(21), string(signed), 1<<63)
	_, forged := cosign("witness.example/w1", keyOf(22), string(signed), 1_790_000_000)
	_, another := cosign("witness.example/w1", keyOf(21), strings.Replace(string(signed), "\n5\n", "\n6\n", 1), 1_790_000_000)
	for name, c := range map[string]struct {
		answer string
		want   error
	}{
		"another witness":      {other, audit.ErrUnknownKey},
		"nothing":              {"", audit.ErrUnknownKey},
		"another key":          {forged, audit.ErrUnknownKey},
		"no time":              {early, audit.ErrSignature},
		"a time without end":   {late, audit.ErrSignature},
		"another checkpoint":   {another, audit.ErrSignature},
		"not a signature line": {"hello\n", audit.ErrCheckpoint},
		"too much":             {strings.Repeat(other, 1000), audit.ErrCheckpoint},
	} {
		if _, _, err := w.Cosigned(signed, []byte(c.answer)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, bad := range map[string]string{"empty": "", "a log's key": vkeyOf(t, "w", 1), "another id": strings.Replace(vkey, "+", "+0", 1)[:len(vkey)],
		"another name": "x" + vkey, "a blank": strings.Replace(vkey, "witness", "wit ness", 1)} {
		if _, err := audit.ParseWitness(bad); err == nil {
			t.Errorf("%s: %q is a witness", name, bad)
		}
	}
}
