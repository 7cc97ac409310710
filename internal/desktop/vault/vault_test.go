package vault

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/zalando/go-keyring"

	"stead/internal/stead"
)

func openVault(t *testing.T) *Vault {
	t.Helper()
	v, err := Open(t.Context(), "stead-test-"+strings.ReplaceAll(t.Name(), "/", "-"))
	if err != nil {
		t.Fatalf("no keyring to test with: %v", err)
	}
	return v
}

func TestDeviceSignerIsTheSameNextTime(t *testing.T) {
	v := openVault(t)
	first, err := v.DeviceSigner(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	second, err := openVault(t).DeviceSigner(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sig, err := first.Sign(nil, []byte("message"), crypto.Hash(0))
	if err != nil {
		t.Fatal(err)
	}
	if !ed25519.Verify(second.Public().(ed25519.PublicKey), []byte("message"), sig) {
		t.Error("the second signer has another key")
	}
	if first.KeyID() != second.KeyID() || first.KeyID() == [8]byte{} {
		t.Errorf("key ids %x and %x", first.KeyID(), second.KeyID())
	}
	if err := v.Forget(t.Context(), deviceKey); err != nil {
		t.Fatal(err)
	}
	third, err := v.DeviceSigner(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if third.KeyID() == first.KeyID() {
		t.Error("a forgotten key came back")
	}
}

func TestSealer(t *testing.T) {
	v := openVault(t)
	s, err := v.Sealer(t.Context(), "outbox")
	if err != nil {
		t.Fatal(err)
	}
	plain, aad := []byte("the data key"), []byte("generation 1")
	sealed := s.Seal(plain, aad)
	if bytes.Contains(sealed, plain) || bytes.Equal(sealed, s.Seal(plain, aad)) {
		t.Error("not sealed, or sealed twice with one nonce")
	}
	again, err := openVault(t).Sealer(t.Context(), "outbox")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Open(sealed, aad); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("Open: %q, %v", got, err)
	}
	other, err := v.Sealer(t.Context(), "refresh-token")
	if err != nil {
		t.Fatal(err)
	}
	bent := bytes.Clone(sealed)
	bent[len(bent)-1] ^= 1
	for what, open := range map[string]func() ([]byte, error){
		"another name": func() ([]byte, error) { return other.Open(sealed, aad) },
		"another aad":  func() ([]byte, error) { return s.Open(sealed, []byte("generation 2")) },
		"a bent byte":  func() ([]byte, error) { return s.Open(bent, aad) },
		"too short":    func() ([]byte, error) { return s.Open(sealed[:5], aad) },
	} {
		if _, err := open(); err == nil {
			t.Errorf("%s opened it", what)
		}
	}
	if _, err := v.Sealer(t.Context(), deviceKey); err == nil {
		t.Error("the device key was handed out as a sealer")
	}
	if err := v.Forget(t.Context(), "never-there"); err != nil {
		t.Errorf("forgetting nothing: %v", err)
	}
}

func TestForeignEntryIsNotReplaced(t *testing.T) {
	v := openVault(t)
	if err := keyring.Set(v.service, "outbox", "somebody's password"); err != nil {
		t.Fatal(err)
	}
	_, err := v.Sealer(t.Context(), "outbox")
	if stead.CodeOf(err) != stead.CodeKeyringMissing || strings.Contains(err.Error(), "password") {
		t.Errorf("got %v", err)
	}
	if text, err := keyring.Get(v.service, "outbox"); err != nil || text != "somebody's password" {
		t.Errorf("the entry is now %q, %v", text, err)
	}
}

func TestHandoutsDoNotPrintKeys(t *testing.T) {
	seed := bytes.Repeat([]byte{0xAB}, keyLength)
	signer := newSigner(seed)
	sealer, err := newSealer(seed)
	if err != nil {
		t.Fatal(err)
	}
	holder := struct {
		signer *Signer
		sealer *Sealer
		value  Signer
	}{signer, sealer, *signer}
	out := fmt.Sprintf("%v %s %x %#v %v %s %x %+v %#v", signer, signer, signer, signer, sealer, sealer, sealer, holder, holder)
	if strings.Contains(out, "171 171") || strings.Contains(out, "abab") || strings.Count(out, "[redacted]") < 7 {
		t.Errorf("printed: %s", out)
	}
}

func TestNoBusIsRefusedAtOnce(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	began := time.Now()
	_, err := Open(t.Context(), "stead-test")
	if stead.CodeOf(err) != stead.CodeKeyringMissing || time.Since(began) > time.Second {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
}

// TestOtherKeyrings runs the test below in places where the keyring does not work.
func TestOtherKeyrings(t *testing.T) {
	for name, script := range map[string]string{"none": emptyBus, "locked": unlockedKeyring, "mute": emptyBus} {
		t.Run(name, func(t *testing.T) {
			cmd, err := inside(t.TempDir(), name, script, "-test.run=^TestBrokenKeyring$", "-test.v")
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := cmd.Run(); err != nil || !strings.Contains(out.String(), "--- PASS: TestBrokenKeyring") {
				t.Errorf("%v\n%s", err, out.String())
			}
		})
	}
}

// TestBrokenKeyring expects each way of not working to be an error within the deadline.
func TestBrokenKeyring(t *testing.T) {
	var want []stead.Code
	switch os.Getenv(scene) {
	case "keyring":
		return // TestOtherKeyrings runs it where something is broken
	case "none":
		want = []stead.Code{stead.CodeKeyringMissing}
	case "locked":
		lockKeyring(t)
		want = []stead.Code{stead.CodeKeyringMissing, stead.CodeKeyringSilent} // the prompt fails or waits, as the system likes
	case "mute":
		muteKeyring(t)
		want = []stead.Code{stead.CodeKeyringSilent}
	}
	const limit = 2 * time.Second
	began := time.Now()
	_, err := open(t.Context(), "stead-test", limit)
	if took := time.Since(began); took > limit+time.Second {
		t.Errorf("took %s", took)
	}
	for _, code := range want {
		if stead.CodeOf(err) == code {
			return
		}
	}
	t.Errorf("got %v, want one of %v", err, want)
}

func TestCallsQueueBehindAHangingOneOnlyForTheDeadline(t *testing.T) {
	v := openVault(t)
	v.limit = 200 * time.Millisecond
	release := make(chan struct{})
	hang := func() (string, error) { <-release; return "", nil }
	for range 2 {
		if _, err := v.call(t.Context(), hang); stead.CodeOf(err) != stead.CodeKeyringSilent {
			t.Errorf("got %v", err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := v.call(ctx, hang); stead.CodeOf(err) != stead.CodeKeyringSilent {
		t.Errorf("cancelled: %v", err)
	}
	close(release)
	v.limit = deadline
	if _, err := v.Sealer(t.Context(), "outbox"); err != nil {
		t.Errorf("after the hanging call returned: %v", err)
	}
}

// lockKeyring locks the default collection, which has to exist to be locked.
func lockKeyring(t *testing.T) {
	t.Helper()
	if err := keyring.Set("stead-test", "any", "x"); err != nil {
		t.Fatal(err)
	}
	bus, err := dbus.ConnectSessionBus()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = bus.Close() }()
	var locked []dbus.ObjectPath
	var prompt dbus.ObjectPath
	login := []dbus.ObjectPath{"/org/freedesktop/secrets/collection/login"}
	err = bus.Object("org.freedesktop.secrets", "/org/freedesktop/secrets").
		Call("org.freedesktop.Secret.Service.Lock", 0, login).Store(&locked, &prompt)
	if err != nil || len(locked) != 1 {
		t.Fatalf("locked %v, %v", locked, err)
	}
}

// muteKeyring puts a secret service on the bus that takes calls and never answers.
func muteKeyring(t *testing.T) {
	t.Helper()
	bus, err := dbus.ConnectSessionBus()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bus.Close() })
	reply, err := bus.RequestName("org.freedesktop.secrets", dbus.NameFlagDoNotQueue)
	if err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		t.Fatalf("name: %v, %v", reply, err)
	}
	bus.Eavesdrop(make(chan *dbus.Message, 16)) // from here on calls end in this channel, unanswered
}
