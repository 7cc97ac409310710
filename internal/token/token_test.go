package token_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"stead/internal/stead"
	"stead/internal/token"
)

const (
	issuer   = "http://platform.localhost:7000"
	audience = "haven-portal"
)

// start has a fraction of a second on purpose: tokens count whole ones.
var start = time.Date(2026, 3, 1, 9, 0, 0, 700_000_000, time.UTC)

func newKey(t testing.TB, id string) (token.Key, ed25519.PublicKey) {
	t.Helper()
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return token.Key{ID: id, Signer: priv}, pub
}

func newSession() stead.Session {
	return stead.Session{ID: stead.NewSessionID(), Agent: "st-lena", Member: "m-000042", Account: "acme",
		Device: "00112233445566778899aabbccddeeff", Scope: "read", StartedAt: start, ExpiresAt: start.Add(stead.SessionTTL)}
}

// resign signs the token's claims again after change has had its way with header and claims.
func resign(t *testing.T, raw string, k token.Key, change func(header, claims map[string]any)) string {
	t.Helper()
	claims := jwt.MapClaims{}
	parsed, _, err := jwt.NewParser().ParseUnverified(raw, claims)
	if err != nil {
		t.Fatal(err)
	}
	header := maps.Clone(parsed.Header)
	change(header, claims)
	fresh := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims)
	fresh.Header = header
	s, err := fresh.SignedString(k.Signer)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestS1_06_TokenNamesMemberAsSubjectAndAgentAsActor(t *testing.T) {
	k, pub := newKey(t, "k1")
	s := newSession()
	raw, err := token.Issue(k, issuer, audience, "jti-1", s)
	if err != nil {
		t.Fatal(err)
	}
	c, err := token.Verify(raw, token.Public{"k1": pub}, issuer, audience, start.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if c.Subject != string(s.Member) || c.Actor.Subject != string(s.Agent) {
		t.Errorf("sub %q act.sub %q, want member %q and agent %q", c.Subject, c.Actor.Subject, s.Member, s.Agent)
	}
	if c.Issuer != issuer || c.ID != "jti-1" || c.SessionID != string(s.ID) || c.Account != "acme" || c.Scope != "read" || c.ClientID != "stead" {
		t.Errorf("claims did not survive the round trip: %+v", c)
	}
	if !slices.Equal(c.Audience, []string{audience}) {
		t.Errorf("aud %v, want only %q", c.Audience, audience)
	}

	// What a foreign library reads: names as RFC 9068 and RFC 8693 write them, and nothing beside them.
	part := strings.Split(raw, ".")
	var header, body map[string]any
	for i, into := range []*map[string]any{&header, &body} {
		b, err := base64.RawURLEncoding.DecodeString(part[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, into); err != nil {
			t.Fatal(err)
		}
	}
	if header["typ"] != "at+jwt" || header["alg"] != "EdDSA" || header["kid"] != "k1" {
		t.Errorf("header %v", header)
	}
	want := []string{"account", "act", "aud", "client_id", "exp", "iat", "iss", "jti", "nbf", "scope", "sid", "sub"}
	if got := slices.Sorted(maps.Keys(body)); !slices.Equal(got, want) {
		t.Errorf("claims on the wire %v, want %v", got, want)
	}
	if act, _ := body["act"].(map[string]any); act["sub"] != "st-lena" {
		t.Errorf("act %v", body["act"])
	}
}

func TestS1_13_TokenLivesNoLongerThanItsSession(t *testing.T) {
	k, pub := newKey(t, "k1")
	s := newSession()
	raw, err := token.Issue(k, issuer, audience, "a", s)
	if err != nil {
		t.Fatal(err)
	}
	c, err := token.Verify(raw, token.Public{"k1": pub}, issuer, audience, start)
	if err != nil {
		t.Fatal(err)
	}
	if c.ExpiresAt.After(s.ExpiresAt) {
		t.Errorf("token expires %v, after its session's end %v", c.ExpiresAt, s.ExpiresAt)
	}
	if life := c.ExpiresAt.Sub(c.IssuedAt.Time); life > 20*time.Minute {
		t.Errorf("token lives %v, want at most 20 minutes", life)
	}
	if !c.NotBefore.Equal(c.IssuedAt.Time) {
		t.Errorf("nbf %v, iat %v", c.NotBefore, c.IssuedAt)
	}
	again, err := token.Issue(k, issuer, audience, "b", s)
	if err != nil {
		t.Fatal(err)
	}
	c2, err := token.Verify(again, token.Public{"k1": pub}, issuer, audience, start)
	if err != nil || !c2.ExpiresAt.Equal(c.ExpiresAt.Time) {
		t.Errorf("a second token for the session ends %v, the first %v (%v)", c2.ExpiresAt, c.ExpiresAt, err)
	}
	for _, late := range []time.Duration{20*time.Minute + 3*time.Minute, time.Hour, 24 * 365 * time.Hour} {
		if _, err := token.Verify(raw, token.Public{"k1": pub}, issuer, audience, start.Add(late)); !errors.Is(err, token.ErrInvalid) {
			t.Errorf("accepted %v after the start: %v", late, err)
		}
	}
}

func TestS1_09_TokenForAnotherAppIssuerKeyOrTimeIsRefused(t *testing.T) {
	k, pub := newKey(t, "k1")
	other, otherPub := newKey(t, "k2")
	raw, err := token.Issue(k, issuer, audience, "a", newSession())
	if err != nil {
		t.Fatal(err)
	}
	set := func(claim string, v any) func(_, claims map[string]any) {
		return func(_, claims map[string]any) { claims[claim] = v }
	}
	head := func(name string, v any) func(header, _ map[string]any) {
		return func(header, _ map[string]any) { header[name] = v }
	}
	cut := func(claim string) func(_, claims map[string]any) {
		return func(_, claims map[string]any) { delete(claims, claim) }
	}
	now := start.Add(time.Minute)
	for _, c := range []struct {
		name string
		raw  string
		keys token.Public
		now  time.Time
	}{
		{"other issuer", resign(t, raw, k, set("iss", issuer+".evil.example")), nil, now},
		{"no issuer", resign(t, raw, k, cut("iss")), nil, now},
		{"other audience", resign(t, raw, k, set("aud", "another-app")), nil, now},
		{"two audiences", resign(t, raw, k, set("aud", []string{audience, "another-app"})), nil, now},
		{"no audience", resign(t, raw, k, cut("aud")), nil, now},
		{"expired", raw, nil, start.Add(23 * time.Minute)},
		{"no expiry", resign(t, raw, k, cut("exp")), nil, now},
		{"not yet valid", resign(t, raw, k, set("nbf", now.Add(3*time.Minute).Unix())), nil, now},
		{"issued in the future", resign(t, raw, k, set("iat", now.Add(3*time.Minute).Unix())), nil, now},
		{"before its session", raw, nil, start.Add(-3 * time.Minute)},
		{"plain JWT type", resign(t, raw, k, head("typ", "JWT")), nil, now},
		{"no type", resign(t, raw, k, func(h, _ map[string]any) { delete(h, "typ") }), nil, now},
		{"unknown key id", resign(t, raw, k, head("kid", "k9")), nil, now},
		{"no key id", resign(t, raw, k, func(h, _ map[string]any) { delete(h, "kid") }), nil, now},
		{"key id that is no text", resign(t, raw, k, head("kid", 1)), nil, now},
		{"another key under the known id", resign(t, raw, token.Key{ID: "k1", Signer: other.Signer}, func(_, _ map[string]any) {}), nil, now},
		{"known key under another's id", resign(t, raw, k, head("kid", "k2")), token.Public{"k1": pub, "k2": otherPub}, now},
		{"no keys at all", raw, token.Public{}, now},
		{"no subject", resign(t, raw, k, cut("sub")), nil, now},
		{"no actor", resign(t, raw, k, cut("act")), nil, now},
		{"empty actor", resign(t, raw, k, set("act", map[string]any{"sub": ""})), nil, now},
		{"no session", resign(t, raw, k, cut("sid")), nil, now},
		{"no account", resign(t, raw, k, cut("account")), nil, now},
		{"no scope", resign(t, raw, k, cut("scope")), nil, now},
		{"changed body", tamper(raw, 1), nil, now},
		{"changed signature", tamper(raw, 2), nil, now},
		{"cut signature", raw[:strings.LastIndexByte(raw, '.')+1], nil, now},
		{"empty", "", nil, now},
		{"not a token", "a.b.c", nil, now},
	} {
		t.Run(c.name, func(t *testing.T) {
			keys := c.keys
			if keys == nil {
				keys = token.Public{"k1": pub}
			}
			got, err := token.Verify(c.raw, keys, issuer, audience, c.now)
			if !errors.Is(err, token.ErrInvalid) {
				t.Fatalf("error %v, want ErrInvalid", err)
			}
			if got.Subject != "" || got.SessionID != "" {
				t.Errorf("claims of a refused token came back: %+v", got)
			}
		})
	}
	if _, err := token.Verify(raw, token.Public{"k1": pub}, issuer, audience, now); err != nil {
		t.Errorf("the untouched token must pass, or the table above proves nothing: %v", err)
	}
}

// tamper changes one character in the middle of a part.
func tamper(raw string, part int) string {
	p := strings.Split(raw, ".")
	b := []byte(p[part])
	if i := len(b) / 2; b[i] == 'A' {
		b[i] = 'B'
	} else {
		b[i] = 'A'
	}
	p[part] = string(b)
	return strings.Join(p, ".")
}

func TestForgedAlgorithmsAreRefused(t *testing.T) {
	k, pub := newKey(t, "k1")
	raw, err := token.Issue(k, issuer, audience, "a", newSession())
	if err != nil {
		t.Fatal(err)
	}
	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(raw, claims); err != nil {
		t.Fatal(err)
	}
	forge := func(m jwt.SigningMethod, key any) string {
		f := jwt.NewWithClaims(m, claims)
		f.Header["typ"], f.Header["kid"] = token.TypeAccess, "k1"
		s, err := f.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for name, forged := range map[string]string{
		"none":                          forge(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType),
		"HS256 with the public key":     forge(jwt.SigningMethodHS256, []byte(pub)),
		"HS256 with the published text": forge(jwt.SigningMethodHS256, []byte(base64.RawURLEncoding.EncodeToString(pub))),
		"HS512 with the public key":     forge(jwt.SigningMethodHS512, []byte(pub)),
	} {
		if _, err := token.Verify(forged, token.Public{"k1": pub}, issuer, audience, start.Add(time.Minute)); !errors.Is(err, token.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
}
