package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/alecthomas/kong"

	"stead/internal/audit"
	"stead/internal/audit/bundle"
	"stead/internal/stead"

	"stead/internal/platform/sqlite"
)

// verifyCommand proves a platform's ledger from its file, also while the platform runs, from its address, or from a bundle;
// and looks at a device's outbox. It writes nothing.
type verifyCommand struct {
	Ledger  string `help:"Data folder of the platform, its platform.db, or the address of a platform." placeholder:"DIR|FILE|URL" xor:"subject" required:""`
	Bundle  string `help:"A bundle that stead audit export wrote." placeholder:"FILE" type:"path" xor:"subject" required:""`
	Outbox  string `help:"A device's outbox, while Stead does not run there." placeholder:"FILE" type:"path" xor:"subject" required:""`
	Trusted string `help:"A checkpoint of this ledger that was kept elsewhere: shows that nothing was rewritten or rolled back since." name:"trusted-checkpoint" placeholder:"FILE" type:"path"`
	Key     string `help:"The log's verifier keys, one a line, as kept elsewhere; an older one is enough, since handovers are followed. Recovery keys, on lines that begin with the word recovery, show that a stolen key was replaced. Without the file, those that the ledger itself names. With --outbox: the device's public key, in hex." placeholder:"FILE" type:"path"`
	Token   string `help:"An access token of somebody who may read the trail: with an address, proves the records and not only their hashes." name:"token-file" placeholder:"FILE" type:"path"`
	Keyring string `help:"With --outbox: the keyring's name of this machine's own keys, which open the records (stead, or stead-demo for the demo)." placeholder:"NAME"`
	Save    string `help:"Write the newest checkpoint here when all is proven, to keep it elsewhere." name:"save-checkpoint" placeholder:"FILE" type:"path"`
	SaveKey string `help:"Write the verifier keys that the ledger names here when all is proven." name:"save-key" placeholder:"FILE" type:"path"`
	JSON    bool   `help:"As JSON." name:"json"`
}

// verified is what was proven, and how much of it.
type verified struct {
	audit.LedgerProof
	own      []string         // verifier keys that the ledger names itself
	followed int              // handovers that led from the keys that were given to others
	people   []string         // whose recovery keys were given
	signed   int64            // of a bundle: chains that their device signed to the end
	claimed  int64            // of a bundle: records that devices signed to have beyond those
	tree     bool             // only the hashes were read, not the records
	bundle   *bundle.Manifest // nil but for a bundle
	noChains bool             // no heads of devices were there to compare with
}

// Run verifies. It fails with CodeLedgerBroken when the ledger is not what was signed, and with CodeLedgerUnusable
// when there is nothing to verify.
func (c *verifyCommand) Run(e *env) error {
	if c.Outbox != "" {
		return c.runOutbox(e)
	}
	progress, done := progressOn(e.errOut, c.JSON)
	defer done()
	proof, err := c.verify(e.ctx, progress)
	var broken *audit.LedgerBroken
	switch {
	case errors.As(err, &broken):
		err = stead.Errorf(stead.CodeLedgerBroken, "%s", broken.Error()).Because(broken)
	case err != nil && e.ctx.Err() != nil: // not passed on as it is: elsewhere to be told to stop is no failure
		return stead.Errorf(stead.CodeLedgerUnusable, "interrupted before the end")
	case err != nil:
		return err
	}
	if c.JSON {
		return errors.Join(err, c.writeJSON(e.out, proof, broken))
	}
	if broken == nil {
		return c.write(e.out, proof)
	}
	return err
}

// progressOn shows on a terminal how many records were read; nil elsewhere. done takes the line away.
func progressOn(errOut io.Writer, quiet bool) (progress func(int64), done func()) {
	file, ok := errOut.(*os.File)
	if !ok || quiet || !terminal(file) {
		return nil, func() {}
	}
	return func(n int64) { _, _ = fmt.Fprintf(file, "\r%d records read", n) }, func() { _, _ = fmt.Fprint(file, "\r\x1b[K") }
}

func terminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// verify returns what was proven; the error is or holds an *audit.LedgerBroken when the ledger is to blame.
func (c *verifyCommand) verify(ctx context.Context, progress func(int64)) (v verified, err error) {
	subject := c.Ledger
	switch {
	case c.Bundle != "":
		subject = c.Bundle
		v, err = c.verifyBundle(ctx, progress)
	case strings.Contains(c.Ledger, "://"):
		v, err = c.verifyURL(ctx, progress)
	default:
		v, err = c.verifyFile(ctx, progress)
	}
	if err == nil {
		return v, c.save(v)
	}
	var broken *audit.LedgerBroken
	var coded *stead.Error
	switch {
	case errors.Is(err, sqlite.ErrDamaged):
		err = &audit.LedgerBroken{Place: -1, What: err.Error()}
	case !errors.As(err, &broken) && !errors.As(err, &coded):
		err = stead.Errorf(stead.CodeLedgerUnusable, "%s: %v", subject, err).Because(err)
	}
	return v, err
}

