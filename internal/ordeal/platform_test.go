//go:build linux && !race

package ordeal

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform"
	"stead/internal/platform/sqlite"
	"stead/internal/platform/staff"
	"stead/internal/platform/store"
)

// backend is a real platform in this process, on loopback, with a provider that its staff sign in at.
type backend struct {
	*testing.T
	dir    string
	issuer string
	token  string
	agent  stead.Staff
	open   *platform.Platform
	server *httptest.Server
}

const audience = "https://platform.test"

func platformConfig(dir, issuer string) platform.Config {
	return platform.Config{DataDir: dir, PublicURL: "https://platform.test", Issuer: issuer, ClientID: "stead", Audience: audience,
		App:       platform.App{ID: "portal", Secret: "s3cret", Audience: "https://portal.test", StartURL: "https://portal.test/", CookieName: "__Host-stead"},
		ViewFirst: true, Version: "test", Log: slog.New(slog.DiscardHandler), RecoveryKeys: recoveryKeys()}
}

// recovering names the people who together may declare a restore.
func recovering() []string { return []string{"alice", "bob"} }

func recoveryKeys() (vkeys []string) {
	for _, name := range recovering() {
		vkey, err := audit.LogKey(name, deviceKey(name).Public().(ed25519.PublicKey))
		if err != nil {
			panic(err)
		}
		vkeys = append(vkeys, vkey)
	}
	return vkeys
}

// newBackend opens a platform with one member of staff.
func newBackend(t *testing.T) *backend {
	t.Helper()
	b := &backend{T: t, dir: t.TempDir()}
	b.provide()
	b.begin()
	ctx := t.Context()
	code, err := b.open.Office.SetupCode(ctx)
	if err == nil {
		b.agent, err = b.open.Office.Claim(ctx, staff.Identity{Issuer: b.issuer, Subject: "ada", Name: "Ada", Email: "ada@stead.test"}, stead.NewEventID(), code)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.end)
	return b
}

// provide serves the provider's metadata and keys and signs an access token for Ada.
func (b *backend) provide() {
	b.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		b.Fatal(err)
	}
	mux := http.NewServeMux()
	reply := func(w http.ResponseWriter, body any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(body)
	}
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]any{"issuer": b.issuer, "authorization_endpoint": b.issuer + "/authorize", "token_endpoint": b.issuer + "/token",
			"jwks_uri": b.issuer + "/keys", "id_token_signing_alg_values_supported": []string{"EdDSA"}})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "1", Algorithm: "EdDSA", Use: "sig"}}})
	})
	provider := httptest.NewServer(mux)
	b.Cleanup(provider.Close)
	b.issuer = provider.URL
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: jose.JSONWebKey{Key: key, KeyID: "1"}}, nil)
	if err != nil {
		b.Fatal(err)
	}
	claims, err := json.Marshal(map[string]any{"iss": b.issuer, "sub": "ada", "aud": audience, "iat": time.Now().Unix(),
		"exp": time.Now().Add(7 * 24 * time.Hour).Unix()})
	if err != nil {
		b.Fatal(err)
	}
	object, err := signer.Sign(claims)
	if err == nil {
		b.token, err = object.CompactSerialize()
	}
	if err != nil {
		b.Fatal(err)
	}
}

// begin opens the platform and serves it.
func (b *backend) begin() {
	b.Helper()
	var err error
	if b.open, err = platform.Open(b.Context(), platformConfig(b.dir, b.issuer)); err != nil {
		b.Fatal(err)
	}
	b.server = httptest.NewServer(b.open.Handler)
}

// end closes the platform, if it is open.
func (b *backend) end() {
	b.Helper()
	if b.open == nil {
		return
	}
	b.server.Close()
	if err := b.open.Close(); err != nil {
		b.Error(err)
	}
	b.open = nil
}

