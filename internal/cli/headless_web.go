package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"time"

	"stead/internal/api"
	"stead/internal/audit"
	"stead/internal/desktop/client"
	"stead/internal/stead"
)

// web is a person's own browser for plain pages: it keeps cookies and follows links, no more.
func web() (*http.Client, error) {
	jar, err := cookiejar.New(nil)
	c := client.NewHTTP()
	c.Jar = loopbackJar{jar}
	return c, err
}

// loopbackJar sends Secure cookies to this machine without TLS, as browsers do: loopback counts as trustworthy
// (W3C Secure Contexts 3.1).
type loopbackJar struct{ jar *cookiejar.Jar }

func (j loopbackJar) Cookies(u *url.URL) []*http.Cookie { return j.jar.Cookies(asHTTPS(u)) }

func (j loopbackJar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	j.jar.SetCookies(asHTTPS(u), cookies)
}

func asHTTPS(u *url.URL) *url.URL {
	v := *u
	v.Scheme = "https"
	return &v
}

// fetch sends a request and returns the page it ends at.
func fetch(c *http.Client, req *http.Request) (string, error) {
	resp, err := c.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answered %s", req.URL.Path, resp.Status)
	}
	return string(body), err
}

func get(ctx context.Context, c *http.Client, address string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	return fetch(c, req)
}

// post sends a form as a browser on that origin would.
func post(ctx context.Context, c *http.Client, address string, form url.Values) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", req.URL.Scheme+"://"+req.URL.Host)
	return fetch(c, req)
}

func getJSON[T any](ctx context.Context, address string) (out T, err error) {
	body, err := get(ctx, client.NewHTTP(), address)
	if err == nil {
		err = json.Unmarshal([]byte(body), &out)
	}
	return out, err
}

var requestField = regexp.MustCompile(`name="request" value="([^"]+)"`)

// choosePerson does what a person does in the browser at sign-in: open the page, press the button with their name.
func choosePerson(ctx context.Context, address string, who stead.StaffID) error {
	c, err := web()
	if err != nil {
		return err
	}
	page, err := get(ctx, c, address)
	if err != nil {
		return err
	}
	found := requestField.FindStringSubmatch(page)
	if found == nil {
		return errors.New("the sign-in page has no form")
	}
	to, err := url.Parse(address)
	if err != nil {
		return err
	}
	_, err = post(ctx, c, to.Scheme+"://"+to.Host+"/choose", url.Values{"request": {html.UnescapeString(found[1])}, "person": {string(who)}})
	return err
}

// asMember signs in to the portal as the member and looks at the notices and at the list of support visits.
func (r *run) asMember(ctx context.Context) (string, error) {
	c, err := web()
	if err != nil {
		return "", err
	}
	home, err := post(ctx, c, r.portalURL+"/signin", url.Values{"member": {r.target.ID}})
	if err != nil {
		return "", err
	}
	if !strings.Contains(home, "unread") {
		return "", errors.New("the member's page shows no unread notice")
	}
	visits, err := get(ctx, c, r.portalURL+"/support-access")
	if err == nil && !strings.Contains(visits, "Lena Ortiz") {
		err = errors.New("the list of support visits does not name the agent")
	}
	if err != nil {
		return "", err
	}
	notices, err := get(ctx, c, r.portalURL+"/notices")
	if err == nil && strings.Count(notices, "Lena Ortiz") < 2 {
		err = errors.New("the member was not told of start and end")
	}
	if err == nil && !strings.Contains(notices, "Proof reference: ") {
		err = errors.New("the member got no proof to keep")
	}
	return "told of start and end", err
}

// printTrail prints the first session's records and holds them to the promise: the intent was there first, and start
// and end name the same session, the cause and both identities.
func (r *run) printTrail(ctx context.Context) error {
	page, err := r.desk.Client.Trail(ctx, "", "", 100)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(r.out, "\nTrail of session %s:\n", r.first)
	var intent, started, ended *api.TrailEntry
	for i := len(page.Items) - 1; i >= 0; i-- {
		e := &page.Items[i]
		mine := e.SessionID != nil && *e.SessionID == string(r.first)
		switch {
		case audit.Kind(e.Kind) == audit.SessionIntent && intent == nil:
			intent = e
		case mine && audit.Kind(e.Kind) == audit.SessionStarted:
			started = e
		case mine && audit.Kind(e.Kind) == audit.SessionEnded:
			ended = e
		case !mine:
			continue
		}
		if mine || e == intent {
			r.printEntry(e)
		}
	}
	_, _ = fmt.Fprintln(r.out)
	switch {
	case started == nil || ended == nil:
		return errors.New("the trail lacks the start or the end")
	case intent == nil || intent.Index > started.Index || intent.Subject == nil || intent.Subject.ID != r.target.ID:
		return errors.New("the intent was not there before the start")
	case ended.Facts["cause"] != string(stead.CauseBanner):
		return errors.New("start and end do not belong together")
	}
	for _, e := range []*api.TrailEntry{started, ended} {
		if e.Actor == nil || e.Actor.ID != "st-lena" || e.Subject == nil || e.Subject.ID != r.target.ID {
			return fmt.Errorf("%s lacks an identity", e.Kind)
		}
	}
	return nil
}

func (r *run) printEntry(e *api.TrailEntry) {
	name := func(p *api.Person) string {
		if p == nil {
			return "-"
		}
		return p.Name
	}
	what := e.Facts["cause"]
	if what == "" {
		what = e.Facts["words"]
	}
	_, _ = fmt.Fprintf(r.out, "  %s  #%-4d %-21s agent %-12s member %-20s %s\n", e.At.Local().Format(time.TimeOnly), e.Index, e.Kind, name(e.Actor), name(e.Subject), what)
}
