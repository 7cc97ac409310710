package memberapp

import (
	"context"
	"errors"
	"net/http"

	"stead/internal/api"
)

// Where support comes in from a browser that Stead cannot control, and where its visit is ended there.
const (
	handoffPath = "/support/handoff"
	endPath     = "/support/end"
)

// errHandoff is a code that opens nothing, for whatever reason.
var errHandoff = errors.New("the code opens nothing")

// bar is what each page of such a visit says at its top: there is no banner of Stead's in that browser.
type bar struct{ Name, Email string }

// serveVisit answers the two addresses of a visit, both of which are neither the member's nor support's to look at.
func (a *App) serveVisit(w http.ResponseWriter, r *http.Request) bool {
	if r.Method != http.MethodPost {
		return false
	}
	var ans answer
	switch r.URL.Path {
	case handoffPath:
		ans = a.comeIn(r)
	case endPath:
		ans = a.leave(r)
	default:
		return false
	}
	write(w, a.render(r.Context(), ans, visitor{}))
	a.log.Info("request", "method", r.Method, "path", r.URL.Path, "status", ans.status)
	return true
}

// comeIn exchanges the code in the form for the session's cookie. The form stood on a page of the agent's machine, so
// its Origin is null and says nothing: the code alone counts.
func (a *App) comeIn(r *http.Request) answer {
	opened, err := a.platform.exchange(r.Context(), r.PostFormValue("code"))
	switch {
	case errors.Is(err, errHandoff):
		return sorry(http.StatusForbidden, "This way in is closed", "It opens once, and for a few seconds only.", "Start the session again in the Stead window.")
	case err != nil:
		a.log.Error("a support session was not opened", "error", err)
		return sorry(http.StatusServiceUnavailable, "This support session cannot be opened",
			"The platform does not answer as it should.", "Start the session again in the Stead window.")
	}
	k := opened.Cookie
	if k.Name != a.cfg.CookieName || !k.HTTPOnly || !k.Secure || k.SameSite != api.Lax {
		a.log.Error("a support session was not opened", "error", "the platform's cookie is not as this portal is set up", "session", opened.SessionID)
		return broken()
	}
	return answer{status: http.StatusSeeOther, location: "/", cookies: []*http.Cookie{supportCookie(k.Name, k.Value, 0)}}
}

// leave ends the visit of whoever presses End in the bar, which works without script.
func (a *App) leave(r *http.Request) answer {
	tokens := cookieValues(r, a.cfg.CookieName)
	if !a.ownForm(r, route{method: http.MethodPost}) || len(tokens) != 1 {
		return foreignForm()
	}
	if err := a.platform.end(r.Context(), tokens[0]); err != nil {
		a.log.Error("a support session was not ended", "error", err)
		return sorry(http.StatusServiceUnavailable, "The session could not be ended from here", "The platform does not answer.",
			"Close this window, or end the session in the Stead window.")
	}
	ans := sorry(http.StatusOK, "This support session is over", "Nothing of the account is shown any more.", "You may close this window.")
	ans.cookies = []*http.Cookie{supportCookie(a.cfg.CookieName, "", -1)}
	return ans
}

// supportCookie lives as long as its browser. It is Lax because the way here began on another site: a Strict one would
// be missing from the request that this answer leads to.
func supportCookie(name, value string, age int) *http.Cookie {
	return &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: age, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

// exchange gives the code in; errHandoff when it opens nothing.
func (p *platform) exchange(ctx context.Context, code string) (api.AppOpened, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if code == "" || len(code) > 100 { // what the contract does not let through
		return api.AppOpened{}, errHandoff
	}
	r, err := p.client.ExchangeHandoffWithResponse(ctx, api.AppHandoffRequest{Code: code})
	switch {
	case err != nil:
		return api.AppOpened{}, err
	case r.JSON200 != nil:
		return *r.JSON200, nil
	case r.ApplicationProblemJSONDefault != nil && r.ApplicationProblemJSONDefault.Code == api.HandoffInvalid:
		return api.AppOpened{}, errHandoff
	}
	return api.AppOpened{}, unexpected("handoff", r.HTTPResponse)
}

// end ends the session of a token.
func (p *platform) end(ctx context.Context, raw string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	r, err := p.client.EndFromAppWithResponse(ctx, api.AppEndRequest{Token: raw})
	if err == nil && r.StatusCode() != http.StatusNoContent {
		err = unexpected("end", r.HTTPResponse)
	}
	return err
}
