package devidp

import (
	"bytes"
	_ "embed"
	"net/http"
	"net/url"
	"strings"
)

//go:embed page.html
var pageSource string

//go:embed style.css
var styleSource []byte

// view is what the page shows: people to choose from, or one sentence on why not.
type view struct {
	Request  string
	Sentence string
	Stay     bool // a refresh token was asked for
	People   []Person
}

// showPeople puts the request aside and asks who it is.
func (p *Provider) showPeople(w http.ResponseWriter, req request) {
	p.render(w, http.StatusOK, formTarget(req.redirect), view{Request: p.grants.await(req), Stay: req.offline, People: p.people})
}

// sorry tells the reader of the page why there is no sign-in.
func (p *Provider) sorry(w http.ResponseWriter, status int, sentence string) {
	p.render(w, status, "", view{Sentence: sentence})
}

func (p *Provider) render(w http.ResponseWriter, status int, target string, v view) {
	var out bytes.Buffer
	if err := p.page.Execute(&out, v); err != nil {
		p.log.Error("demo sign-in: page not shown", "error", err)
		http.Error(w, "The page could not be made.", http.StatusInternalServerError)
		return
	}
	// Browsers hold the redirect that follows the form to form-action as well, so the client is named there.
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'"+target+
		"; base-uri 'none'; frame-ancestors 'none'")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = out.WriteTo(w) // the reader went away: nobody left to tell
}

// formTarget is the redirect's origin as a CSP source. A policy cannot name an IPv6 address, only its scheme.
func formTarget(redirect string) string {
	u, err := url.Parse(redirect)
	if err != nil || strings.Contains(u.Hostname(), ":") {
		return " http:"
	}
	return " http://" + u.Host
}

func style(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	_, _ = w.Write(styleSource) // the reader went away: nobody left to tell
}
