package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/term"

	"stead/internal/desktop"
	"stead/internal/stead"

	"stead/internal/platform"
)

// operatorFlags name a platform that an operator works on.
type operatorFlags struct {
	Config string `help:"The platform's configuration file (JSON)." required:"" type:"path"`
	Data   string `help:"Data folder; overrides the file." type:"path"`
}

func (c *operatorFlags) read() (serveConfig, error) {
	f, err := readServeConfig(&serveCommand{Config: c.Config, Data: c.Data})
	if err == nil && f.Data == "" {
		err = stead.Errorf(stead.CodeConfigInvalid, "data is missing")
	}
	return f, err
}

// idle opens the platform, which must not be serving.
func (c *operatorFlags) idle(e *env) (*platform.Idle, error) {
	f, err := c.read()
	if err != nil {
		return nil, err
	}
	return platform.OpenIdle(e.ctx, platform.Config{DataDir: f.Data, PublicURL: f.PublicURL, RecoveryKeys: f.RecoveryKeys})
}

// backupCommand backs up a platform.
type backupCommand struct {
	operatorFlags `embed:""`
	Out           string `help:"Folder for the backup; it must not exist." required:"" type:"path"`
	WithKeys      bool   `help:"The key file (platform.kek) too: whoever has this backup can then read everything." name:"with-keys"`
}

// Run makes the backup and says what is in it.
func (c *backupCommand) Run(e *env) error {
	f, err := c.read()
	if err != nil {
		return err
	}
	b := platform.Backup{DataDir: f.Data, Out: c.Out, WithKeys: c.WithKeys, Version: desktop.Version}
	wipe := func() {}
	if file, ok := e.errOut.(*os.File); ok && terminal(file) {
		b.Progress = func(what string, done, all int) {
			if all > 0 {
				_, _ = fmt.Fprintf(file, "\r\x1b[K%d of %d %s", done, all, what)
			} else {
				_, _ = fmt.Fprintf(file, "\r\x1b[K%d %s", done, what)
			}
		}
		wipe = func() { _, _ = fmt.Fprint(file, "\r\x1b[K") }
	}
	m, err := b.Make(e.ctx)
	wipe()
	if err != nil && e.ctx.Err() != nil { // being told to stop is no success here
		return stead.Errorf(stead.CodeBadRequest, "interrupted; there is no backup")
	}
	if err != nil {
		return err
	}
	_, _ = fmt.Fprint(e.out, grouped("%s: %d records of %s, proven\n", c.Out, m.Records, m.Origin))
	if !c.WithKeys {
		_, _ = fmt.Fprintf(e.out, "The key file platform.kek is not in it. Keep a copy of it elsewhere, apart from the backups: without it nothing in them opens.\n")
	}
	return nil
}

// rotateKeyCommand lets a new key sign.
type rotateKeyCommand struct {
	operatorFlags `embed:""`
	Compromised   bool `help:"The key is in other hands: two people have to sign for the new one, and nothing that the old one signed is good any more."`
	signFlags     `embed:""`
	Statement     string `help:"With --compromised: the statement that others sign as well." type:"path"`
}

// Run rotates.
func (c *rotateKeyCommand) Run(e *env) (err error) {
	if !c.Compromised && (len(c.Key) > 0 || c.Statement != "") {
		return stead.Errorf(stead.CodeBadRequest, "--key and --statement belong to --compromised")
	}
	i, err := c.idle(e)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, i.Close()) }()
	var vkey string
	if c.Compromised {
		statement, complete, err := c.agree(e, i, c.Statement, func() ([]byte, error) { return i.DraftCompromised(e.ctx) }, func([]byte) error { return nil })
		if err != nil || !complete {
			return err
		}
		vkey, err = i.RotateCompromised(e.ctx, statement)
		if err != nil {
			return err
		}
	} else if vkey, err = i.Rotate(e.ctx); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(e.out, "The log of %s is signed with this key from here on:\n\n    %s\n\n", i.Origin, vkey)
	if c.Compromised {
		_, err = fmt.Fprintf(e.out, "Put it in the place of the key before it, wherever that is kept: nothing that one signs from now on is good. Sessions have to be started anew.\n")
		return err
	}
	_, err = fmt.Fprintf(e.out, "Add it wherever the key before it is kept.\n")
	return err
}

// password reads a line from the terminal without showing it.
func password(e *env, prompt string) (stead.Secret, error) {
	in := int(os.Stdin.Fd())
	if !term.IsTerminal(in) {
		return "", stead.Errorf(stead.CodeBadRequest, "there is no terminal to ask for the passphrase; use --passphrase-file")
	}
	_, _ = fmt.Fprint(e.errOut, prompt)
	line, err := term.ReadPassword(in)
	_, _ = fmt.Fprintln(e.errOut)
	if err != nil {
		return "", stead.Errorf(stead.CodeBadRequest, "the passphrase was not entered").Because(err)
	}
	return stead.Secret(line), nil
}

func absent(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}
