//go:build !race

package export_test

// damages is how many random damages are tried.
const damages = 500
