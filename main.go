// Stead lets a support agent see a platform exactly as one member sees it, for at most twenty minutes, in a browser
// that cannot mix with the agent's own, and leaves behind a proof of what happened.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"stead/app"
	"stead/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx))
}

// run opens the window when there are no arguments, and hands everything else to the command line.
func run(ctx context.Context) int {
	if len(os.Args) > 1 {
		return cli.Run(ctx, os.Args[1:], os.Stdout, os.Stderr, window)
	}
	return cli.Report(os.Stderr, app.Run(app.UserSettings()))
}

// window opens the window on the demo's embedded platform.
func window(_ context.Context, d cli.Desk) error {
	return app.Run(app.Settings{PlatformURL: d.PlatformURL, DataDir: d.DataDir, CacheDir: d.CacheDir, Keyring: d.Keyring, EnrolmentCode: d.EnrolmentCode})
}
