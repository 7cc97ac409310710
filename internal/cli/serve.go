package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"stead/internal/desktop"
	"stead/internal/stead"

	"stead/internal/platform"
	"stead/internal/platform/authority"
	"stead/internal/platform/publish"
)

// serveCommand serves the platform.
type serveCommand struct {
	Config string `help:"Configuration file (JSON)." required:"" type:"path"`
	Data   string `help:"Data folder; overrides the file." type:"path"`
	Listen string `help:"Address to listen on; overrides the file."`
}

// serveConfig is the configuration file. Unknown keys are refused: a misspelt rule must not be silently off.
type serveConfig struct {
	Listen    string `json:"listen"`
	Data      string `json:"data"`
	PublicURL string `json:"public_url"`
	TLSCert   string `json:"tls_cert"`
	TLSKey    string `json:"tls_key"`
	Issuer    string `json:"issuer"`
	ClientID  string `json:"client_id"`
	Audience  string `json:"audience"`
	Retention int    `json:"retention_days"` // how long texts are kept; 0 for ever
	App       struct {
		ID         string `json:"id"`
		SecretFile string `json:"secret_file"`
		Audience   string `json:"audience"`
		StartURL   string `json:"start_url"`
		CookieName string `json:"cookie_name"`

		// Where a session's browser stays: the app's own origins (that of start_url when there are none), what else its
		// windows may show, and what frames in its pages may.
		Origins   []string `json:"origins"`
		SignIn    []string `json:"sign_in"`
		Payment   []string `json:"payment"`
		Embedded  []string `json:"embedded"`
		Downloads string   `json:"downloads"` // "deny" or "session": into the session's folder, which is wiped
	} `json:"app"`
	Fallback     bool     `json:"browser_fallback"` // sessions may open where no browser can be controlled
	RecoveryKeys []string `json:"recovery_keys"`    // of people, two at least, as stead platform recovery-key prints them
	Copies       []struct {
		Folder string `json:"folder"`
		URL    string `json:"url"`
		Read   string `json:"read"`
	} `json:"copies"`
	Witness struct {
		URL string `json:"url"`
		Key string `json:"key"`
	} `json:"witness"`
}

// Run serves until it is told to stop. The first run prints the code for the first superadmin.
func (c *serveCommand) Run(e *env) error {
	f, err := readServeConfig(c)
	if err != nil {
		return err
	}
	secret, err := readSecret(f.App.SecretFile)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(e.errOut, nil))
	slog.SetDefault(log)
	p, err := platform.Open(e.ctx, platform.Config{DataDir: f.Data, PublicURL: f.PublicURL, Issuer: f.Issuer, ClientID: f.ClientID, Audience: f.Audience,
		ViewFirst: true, Fallback: f.Fallback, Retention: f.Retention, Version: desktop.Version, Log: log, RecoveryKeys: f.RecoveryKeys, Copies: f.copies(), Witness: publish.Witness(f.Witness),
		App: platform.App{ID: f.App.ID, Secret: secret, Audience: f.App.Audience, StartURL: f.App.StartURL, CookieName: f.App.CookieName, Fence: f.fence()}})
	if err != nil {
		return err
	}
	err = serve(e, f, p)
	return errors.Join(err, p.Close())
}

func (f serveConfig) fence() authority.Fence {
	return authority.Fence{Origins: f.App.Origins, OtherPages: append(f.App.SignIn[:len(f.App.SignIn):len(f.App.SignIn)], f.App.Payment...),
		OtherFrames: f.App.Embedded, Downloads: f.App.Downloads == downloadsSession}
}

// downloadsSession is the one setting of app.downloads beside "deny".
const downloadsSession = "session"

func (f serveConfig) copies() (out []platform.Copy) {
	for _, c := range f.Copies {
		out = append(out, platform.Copy(c))
	}
	return out
}

// minSecret is how long a secret must be at least: 16 random bytes in hex.
const minSecret = 32

