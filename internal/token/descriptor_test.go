package token_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"stead/internal/token"
)

func TestDescriptorSurvivesTheRoundTrip(t *testing.T) {
	k, pub := newKey(t, "k1")
	s := newSession()
	raw, err := token.Describe(k, issuer, s)
	if err != nil {
		t.Fatal(err)
	}
	d, err := token.VerifyDescriptor(raw, token.Public{"k1": pub}, issuer, start)
	if err != nil {
		t.Fatal(err)
	}
	if d.Subject != string(s.Member) || d.Actor.Subject != string(s.Agent) || d.SessionID != string(s.ID) || d.ID != string(s.ID) ||
		d.Account != string(s.Account) || d.Device != string(s.Device) || d.Scope != s.Scope || d.Issuer != issuer {
		t.Errorf("descriptor %+v of session %+v", d, s)
	}
	if !d.ExpiresAt.Equal(s.ExpiresAt.Truncate(time.Second)) || !d.IssuedAt.Equal(s.StartedAt.Truncate(time.Second)) {
		t.Errorf("times %v to %v", d.IssuedAt, d.ExpiresAt)
	}
	for name, bad := range map[string]struct {
		raw, issuer string
		now         time.Time
	}{
		"other issuer": {raw, "http://elsewhere.localhost", start},
		"expired":      {raw, issuer, start.Add(time.Hour)},
		"tampered":     {tamper(raw, 1), issuer, start},
	} {
		if _, err := token.VerifyDescriptor(bad.raw, token.Public{"k1": pub}, bad.issuer, bad.now); !errors.Is(err, token.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
}

// A descriptor lies on the agent's machine and an access token in the browser: neither may stand in for the other,
// even when somebody names the desktop as an app's audience.
func TestS1_09_DescriptorAndAccessTokenNeverStandInForEachOther(t *testing.T) {
	k, pub := newKey(t, "k1")
	keys := token.Public{"k1": pub}
	s := newSession()
	for _, aud := range []string{audience, token.AudienceDesktop} {
		access, err := token.Issue(k, issuer, aud, "a", s)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := token.VerifyDescriptor(access, keys, issuer, start); !errors.Is(err, token.ErrInvalid) {
			t.Errorf("access token for %q accepted as descriptor: %v", aud, err)
		}
	}
	descriptor, err := token.Describe(k, issuer, s)
	if err != nil {
		t.Fatal(err)
	}
	for _, aud := range []string{audience, token.AudienceDesktop} {
		if _, err := token.Verify(descriptor, keys, issuer, aud, start); !errors.Is(err, token.ErrInvalid) {
			t.Errorf("descriptor accepted as access token for %q: %v", aud, err)
		}
	}
}

func TestKeySetSurvivesTheRoundTrip(t *testing.T) {
	k1, pub1 := newKey(t, "k1")
	_, pub2 := newKey(t, "k2")
	wire, err := json.Marshal(token.JWKS{Keys: []token.JWK{token.ToJWK("k1", pub1), token.ToJWK("k2", pub2)}})
	if err != nil {
		t.Fatal(err)
	}
	var set token.JWKS
	if err := json.Unmarshal(wire, &set); err != nil {
		t.Fatal(err)
	}
	keys, err := set.Public()
	if err != nil {
		t.Fatal(err)
	}
	if len(keys) != 2 || !bytes.Equal(keys["k1"], pub1) || !bytes.Equal(keys["k2"], pub2) {
		t.Errorf("keys %v", keys)
	}
	raw, err := token.Issue(k1, issuer, audience, "a", newSession())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := token.Verify(raw, keys, issuer, audience, start); err != nil {
		t.Errorf("a token must verify by the published keys: %v", err)
	}
	seed := k1.Signer.(interface{ Seed() []byte }).Seed()
	if bytes.Contains(wire, seed) || bytes.Contains(wire, []byte(`"d"`)) {
		t.Error("the key set holds a private key")
	}
}

func TestKeySetPassesOverForeignKeysAndRefusesBrokenOnes(t *testing.T) {
	_, pub := newKey(t, "k1")
	good := token.ToJWK("k1", pub)
	keys, err := token.JWKS{Keys: []token.JWK{{KeyType: "RSA", ID: "r"}, {KeyType: "OKP", Curve: "X25519", ID: "x"}, good}}.Public()
	if err != nil || len(keys) != 1 || !bytes.Equal(keys["k1"], pub) {
		t.Errorf("keys %v, error %v", keys, err)
	}
	for _, x := range []string{"", "AAAA", good.X + "AA", "!" + good.X[1:], good.X + "="} {
		broken := good
		broken.X = x
		if keys, err := (token.JWKS{Keys: []token.JWK{good, broken}}).Public(); err == nil {
			t.Errorf("x %q: read as %v, want an error", x, keys)
		}
	}
}

// FuzzVerify holds that nothing but the platform's signature opens the door, and that no input panics.
func FuzzVerify(f *testing.F) {
	k, pub := newKey(f, "k1")
	raw, err := token.Issue(k, issuer, audience, "a", newSession())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add("")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := token.Verify(s, token.Public{"k1": pub}, issuer, audience, start)
		if err == nil && (c.Subject != "m-000042" || c.Issuer != issuer) {
			t.Fatal(fmt.Errorf("accepted %q as %+v", s, c))
		}
	})
}
