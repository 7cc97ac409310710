//go:build !linux

package browser

import (
	"errors"
	"os"
)

// On these systems Launch refuses before it does anything, so no folder and no process ever exists.
const supported = false

var errUnsupported = errors.New("not supported on this system")

type process struct {
	pid             int
	in, out, stderr *os.File
	exited          chan struct{}
}

func start(Plan) (*process, error) { return nil, errUnsupported }

func (p *process) terminate()  {}
func (p *process) kill()       {}
func (p *process) alone() bool { return true }

func killGroup(int) error { return errUnsupported }
func killOne(int) error   { return errUnsupported }

func lockFile(*os.File) (bool, error) { return false, errUnsupported }

func identify(int) (start, exe string, ok bool) { return "", "", false }
func inGroup(int, int) bool                     { return false }
func names(int, string) bool                    { return false }
func naming(string) []int                       { return nil }
