package cli

import (
	"errors"
	"fmt"
	"path/filepath"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform"
)

// restoredCommand declares that a backup was put back.
type restoredCommand struct {
	operatorFlags `embed:""`
	Lost          int64  `help:"Records the log had before, as far as anybody knows: the size of the newest checkpoint that somebody outside holds." default:"-1"`
	Checkpoint    string `help:"That checkpoint, instead of --lost." type:"path" placeholder:"FILE"`
	Why           string `help:"What happened, in one line that everybody may read."`
	Anyway        bool   `help:"Declare it although the configured copies of checkpoints prove another size."`
	signFlags     `embed:""`
	Statement     string `help:"The statement: made here when it is not there and one signature is missing, completed when it is." type:"path" placeholder:"FILE"`
}

// Run declares.
func (c *restoredCommand) Run(e *env) (err error) {
	if c.Statement != "" && !absent(c.Statement) && (c.Why != "" || c.Lost >= 0 || c.Checkpoint != "") {
		return stead.Errorf(stead.CodeBadRequest, "%s is there and says already what happened: leave out --why, --lost and --checkpoint", c.Statement)
	}
	f, err := c.read()
	if err != nil {
		return err
	}
	i, err := c.idle(e)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, i.Close()) }()
	statement, complete, err := c.agree(e, i, c.Statement, func() ([]byte, error) { return c.draft(e, i, f) },
		func(statement []byte) error {
			if err := i.FitsRestored(e.ctx, statement); err != nil {
				return err
			}
			return showRestored(e, statement)
		})
	if err != nil || !complete {
		return err
	}
	r, err := i.DeclareRestored(e.ctx, statement)
	if err != nil {
		return err
	}
	lost := grouped("%d to %d are lost", r.Kept.Size, r.Lost-1)
	if r.Lost == r.Kept.Size {
		lost = "none that is known of is lost"
	}
	_, err = fmt.Fprintf(e.out, "%s: declared. %s records were kept; of the positions in the log, %s. The platform can serve again.\n", r.Origin, grouped("%d", r.Kept.Size), lost)
	return err
}

func (c *restoredCommand) draft(e *env, i *platform.Idle, f serveConfig) ([]byte, error) {
	lost := c.Lost
	switch {
	case c.Why == "":
		return nil, stead.Errorf(stead.CodeBadRequest, "--why is missing")
	case (c.Checkpoint == "") == (c.Lost < 0):
		return nil, stead.Errorf(stead.CodeBadRequest, "either --lost or --checkpoint says how far the log had come")
	case c.Checkpoint != "":
		text, err := readSmall(c.Checkpoint)
		if err != nil {
			return nil, err
		}
		held, err := i.CheckpointOf(e.ctx, text)
		if err != nil {
			return nil, err
		}
		lost = held.Size
	}
	if err := c.compare(e, i, f, lost); err != nil {
		return nil, err
	}
	statement, err := i.DraftRestored(e.ctx, lost, c.Why)
	if err != nil {
		return nil, err
	}
	return statement, showRestored(e, statement)
}

// showRestored says what is going to be declared, before anybody gives a passphrase for it.
func showRestored(e *env, statement []byte) error {
	_, r, err := audit.ReadStatement(statement)
	if err != nil || r == nil { // it was drafted or looked at before
		return stead.Errorf(stead.CodeStatementInvalid, "it does not declare a restore").Because(err)
	}
	gone := "none that is known of"
	if n := r.Lost - r.Kept.Size; n > 0 {
		gone = grouped("%s, the positions %d to %d", many(n, "record"), r.Kept.Size, r.Lost-1)
	}
	_, err = fmt.Fprintf(e.out, "This is going to be declared of the log of %s:\n    kept:   %s, root %x\n    lost:   %s\n    reason: %s\n",
		r.Origin, many(r.Kept.Size, "record"), r.Kept.Root, gone, r.Why)
	return err
}

// compare holds the size to what the configured folders prove. A copy that nobody can read proves nothing and is told.
func (c *restoredCommand) compare(e *env, i *platform.Idle, f serveConfig, lost int64) error {
	proven, where := int64(-1), ""
	for _, place := range f.Copies {
		if place.Folder == "" {
			continue
		}
		file := filepath.Join(place.Folder, "checkpoint")
		text, err := readSmall(file)
		var held audit.Checkpoint
		if err == nil {
			held, err = i.CheckpointOf(e.ctx, text)
		}
		if err != nil {
			_, _ = fmt.Fprintf(e.errOut, "stead: %s was not looked at: it is not there, or no key of this log signed it\n", file)
		} else if held.Size > proven {
			proven, where = held.Size, file
		}
	}
	switch {
	case proven < 0 || c.Anyway || lost == proven:
		return nil
	case lost < proven:
		return stead.Errorf(stead.CodeBadRequest, "%s", grouped("the log had %d records at least, as %s proves, and not %d: devices that saw more would not believe it; use --checkpoint with that file, or --anyway", proven, where, lost))
	case c.Checkpoint != "": // it is proof as well
		return nil
	}
	return stead.Errorf(stead.CodeBadRequest, "%s", grouped("the largest copy, %s, proves %d records, and nothing %d: it would excuse a log that was longer; use --checkpoint with the file that proves it, or --anyway", where, proven, lost))
}
