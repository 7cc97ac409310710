package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform"
	"stead/internal/platform/recovery"
)

// recoveryKeyCommand makes a person's key.
type recoveryKeyCommand struct {
	Out        string `help:"File for the key; it must not exist." required:"" type:"path"`
	Name       string `help:"Whose key it is, without blanks." required:""`
	Passphrase string `help:"File that holds the passphrase; without it, it is asked for." name:"passphrase-file" type:"path" placeholder:"FILE"`
}

// Run makes the key and prints its public half.
func (c *recoveryKeyCommand) Run(e *env) error {
	if !absent(c.Out) {
		return stead.Errorf(stead.CodeBadRequest, "%s exists; a key replaces nothing", c.Out)
	}
	passphrase, err := readPassphrase(e, c.Passphrase, fmt.Sprintf("A passphrase for the key of %s: ", c.Name))
	if err != nil {
		return err
	}
	if c.Passphrase == "" {
		again, err := password(e, "The same once more: ")
		if err != nil {
			return err
		}
		if again != passphrase {
			return stead.Errorf(stead.CodeBadRequest, "the passphrases differ")
		}
	}
	file, vkey, err := recovery.New(c.Name, passphrase)
	if err != nil {
		return err
	}
	if err := writeNew(c.Out, file); err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.out, "%s\n", vkey)
	return err
}

func readPassphrase(e *env, file, prompt string) (stead.Secret, error) {
	if file == "" {
		return password(e, prompt)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", stead.Errorf(stead.CodeBadRequest, "%s: %s", file, reason(err)).Because(err)
	}
	return stead.Secret(strings.TrimRight(string(text), "\r\n")), nil
}

// signFlags name the keys that sign here.
type signFlags struct {
	Key        []string `help:"A person's recovery key; once for each." type:"path" sep:"none" placeholder:"FILE"`
	Passphrase []string `help:"File that holds the passphrase of a key, in the order of the keys; without it, it is asked for." name:"passphrase-file" type:"path" sep:"none" placeholder:"FILE"`
}

// keys opens the named keys, one after the other.
func (c *signFlags) keys(e *env) (keys []recovery.Key, err error) {
	for n, path := range c.Key {
		file, err := os.ReadFile(path)
		if err != nil {
			return nil, stead.Errorf(stead.CodeBadRequest, "%s: %s", path, reason(err)).Because(err)
		}
		var from string
		if n < len(c.Passphrase) {
			from = c.Passphrase[n]
		}
		passphrase, err := readPassphrase(e, from, fmt.Sprintf("The passphrase of %s: ", filepath.Base(path)))
		if err != nil {
			return nil, err
		}
		key, err := recovery.Open(file, passphrase)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// agree takes the statement from its file, or makes it, and adds the signatures of the keys named. When enough people
// signed it is complete; otherwise it is written to the file, for the next person. fits looks at a statement that was
// there already.
func (c *signFlags) agree(e *env, i *platform.Idle, file string, draft func() ([]byte, error), fits func([]byte) error) (statement []byte, complete bool, err error) {
	if len(i.People.Names()) == 0 {
		return nil, false, stead.Errorf(stead.CodeConfigInvalid, "recovery_keys is missing: nobody may sign this")
	}
	if file == "" || absent(file) {
		statement, err = draft()
	} else if statement, err = readSmall(file); err == nil {
		err = fits(statement)
	}
	if err != nil {
		return nil, false, err
	}
	keys, err := c.keys(e)
	if err != nil {
		return nil, false, err
	}
	for _, k := range keys {
		if statement, err = k.Sign(statement, i.People); err != nil {
			return nil, false, err
		}
	}
	names, err := i.People.Signers(statement)
	if err != nil && !errors.Is(err, audit.ErrStatement) { // that nobody signed is no statement yet
		return nil, false, stead.Errorf(stead.CodeStatementInvalid, "%v", err).Because(err)
	}
	if len(names) >= audit.RecoveryQuorum {
		return statement, true, nil
	}
	if file == "" {
		return nil, false, stead.Errorf(stead.CodeStatementInvalid, "%d of %d signatures; name a second key, or a file for the statement (--statement) that another person signs", len(names), audit.RecoveryQuorum)
	}
	if err := replace(file, statement); err != nil {
		return nil, false, err
	}
	_, err = fmt.Fprintf(e.out, "Nothing is done yet: %d of %d people signed. The statement is in %s. Bring it to the next person, who signs it on any machine:\n\n    stead platform sign --statement %s --key KEY\n\nThen bring it back here and run this command again with --statement %s.\n",
		len(names), audit.RecoveryQuorum, file, file, file)
	return nil, false, err
}

// signCommand adds a signature where there is no platform.
type signCommand struct {
	Statement string `help:"The statement." required:"" type:"path"`
	signFlags `embed:""`
}

// Run shows what is signed, and signs.
func (c *signCommand) Run(e *env) error {
	statement, err := readSmall(c.Statement)
	if err != nil {
		return err
	}
	h, r, err := audit.ReadStatement(statement)
	if err != nil {
		return stead.Errorf(stead.CodeStatementInvalid, "%v", err).Because(err)
	}
	if len(c.Key) == 0 {
		return stead.Errorf(stead.CodeBadRequest, "--key is missing")
	}
	if h != nil {
		_, _ = fmt.Fprintf(e.out, "The key of the log %s is in other hands; this one takes its place:\n    %s\n", h.Origin, h.Key)
	} else {
		_, _ = fmt.Fprint(e.out, grouped("The log %s was set back to %d records; it had at least %d.\n", r.Origin, r.Kept.Size, r.Lost)+fmt.Sprintf("    %s\n    %s\n", r.Why, r.At))
	}
	keys, err := c.keys(e)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if statement, err = k.SignUnknown(statement); err != nil {
			return err
		}
		_, _ = fmt.Fprintf(e.out, "Signed as %s.\n", k.Name)
	}
	return replace(c.Statement, statement)
}

// writeNew writes a file that must not exist, for its owner alone.
func writeNew(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return stead.Errorf(stead.CodeDataReadOnly, "%s", path).Because(err)
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return stead.Errorf(stead.CodeDataReadOnly, "%s", path).Because(err)
	}
	return nil
}

// replace writes a file so that there is either the old one or the whole new one.
func replace(path string, text []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return stead.Errorf(stead.CodeDataReadOnly, "%s", path).Because(err)
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	_, err = tmp.Write(text)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return stead.Errorf(stead.CodeDataReadOnly, "%s", path).Because(err)
	}
	return nil
}
