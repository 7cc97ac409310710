package desktop

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"stead/internal/stead"

	"stead/internal/desktop/browser"
)

// Settings is what this user's settings file says, <config folder>/stead/config.json.
type Settings struct {
	Platform   string   `json:"platform"`           // its address
	Browser    string   `json:"browser"`            // the only one for sessions, by its kind or path; "" for any
	Forbidden  []string `json:"forbidden_browsers"` // never used for sessions, by kind or path
	NoFallback bool     `json:"no_fallback"`        // sessions open in a controlled browser or not at all
}

// Choice is which browsers sessions may use.
func (s Settings) Choice() browser.Choice { return browser.Choice{Pin: s.Browser, Forbid: s.Forbidden} }

// ReadSettings reads the file and says where it lies. A setting that it does not know is refused: it may be a
// prohibition with a typo in it. The error is CodeConfigInvalid, around fs.ErrNotExist where there is no file.
func ReadSettings() (s Settings, file string, err error) {
	folder, err := os.UserConfigDir()
	if err != nil {
		return s, "", stead.Errorf(stead.CodeConfigInvalid, "this user has no home folder").Because(err)
	}
	file = filepath.Join(folder, "stead", "config.json")
	raw, err := os.ReadFile(file) // the user's own settings
	if errors.Is(err, fs.ErrNotExist) {
		return s, file, stead.Errorf(stead.CodeConfigInvalid, `write {"platform": "https://…"} to %s; to try Stead without a platform, start: stead demo`, file).Because(err)
	}
	if err != nil {
		return s, file, stead.Errorf(stead.CodeConfigInvalid, "%s", file).Because(err)
	}
	in := json.NewDecoder(bytes.NewReader(raw))
	in.DisallowUnknownFields()
	if err := in.Decode(&s); err != nil || in.More() {
		return Settings{}, file, stead.Errorf(stead.CodeConfigInvalid,
			`%s must hold one object with "platform" and, as you wish, "browser", "forbidden_browsers" and "no_fallback"`, file).Because(err)
	}
	return s, file, nil
}
