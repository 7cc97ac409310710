package signin

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// errDamaged says that the file is there and holds nothing that can be opened.
var errDamaged = errors.New("sealed refresh token cannot be opened")

// maxFile is far more than any refresh token needs.
const maxFile = 64 << 10

// sealedFile keeps the refresh token. One process at a time may use it.
type sealedFile struct {
	path   string
	sealer Sealer
	aad    []byte
}

// binding is the additional data under which the token is sealed: one issuer's token is never opened for, and so never sent
// to, another.
func binding(issuer, clientID string) []byte {
	return fmt.Appendf(nil, "stead refresh token 1\x00%s\x00%s", issuer, clientID)
}

func (f sealedFile) exists() bool {
	info, err := os.Stat(f.path)
	return err == nil && info.Mode().IsRegular()
}

// load returns the token; fs.ErrNotExist when there is no file, errDamaged when it cannot be opened.
func (f sealedFile) load() (string, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	sealed, err := io.ReadAll(io.LimitReader(file, maxFile)) // what is longer does not open
	if err != nil {
		return "", err
	}
	plain, err := f.sealer.Open(sealed, f.aad)
	if err != nil || len(plain) == 0 {
		return "", errDamaged
	}
	return string(plain), nil
}

// save replaces the file. When it returns nil, the token is on disk and survives a power cut; otherwise the file is as it
// was, or already the new one.
func (f sealedFile) save(refresh string) error {
	folder := filepath.Dir(f.path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	temp := f.path + ".new"
	if err := os.Remove(temp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err // what a crash left here must not lend its rights to the new file
	}
	if err := writeSynced(temp, f.sealer.Seal([]byte(refresh), f.aad)); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	if err := os.Rename(temp, f.path); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return syncFolder(folder)
}

// replace saves the token, or removes the file when there is none to keep.
func (f sealedFile) replace(refresh string) error {
	if refresh == "" {
		return f.remove()
	}
	return f.save(refresh)
}

func writeSynced(path string, data []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Sync(), file.Close())
}

// remove deletes the file, for good once it returns nil. That there is none is no error.
func (f sealedFile) remove() error {
	err := os.Remove(f.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return syncFolder(filepath.Dir(f.path))
}

// syncFolder makes a rename or removal durable. Windows has no such call; its file system journals both.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
