package httpapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"mime"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"stead/internal/stead"

	"stead/internal/platform/staff"
)

// gate stands before every route: it finds the operation, authenticates as the document demands, and validates the
// request against the document. What it lets through has the right shape.
type gate struct {
	server *server
	router routers.Router
	next   http.Handler
}

func newGate(doc *openapi3.T, s *server, next http.Handler) (*gate, error) {
	doc.Servers = nil // whatever host this platform is reached by
	router, err := legacy.NewRouter(doc)
	if err != nil {
		return nil, err
	}
	return &gate{server: s, router: router, next: next}, nil
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer func() {
		if v := recover(); v != nil {
			g.server.Log.ErrorContext(r.Context(), "panic", "path", r.URL.Path, "value", v, "stack", string(debug.Stack()))
			writeProblem(w, r, g.server.Log, stead.E(stead.CodeInternal, nil))
		}
	}()
	if path, ok := strings.CutPrefix(r.URL.EscapedPath(), "/log/"); ok {
		g.serveLog(w, r, path)
		return
	}
	r, err := g.admit(w, r)
	if err != nil {
		writeProblem(w, r, g.server.Log, err)
		return
	}
	g.next.ServeHTTP(w, r)
}

// admit returns the request with the caller in its context, or why it is refused. It always returns a request.
func (g *gate) admit(w http.ResponseWriter, r *http.Request) (*http.Request, error) {
	route, params, err := g.router.FindRoute(r)
	if err != nil {
		return r, routeError(err)
	}
	ctx, err := g.authenticate(r, route.Operation)
	if err != nil {
		return r, err
	}
	r = r.WithContext(ctx)
	body, err := readBody(w, r)
	if err != nil {
		return r, err
	}
	r.Body = hold(body)
	own := strings.EqualFold(route.Operation.OperationID, recordsOperation)
	if own && !isJSON(r) {
		return r, stead.Errorf(stead.CodeBadRequest, "body")
	}
	err = openapi3filter.ValidateRequest(ctx, &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, ExcludeRequestBody: own}})
	if err != nil {
		return r, invalid(err)
	}
	r.Body = hold(body)
	return r, nil
}

// recordsOperation is the one operation whose body is held to the document by its handler (toBatch): a batch has
// thousands of values, and validating them by schema takes longer than storing them.
const recordsOperation = "postRecords"

func isJSON(r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && kind == "application/json"
}

// readBody reads a bounded body into one piece of memory where its length is known.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	var b bytes.Buffer
	if r.ContentLength > 0 && r.ContentLength <= maxBody {
		b.Grow(int(r.ContentLength) + bytes.MinRead) // what ReadFrom wants to see free at the end
	}
	if _, err := b.ReadFrom(http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
		return nil, stead.E(stead.CodeTooLarge, err)
	}
	return b.Bytes(), nil
}

func routeError(err error) error {
	var re *routers.RouteError
	if errors.As(err, &re) && strings.Contains(re.Reason, "method") {
		return stead.E(stead.CodeMethodNotAllowed, err)
	}
	return stead.E(stead.CodeRouteNotFound, err)
}

// invalid says which part of the request is wrong, without repeating the caller's input.
func invalid(err error) error {
	e := stead.E(stead.CodeBadRequest, err)
	var re *openapi3filter.RequestError
	if !errors.As(err, &re) {
		return e
	}
	var se *openapi3.SchemaError
	switch {
	case re.Parameter != nil:
		e.Detail = "parameter " + re.Parameter.Name
	case errors.As(err, &se) && len(se.JSONPointer()) > 0:
		e.Detail = "field " + strings.Join(se.JSONPointer(), ".")
	default:
		e.Detail = "body"
	}
	return e
}

type callerKey struct{}

// caller is who came: an identity, and the member of staff behind it where the operation needs one.
type caller struct {
	identity staff.Identity
	staff    stead.Staff
}

func (g *gate) authenticate(r *http.Request, op *openapi3.Operation) (context.Context, error) {
	ctx := r.Context()
	if slices.Contains(op.Tags, "public") {
		return ctx, nil
	}
	if op.Security == nil || len(*op.Security) == 0 { // only what says so is public
		return ctx, stead.E(stead.CodeSignInRequired, nil)
	}
	if _, app := (*op.Security)[0]["app"]; app {
		return ctx, g.checkApp(r)
	}
	c, err := g.bearer(r)
	if strings.EqualFold(op.OperationID, "claimSetup") && stead.CodeOf(err) == stead.CodeNotStaff {
		err = nil // whoever claims the first superadmin is not staff yet
	}
	return context.WithValue(ctx, callerKey{}, c), err
}

// bearer is the member of staff whose access token comes with the request. With CodeNotStaff the identity is good.
func (g *gate) bearer(r *http.Request) (caller, error) {
	scheme, raw, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || raw == "" {
		return caller{}, stead.E(stead.CodeSignInRequired, nil)
	}
	id, err := g.server.Tokens.Verify(r.Context(), raw)
	if err != nil {
		g.server.Log.WarnContext(r.Context(), "an access token was refused", "err", err) // audience or issuer differ, or it expired
		return caller{}, err
	}
	c := caller{identity: id}
	c.staff, err = g.server.Office.Who(r.Context(), id)
	if err == nil && (c.staff.ID == "" || c.staff.Pseudonym.IsZero()) { // neither may be empty: lists are narrowed by them
		err = stead.E(stead.CodeNotStaff, nil)
	}
	return c, err
}

func (g *gate) checkApp(r *http.Request) error {
	id, secret, ok := r.BasicAuth()
	want, known := g.server.Apps[id]
	got := sha256.Sum256([]byte(secret))
	if !ok || !known || subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
		return stead.E(stead.CodeAppUnauthorized, nil)
	}
	return nil
}

func who(ctx context.Context) stead.Staff { return callerOf(ctx).staff }

func callerOf(ctx context.Context) caller {
	c, _ := ctx.Value(callerKey{}).(caller)
	return c
}
