// Package memberapp is the demo's member portal, "Haven Health Plan": an ordinary web app on its own host that knows
// the platform only by HTTP, as any customer's app would. It shows what connecting an app natively takes.
//
// There are two ways in. A support session brings the platform's token in a cookie; it is verified by the platform's
// keys and then asked after at the platform on every single request, and whatever goes wrong there ends in 401: no
// request that carries the cookie is ever answered in another name. A member signs in by e-mail, without a password,
// which is why the portal answers on loopback only.
//
// One table, in routes.go, says of each address whether support may open it, may change something there with
// permission, or never; the same table drives the guard and what is reported to the platform. What support does is
// reported in order: before anything leaves for reads, and accepted by the platform before it happens for writes.
package memberapp

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"stead/internal/stead"
)

// Member is one of the portal's own members. The platform's list and this one share ids and accounts.
type Member struct {
	ID          stead.MemberID
	Account     stead.AccountID
	AccountName string // the employer or group, e.g. "Acme"
	Name        string
	Email       string
	Zip         string // five digits
	Plan        string // one of Plans
}

// Config says where the portal stands and whom it trusts.
type Config struct {
	BaseURL      string       // its own origin, e.g. "http://portal.localhost:7001"
	PlatformURL  string       // e.g. "http://platform.localhost:7000"
	Issuer       string       // who signs session tokens
	Audience     string       // what they call this app
	AppID        string       // this app's id and secret at the platform
	AppSecret    stead.Secret //
	CookieName   string       // of the session token; "" means __Host-stead
	DataFile     string       // SQLite file; made when it does not exist
	Members      []Member     //
	HTTP         *http.Client // to the platform; nil for one of its own. Redirects are never followed
	SupportPhone string       // printed where a member may want to ask
	Log          *slog.Logger // nil: no log
}

const (
	defaultCookie = "__Host-stead"
	memberCookie  = "__Host-member"
	maxBody       = 16 << 10
	flushGrace    = 5 * time.Second // how long Close tries to deliver what is not reported yet
)

// App is the portal. It is safe for concurrent use.
type App struct {
	cfg      Config
	host     string
	members  map[stead.MemberID]Member
	byName   []Member
	data     *data
	platform *platform
	keys     *keyset
	reports  *reporter
	routes   *routeTable
	pages    pages
	log      *slog.Logger
}

// New opens the data file and starts the reporter; the platform is not asked before the first request. Errors are
// *stead.Error: CodeConfigInvalid, CodeDataReadOnly, CodeDataNewer. The caller closes the app.
func New(cfg Config) (*App, error) {
	base, err := url.Parse(cfg.BaseURL)
	if err != nil || base.Host == "" || base.Scheme+"://"+base.Host != cfg.BaseURL {
		return nil, stead.Errorf(stead.CodeConfigInvalid, "the portal's address %q is not an origin like http://portal.localhost:7001", cfg.BaseURL)
	}
	if cfg.Issuer == "" || cfg.Audience == "" || cfg.AppID == "" || cfg.AppSecret == "" || cfg.DataFile == "" {
		return nil, stead.Errorf(stead.CodeConfigInvalid, "the portal needs issuer, audience, app id, app secret and a data file")
	}
	if cfg.CookieName == "" {
		cfg.CookieName = defaultCookie
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	a := &App{cfg: cfg, host: base.Host, routes: newRouteTable(), log: cfg.Log}
	if a.members, a.byName, err = readMembers(cfg.Members); err != nil {
		return nil, err
	}
	if a.pages, err = parsePages(); err != nil {
		return nil, stead.E(stead.CodeInternal, err)
	}
	if a.platform, err = newPlatform(cfg); err != nil {
		return nil, stead.Errorf(stead.CodeConfigInvalid, "the platform's address %q cannot be used", cfg.PlatformURL).Because(err)
	}
	if a.data, err = openData(cfg.DataFile); err != nil {
		return nil, err
	}
	a.keys = &keyset{fetch: a.platform.keys}
	a.reports = newReporter(a.platform.report, cfg.Log)
	return a, nil
}

// Close delivers what is not reported yet, for a few seconds at most, and closes the data file. Requests must have
// stopped. The error says how many reports could not be delivered.
func (a *App) Close() error {
	lost := a.reports.close(flushGrace)
	err := a.data.close()
	if lost > 0 {
		return fmt.Errorf("memberapp: %d action reports were not delivered", lost)
	}
	return err
}

// ServeHTTP answers one request. Only this machine is answered, and only by the portal's own name.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	setHeaders(w.Header())
	if remote, err := netip.ParseAddrPort(r.RemoteAddr); err != nil || !remote.Addr().Unmap().IsLoopback() {
		http.Error(w, "This portal is a demo and answers on its own machine only.", http.StatusForbidden)
		return
	}
	if r.URL.Path == "/healthz" {
		a.health(w, r)
		return
	}
	if !strings.EqualFold(r.Host, a.host) {
		http.Error(w, "This portal answers at "+a.cfg.BaseURL+" only.", http.StatusMisdirectedRequest)
		return
	}
	if serveAsset(w, r) {
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if a.serveVisit(w, r) {
		return
	}
	a.serve(w, r)
}

// setHeaders is the portal's policy: its own files only, no framing, no inline code, nothing kept.
func setHeaders(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; "+
		"base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin") // stricter would make browsers send "Origin: null" with our own forms
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

func (a *App) health(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	if err := a.data.db.PingContext(ctx); err != nil {
		http.Error(w, "the data file does not answer", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n")) // the reader went away: nobody left to tell
}
