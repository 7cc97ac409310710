package cli

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/sqlite"
)

// verifyCommand proves a platform's ledger from its file, also while the platform runs. It writes nothing.
type verifyCommand struct {
	Ledger  string `help:"Data folder of the platform, or its platform.db." required:"" type:"path"`
	Trusted string `help:"A checkpoint of this ledger that was kept elsewhere: shows that nothing was rewritten or rolled back since." name:"trusted-checkpoint" placeholder:"FILE" type:"path"`
	Key     string `help:"The log's verifier keys, one a line, as kept elsewhere. Without it, those that the ledger itself names." placeholder:"FILE" type:"path"`
	Save    string `help:"Write the newest checkpoint here when all is proven, to keep it elsewhere." name:"save-checkpoint" placeholder:"FILE" type:"path"`
	SaveKey string `help:"Write the verifier keys that the ledger names here when all is proven." name:"save-key" placeholder:"FILE" type:"path"`
	JSON    bool   `help:"As JSON." name:"json"`
}

// Run verifies. It fails with CodeLedgerBroken when the ledger is not what was signed, and with CodeLedgerUnusable
// when there is nothing to verify.
func (c *verifyCommand) Run(e *env) error {
	var progress func(int64)
	if file, ok := e.errOut.(*os.File); ok && !c.JSON && terminal(file) {
		progress = func(n int64) { _, _ = fmt.Fprintf(file, "\r%d records read", n) }
		defer func() { _, _ = fmt.Fprint(file, "\r\x1b[K") }()
	}
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

func terminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// verify returns what was proven; the error is or holds an *audit.LedgerBroken when the ledger is to blame.
func (c *verifyCommand) verify(ctx context.Context, progress func(int64)) (audit.LedgerProof, error) {
	path, err := ledgerFile(c.Ledger)
	if err != nil {
		return audit.LedgerProof{}, err
	}
	source, err := sqlite.OpenEvidence(ctx, path)
	if err != nil {
		return audit.LedgerProof{}, err
	}
	defer func() { _ = source.Close() }() // nothing was written
	check := audit.LedgerCheck{Progress: progress}
	if check.Keys, err = c.keys(source); err != nil {
		return audit.LedgerProof{}, err
	}
	if check.Trusted, err = c.trusted(check.Keys); err != nil {
		return audit.LedgerProof{}, err
	}
	proof, err := audit.VerifyLedger(source, check)
	if err == nil {
		return proof, c.save(source, proof)
	}
	var broken *audit.LedgerBroken
	switch {
	case errors.Is(err, sqlite.ErrDamaged):
		err = &audit.LedgerBroken{Position: -1, What: err.Error()}
	case err != nil && !errors.As(err, &broken):
		err = stead.Errorf(stead.CodeLedgerUnusable, "%s: %v", path, err).Because(err)
	}
	return proof, err
}

// save writes what is worth keeping elsewhere. A file that is there is not replaced: it may be the one that would have
// shown something.
func (c *verifyCommand) save(source *sqlite.Evidence, proof audit.LedgerProof) error {
	own, err := source.Keys()
	if err != nil {
		return err
	}
	for _, f := range []struct{ path, text string }{{c.Save, string(proof.Signed)}, {c.SaveKey, strings.Join(own, "\n") + "\n"}} {
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

func (c *verifyCommand) keys(source *sqlite.Evidence) (audit.LogKeys, error) {
	if c.Key == "" {
		own, err := source.Keys()
		if err != nil || len(own) == 0 {
			return audit.LogKeys{}, err // the newest checkpoint, if there is one, will be found to have no known signer
		}
		keys, err := audit.ParseLogKeys(strings.Join(own, "\n"))
		if err != nil {
			return keys, &audit.LedgerBroken{Position: -1, What: err.Error()}
		}
		return keys, nil
	}
	text, err := readSmall(c.Key)
	if err != nil {
		return audit.LogKeys{}, err
	}
	keys, err := audit.ParseLogKeys(string(text))
	if err != nil {
		return keys, stead.Errorf(stead.CodeLedgerUnusable, "%s: %v", c.Key, err).Because(err)
	}
	return keys, nil
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
		return nil, &audit.LedgerBroken{Position: -1, What: "the trusted checkpoint was signed by a key that this ledger does not name: it is another ledger, or one written anew"}
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

// write says what was proven and, as plainly, what was not.
func (c *verifyCommand) write(out io.Writer, p audit.LedgerProof) error {
	var b strings.Builder
	fmt.Fprintf(&b, "proven: %s, %d records, root %s\n", p.Checkpoint.Origin, p.Checkpoint.Size, base64.StdEncoding.EncodeToString(p.Checkpoint.Root[:]))
	fmt.Fprintf(&b, "  each record is the one that was logged, in its place; %d device chains without a gap; %d checkpoints agree\n", p.Chains, p.Checkpoints)
	if p.Bridged > 0 {
		fmt.Fprintf(&b, "  %d records of devices are not in the log; records of the platform name them and say why\n", p.Bridged)
	}
	if p.Pending > 0 {
		fmt.Fprintf(&b, "  %d records were taken in and are not in the log yet: nothing is signed over them\n", p.Pending)
	}
	if p.Unknown > 0 {
		fmt.Fprintf(&b, "  %d older checkpoints are signed by keys that %s does not hold\n", p.Unknown, c.Key)
	}
	if c.Key == "" {
		fmt.Fprintf(&b, "  signed by a key that the ledger names itself; --key FILE shows whose it is\n")
	}
	if c.Trusted == "" {
		fmt.Fprintf(&b, "  whether the whole was rolled back or written anew only --trusted-checkpoint FILE can show\n")
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// verifyJSON is what --json prints.
type verifyJSON struct {
	Proven      bool        `json:"proven"`
	Origin      string      `json:"origin"`
	Records     int64       `json:"records"`
	Root        []byte      `json:"root"`
	Pending     int64       `json:"pending"`
	Chains      int         `json:"chains"`
	Bridged     int64       `json:"bridged"`
	Checkpoints int64       `json:"checkpoints"`
	UnknownKeys int64       `json:"checkpoints_of_unknown_keys"`
	KeysGiven   bool        `json:"keys_given"`
	Trusted     bool        `json:"trusted_checkpoint_given"`
	Broken      *brokenJSON `json:"broken,omitempty"`
}

// brokenJSON is the first thing that is wrong. Without record, no single one is to blame.
type brokenJSON struct {
	Record   *int64 `json:"record,omitempty"`
	Position *int64 `json:"position,omitempty"`
	What     string `json:"what"`
}

func (c *verifyCommand) writeJSON(out io.Writer, p audit.LedgerProof, broken *audit.LedgerBroken) error {
	answer := verifyJSON{Proven: broken == nil, Origin: p.Checkpoint.Origin, Records: p.Checkpoint.Size, Root: p.Checkpoint.Root[:], Pending: p.Pending,
		Chains: p.Chains, Bridged: p.Bridged, Checkpoints: p.Checkpoints, UnknownKeys: p.Unknown, KeysGiven: c.Key != "", Trusted: c.Trusted != ""}
	if broken != nil {
		answer.Broken = &brokenJSON{What: broken.What}
		if broken.Index != 0 {
			answer.Broken.Record = &broken.Index
		}
		if broken.Position >= 0 {
			answer.Broken.Position = &broken.Position
		}
	}
	return json.NewEncoder(out).Encode(answer)
}
