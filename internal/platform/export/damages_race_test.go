//go:build race

package export_test

// damages is how many random damages are tried: under the race detector each takes ten times as long.
const damages = 60
