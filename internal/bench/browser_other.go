//go:build !linux

package main

import (
	"context"
	"fmt"
)

func startBrowser(_ context.Context, b bench) ([]row, error) {
	_, _ = fmt.Fprintln(b.progress, "browser.start is left out: it is measured on Linux only")
	return nil, nil
}

func endBrowser(_ context.Context, b bench) ([]row, error) {
	_, _ = fmt.Fprintln(b.progress, "browser.end is left out: it is measured on Linux only")
	return nil, nil
}
