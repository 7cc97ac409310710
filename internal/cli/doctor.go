package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"stead/internal/desktop"
	"stead/internal/desktop/browser"
	"stead/internal/stead"
)

// doctorCommand asks each part of Stead what it sees on this machine. The parts supply the checks; this prints them.
type doctorCommand struct {
	JSON       bool   `help:"As JSON." name:"json"`
	TryBrowser bool   `help:"Start each usable browser without a session, prove that it obeys, end it and wipe it." name:"try-browser"`
	Browser    string `help:"With --try-browser: only this one, by its kind or path." placeholder:"NAME"`
	Cache      string `help:"Folder in which browsers are tried; that of sessions where it is left out." type:"path"`
}

// diagnosis is what --json prints.
type diagnosis struct {
	OK       bool                `json:"ok"` // no check failed
	Browsers []browser.Installed `json:"browsers"`
	Checks   []stead.Check       `json:"checks"`
}

// errUnwell ends a doctor whose findings were printed already.
var errUnwell = errors.New("something on this machine keeps Stead from working; see above")

// Validate finds what the command line itself has wrong.
func (c *doctorCommand) Validate() error {
	if c.Browser != "" && !c.TryBrowser {
		return errors.New("--browser goes with --try-browser")
	}
	return nil
}

// Run prints all that was seen. The exit code is 1 if a check failed, else 0.
func (c *doctorCommand) Run(e *env) error {
	var d diagnosis
	for _, examine := range []func(context.Context, *env, *diagnosis) error{c.browsers} {
		if err := examine(e.ctx, e, &d); err != nil {
			return err
		}
	}
	d.OK = true
	for _, check := range d.Checks {
		d.OK = d.OK && check.State != stead.CheckFailed
	}
	var err error
	if c.JSON {
		out := json.NewEncoder(e.out)
		out.SetEscapeHTML(false) // a person may read it
		err = out.Encode(d)
	} else {
		err = d.write(e.out)
	}
	if err == nil && !d.OK {
		err = errUnwell
	}
	return err
}

func (c *doctorCommand) browsers(ctx context.Context, e *env, d *diagnosis) error {
	settings, _, err := desktop.ReadSettings()
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // without a file every browser may be used
		return err
	}
	found, checks := browser.Examine(ctx, settings.Choice())
	d.Browsers, d.Checks = append([]browser.Installed{}, found...), append(d.Checks, checks...)
	if !c.TryBrowser {
		return nil
	}
	if c.Cache == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return stead.Errorf(stead.CodeConfigInvalid, "this user has no home folder; use --cache").Because(err)
		}
		c.Cache = filepath.Join(base, "stead")
	}
	root, err := browser.OpenRoot(filepath.Join(c.Cache, "sessions"))
	if err != nil {
		return err
	}
	tried := 0
	for _, b := range found {
		if !b.Usable() || c.Browser != "" && !b.Named(c.Browser) {
			continue
		}
		tried++
		d.Checks = append(d.Checks, root.Try(ctx, b, func(step string) { fmt.Fprintf(e.errOut, "  %s …\n", step) }))
	}
	if tried == 0 && c.Browser != "" {
		return stead.Errorf(stead.CodeConfigInvalid, "--browser %s: no usable browser has this kind or path", c.Browser)
	}
	return nil
}

func (d diagnosis) write(out io.Writer) error {
	var b strings.Builder
	if len(d.Browsers) > 0 {
		b.WriteString("Browsers, the one to use first:\n")
	}
	for i, f := range d.Browsers {
		fmt.Fprintf(&b, "%3d. %s %s  %s\n", i+1, f.Kind, cmp.Or(f.Version, "(unknown version)"), f.Path)
		fmt.Fprintf(&b, "     %s\n", f.Rank)
		if f.Why != "" {
			fmt.Fprintf(&b, "     not used: %s\n", f.Why)
		}
		for _, p := range f.Policies {
			fmt.Fprintf(&b, "     policy (%s, effect: %s): %s\n", p.Level, p.Effect, strings.TrimPrefix(p.Name+"="+p.Value+" in "+p.Source, "= in "))
		}
	}
	b.WriteString("Checks:\n")
	for _, c := range d.Checks {
		fmt.Fprintf(&b, "  %-8s %s: %s\n", c.State, c.Name, c.What)
		if c.State != stead.CheckOK {
			fmt.Fprintf(&b, "           why it matters: %s\n", c.Why)
		}
		if c.Do != "" {
			fmt.Fprintf(&b, "           what to do: %s\n", c.Do)
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}
