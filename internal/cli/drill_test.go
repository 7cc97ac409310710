package cli

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"stead/internal/audit"
	"stead/internal/desktop/client"
	"stead/internal/desktop/outbox"
	"stead/internal/desktop/signin"
	"stead/internal/stead"

	"stead/internal/platform"
	"stead/internal/platform/store"
)

// drill is a platform with an operator's configuration, two people with recovery keys, and a device with an outbox.
type drill struct {
	*testing.T
	dir    string // of the demo, of the configuration and of the keys
	config string
	demo   *demo
	port   int

	outbox *outbox.Outbox
	signer ed25519.PrivateKey
	device stead.DeviceID
	head   uint64
}

// gcm seals as the vault does, under a key of the test.
type gcm struct{ cipher.AEAD }

func (g gcm) Seal(plain, aad []byte) []byte           { return g.AEAD.Seal(nil, nil, plain, aad) }
func (g gcm) Open(sealed, aad []byte) ([]byte, error) { return g.AEAD.Open(nil, nil, sealed, aad) }

func newGCM(t *testing.T) gcm {
	t.Helper()
	block, err1 := aes.NewCipher(make([]byte, 32))
	aead, err2 := cipher.NewGCMWithRandomNonce(block)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return gcm{aead}
}

const drillPassphrase = "correct horse battery"

type person struct{ name, file, vkey string }

