// Package platform puts the platform's parts together and serves them: store, keys, ledger, authority and the API.
package platform

import (
	"context"
	"crypto"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"stead/internal/stead"

	"stead/internal/platform/authority"
	"stead/internal/platform/casework"
	"stead/internal/platform/erasure"
	"stead/internal/platform/httpapi"
	"stead/internal/platform/keys"
	"stead/internal/platform/ledger"
	"stead/internal/platform/publish"
	"stead/internal/platform/sqlite"
	"stead/internal/platform/staff"
	"stead/internal/platform/store"
)

// App is a member app as the platform knows it.
type App struct {
	ID         string
	Secret     string // shared with the app; compared by hash
	Audience   string
	StartURL   string
	CookieName string
	Fence      authority.Fence // Origins empty for that of StartURL
}

// Config says how one platform runs.
type Config struct {
	DataDir   string
	PublicURL string // "iss" of the tokens, e.g. https://stead.example.org
	Issuer    string // the staff's OpenID provider
	ClientID  string // of Stead's window there
	Audience  string // of the access tokens it makes for this platform
	App       App
	ViewFirst bool
	Retention int  // days that texts are kept; 0 for ever
	Fallback  bool // sessions may open in a browser that Stead cannot control
	Demo      bool // accept the demo's sign-in
	Version   string
	Log       *slog.Logger
	HTTP      *http.Client // towards the OpenID provider; nil for a client with sane limits

	// RecoveryKeys are the verifier keys of the people who together may declare a restore or a stolen key: none, or
	// audit.RecoveryQuorum and more.
	RecoveryKeys []string
	Copies       []Copy          // where else each checkpoint goes
	Witness      publish.Witness // who signs each checkpoint as well; zero for nobody
}

// Files of the data folder. The second opens what is sealed in the first; the third says who has to be erased again
// when the first is put back to an earlier state.
const (
	DataFile   = "platform.db"
	KeyFile    = "platform.kek"
	ErasedFile = "platform.erased"
)

// MaxRetention is the longest time for which texts can be kept without being kept for ever: a hundred years, in days.
const MaxRetention = 36525

// Platform is an open platform. Close ends its background work and closes the store.
type Platform struct {
	Handler http.Handler
	Office  *staff.Office
	Keys    *keys.Ring
	Store   store.Store

	sequencer *ledger.Sequencer
	publisher *publish.Publisher
	tokens    *staff.Verifier
	stop      context.CancelFunc
	wg        sync.WaitGroup
}

// Open opens the data folder (made if missing, 0700), and starts expiring what is over, sessions whose deadline
// passed while the platform was down first.
func Open(ctx context.Context, c Config) (*Platform, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
		return nil, stead.Errorf(stead.CodeDataReadOnly, "%s", c.DataDir).Because(err)
	}
	st, err := sqlite.Open(ctx, filepath.Join(c.DataDir, DataFile))
	if err != nil {
		return nil, err
	}
	p, err := open(ctx, c, st)
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return p, nil
}

