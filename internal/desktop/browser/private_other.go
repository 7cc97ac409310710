//go:build !linux

package browser

import "io"

// tied is a started browser. On Windows it is in a job that ends with this process. On macOS nothing tells it that
// Stead is gone: the sweep at the next start ends it, and the platform its session long before.
type tied struct{ *process }

func startTied(plan Plan) (*tied, error) {
	p, err := start(plan)
	if err != nil {
		return nil, err
	}
	go func() { _, _ = io.Copy(io.Discard, p.stderr) }() // ends with the process; what a page says there is nobody's business
	return &tied{p}, nil
}

// ask tells the browser to end.
func (t *tied) ask() { t.terminate() }