func readSecret(file string) (string, error) {
	if file == "" {
		return "", stead.Errorf(stead.CodeConfigInvalid, "app.secret_file is missing")
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return "", stead.Errorf(stead.CodeConfigInvalid, "app.secret_file %s: %s", file, reason(err)).Because(err)
	}
	secret := strings.TrimSpace(string(raw))
	if len(secret) < minSecret {
		return "", stead.Errorf(stead.CodeConfigInvalid, "app.secret_file %s: the secret is shorter than %d characters; make one with: openssl rand -hex 32", file, minSecret)
	}
	return secret, nil
}

// reason says in plain words why a file cannot be read.
func reason(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "there is no such file"
	case errors.Is(err, fs.ErrPermission):
		return "it may not be read by this user"
	}
	return "it cannot be read"
}

func readServeConfig(c *serveCommand) (serveConfig, error) {
	var f serveConfig
	raw, err := os.ReadFile(c.Config)
	if err != nil {
		return f, stead.Errorf(stead.CodeConfigInvalid, "%s: %s", c.Config, reason(err)).Because(err)
	}
	if err := decodeConfig(c.Config, raw, &f); err != nil {
		return f, err
	}
	if c.Data != "" {
		f.Data = c.Data
	}
	if c.Listen != "" {
		f.Listen = c.Listen
	}
	if d := f.App.Downloads; d != "" && d != "deny" && d != downloadsSession {
		return f, stead.Errorf(stead.CodeConfigInvalid, "app.downloads must be deny or %s", downloadsSession)
	}
	host, _, err := net.SplitHostPort(f.Listen)
	if err != nil {
		return f, stead.Errorf(stead.CodeConfigInvalid, "listen %q is not host:port", f.Listen)
	}
	if ip := net.ParseIP(host); f.TLSCert == "" && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return f, stead.Errorf(stead.CodeConfigInvalid, "listen %q leaves this machine: set tls_cert and tls_key, or listen on loopback behind a proxy", f.Listen)
	}
	return f, nil
}

func line(raw []byte, offset int64) int {
	return 1 + bytes.Count(raw[:min(int(offset), len(raw))], []byte("\n"))
}

// reachLimit is how long the start waits for the identity provider's first answer.
const reachLimit = 3 * time.Second

// meetProvider refuses to serve with a provider that must not be trusted, and says so when none answers yet.
func meetProvider(e *env, f serveConfig, p *platform.Platform) error {
	ctx, cancel := context.WithTimeout(e.ctx, reachLimit)
	defer cancel()
	err := p.Reach(ctx)
	if stead.CodeOf(err) == stead.CodeConfigInvalid {
		return err
	}
	if err != nil {
		_, _ = fmt.Fprintf(e.errOut, "stead: nobody can sign in yet: the identity provider %s does not answer as one. It is asked again at each sign-in.\n", f.Issuer)
	}
	return nil
}

func serve(e *env, f serveConfig, p *platform.Platform) error {
	if err := meetProvider(e, f, p); err != nil {
		return err
	}
	l, err := net.Listen("tcp", f.Listen)
	if err != nil {
		return stead.Errorf(stead.CodePortTaken, "%s", f.Listen).Because(err)
	}
	code, err := p.Office.SetupCode(e.ctx)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	_, _ = fmt.Fprintf(e.out, "Serving %s on %s\n", f.PublicURL, l.Addr())
	if code != "" {
		_, _ = fmt.Fprintf(e.out, "There is no staff yet. Sign in with Stead and enter this single-use code to become the first superadmin:\n\n    %s\n\n", code)
	}
	s := &http.Server{Handler: p.Handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute}
	stop := context.AfterFunc(e.ctx, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(e.ctx), 10*time.Second)
		defer cancel()
		_ = s.Shutdown(ctx)
	})
	defer stop()
	if f.TLSCert != "" {
		err = s.ServeTLS(l, f.TLSCert, f.TLSKey)
	} else {
		err = s.Serve(l)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
