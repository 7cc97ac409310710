// Package devidp is a small OpenID provider for the demo: instead of asking for a password it asks who of the demo's
// people you want to be. It answers on loopback only and keeps everything in memory.
//
// In all else it conforms, so that the desktop signs in to it exactly as it signs in to a customer's provider:
// OpenID Connect Core 1.0 and Discovery 1.0, the code flow of RFC 6749 with PKCE (RFC 7636, S256 only), loopback
// redirects of native apps (RFC 8252), `iss` in the authorization response (RFC 9207), access tokens as RFC 9068,
// rotated refresh tokens with reuse detection (RFC 9700 4.14.2) and revocation (RFC 7009).
package devidp

import (
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"stead/internal/stead"
)

// Times of what the provider hands out.
const (
	codeTTL    = 60 * time.Second
	accessTTL  = 10 * time.Minute
	idTTL      = 10 * time.Minute
	refreshTTL = 12 * time.Hour   // of a whole chain of refresh tokens, from the sign-in on
	chooseTTL  = 10 * time.Minute // for looking at the list of people
)

// maxBody limits what is read of any request; the largest real one is under 2 KiB.
const maxBody = 16 << 10

// Person is somebody one can be in the demo.
type Person struct {
	Subject     string // the provider's name for the person ("sub"), e.g. "st-lena"
	Name        string
	Email       string
	Title       string // role and tier, e.g. "Support, tier 1"
	Description string // one sentence on what the person shows in the demo
}

// Client is a native app that may sign people in. It is public: it has no secret, PKCE stands in for it.
type Client struct {
	ID       string
	Redirect string // e.g. "http://127.0.0.1/callback"; a request may add any port (RFC 8252 7.3)
}

// Config says who can sign in where.
type Config struct {
	Issuer              string // "http://127.0.0.1:PORT" or "http://localhost:PORT", the address this is served at
	People              []Person
	Clients             []Client
	AccessTokenAudience string       // who accepts the access tokens: the platform
	Log                 *slog.Logger // nil: no log
}

// Provider is the provider. It is safe for concurrent use.
type Provider struct {
	issuer   string
	host     string
	audience string
	people   []Person
	clients  map[string]Client
	signer   *signer
	grants   *grants
	page     *template.Template
	routes   *http.ServeMux
	log      *slog.Logger
}

// New makes a provider with fresh keys. The error is a *stead.Error with CodeConfigInvalid when the configuration
// cannot work or would not stay on this machine.
func New(cfg Config) (*Provider, error) {
	u, err := url.Parse(cfg.Issuer)
	if err != nil || u.Scheme != "http" || !loopbackName(u.Hostname()) || u.Port() == "" || u.String() != "http://"+u.Host {
		return nil, stead.Errorf(stead.CodeConfigInvalid, "the demo sign-in's issuer %q is not http on this machine with a port and without a path", cfg.Issuer)
	}
	if cfg.AccessTokenAudience == "" || len(cfg.People) == 0 || len(cfg.Clients) == 0 {
		return nil, stead.Errorf(stead.CodeConfigInvalid, "the demo sign-in needs people, clients and an audience")
	}
	p := &Provider{issuer: cfg.Issuer, host: u.Host, audience: cfg.AccessTokenAudience, people: cfg.People,
		clients: map[string]Client{}, grants: newGrants(), log: cfg.Log}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	seen := map[string]bool{}
	for _, who := range cfg.People {
		if who.Subject == "" || who.Name == "" || who.Email == "" || seen[who.Subject] {
			return nil, stead.Errorf(stead.CodeConfigInvalid, "the demo sign-in's person %q has no name or e-mail, or is there twice", who.Subject)
		}
		seen[who.Subject] = true
	}
	for _, c := range cfg.Clients {
		r, err := url.Parse(c.Redirect)
		if c.ID == "" || err != nil || !loopbackRedirect(r) || r.Port() != "" {
			return nil, stead.Errorf(stead.CodeConfigInvalid, "the demo sign-in's client %q needs a redirect like http://127.0.0.1/callback", c.ID)
		}
		p.clients[c.ID] = c
	}
	if p.signer, err = newSigner(); err != nil {
		return nil, stead.E(stead.CodeInternal, err)
	}
	if p.page, err = template.New("page").Parse(pageSource); err != nil {
		return nil, stead.E(stead.CodeInternal, err)
	}
	p.routes = p.mux()
	return p, nil
}

func (p *Provider) mux() *http.ServeMux {
	m := http.NewServeMux()
	m.HandleFunc("GET /.well-known/openid-configuration", p.discovery)
	m.HandleFunc("GET /jwks", p.keys)
	m.HandleFunc("GET /authorize", p.authorize)
	m.HandleFunc("POST /authorize", p.authorize)
	m.HandleFunc("POST /choose", p.choose)
	m.HandleFunc("POST /token", p.token)
	m.HandleFunc("POST /revoke", p.revoke)
	m.HandleFunc("GET /userinfo", p.userinfo)
	m.HandleFunc("POST /userinfo", p.userinfo)
	m.HandleFunc("GET /style.css", style)
	return m
}

// ServeHTTP answers requests from this machine that name the issuer's host. Whoever comes from elsewhere, or by a
// name that merely resolves here (DNS rebinding), is refused before anything is looked at.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if remote, err := netip.ParseAddrPort(r.RemoteAddr); err != nil || !remote.Addr().Unmap().IsLoopback() {
		http.Error(w, "This sign-in is for this machine only.", http.StatusForbidden)
		return
	}
	if !strings.EqualFold(r.Host, p.host) {
		http.Error(w, "This sign-in answers at "+p.issuer+" only.", http.StatusMisdirectedRequest)
		return
	}
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin") // stricter would make browsers send "Origin: null" with our own form
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	p.routes.ServeHTTP(w, r)
}

func (p *Provider) person(subject string) (Person, bool) {
	for _, who := range p.people {
		if who.Subject == subject {
			return who, true
		}
	}
	return Person{}, false
}

// loopbackName reports whether a host name means this machine (RFC 6761 6.3 for localhost).
func loopbackName(h string) bool {
	return h == "localhost" || loopbackIP(h)
}

func loopbackIP(h string) bool {
	ip := net.ParseIP(h)
	return ip != nil && ip.IsLoopback()
}
