package outbox

import (
	"context"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/uuid"

	"stead/internal/audit"
	"stead/internal/stead"
)

// Some tests run this binary again as a process that may die. The variable says what it is to do, with the file of
// this name in its working directory.
const (
	childRole = "STEAD_OUTBOX_CHILD"
	childFile = "outbox.db"
)

func TestMain(m *testing.M) {
	switch os.Getenv(childRole) {
	case "":
		os.Exit(m.Run())
	case "work":
		childWork(childFile)
	case "full":
		childFull(childFile)
	case "recover":
		childRecover(childFile)
	case "compact":
		childCompact(childFile)
	case "space":
		childSpace(childFile)
	case "open":
		childOpen(childFile)
	}
}

// childOpen opens the outbox and prints the error's code.
func childOpen(path string) {
	o, err := Open(context.Background(), path, testConfig())
	if err == nil {
		err = o.Close()
	}
	fmt.Printf("code=%s\n", stead.CodeOf(err))
}

func child(t *testing.T, role, folder string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Dir, cmd.Env = folder, append(os.Environ(), childRole+"="+role)
	return cmd
}

const testDevice = stead.DeviceID("0123456789abcdef0123456789abcdef")

// testSealer is AES-256-GCM under a key of the test, as the vault's sealer is under one of the keyring.
type testSealer struct{ aead cipher.AEAD }

func newTestSealer(name string) testSealer {
	key := sha256.Sum256([]byte(name))
	aead, err := audit.NewDataKey(key[:])
	if err != nil {
		panic(err)
	}
	return testSealer{aead}
}

func (s testSealer) Seal(plain, aad []byte) []byte { return s.aead.Seal(nil, nil, plain, aad) }
func (s testSealer) Open(sealed, aad []byte) ([]byte, error) {
	return s.aead.Open(nil, nil, sealed, aad)
}

func testKey(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func testConfig() Config {
	key := testKey("device")
	return Config{Device: testDevice, Signer: key, KeyID: audit.KeyID(key.Public().(ed25519.PublicKey)), Sealer: newTestSealer("kek"),
		Trust: testTrust()}
}

// open opens the outbox in a fresh folder, or again at the path, and closes it with the test.
func open(t *testing.T, path string) *Outbox {
	t.Helper()
	o, err := Open(t.Context(), path, testConfig())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.Close() }) // closed twice by tests that reopen: the second does nothing
	return o
}

func newPath(t *testing.T) string { return filepath.Join(t.TempDir(), childFile) }

// intent is an entry like the one before a start.
func intent() Entry {
	subject := stead.Pseudonym{2}
	return Entry{Kind: audit.SessionIntent, Actor: stead.Pseudonym{1}, Subject: &subject,
		Texts: []audit.Text{audit.NewText("reason", "The invoice of May is missing."), audit.NewText("member_name", "Zoë Müller")},
		Body:  audit.Body{"category": "troubleshooting"}}
}

func appendN(t *testing.T, o *Outbox, n int) []Placed {
	t.Helper()
	var out []Placed
	for range n {
		p, err := o.Append(t.Context(), intent())
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

// allPending reads everything in batches and verifies it as the platform would.
func allPending(t *testing.T, o *Outbox) []Item {
	t.Helper()
	var items []Item
	for after := uint64(0); ; {
		b, err := o.Pending(t.Context(), after, 50)
		if err != nil {
			t.Fatal(err)
		}
		if len(b.Items) == 0 {
			return items
		}
		verifyBatch(t, b)
		items = append(items, b.Items...)
		after = b.Items[len(b.Items)-1].Seq
	}
}

func verifyBatch(t *testing.T, b Batch) {
	t.Helper()
	first, err := audit.Decode(b.Items[0].Envelope)
	if err != nil {
		t.Fatal(err)
	}
	head := audit.Head{Device: b.Device, Epoch: b.Epoch, Seq: b.First - 1, Leaf: first.Prev}
	for _, i := range b.Items {
		next, rec, err := audit.Extend(head, i.Envelope)
		if err != nil {
			t.Fatal(err)
		}
		if err := rec.Check(i.Texts); err != nil || len(i.Texts) != len(rec.Commitments) {
			t.Fatalf("texts of %d: %v", i.Seq, err)
		}
		head = next
	}
	if head != b.Head {
		t.Fatalf("the batch ends at %d, its head is %d", head.Seq, b.Head.Seq)
	}
	if err := audit.VerifyHead(testKey("device").Public().(ed25519.PublicKey), b.Head, b.HeadSig); err != nil {
		t.Fatal(err)
	}
}

// asked is the entries as Append hands them to the committer.
func asked(t testing.TB, o *Outbox, entries ...Entry) []*request {
	t.Helper()
	group := make([]*request, len(entries))
	for i, e := range entries {
		if e.EventID == uuid.Nil {
			e.EventID = stead.NewEventID()
		}
		var err error
		if group[i], err = newRequest(e, o.cfg); err != nil {
			t.Fatal(err)
		}
	}
	return group
}