// recoveryKeys makes the keys of alice and bob once: the passphrase makes each cost a second of work.
var recoveryKeys = sync.OnceValues(func() (people []person, err error) {
	dir, err := os.MkdirTemp("", "stead-keys-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	pass := filepath.Join(dir, "pass")
	if err := os.WriteFile(pass, []byte(drillPassphrase+"\n"), 0o600); err != nil {
		return nil, err
	}
	for _, name := range []string{"alice", "bob"} {
		var out, errOut strings.Builder
		key := filepath.Join(dir, name)
		if code := Run(context.Background(), []string{"platform", "recovery-key", "--name", name, "--out", key, "--passphrase-file", pass}, &out, &errOut, nil); code != 0 {
			return nil, errors.New(errOut.String())
		}
		file, err := os.ReadFile(key)
		if err != nil {
			return nil, err
		}
		people = append(people, person{name, string(file), strings.TrimSpace(out.String())})
	}
	return people, nil
})

func newDrill(t *testing.T) *drill {
	t.Helper()
	d := &drill{T: t, dir: demoData(t), port: freePort(t), signer: ed25519.NewKeyFromSeed(make([]byte, 32)), device: stead.DeviceID(stead.NewPseudonym().String())}
	people, err := recoveryKeys()
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, p := range people {
		d.write(p.name+".key", p.file)
		keys = append(keys, p.vkey)
	}
	d.write("pass", drillPassphrase)
	d.open()
	config, err := json.Marshal(map[string]any{"listen": "127.0.0.1:0", "data": filepath.Join(d.dir, "platform"), "public_url": d.demo.platformURL, "recovery_keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	d.config = d.write("platform.json", string(config))
	d.update(func(tx store.Tx) error {
		return tx.PutDevice(store.Device{ID: d.device, Name: "laptop", PublicKey: d.signer.Public().(ed25519.PublicKey), EnrolledBy: "st-lena", EnrolledAt: tx.Now()})
	})
	if _, _, err := d.demo.platform.Office.IssueEnrolmentCode(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.close() // with that, the log is signed under its name
	d.open()
	c, err := client.New(d.demo.platformURL, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	trust, _, err := c.LogTrust(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	trust.RecoveryKeys = keys
	d.outbox, err = outbox.Open(t.Context(), d.path("outbox.db"), outbox.Config{Device: d.device, Signer: d.signer, KeyID: audit.KeyID(d.signer.Public().(ed25519.PublicKey)),
		Sealer: newGCM(t), Trust: trust})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.outbox.Close(); err != nil {
			t.Error(err)
		}
		d.close()
	})
	return d
}

func (d *drill) path(name string) string { return filepath.Join(d.dir, name) }

func (d *drill) write(name, text string) string {
	d.Helper()
	if err := os.WriteFile(d.path(name), []byte(text), 0o600); err != nil {
		d.Fatal(err)
	}
	return d.path(name)
}

// must runs a command that succeeds.
func (d *drill) must(args ...string) string {
	d.Helper()
	code, out, errOut := command(d.T, args...)
	if code != 0 {
		d.Fatalf("%v: exit %d: %s%s", args, code, out, errOut)
	}
	return out
}

// refused runs a command that does not, for the reason named.
func (d *drill) refused(want stead.Code, why string, args ...string) {
	d.Helper()
	code, out, errOut := command(d.T, args...)
	if code == 0 || !strings.Contains(errOut, why) {
		d.Fatalf("%v: %s%s, want %q", args, out, errOut, why)
	}
	wantRefused(d.T, code, errOut, want)
}

func (d *drill) open() {
	d.Helper()
	demo, err := openDemo(d.Context(), &demoCommand{Data: d.dir, Port: d.port})
	if err != nil {
		d.Fatal(err)
	}
	d.demo = demo
}

func (d *drill) close() {
	d.Helper()
	if d.demo == nil {
		return
	}
	if err := d.demo.Close(); err != nil {
		d.Error(err)
	}
	d.demo = nil
}

func (d *drill) update(f func(store.Tx) error) {
	d.Helper()
	if err := d.demo.platform.Store.Update(d.Context(), f); err != nil {
		d.Fatal(err)
	}
}

// append writes records on the device.
func (d *drill) append(n int) {
	d.Helper()
	for range n {
		placed, err := d.outbox.Append(d.Context(), outbox.Entry{Kind: audit.SessionIntent, Texts: []audit.Text{}})
		if err != nil {
			d.Fatal(err)
		}
		d.head = placed.Seq
	}
}

// drain signs in, sends everything and waits for the receipts.
func (d *drill) drain() {
	d.Helper()
	ctx, cancel := context.WithTimeout(d.Context(), time.Minute)
	defer cancel()
	in := signin.Open(signin.Config{Issuer: d.demo.issuer, ClientID: demoClient, File: filepath.Join(d.TempDir(), "signin"), Sealer: newGCM(d.T),
		OpenBrowser: func(url string) error { return choosePerson(ctx, url, "st-lena") }})
	defer func() { _ = in.Close() }()
	if err := in.Begin(ctx); err != nil {
		d.Fatal(err)
	}
	c, err := client.New(d.demo.platformURL, in, nil)
	if err != nil {
		d.Fatal(err)
	}
	run, stop := context.WithCancel(ctx)
	var ran sync.WaitGroup
	ran.Go(func() {
		if err := d.outbox.Run(run, c, c.Log(d.device)); err != nil {
			d.Error(err)
		}
	})
	for s := d.outbox.State(); (s.Pending > 0 || s.Unreceipted > 0 || s.Blocked != "") && ctx.Err() == nil; s = d.outbox.State() {
		time.Sleep(20 * time.Millisecond)
	}
	stop()
	ran.Wait()
	if err := ctx.Err(); err != nil {
		d.Fatalf("%v: %+v", err, d.outbox.State())
	}
	if s := d.outbox.State(); s.Pending != 0 || s.Acknowledged != d.head {
		d.Fatalf("%+v, want %d acknowledged", s, d.head)
	}
}

// load lets the platform write all the time until the returned function is called, which says how much it was.
func (d *drill) load() (stop func() int) {
	d.Helper()
	ctx, cancel := context.WithCancel(d.Context())
	var wg sync.WaitGroup
	n := 0
	wg.Go(func() {
		for ctx.Err() == nil {
			if _, _, err := d.demo.platform.Office.IssueEnrolmentCode(ctx); err == nil {
				n++
			}
		}
	})
	return func() int { cancel(); wg.Wait(); return n }
}

// putBack replaces the platform's database by that of the backup.
func (d *drill) putBack(backup string) {
	d.Helper()
	data := filepath.Join(d.dir, "platform")
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		_ = os.Remove(filepath.Join(data, "platform.db"+suffix)) // not all of them are there
	}
	text, err := os.ReadFile(filepath.Join(backup, "platform.db"))
	if err == nil {
		err = os.WriteFile(filepath.Join(data, "platform.db"), text, 0o600)
	}
	if err != nil {
		d.Fatal(err)
	}
}

// bridges lists the ranges that the ledger says are lost.
func (d *drill) bridges() (out []string) {
	d.Helper()
	d.update(func(tx store.Tx) error {
		entries, err := tx.Trail(store.TrailFilter{Kind: string(audit.ChainBridged), Limit: 10})
		for _, e := range entries {
			rec, err := audit.Decode(e.Envelope)
			if err != nil {
				return err
			}
			out = append(out, fmt.Sprintf("%v %v %v-%v", rec.Body["why"], rec.Body["device"] == string(d.device), rec.Body["first"], rec.Body["last"]))
		}
		return err
	})
	return out
}

// TestRestoreDrill: a backup under load, more work, the disk gone, the backup put back, declared by two people at two
// machines; then the device goes on, and the ledger says what is lost.
func TestRestoreDrill(t *testing.T) {
	d := newDrill(t)
	data, backup, kept := filepath.Join(d.dir, "platform"), d.path("backup"), d.path("kept.checkpoint")
	d.append(20)
	d.drain()
	stop := d.load()
	out := d.must("platform", "backup", "--config", d.config, "--out", backup)
	if n := stop(); n == 0 || !strings.Contains(out, "proven") || !strings.Contains(out, "platform.kek is not in it") {
		t.Fatalf("%d records meanwhile: %s", n, out)
	}
	d.wholeBackup(backup)
	d.must("audit", "verify", "--ledger", backup)
	d.refused(stead.CodeBadRequest, "exists", "platform", "backup", "--config", d.config, "--out", backup)
	d.refused(stead.CodeAlreadyRunning, "", "platform", "restored", "--config", d.config, "--lost", "9", "--why", "x", "--key", d.path("alice.key"), "--passphrase-file", d.path("pass"))

	d.append(15)
	d.drain() // these the device forgets
	d.close()
	d.must("audit", "verify", "--ledger", data, "--save-checkpoint", kept)
	d.append(5) // these it still holds
	d.putBack(backup)

	d.must("audit", "verify", "--ledger", data)
	d.refused(stead.CodeLedgerBroken, "rolled back", "audit", "verify", "--ledger", data, "--trusted-checkpoint", kept)

	d.declare(kept)
	d.must("audit", "verify", "--ledger", data)
	d.open()
	d.drain()
	if got := d.bridges(); len(got) != 1 || got[0] != "restored true 21-35" {
		t.Errorf("%v", got)
	}
	d.append(3)
	d.drain()
	d.close()
	d.must("audit", "verify", "--ledger", data)
}

// wholeBackup holds the backup to its manifest.
func (d *drill) wholeBackup(backup string) {
	d.Helper()
	var m platform.Manifest
	text, err := os.ReadFile(filepath.Join(backup, "manifest.json"))
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err != nil {
		d.Fatal(err)
	}
	entries, err := os.ReadDir(backup)
	if err != nil || len(entries) != len(m.Files)+1 || len(m.Files) != 3 || m.WithKeys {
		d.Errorf("%v, %v, %+v", err, entries, m)
	}
	for _, f := range m.Files {
		text, err := os.ReadFile(filepath.Join(backup, f.Name))
		sum := sha256.Sum256(text)
		if err != nil || int64(len(text)) != f.Size || hex.EncodeToString(sum[:]) != f.SHA256 {
			d.Errorf("%+v: %v", f, err)
		}
		if info, err := os.Stat(filepath.Join(backup, f.Name)); err != nil || info.Mode().Perm() != 0o600 {
			d.Errorf("%s may be read by others: %v", f.Name, err)
		}
	}
}

// declare goes the way of two people at two machines, and the ways that lead nowhere.
func (d *drill) declare(kept string) {
	d.Helper()
	alice := []string{"--key", d.path("alice.key"), "--passphrase-file", d.path("pass")}
	bob := []string{"--key", d.path("bob.key"), "--passphrase-file", d.path("pass")}
	statement := d.path("restored.statement")
	restored := func(more ...string) []string {
		return append([]string{"platform", "restored", "--config", d.config}, more...)
	}
	why := []string{"--checkpoint", kept, "--why", "disk of node 2 failed"}
	d.refused(stead.CodeStatementInvalid, "1 of 2 signatures", append(restored(why...), alice...)...) // one person, and no file for the second
	d.refused(stead.CodeBadRequest, "as many at least, and not 0", append(restored("--lost", "0", "--why", "less than is there"), alice...)...)

	d.copiesCount(kept)

	out := d.must(append(restored(append(why, "--statement", statement)...), alice...)...)
	if !strings.Contains(out, "1 of 2 people signed") || !strings.Contains(out, "This is going to be declared") || !strings.Contains(out, "reason: disk of node 2 failed") {
		d.Errorf("%s", out)
	}
	d.refused(stead.CodeStatementInvalid, "alice has signed it already", append(restored("--statement", statement), alice...)...)
	if out := d.must(append([]string{"platform", "sign", "--statement", statement}, bob...)...); !strings.Contains(out, "disk of node 2 failed") || !strings.Contains(out, "Signed as bob.") {
		d.Errorf("%s", out)
	}
	if out := d.must(restored("--statement", statement)...); !strings.Contains(out, "the positions ") || !strings.Contains(out, "declared") {
		d.Errorf("%s", out)
	}
	d.refused(stead.CodeStatementInvalid, "records, and this one has", restored("--statement", statement)...)
}
