// Package desktop puts the desktop's parts together for one platform and one data folder: sign-in, the device's key,
// the outbox, the browser root and the session control. The window and the command line both stand on it.
package desktop

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/gofrs/flock"

	"stead/internal/api"
	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/desktop/browser"
	"stead/internal/desktop/client"
	"stead/internal/desktop/outbox"
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
	OnLive        func(session.State)    // see session.Config.OnChange; may be nil
	OnBrowser     func(*browser.Browser) // told of each browser that a session launched; may be nil
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

	beginning sync.Mutex // one begin at a time

	mu      sync.Mutex
	work    *work // nil until the stage is ready
	version api.Version
}

// work is what exists only while somebody is signed in on an enrolled device.
type work struct {
	me      api.Me
	outbox  *outbox.Outbox
	session *session.Control
	stop    context.CancelFunc
	wg      sync.WaitGroup
}

// device is the file that says as what this installation is enrolled.
type device struct {
	ID       stead.DeviceID `json:"device_id"`
	Instance string         `json:"platform_instance"`
}

// Open takes the data folder (made if missing, 0700; one process at a time) and the keys.
//
// Errors: CodeDataReadOnly, CodeAlreadyRunning, CodeKeyringMissing, CodeKeyringSilent.
func Open(ctx context.Context, cfg Config) (*Desk, error) {
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return nil, stead.Errorf(stead.CodeDataReadOnly, "%s", cfg.DataDir).Because(err)
	}
	d := &Desk{cfg: cfg, lock: flock.New(filepath.Join(cfg.DataDir, "lock"), flock.SetPermissions(0o600))}
	switch held, err := d.lock.TryLock(); {
	case err != nil:
		return nil, stead.Errorf(stead.CodeDataReadOnly, "%s", cfg.DataDir).Because(err)
	case !held:
		return nil, stead.Errorf(stead.CodeAlreadyRunning, "%s", cfg.DataDir)
	}
	if err := d.open(ctx); err != nil {
		return nil, errors.Join(err, d.lock.Close())
	}
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
	d.Client, err = client.New(d.cfg.PlatformURL, tokens{d}, d.cfg.HTTP)
	return err
}

// tokens hands out the access token of whoever is signed in at the moment of each request.
type tokens struct{ d *Desk }

func (t tokens) Token(ctx context.Context) (string, error) {
	if s := t.d.signed.Load(); s != nil {
		return s.Token(ctx)
	}
	return "", stead.E(stead.CodeSignInRequired, nil)
}

// Connect goes as far towards ready as it can without a person, and says where it stopped. The error explains a
// stage that is not simply the next thing to do.
func (d *Desk) Connect(ctx context.Context) (Stage, *api.Me, error) {
	if err := d.meet(ctx); err != nil {
		return StageUnreachable, nil, err
	}
	if !d.signed.Load().SignedIn() {
		return StageSignedOut, nil, nil
	}
	me, err := d.Client.Me(ctx)
	switch code := stead.CodeOf(err); {
	case code == stead.CodeSignInRequired:
		return StageSignedOut, nil, err
	case code == stead.CodeUnreachable:
		return StageUnreachable, nil, err
	case code == stead.CodeNotStaff && d.version.SetupOpen:
		return StageSetup, nil, nil
	case err != nil:
		return StageSignedOut, nil, err
	}
	id, err := d.enrolled(ctx)
	if err != nil || id == "" {
		return StageEnrol, &me, err
	}
	return d.begin(ctx, me, id)
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

// enrolled is the device's id at this platform, "" when a code is needed.
func (d *Desk) enrolled(ctx context.Context) (stead.DeviceID, error) {
	var dev device
	raw, err := os.ReadFile(d.deviceFile())
	if err == nil {
		err = json.Unmarshal(raw, &dev)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", stead.Errorf(stead.CodeOutboxDamaged, "device.json").Because(err)
	}
	if err == nil && dev.Instance == d.version.Instance {
		return dev.ID, nil
	}
	if d.cfg.EnrolmentCode == nil {
		return "", nil
	}
	code, err := d.cfg.EnrolmentCode(ctx)
	if err != nil {
		return "", err
	}
	return d.enrol(ctx, code)
}

func (d *Desk) deviceFile() string { return filepath.Join(d.cfg.DataDir, "device.json") }

// Enrol enrols this device with a code and goes on as Connect does.
func (d *Desk) Enrol(ctx context.Context, code string) (Stage, *api.Me, error) {
	if _, err := d.enrol(ctx, code); err != nil {
		return StageEnrol, nil, err
	}
	return d.Connect(ctx)
}

func (d *Desk) enrol(ctx context.Context, code string) (stead.DeviceID, error) {
	public := publicKey(d.signer)
	claim := audit.EnrolClaim{Code: audit.Secret(code), PublicKey: public, Name: d.cfg.DeviceName}
	signature, err := claim.Sign(d.signer)
	if err != nil {
		return "", err
	}
	id, err := d.Client.Enrol(ctx, api.EnrolRequest{Code: code, Name: d.cfg.DeviceName, PublicKey: public, Signature: signature})
	if err != nil {
		return "", err
	}
	raw, err := json.Marshal(device{ID: id, Instance: d.version.Instance})
	if err == nil {
		err = os.WriteFile(d.deviceFile(), raw, 0o600)
	}
	if err != nil {
		return "", stead.Errorf(stead.CodeDataReadOnly, "%s", d.cfg.DataDir).Because(err)
	}
	return id, nil
}