func (c *verifyCommand) verifyFile(ctx context.Context, progress func(int64)) (v verified, err error) {
	path, err := ledgerFile(kong.ExpandPath(c.Ledger))
	if err != nil {
		return v, err
	}
	source, err := sqlite.OpenEvidence(ctx, path)
	if err != nil {
		return v, err
	}
	defer func() { _ = source.Close() }() // nothing was written
	check := audit.LedgerCheck{Progress: progress}
	if check.Keys, v.own, err = c.keys(source); err != nil {
		return v, err
	}
	v.followed, v.people = check.Keys.Followed(), check.Keys.People().Names()
	if check.Trusted, err = c.trusted(check.Keys); err != nil {
		return v, err
	}
	v.LedgerProof, err = audit.VerifyLedger(source, check)
	return v, err
}

// save writes what is worth keeping elsewhere. A file that is there is not replaced: it may be the one that would have
// shown something.
func (c *verifyCommand) save(v verified) error {
	for _, f := range []struct{ path, text string }{{c.Save, string(v.Signed)}, {c.SaveKey, strings.Join(v.own, "\n") + "\n"}} {
		if f.path == "" {
			continue
		}
		out, err := os.OpenFile(f.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return stead.Errorf(stead.CodeDataReadOnly, "%s", f.path).Because(err)
		}
		_, err = out.WriteString(f.text)
		if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
			return stead.Errorf(stead.CodeDataReadOnly, "%s", f.path).Because(err)
		}
	}
	return nil
}

// ledgerFile finds the database in a data folder; the demo's data folder has the platform's in it.
func ledgerFile(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", stead.Errorf(stead.CodeLedgerUnusable, "%s", path).Because(err)
	}
	if !info.IsDir() {
		return path, nil
	}
	for _, name := range []string{"platform.db", filepath.Join("platform", "platform.db")} {
		if _, err = os.Stat(filepath.Join(path, name)); err == nil {
			return filepath.Join(path, name), nil
		}
	}
	return "", stead.Errorf(stead.CodeLedgerUnusable, "there is no platform.db in %s", path).Because(err)
}

// keyed is a ledger that names its own verifier keys, and has the statements by which they changed.
type keyed interface {
	Keys() ([]string, error)
	audit.StatementSource
}

// keys returns those that were given and those to which they lead, or else the ledger's own, which it returns in any case.
func (c *verifyCommand) keys(source keyed) (keys audit.LogKeys, own []string, err error) {
	if own, err = source.Keys(); err != nil && c.Key == "" {
		return keys, nil, err
	}
	if c.Key == "" {
		if len(own) == 0 {
			return keys, nil, nil // the newest checkpoint, if there is one, will be found to have no known signer
		}
		if keys, err = audit.ParseLogKeys(strings.Join(own, "\n")); err != nil {
			return keys, own, &audit.LedgerBroken{Place: -1, What: err.Error()}
		}
		return keys, own, nil
	}
	text, err := readSmall(c.Key)
	if err != nil {
		return keys, own, err
	}
	file, err := audit.ParseKeyFile(string(text))
	if err == nil {
		keys, err = file.Follow(nil)
	}
	if err != nil {
		return keys, own, stead.Errorf(stead.CodeLedgerUnusable, "%s: %v", c.Key, err).Because(err)
	}
	said, err := source.Statements()
	if err != nil {
		return keys, own, err
	}
	keys, err = file.Follow(said.Notes)
	return keys, own, err
}

// trusted reads the checkpoint that was kept elsewhere. That its signer is among the ledger's own keys is the ledger's
// to show; among keys that were given, the caller's.
func (c *verifyCommand) trusted(keys audit.LogKeys) (*audit.Checkpoint, error) {
	if c.Trusted == "" {
		return nil, nil
	}
	text, err := readSmall(c.Trusted)
	if err != nil {
		return nil, err
	}
	if _, err := audit.ParseCheckpoint(text); err != nil {
		return nil, stead.Errorf(stead.CodeLedgerUnusable, "%s: %v", c.Trusted, err).Because(err)
	}
	checkpoint, err := keys.Open(text)
	switch {
	case errors.Is(err, audit.ErrUnknownKey) && c.Key == "":
		return nil, &audit.LedgerBroken{Place: -1, What: "the trusted checkpoint was signed by a key that this ledger does not name: it is another ledger, or one written anew"}
	case err != nil:
		return nil, stead.Errorf(stead.CodeLedgerUnusable, "%s: %v", c.Trusted, err).Because(err)
	}
	return &checkpoint, nil
}

// readSmall reads a key or checkpoint file, which has a few hundred bytes.
func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, stead.Errorf(stead.CodeLedgerUnusable, "%s", path).Because(err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err != nil {
		return nil, stead.Errorf(stead.CodeLedgerUnusable, "%s", path).Because(err)
	}
	return text, nil
}
