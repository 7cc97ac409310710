package export

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"stead/internal/stead"
)

// File writes a file that is either whole or not there, for its owner alone to read. One that is there is never
// replaced. Errors of its own: stead.CodeBadRequest when the name is taken, stead.CodeDataReadOnly when the folder cannot
// be written.
func File(path string, write func(io.Writer) error) error {
	if err := free(path); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".stead-export-*")
	if err != nil {
		return stead.Errorf(stead.CodeDataReadOnly, "%s", filepath.Dir(path)).Because(err)
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // gone once it was renamed
	if err := write(tmp); err != nil {
		return errors.Join(err, tmp.Close())
	}
	if err := errors.Join(tmp.Sync(), tmp.Close()); err != nil {
		return stead.Errorf(stead.CodeDataReadOnly, "%s", path).Because(err)
	}
	// Somebody may have taken the name meanwhile. A link would show it for certain; the media that auditors bring have none.
	if err := free(path); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return stead.Errorf(stead.CodeDataReadOnly, "%s", path).Because(err)
	}
	return nil
}

func free(path string) error {
	switch _, err := os.Lstat(path); {
	case err == nil:
		return stead.Errorf(stead.CodeBadRequest, "%s is there already, and is not replaced", path)
	case !errors.Is(err, fs.ErrNotExist):
		return stead.Errorf(stead.CodeDataReadOnly, "%s", path).Because(err)
	}
	return nil
}
