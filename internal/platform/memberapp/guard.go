package memberapp

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"stead/internal/api"
)

// reportWait is how long a change waits for the platform to take its report.
const reportWait = 3 * time.Second

// answer is what a handler wants to say. Nothing of it leaves before the guard has checked and reported it.
type answer struct {
	status   int
	page     string // the page to render, with data; "" for a redirect
	data     any
	location string
	cookies  []*http.Cookie
	bare     bool                        // without the member's frame: nothing of the account is on the page
	commit   func(context.Context) error // what the request changes; nil for none
	body     []byte                      // the rendered page
}

// serve takes a request through the same steps, whoever asks: who is it, may they, do it, tell the platform, answer.
func (a *App) serve(w http.ResponseWriter, r *http.Request) {
	begin := time.Now()
	row := a.routes.find(r)
	v, err := a.identify(r.Context(), r)
	var ans answer
	switch {
	case err == nil:
		ans = a.permitted(r, row, v)
	case errors.Is(err, errNobody):
		ans = a.stranger(r, row)
	default:
		a.log.Warn("refused", "path", row.path, "error", err)
		ans = a.refusal(err)
	}
	if ans.page != "" && ans.body == nil {
		ans = a.render(r.Context(), ans, v)
	}
	write(w, ans)
	attrs := []any{"method", r.Method, "path", row.path, "status", ans.status, "ms", time.Since(begin).Milliseconds()}
	if v.member.ID != "" {
		attrs = append(attrs, "sub", string(v.member.ID))
	}
	if v.support != nil {
		attrs = append(attrs, "act", v.support.agent, "session", v.support.session)
	}
	a.log.Info("request", attrs...)
}

// refusal is the page for a request whose name could not be established.
func (a *App) refusal(err error) answer {
	switch {
	case errors.Is(err, errOver):
		return sorry(http.StatusUnauthorized, "This support session is over",
			"Nothing of the account is shown any more.", "Go back to the Stead window.")
	case errors.Is(err, errUnchecked):
		return sorry(http.StatusUnauthorized, "This support session cannot be checked",
			"The platform does not answer, so nothing of the account is shown.", "Wait a moment and load the page again, or go back to the Stead window.")
	}
	return broken()
}

// stranger answers somebody who is not signed in.
func (a *App) stranger(r *http.Request, row route) answer {
	switch {
	case row.anyone && !a.ownForm(r, row):
		return foreignForm()
	case row.anyone:
		ans := row.serve(a, r, visitor{})
		return a.carryOut(r, row, visitor{}, ans)
	case row.method == http.MethodGet:
		return answer{status: http.StatusSeeOther, location: "/signin"}
	}
	return sorry(http.StatusUnauthorized, "You are not signed in", "Nothing was changed.", "Sign in and try again.")
}

// permitted answers a visitor. In a support session the answer is rendered and reported before it leaves.
func (a *App) permitted(r *http.Request, row route, v visitor) answer {
	words := row.did
	var ans answer
	switch {
	case v.support != nil && row.effect == blocked:
		ans, words = blockedPage(row), row.tried+", which support cannot do"
	case v.viewOnly() && row.effect == writes:
		ans, words = viewOnlyPage(), row.tried+", which needs your permission"
	case !a.ownForm(r, row):
		ans, words = foreignForm(), row.tried+", from another site"
	default:
		ans = row.serve(a, r, v)
		if ans.status >= http.StatusBadRequest {
			words = row.tried + ", which failed"
		}
	}
	if ans.commit != nil {
		return a.carryOut(r, row, v, ans)
	}
	if v.support == nil {
		return ans
	}
	ans = a.render(r.Context(), ans, v)
	if err := a.stillThere(r.Context(), v); err != nil {
		a.log.Warn("ended during the request", "path", row.path, "session", v.support.session, "error", err)
		return a.refusal(err)
	}
	if err := a.reports.add(action(r, row, v, ans.status, words)); err != nil {
		a.log.Error("not shown, because it could not be reported", "path", row.path, "session", v.support.session, "error", err)
		return unrecorded()
	}
	return ans
}

// carryOut does what a request changes. In a support session the platform takes the report first, and the session
// must still live after that; if the change then fails, a second report says so.
func (a *App) carryOut(r *http.Request, row route, v visitor, ans answer) answer {
	if ans.commit == nil {
		return ans
	}
	// From here on the outcome has to be known, even if the browser goes away.
	ctx := context.WithoutCancel(r.Context())
	if v.support != nil {
		wait, cancel := context.WithTimeout(ctx, reportWait)
		defer cancel()
		err := a.reports.accepted(wait, action(r, row, v, http.StatusAccepted, row.did))
		if err != nil {
			a.log.Error("not changed, because it could not be reported", "path", row.path, "session", v.support.session, "error", err)
			if errors.Is(err, errUnconfirmed) {
				a.reports.follow(action(r, row, v, http.StatusServiceUnavailable, row.tried+", which was not done"))
			}
			return unrecorded()
		}
		if err := a.stillThere(ctx, v); err != nil {
			a.reports.follow(action(r, row, v, http.StatusUnauthorized, row.tried+", which was not done"))
			return a.refusal(err)
		}
	}
	if err := ans.commit(ctx); err != nil {
		a.log.Error("not changed", "path", row.path, "error", err)
		if v.support != nil {
			a.reports.follow(action(r, row, v, http.StatusInternalServerError, row.tried+", which failed"))
		}
		return broken()
	}
	return ans
}

// ownForm reports whether a request that may change something comes from the portal's own pages. Browsers send
// Origin with every such request; the cookies are SameSite besides.
func (a *App) ownForm(r *http.Request, row route) bool {
	return row.method != http.MethodPost || r.Header.Get("Origin") == a.cfg.BaseURL
}

// action is the report of one request: the path's template, never its query or body.
func action(r *http.Request, row route, v visitor, status int, words string) api.ActionReport {
	return api.ActionReport{ID: uuid.Must(uuid.NewV7()), SessionID: v.support.session, Method: methodOf(r), Path: row.path,
		Status: status, Words: words, At: time.Now().UTC()}
}

// methodOf is the request's method, shortened to what the contract takes.
func methodOf(r *http.Request) string {
	return r.Method[:min(len(r.Method), 10)]
}
