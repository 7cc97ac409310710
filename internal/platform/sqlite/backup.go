package sqlite

import (
	"errors"
	"fmt"
	"os"

	driver "modernc.org/sqlite"
)

// copyPages is how many pages are copied between two looks at whether it is still wanted: 4 MiB.
const copyPages = 1024

// CopyTo copies the whole database into a file that must not exist, by SQLite's online backup: the state that this
// evidence shows, whatever is written meanwhile. progress, which may be nil, is told how many pages of how many are
// copied. The file is flushed when it returns nil; after an error something may be left of it.
func (e *Evidence) CopyTo(path string, progress func(done, all int)) error {
	return e.c.Raw(func(raw any) (err error) {
		source, ok := raw.(interface {
			NewBackup(to string) (*driver.Backup, error)
		})
		if !ok {
			return fmt.Errorf("sqlite: %T cannot copy", raw)
		}
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) // SQLite would let others read it
		if err == nil {
			err = f.Close()
		}
		if err != nil {
			return fmt.Errorf("sqlite: copy: %w", err)
		}
		// The read transaction is open, so that no writer makes the copy begin anew.
		b, err := source.NewBackup(dsn(path, "synchronous(FULL)", "fullfsync(1)"))
		if err != nil {
			return fmt.Errorf("sqlite: copy to %s: %w", path, err)
		}
		defer func() { err = errors.Join(err, b.Finish()) }()
		for more := true; more; {
			if err := e.ctx.Err(); err != nil {
				return err
			}
			if more, err = b.Step(copyPages); err != nil {
				return fmt.Errorf("sqlite: copy to %s: %w", path, err)
			}
			if progress != nil {
				progress(b.PageCount()-b.Remaining(), b.PageCount())
			}
		}
		return nil
	})
}