func open(ctx context.Context, c Config, st store.Store) (*Platform, error) {
	ring, err := keys.Open(ctx, st, filepath.Join(c.DataDir, KeyFile))
	if err != nil {
		return nil, err
	}
	led, err := ledger.Open(ctx, st, ring)
	if err != nil {
		return nil, err
	}
	origin, err := ledger.Name(ctx, st, c.PublicURL)
	if err != nil {
		return nil, err
	}
	publisher, err := c.publisher(st)
	if err != nil {
		return nil, err
	}
	sequencer := ledger.NewSequencer(st, origin, func() crypto.Signer { return ring.Current().Signer }, c.Log)
	if err := sequencer.Append(ctx); err != nil { // before anybody asks whose log this is
		return nil, err
	}
	st = newsStore{st, sequencer.Wake}
	auth := authority.New(authority.Config{Store: st, Ledger: led, Keys: ring, Issuer: c.PublicURL, ReadOnly: c.ViewFirst, Fallback: c.Fallback, Log: c.Log,
		App: authority.App{Audience: c.App.Audience, StartURL: c.App.StartURL, CookieName: c.App.CookieName, Fence: c.App.fence()}})
	office := &staff.Office{Store: st, Ledger: led}
	client := c.HTTP
	if client == nil {
		client = &http.Client{Timeout: 10 * time.Second}
	}
	tokens := &staff.Verifier{Issuer: c.Issuer, Audience: c.Audience, HTTP: client, Demo: c.Demo}
	erasing := &erasure.Office{Store: st, Ledger: led, List: filepath.Join(c.DataDir, ErasedFile), Marks: ring, Days: c.Retention, Log: c.Log}
	handler, err := httpapi.New(httpapi.Config{Store: st, Ledger: led, Authority: auth, Office: office, Erasure: erasing,
		Desk:   &casework.Desk{Store: st, Ledger: led},
		Tokens: tokens,
		Apps:   map[string][32]byte{c.App.ID: httpapi.HashSecret(c.App.Secret)}, ClientID: c.ClientID, Issuer: c.Issuer, Version: c.Version, Log: c.Log, Origin: origin,
		RecoveryKeys: c.RecoveryKeys, OutboxKey: ring.OutboxKey()})
	if err != nil {
		return nil, err
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	p := &Platform{Handler: handler, Office: office, Keys: ring, Store: st, sequencer: sequencer, publisher: publisher, tokens: tokens, stop: stop}
	p.wg.Go(func() { auth.Watch(run) })
	p.wg.Go(func() { sequencer.Run(run) })
	p.wg.Go(func() { erasing.Run(run) })
	p.wg.Go(func() { publisher.Run(run) })
	return p, nil
}

// Reach asks the identity provider for its metadata: nil once it has answered, CodeConfigInvalid when it is one that
// this platform must not trust.
func (p *Platform) Reach(ctx context.Context) error { return p.tokens.Reach(ctx) }

// Published says how it stands with each place that checkpoints are brought to.
func (p *Platform) Published() []publish.State { return p.publisher.States() }

// newsStore tells the sequencer of each commit: it may have brought a record.
type newsStore struct {
	store.Store
	news func()
}

// Update implements store.Store.
func (s newsStore) Update(ctx context.Context, f func(store.Tx) error) error {
	err := s.Store.Update(ctx, f)
	if err == nil {
		s.news()
	}
	return err
}

// check names the first setting that is missing or unsafe.
func (c Config) check() error {
	for _, f := range []struct{ name, value string }{
		{"data", c.DataDir}, {"public_url", c.PublicURL}, {"issuer", c.Issuer}, {"client_id", c.ClientID}, {"audience", c.Audience},
		{"app.id", c.App.ID}, {"app.secret", c.App.Secret}, {"app.audience", c.App.Audience}, {"app.start_url", c.App.StartURL},
		{"app.cookie_name", c.App.CookieName},
	} {
		if f.value == "" {
			return stead.Errorf(stead.CodeConfigInvalid, "%s is missing", f.name)
		}
	}
	if c.Retention < 0 || c.Retention > MaxRetention {
		return stead.Errorf(stead.CodeConfigInvalid, "retention_days must be 0 (keep) to %d", MaxRetention)
	}
	if strings.HasPrefix(c.App.StartURL, "https:") && !strings.HasPrefix(c.App.CookieName, "__Host-") {
		return stead.Errorf(stead.CodeConfigInvalid, "app.cookie_name must begin with __Host-, so that no other host can set or read it")
	}
	if c.ClientID == c.Audience {
		return stead.Errorf(stead.CodeConfigInvalid, "audience must differ from client_id, or an ID token would pass for an access token")
	}
	for _, f := range []struct{ name, value string }{{"public_url", c.PublicURL}, {"issuer", c.Issuer}, {"app.start_url", c.App.StartURL}} {
		if !stead.StaysPrivate(f.value) {
			return stead.Errorf(stead.CodeConfigInvalid, "%s must be an https address", f.name)
		}
	}
	if err := c.App.checkFence(); err != nil {
		return err
	}
	_, err := c.people()
	return err
}

// Close ends the background work, waits for it, puts what arrived last into the log, and closes the store.
func (p *Platform) Close() error {
	p.stop()
	p.wg.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return errors.Join(p.sequencer.Append(ctx), p.Store.Close())
}
