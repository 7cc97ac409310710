// Package httpapi serves the contract of internal/api: it authenticates, validates every request against the
// document, translates, and forwards to the packages that decide. It holds no rule of its own.
package httpapi

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"net/http"
	"time"

	"stead/internal/api"
	"stead/internal/stead"

	"stead/internal/platform/authority"
	"stead/internal/platform/casework"
	"stead/internal/platform/erasure"
	"stead/internal/platform/ledger"
	"stead/internal/platform/staff"
	"stead/internal/platform/store"
)

// Config is what the API forwards to.
type Config struct {
	Store     store.Store
	Ledger    *ledger.Ledger
	Authority *authority.Authority
	Office    *staff.Office
	Desk      *casework.Desk
	Erasure   *erasure.Office
	Tokens    TokenVerifier
	Apps      map[string][32]byte // member apps: id → SHA-256 of the secret
	ClientID  string              // of Stead's window at the identity provider
	Issuer    string              // the staff's identity provider
	Version   string
	Log       *slog.Logger

	Origin       string   // the log's name
	RecoveryKeys []string // verifier keys of those who may declare a restore
	OutboxKey    []byte   // public key to which devices seal their outboxes; nil for none
}

// TokenVerifier recognises the bearer of an access token.
type TokenVerifier interface {
	Verify(ctx context.Context, raw string) (staff.Identity, error)
}

// maxBody bounds a request. A device sends about 1 MiB of records at once, which JSON may make six times as long.
const maxBody = 16 << 20

// New returns the handler of the whole contract.
func New(c Config) (http.Handler, error) {
	doc, err := api.GetSpec()
	if err != nil {
		return nil, err
	}
	s := &server{Config: c}
	onError := func(w http.ResponseWriter, r *http.Request, err error) { writeProblem(w, r, c.Log, err) }
	onBadRequest := func(w http.ResponseWriter, r *http.Request, err error) { onError(w, r, badRequest(err)) }
	strict := api.NewStrictHandlerWithOptions(s, nil, api.StrictHTTPServerOptions{
		RequestErrorHandlerFunc: onBadRequest, ResponseErrorHandlerFunc: onError})
	routes := api.HandlerWithOptions(handlers{strict, s, onError}, api.StdHTTPServerOptions{ErrorHandlerFunc: onBadRequest})
	gate, err := newGate(doc, s, routes)
	if err != nil {
		return nil, err
	}
	return headers(gate), nil
}

func badRequest(err error) error { return stead.E(stead.CodeBadRequest, err) }

// headers keeps answers out of caches and out of other sites' hands.
func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		next.ServeHTTP(w, r)
	})
}

// server implements api.StrictServerInterface.
type server struct{ Config }

var _ api.StrictServerInterface = (*server)(nil)

// HashSecret is how an app's secret is kept in Config.Apps. Secrets are random and long, so a plain hash will do.
func HashSecret(secret string) [32]byte { return sha256.Sum256([]byte(secret)) }

func (s *server) now(ctx context.Context) (t time.Time, err error) {
	err = s.Store.View(ctx, func(tx store.Tx) error { t = tx.Now(); return nil })
	return t, err
}
