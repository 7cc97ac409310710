package app

import (
	"context"
	"os"
	"path/filepath"

	"stead/internal/desktop"
	"stead/internal/desktop/browser"
	"stead/internal/stead"
)

// Settings says which platform this window works with, and where its files lie.
type Settings struct {
	PlatformURL   string
	DataDir       string
	CacheDir      string
	Keyring       string
	EnrolmentCode func(ctx context.Context) (string, error) // nil: a person types it
	OpenBrowser   func(url string) error                    // nil: the agent's own browser
	Browsers      browser.Choice                            // for sessions
	NoFallback    bool                                      // see desktop.Config
	problem       error                                     // why the settings cannot be used
}

// UserSettings reads the settings file of this user (desktop.ReadSettings). What is wrong with it is shown by the window.
func UserSettings() Settings {
	file, path, problem := desktop.ReadSettings()
	if problem == nil && !stead.StaysPrivate(file.Platform) {
		problem = stead.Errorf(stead.CodeConfigInvalid, `"platform" in %s must be an https:// address`, path)
	}
	cache, err := os.UserCacheDir()
	if err != nil && problem == nil {
		problem = stead.Errorf(stead.CodeConfigInvalid, "this user has no home folder").Because(err)
	}
	return Settings{PlatformURL: file.Platform, DataDir: filepath.Dir(path), CacheDir: filepath.Join(cache, "stead"), Keyring: "stead",
		Browsers: file.Choice(), NoFallback: file.NoFallback, problem: problem}
}

func (s Settings) webviewDir() string { return filepath.Join(s.CacheDir, "webview") }
