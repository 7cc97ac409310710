// Package desktop puts the desktop's parts together for one platform and one data folder: sign-in, the device's key,
// the outbox, the browser root and the session control. The window and the command line both stand on it.
package desktop

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/gofrs/flock"

	"stead/internal/api"
	"stead/internal/stead"

	"stead/internal/desktop/browser"
	"stead/internal/desktop/client"
	"stead/internal/desktop/logoff"
	"stead/internal/desktop/session"
	"stead/internal/desktop/signin"
	"stead/internal/desktop/vault"
)

// Config says where this desktop belongs.
type Config struct {
	PlatformURL string
	DataDir     string // device id, sealed refresh token, outbox, journal
	CacheDir    string // folders of session browsers; wiped
	Keyring     string // name under which the keys are kept in the OS keyring
	DeviceName  string
	// EnrolmentCode returns a code that was handed over by other means than typing (the demo); nil for none.
	EnrolmentCode func(ctx context.Context) (string, error)
	OpenBrowser   func(url string) error // for the sign-in; nil for the agent's own browser
	HTTP          *http.Client           // nil for one with sane limits
	Log           *slog.Logger
	Browsers      browser.Choice         // which ones sessions may use; any for the zero value
	NoFallback    bool                   // sessions open in a controlled browser or not at all, whatever the platform allows
	OnLive        func(session.State)    // see session.Config.OnChange; may be nil
	OnBrowser     func(*browser.Browser) // told of each browser that a session launched; may be nil
	OnHangUp      func()                 // told, once the session has ended, that SIGHUP wants the process to end; must not wait for Close; may be nil
}

// Stage is how far this desktop is from work.
type Stage string

const (
	StageUnreachable Stage = "unreachable"
	StageSignedOut   Stage = "signed_out"
	StageSetup       Stage = "setup" // the first superadmin is still missing
	StageEnrol       Stage = "enrol" // this device needs a code
	StageReady       Stage = "ready"
)

// Desk is an open desktop. It is safe for concurrent use.
type Desk struct {
	Client *client.Client

	cfg    Config
	lock   *flock.Flock
	vault  *vault.Vault
	signer *vault.Signer
	root   *browser.Root
	signed atomic.Pointer[signin.SignIn] // nil until the platform named its identity provider
	tenure tenure

	system    *logoff.Watch
	left      atomic.Int64 // when the agent began to log off, by this machine's clock
	attending sync.WaitGroup

	life      context.Context // ends when Close begins
	end       context.CancelFunc
	beginning sync.Mutex // one begin, enrolment, sign-out or close at a time; may be held for long, so no token needs it

	mu      sync.Mutex // never held while the platform is asked
	work    *work      // nil until the stage is ready
	version api.Version
}

// Open takes the data folder (made if missing, 0700; one process at a time) and the keys.
//
// Errors: CodeDataReadOnly, CodeAlreadyRunning, CodeKeyringMissing, CodeKeyringSilent.
func Open(ctx context.Context, cfg Config) (*Desk, error) {
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return nil, stead.Errorf(stead.CodeDataReadOnly, "%s", cfg.DataDir).Because(err)
	}
	if cfg.HTTP == nil {
		cfg.HTTP = client.NewHTTP()
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	d := &Desk{cfg: cfg, lock: flock.New(filepath.Join(cfg.DataDir, "lock"), flock.SetPermissions(0o600))}
	switch held, err := d.lock.TryLock(); {
	case err != nil:
		return nil, stead.Errorf(stead.CodeDataReadOnly, "%s", cfg.DataDir).Because(err)
	case !held:
		return nil, stead.Errorf(stead.CodeAlreadyRunning, "%s", cfg.DataDir)
	}
	d.life, d.end = context.WithCancel(context.Background())
	if err := d.open(ctx); err != nil {
		d.end()
		return nil, errors.Join(err, d.lock.Close())
	}
	d.system = logoff.Start()
	d.attending.Go(d.attend)
	return d, nil
}

func (d *Desk) open(ctx context.Context) (err error) {
	if d.vault, err = vault.Open(ctx, d.cfg.Keyring); err != nil {
		return err
	}
	if d.signer, err = d.vault.DeviceSigner(ctx); err != nil {
		return err
	}
	if d.root, err = browser.OpenRoot(filepath.Join(d.cfg.CacheDir, "sessions")); err != nil {
		return err
	}
	d.root.Choice = d.cfg.Browsers
	d.Client, err = client.New(d.cfg.PlatformURL, tokens{d}, d.cfg.HTTP)
	return err
}

// Connect goes as far towards ready as it can without a person, and says where it stopped. The error explains a
// stage that is not simply the next thing to do. When another person works here than before, the work of the one
// before ends first.
func (d *Desk) Connect(ctx context.Context) (Stage, *api.Me, error) {
	for {
		stage, me, err := d.connect(ctx)
		if !errors.Is(err, errOvertaken) { // somebody signed in or out meanwhile
			return stage, me, err
		}
	}
}

func (d *Desk) connect(ctx context.Context) (Stage, *api.Me, error) {
	if err := d.meet(ctx); err != nil {
		return StageUnreachable, nil, err
	}
	if !d.signed.Load().SignedIn() {
		return StageSignedOut, nil, nil
	}
	turn := d.tenure.now()
	me, err := d.Client.Me(ctx)
	switch code := stead.CodeOf(err); {
	case code == stead.CodeSignInRequired:
		return StageSignedOut, nil, err
	case code == stead.CodeUnreachable:
		return StageUnreachable, nil, err
	case code == stead.CodeNotStaff && d.platform().SetupOpen:
		return StageSetup, nil, nil
	case err != nil:
		return StageSignedOut, nil, err
	}
	return d.settle(ctx, turn, me)
}

// platform is what the platform said of itself last.
func (d *Desk) platform() api.Version {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.version
}

// meet asks the platform what it is, and prepares the sign-in at the provider it names.
func (d *Desk) meet(ctx context.Context) error {
	v, err := d.Client.Version(ctx)
	if err != nil {
		return err
	}
	if v.API != "v1" {
		return stead.Errorf(stead.CodeVersion, "%s", v.API)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.version = v
	if d.signed.Load() != nil {
		return nil
	}
	sealer, err := d.vault.Sealer(ctx, "refresh-token")
	if err != nil {
		return err
	}
	d.signed.Store(signin.Open(signin.Config{Issuer: v.Issuer, ClientID: v.ClientID, File: filepath.Join(d.cfg.DataDir, "signin"),
		Sealer: sealer, OpenBrowser: d.cfg.OpenBrowser, HTTP: d.cfg.HTTP}))
	return nil
}
