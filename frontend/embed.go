// Package frontend holds the built window inside the program.
package frontend

import (
	"embed"
	"io/fs"

	"stead/internal/stead"
)

// The placeholder in dist keeps this line true on a fresh clone; "all:" is needed because it is a dot file.
//
//go:embed all:dist
var dist embed.FS

// Assets returns the files of the built window, index.html at the root. Without a built window (a program made by
// plain `go build` on a fresh clone) it returns a *stead.Error with CodeNoWindow that says so.
func Assets() (fs.FS, error) {
	built, err := fs.Sub(dist, "dist")
	if err != nil {
		return nil, stead.E(stead.CodeNoWindow, err)
	}
	return check(built)
}

func check(built fs.FS) (fs.FS, error) {
	if _, err := fs.Stat(built, "index.html"); err != nil {
		return nil, stead.Errorf(stead.CodeNoWindow, "the frontend is not built").Because(err)
	}
	return built, nil
}
