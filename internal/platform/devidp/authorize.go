package devidp

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// knownScopes lists what can be granted. Others in a request are left out (OpenID Connect Core 3.1.2.1).
func knownScopes() []string { return []string{"openid", "profile", "email", "offline_access"} }

// refusal is an error of RFC 6749 4.1.2.1 on its way back to the client.
type refusal struct{ code, description string }

// authorize checks a request and shows the people to choose from. Until client and redirect are known good,
// nothing is sent anywhere: the reader of the page is told instead.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		p.sorry(w, http.StatusBadRequest, "The sign-in request could not be read.")
		return
	}
	q := r.Form
	client, ok := p.clients[q.Get("client_id")]
	if !ok || len(q["client_id"]) != 1 {
		p.sorry(w, http.StatusBadRequest, "The program that asks for a sign-in is not known here.")
		return
	}
	redirect := q.Get("redirect_uri")
	if len(q["redirect_uri"]) != 1 || !matches(client.Redirect, redirect) {
		p.sorry(w, http.StatusBadRequest, "The program asks to send the answer to an address that is not its own.")
		return
	}
	req, bad := readRequest(q)
	req.client, req.redirect = client.ID, redirect
	if bad != nil {
		p.answer(w, req, url.Values{"error": {bad.code}, "error_description": {bad.description}})
		return
	}
	p.showPeople(w, req)
}

// readRequest reads what is left after client and redirect. State is filled in any case: a refusal carries it too.
func readRequest(q url.Values) (request, *refusal) {
	req := request{state: q.Get("state"), nonce: q.Get("nonce"), challenge: q.Get("code_challenge")}
	for name, values := range q {
		if len(values) > 1 {
			return req, &refusal{"invalid_request", name + " is given twice"}
		}
	}
	asked := strings.Fields(q.Get("scope"))
	prompt := strings.Fields(q.Get("prompt"))
	switch {
	case q.Has("request"):
		return req, &refusal{"request_not_supported", "request objects are not supported"}
	case q.Has("request_uri"):
		return req, &refusal{"request_uri_not_supported", "request objects are not supported"}
	case q.Get("response_type") == "":
		return req, &refusal{"invalid_request", "response_type is missing"}
	case q.Get("response_type") != "code":
		return req, &refusal{"unsupported_response_type", "only code is supported"}
	case q.Get("response_mode") != "" && q.Get("response_mode") != "query":
		return req, &refusal{"invalid_request", "only response_mode=query is supported"}
	case !slices.Contains(asked, "openid"):
		return req, &refusal{"invalid_scope", "scope must contain openid"}
	case req.challenge == "":
		return req, &refusal{"invalid_request", "code_challenge is missing"}
	case q.Get("code_challenge_method") != "S256":
		return req, &refusal{"invalid_request", "code_challenge_method must be S256"}
	case !isHash(req.challenge):
		return req, &refusal{"invalid_request", "code_challenge is not a SHA-256 in base64url"}
	case slices.Contains(prompt, "none"):
		// Nobody is ever signed in here beforehand, so there is nothing to answer without asking.
		return req, &refusal{"login_required", "somebody has to choose who they are"}
	}
	// OpenID Connect Core 11: without prompt=consent, offline_access is ignored.
	req.offline = slices.Contains(asked, "offline_access") && slices.Contains(prompt, "consent")
	var granted []string
	for _, s := range knownScopes() {
		if slices.Contains(asked, s) && (s != "offline_access" || req.offline) {
			granted = append(granted, s)
		}
	}
	req.scope = strings.Join(granted, " ")
	return req, nil
}

// choose takes the answer of the page: a person, or nobody.
func (p *Provider) choose(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Origin") != p.issuer {
		p.sorry(w, http.StatusForbidden, "This choice did not come from the sign-in page.")
		return
	}
	if err := r.ParseForm(); err != nil {
		p.sorry(w, http.StatusBadRequest, "The choice could not be read.")
		return
	}
	req, ok := p.grants.take(r.PostForm.Get("request"))
	if !ok {
		p.sorry(w, http.StatusBadRequest, "This sign-in was already answered or waited too long.")
		return
	}
	if r.PostForm.Has("cancel") {
		p.answer(w, req, url.Values{"error": {"access_denied"}, "error_description": {"the sign-in was cancelled"}})
		return
	}
	who, ok := p.person(r.PostForm.Get("person"))
	if !ok {
		p.sorry(w, http.StatusBadRequest, "There is no such person in this demo.")
		return
	}
	p.log.Info("demo sign-in", "sub", who.Subject, "client", req.client)
	c := p.grants.issueCode(grant{request: req, subject: who.Subject, authTime: time.Now()})
	p.answer(w, req, url.Values{"code": {c}})
}

// answer sends the browser back to the client, with state and, as RFC 9207 asks, the issuer.
func (p *Provider) answer(w http.ResponseWriter, req request, v url.Values) {
	if req.state != "" {
		v.Set("state", req.state)
	}
	v.Set("iss", p.issuer)
	w.Header().Set("Location", req.redirect+"?"+v.Encode())
	w.WriteHeader(http.StatusSeeOther)
}

// loopbackRedirect reports whether u is a plain redirect to this machine by number, as RFC 8252 7.3 and 8.3 want it.
func loopbackRedirect(u *url.URL) bool {
	return u.Scheme == "http" && loopbackIP(u.Hostname()) && u.User == nil && u.Path != "" &&
		u.RawQuery == "" && !u.ForceQuery && u.Fragment == "" && u.Opaque == ""
}

// matches reports whether a redirect is the registered one, port aside.
func matches(registered, asked string) bool {
	reg, err := url.Parse(registered)
	if err != nil {
		return false
	}
	u, err := url.Parse(asked)
	if err != nil || !loopbackRedirect(u) || strings.HasSuffix(asked, "#") {
		return false
	}
	return u.Hostname() == reg.Hostname() && u.EscapedPath() == reg.EscapedPath()
}

func isHash(s string) bool {
	b, err := base64.RawURLEncoding.DecodeString(s)
	return err == nil && len(b) == 32
}
