package app

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

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
	problem       error                                     // why the settings cannot be used
}

// UserSettings reads the settings file of this user, <config folder>/stead/config.json: {"platform": "https://…"}.
// What is wrong with it is shown by the window.
func UserSettings() Settings {
	config, err1 := os.UserConfigDir()
	cache, err2 := os.UserCacheDir()
	if err := errors.Join(err1, err2); err != nil {
		return Settings{problem: stead.Errorf(stead.CodeConfigInvalid, "this user has no home folder").Because(err)}
	}
	s := Settings{DataDir: filepath.Join(config, "stead"), CacheDir: filepath.Join(cache, "stead"), Keyring: "stead"}
	file := filepath.Join(s.DataDir, "config.json")
	var content struct {
		Platform string `json:"platform"`
	}
	raw, err := os.ReadFile(file) // the user's own settings
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.problem = stead.Errorf(stead.CodeConfigInvalid, `write {"platform": "https://…"} to %s; to try Stead without a platform, start: stead demo`, file)
	case err != nil:
		s.problem = stead.Errorf(stead.CodeConfigInvalid, "%s", file).Because(err)
	case json.Unmarshal(raw, &content) != nil || !stead.StaysPrivate(content.Platform):
		s.problem = stead.Errorf(stead.CodeConfigInvalid, `%s must hold {"platform": "https://…"}`, file)
	}
	s.PlatformURL = content.Platform
	return s
}

func (s Settings) webviewDir() string { return filepath.Join(s.CacheDir, "webview") }
