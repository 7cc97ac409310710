package session

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
)

// WriteDurably replaces the file, readable by this user alone. Once it returns nil, the new content survives a power
// cut; whatever goes wrong, the file holds either all of the old content or all of the new.
func WriteDurably(path string, data []byte) error {
	folder := filepath.Dir(path)
	next, err := os.CreateTemp(folder, "."+filepath.Base(path)+"-*") // 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(next.Name()) }()
	_, err = next.Write(data)
	if err := errors.Join(err, next.Sync(), next.Close()); err != nil {
		return err
	}
	if err := os.Rename(next.Name(), path); err != nil {
		return err
	}
	if runtime.GOOS == "windows" {
		return nil // it has no such call; its file system journals names by itself
	}
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
