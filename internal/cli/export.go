package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"stead/internal/audit"
	"stead/internal/desktop"
	"stead/internal/stead"

	"stead/internal/platform/export"
	"stead/internal/platform/keys"
	"stead/internal/platform/sqlite"
)

// exportCommand writes what the platform recorded into a file, also while the platform runs.
type exportCommand struct {
	Format string `help:"bundle: for an auditor, with everything needed to check it. ndjson: one line a record, for other programs." enum:"bundle,ndjson" required:""`
	Out    string `help:"The file to write; one that is there is not replaced." placeholder:"FILE" required:"" type:"path"`
	Ledger string `help:"Data folder of the platform, or its platform.db." placeholder:"DIR|FILE" type:"path" xor:"data" required:""`
	Config string `help:"The platform's configuration file (JSON), which names its data folder." placeholder:"FILE" type:"path" xor:"data" required:""`
	Since  string `help:"Withhold texts of older records, and leave those out of ndjson. A day (2026-11-22) or a time (2026-11-22T08:00:00Z)." placeholder:"T"`
	Redact bool   `help:"Withhold all texts, and who is who among the staff; how many they were is told."`
}

// keyFile is what opens the texts, beside platform.db.
const keyFile = "platform.kek"

// Run exports. A bundle is verified before it is called done; one that does not verify stays there as evidence, and the
// command fails with CodeLedgerBroken.
func (c *exportCommand) Run(e *env) error {
	data := c.Ledger
	if c.Config != "" {
		f, err := readServeConfig(&serveCommand{Config: c.Config})
		if err != nil {
			return err
		}
		data = f.Data
	}
	path, err := ledgerFile(data)
	if err != nil {
		return err
	}
	o := export.Options{Redact: c.Redact, Tool: "stead " + desktop.Version}
	if o.Since, err = parseSince(c.Since); err != nil {
		return err
	}
	if !c.Redact {
		if o.Texts, err = keys.OpenTexts(filepath.Join(filepath.Dir(path), keyFile)); err != nil {
			return err
		}
	}
	var done func()
	o.Progress, done = progressOn(e.errOut, false)
	said, err := c.write(e.ctx, path, o)
	if err == nil && c.Format == "bundle" {
		err = c.prove(e.ctx, o.Progress)
	}
	done()
	switch {
	case err != nil && e.ctx.Err() != nil: // not passed on as it is: elsewhere to be told to stop is no failure
		return stead.Errorf(stead.CodeLedgerUnusable, "interrupted before the end")
	case err != nil:
		return err
	}
	_, err = fmt.Fprintf(e.out, "%s: %s\n", c.Out, said)
	return err
}

func parseSince(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, form := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(form, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, stead.Errorf(stead.CodeBadRequest, "--since %q is neither a day like 2026-11-22 nor a time like 2026-11-22T08:00:00Z", s)
}

func (c *exportCommand) write(ctx context.Context, path string, o export.Options) (said string, err error) {
	source, err := sqlite.OpenEvidence(ctx, path)
	if err != nil {
		return "", err
	}
	defer func() { _ = source.Close() }() // nothing was written
	err = export.File(c.Out, func(w io.Writer) error {
		if c.Format == "ndjson" {
			n, err := export.Lines(ctx, w, source, o)
			said = fmt.Sprintf("%d records", n)
			return err
		}
		m, err := export.Bundle(ctx, w, source, o)
		withheld := m.Texts.Redacted + m.Texts.Since
		said = fmt.Sprintf("%d records, %d pending; %d texts, %d withheld, %d erased, %d never there", m.Size, m.Pending, m.Texts.Opened, withheld, m.Texts.Erased, m.Texts.Absent)
		return err
	})
	var coded *stead.Error
	var broken *audit.LedgerBroken
	switch {
	case errors.Is(err, sqlite.ErrDamaged), errors.As(err, &broken):
		err = stead.Errorf(stead.CodeLedgerBroken, "%v", err).Because(err)
	case err != nil && !errors.As(err, &coded):
		err = stead.Errorf(stead.CodeLedgerUnusable, "%s: %v", path, err).Because(err)
	}
	return said, err
}

// prove verifies the bundle that was written.
func (c *exportCommand) prove(ctx context.Context, progress func(int64)) error {
	verify := verifyCommand{Bundle: c.Out}
	_, err := verify.verify(ctx, progress)
	var broken *audit.LedgerBroken
	if errors.As(err, &broken) {
		return stead.Errorf(stead.CodeLedgerBroken, "%s was written and shows it: %s", c.Out, broken.Error()).Because(broken)
	}
	return err
}
