package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"stead/internal/stead"

	"stead/internal/platform/roster"
	"stead/internal/platform/sqlite"
	"stead/internal/platform/store"
)

// shownProblems is how many bad rows are named; who has more of them has one mistake in all.
const shownProblems = 20

// importFlags are what both imports take. The platform must not be running on that data folder.
type importFlags struct {
	File   string `arg:"" help:"CSV (.csv, the first line names the columns) or one JSON object a line (.ndjson, .jsonl)." type:"path"`
	Config string `help:"The platform's configuration file (JSON)." required:"" type:"path"`
	Data   string `help:"Data folder; overrides the file." type:"path"`
}

type membersImportCommand struct {
	importFlags `embed:""`
}

// Run brings members into the store.
func (c *membersImportCommand) Run(e *env) error {
	return c.run(e, "members", func(ctx context.Context, s store.Store, _ serveConfig, format roster.Format, file []byte) (roster.Counts, []roster.Problem, error) {
		return roster.Members(ctx, s, format, file)
	})
}

type staffImportCommand struct {
	importFlags `embed:""`
}

// Run brings staff into the store.
func (c *staffImportCommand) Run(e *env) error {
	return c.run(e, "staff", func(ctx context.Context, s store.Store, f serveConfig, format roster.Format, file []byte) (roster.Counts, []roster.Problem, error) {
		return roster.Staff(ctx, s, f.Issuer, format, file)
	})
}

// importer applies a file that was read to an open store.
type importer func(ctx context.Context, s store.Store, f serveConfig, format roster.Format, file []byte) (roster.Counts, []roster.Problem, error)

func (c *importFlags) run(e *env, what string, apply importer) (err error) {
	f, err := readServeConfig(&serveCommand{Config: c.Config, Data: c.Data})
	if err != nil {
		return err
	}
	for _, setting := range []struct{ name, value string }{{"data", f.Data}, {"issuer", f.Issuer}} {
		if setting.value == "" {
			return stead.Errorf(stead.CodeConfigInvalid, "%s is missing", setting.name)
		}
	}
	format, ok := roster.FormatOf(c.File)
	if !ok {
		return stead.Errorf(stead.CodeBadRequest, "%s ends in none of .csv, .ndjson, .jsonl", c.File)
	}
	file, err := os.ReadFile(c.File)
	if err != nil {
		return stead.Errorf(stead.CodeBadRequest, "%s cannot be read", c.File).Because(err)
	}
	s, err := openData(e.ctx, f.Data)
	if err != nil {
		return err
	}
	defer func() {
		if closing := s.Close(); err == nil {
			err = closing
		}
	}()
	counts, bad, err := apply(e.ctx, s, f, format, file)
	if err != nil {
		tellProblems(e, c.File, bad)
		return err
	}
	_, err = fmt.Fprint(e.out, grouped("%d %s: %d new, %d changed, %d unchanged\n", counts.Total(), what, counts.New, counts.Changed, counts.Unchanged))
	return err
}

// openData opens the platform's store, in a folder that is made if it is missing: an import can come before the first start.
func openData(ctx context.Context, folder string) (store.Store, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, stead.Errorf(stead.CodeDataReadOnly, "%s", folder).Because(err)
	}
	return sqlite.Open(ctx, filepath.Join(folder, "platform.db"))
}

func tellProblems(e *env, file string, bad []roster.Problem) {
	for _, p := range bad[:min(len(bad), shownProblems)] {
		_, _ = fmt.Fprintf(e.errOut, "%s, %s\n", filepath.Base(file), p)
	}
	if more := len(bad) - shownProblems; more > 0 {
		_, _ = fmt.Fprint(e.errOut, grouped("and %d more\n", more))
	}
}

// grouped is fmt.Sprintf with thousands apart: 1,234.
func grouped(format string, args ...any) string {
	return message.NewPrinter(language.English).Sprintf(format, args...)
}
