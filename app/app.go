// Package app is the Wails shell: it opens the window, translates between the screens and internal/desktop, and
// decides nothing. Each screen has one small bound struct.
package app

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"runtime"
	"time"

	"github.com/wailsapp/wails/v2"
	"github.com/wailsapp/wails/v2/pkg/options"
	"github.com/wailsapp/wails/v2/pkg/options/assetserver"
	"github.com/wailsapp/wails/v2/pkg/options/linux"
	"github.com/wailsapp/wails/v2/pkg/options/windows"
	wruntime "github.com/wailsapp/wails/v2/pkg/runtime"

	"stead/frontend"
	"stead/internal/stead"
)

// policy is the window's Content-Security-Policy: our own files, nothing inline, nothing from anywhere else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// closeLimit bounds how long closing the window waits for the platform to hear that the session ended.
const closeLimit = 8 * time.Second

// Run opens the window and returns when it is closed, or when the process is told to end: Wails listens for that
// itself. The error says why this machine could not work, if it could not; the window has shown it too.
func Run(s Settings) error {
	if runtime.GOOS == "linux" && os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
		return stead.Errorf(stead.CodeNoWindow, "no display")
	}
	assets, err := frontend.Assets()
	if err != nil {
		return err
	}
	c := newCore(s)
	err = wails.Run(&options.App{
		Title: "Stead", Width: 1180, Height: 800, MinWidth: 820, MinHeight: 560,
		AssetServer:     &assetserver.Options{Assets: assets, Middleware: secure},
		Bind:            c.bound(),
		ErrorFormatter:  formatError,
		OnStartup:       func(ctx context.Context) { c.startup(ctx, emitter{ctx}) },
		OnShutdown:      func(context.Context) { c.shutdown() },
		Linux:           &linux.Options{ProgramName: "stead", WebviewGpuPolicy: linux.WebviewGpuPolicyNever},
		Windows:         &windows.Options{WebviewUserDataPath: s.webviewDir()},
		CSSDragProperty: "none",
		LogLevel:        4, // errors only
	})
	if err != nil {
		return stead.E(stead.CodeNoWindow, err)
	}
	return c.failure()
}

// secure adds the headers of the window's own pages.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		next.ServeHTTP(w, r)
	})
}

// emitter tells the window. The Wails runtime kills the process when it is called with another context than the one
// it gave, so it is kept here and nowhere else.
type emitter struct{ ctx context.Context }

func (e emitter) emit(name string, data any) { wruntime.EventsEmit(e.ctx, name, data) }

func (e emitter) raise() {
	wruntime.WindowUnminimise(e.ctx)
	wruntime.Show(e.ctx)
}

func (e emitter) quit() { wruntime.Quit(e.ctx) }

// formatError is how a refused call reaches the window.
func formatError(err error) any { return problem(err) }

func problem(err error) *ProblemView {
	if err == nil {
		return nil
	}
	var e *stead.Error
	if errors.As(err, &e) {
		return &ProblemView{Code: string(e.Code), Sentence: e.Sentence(), Hint: e.Code.Hint()}
	}
	slog.Error("a call of the window failed", "err", err)
	return &ProblemView{Code: string(stead.CodeInternal), Sentence: stead.CodeInternal.Sentence(), Hint: stead.CodeInternal.Hint()}
}
