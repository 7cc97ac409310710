//go:build !windows

package browser

import "io/fs"

// systemRegistry is empty where there is none.
type systemRegistry struct{}

func (systemRegistry) Value(key, string) (string, error) { return "", fs.ErrNotExist }
func (systemRegistry) Names(key) ([]string, error)       { return nil, fs.ErrNotExist }
func (systemRegistry) Subkeys(key) ([]string, error)     { return nil, fs.ErrNotExist }