// enrol makes a device that the platform knows; its keys are drawn from the name.
func (b *backend) enrol(name string) orders {
	b.Helper()
	ctx, key := b.Context(), deviceKey(name)
	code, _, err := b.open.Office.IssueEnrolmentCode(ctx)
	if err != nil {
		b.Fatal(err)
	}
	claim := audit.EnrolClaim{Code: stead.Secret(code), PublicKey: key.Public().(ed25519.PublicKey), Name: name}
	sig, err := claim.Sign(key)
	if err != nil {
		b.Fatal(err)
	}
	id, err := b.open.Office.Enrol(ctx, b.agent, stead.NewEventID(), claim, sig)
	if err != nil {
		b.Fatal(err)
	}
	o := orders{Device: id, Key: name, Platform: b.server.URL, Token: b.token, Issuer: b.issuer}
	for len(o.Trust.LogKeys) == 0 || o.Trust.Valid() != nil { // until the platform has signed its first checkpoint
		if o.Trust, _, err = o.client().LogTrust(ctx); err != nil {
			b.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return o
}

// logged waits until everything that was taken in is in the log and signed.
func (b *backend) logged(ctx context.Context) error {
	for {
		var waiting []store.LogEntry
		err := b.open.Store.View(ctx, func(tx store.Tx) (err error) {
			waiting, err = tx.Unlogged(1)
			return err
		})
		if err != nil || len(waiting) == 0 {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (b *backend) file() string { return filepath.Join(b.dir, "platform.db") }

// arrived is a device's record as the ledger holds it.
type arrived struct {
	epoch audit.Epoch
	seq   uint64
	leaf  string
	event [16]byte
	at    int64      // position in the log; -1 while it has none
	facts audit.Body // of a device.recovery
}

// proven verifies the ledger as stead audit verify does and returns what it holds of each device, in its order.
func proven(ctx context.Context, file string) (ledger map[string][]arrived, proof audit.LedgerProof, err error) {
	evidence, err := sqlite.OpenEvidence(ctx, file)
	if err != nil {
		return nil, proof, err
	}
	defer func() { err = errors.Join(err, evidence.Close()) }()
	names, err := evidence.Keys()
	if err != nil {
		return nil, proof, err
	}
	keys, err := audit.ParseLogKeys(strings.Join(names, "\n"))
	if err != nil {
		return nil, proof, err
	}
	if proof, err = audit.VerifyLedger(evidence, audit.LedgerCheck{Keys: keys}); err != nil {
		return nil, proof, err
	}
	ledger = map[string][]arrived{}
	for row, err := range evidence.Records() {
		if err != nil {
			return nil, proof, err
		}
		if c := row.Columns; c.Kind.FromDevice() {
			device := hex.EncodeToString(c.Device[:])
			a := arrived{epoch: c.Epoch, seq: c.Seq, leaf: leafHex(c.Leaf), event: c.EventID, at: row.Position}
			if c.Kind == audit.DeviceRecovery {
				rec, err := audit.Decode(row.Envelope)
				if err != nil {
					return nil, proof, err
				}
				a.facts = rec.Body
			}
			ledger[device] = append(ledger[device], a)
		}
	}
	return ledger, proof, nil
}

// exactlyOnce checks that a device's records are in the ledger once each, in order, in one chain without a gap, and
// that every one that was answered is among them as it was answered.
func exactlyOnce(list []arrived, answered memory) error {
	events := map[[16]byte]bool{}
	for n, a := range list {
		switch {
		case a.seq != uint64(n)+1:
			return fmt.Errorf("record %d stands in place %d", a.seq, n+1)
		case a.epoch != list[0].epoch:
			return fmt.Errorf("record %d is of another epoch: a chain was begun anew", a.seq)
		case events[a.event]:
			return fmt.Errorf("record %d is there twice", a.seq)
		case answered[a.seq] != "" && answered[a.seq] != a.leaf:
			return fmt.Errorf("record %d is %s and was answered as %s", a.seq, a.leaf, answered[a.seq])
		}
		events[a.event] = true
	}
	for seq := range answered {
		if seq > uint64(len(list)) {
			return fmt.Errorf("record %d was answered and never arrived; %d did", seq, len(list))
		}
	}
	return nil
}
