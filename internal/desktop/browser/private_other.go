//go:build !linux

package browser

// tied is what LaunchPrivate refuses to make on these systems.
type tied struct {
	*process
	clean bool
}

func startTied(Plan) (*tied, error) { return nil, errUnsupported }

func (t *tied) ask() {}
