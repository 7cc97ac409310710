package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"stead/internal/stead"
)

// Visit is what a session's browser is opened with.
type Visit struct {
	URL    string // http or https, without any credential in it
	Cookie Cookie
	Banner Banner

	Locale, TimeZone string // the member's, BCP 47 and IANA; empty ones leave the machine's own
	Form             Form   // for a Private instead of all the others

	Fence     Fence
	MayChange bool // else whatever changes something is stopped in the browser
	Downloads bool // into the session's folder, which is wiped; else they are stopped
	Guard     GuardText
}

// Cookie is the session's credential, as the member app's contract says. It ends with the browser.
type Cookie struct {
	Name     string
	Value    stead.Secret
	URL      string // the address that it is for: sets its domain, path "/" and scheme
	HTTPOnly bool
	Secure   bool
	SameSite string // "Strict", "Lax" or "None"
}

const (
	loadLimit  = 30 * time.Second // until the member app has answered with a document
	shownLimit = 5 * time.Second  // from there until the banner is seen
)

// Open places the cookie and the banner and then goes to the address. It is called once for a Browser. When it
// returns nil the address has answered with a status below 400 and the banner stands on the page. Otherwise the
// error is browser_open_failed, and the caller must Close the browser.
func (b *Browser) Open(ctx context.Context, v Visit) error {
	ctx, cancel := context.WithTimeout(ctx, loadLimit)
	defer cancel()
	first, err := b.prepare(ctx, v)
	if err == nil {
		err = b.navigate(ctx, first, v.URL)
	}
	if err == nil {
		err = b.awaitBanner(ctx, first)
	}
	if err != nil {
		return b.notOpened(err)
	}
	return nil
}

// prepare makes sure that no page of the session, present or future, is without cookie and banner.
func (b *Browser) prepare(ctx context.Context, v Visit) (*page, error) {
	if err := errors.Join(webAddress(v.URL), webAddress(v.Cookie.URL)); err != nil {
		return nil, err
	}
	d, err := newDress(v.Banner, look{locale: v.Locale, zone: v.TimeZone, agent: b.agent, view: DesktopView})
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	pages, opened := b.ours(), b.dress != nil
	if len(pages) == 0 || opened {
		b.mu.Unlock()
		return nil, errors.New("the session's window is closed, or was opened before")
	}
	b.guard.set(v)
	b.dress = d // from here on new pages get it as they attach
	replies := append(b.guard.put(b.client, pages[0].session), d.put(b.client, pages[0])...)
	for _, p := range pages[1:] {
		b.guard.put(b.client, p.session)
		d.put(b.client, p)
	}
	b.mu.Unlock()
	replies = append(replies, b.client.Send("", "Fetch.enable", b.guard.fetchParams()))
	if v.Downloads {
		replies = append(replies, b.client.Send("", "Browser.setDownloadBehavior", map[string]any{
			"behavior": "allow", "downloadPath": filepath.Join(b.claim.dir, downloadDir), "eventsEnabled": true, "browserContextId": b.contextID,
		}))
	}
	cookie := b.client.Send("", "Storage.setCookies", map[string]any{
		"browserContextId": b.contextID,
		"cookies": []map[string]any{{
			"name": v.Cookie.Name, "value": string(v.Cookie.Value), "url": v.Cookie.URL, "path": "/",
			"httpOnly": v.Cookie.HTTPOnly, "secure": v.Cookie.Secure, "sameSite": v.Cookie.SameSite,
		}},
	})
	for _, reply := range replies {
		if err := reply.Wait(ctx, nil); err != nil {
			return nil, fmt.Errorf("place the banner: %w", err)
		}
	}
	if err := cookie.Wait(ctx, nil); err != nil {
		return nil, fmt.Errorf("place the cookie: %w", err)
	}
	return pages[0], nil
}

// navigate goes to the address and looks at how its document was answered. Errors do not repeat the address.
func (b *Browser) navigate(ctx context.Context, p *page, address string) error {
	b.listenFor(map[string]int{})
	defer b.listenFor(nil)
	var gone struct {
		LoaderID string `json:"loaderId"`
		Error    string `json:"errorText"`
	}
	if err := b.client.Send(p.session, "Page.navigate", map[string]any{"url": address}).Wait(ctx, &gone); err != nil {
		return err
	}
	if gone.Error != "" {
		return errors.New(gone.Error)
	}
	status := 0
	err := b.until(ctx, func() (ok bool) { status, ok = b.answers[gone.LoaderID]; return ok })
	if err == nil && status >= 400 {
		err = fmt.Errorf("the member app answered with status %d", status)
	}
	return err
}

// listenFor keeps how documents are answered there, until it is called with nil.
func (b *Browser) listenFor(answers map[string]int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answers = answers
}

// awaitBanner asks the banner itself. A page may replace itself meanwhile, which ends the question without an answer.
func (b *Browser) awaitBanner(ctx context.Context, p *page) error {
	ctx, cancel := context.WithTimeout(ctx, shownLimit)
	defer cancel()
	for {
		var shown bool
		err := b.evaluate(ctx, p, world, "globalThis.stead?.shown() === true", &shown)
		if err == nil && shown {
			return nil
		}
		if pause(ctx, 50*time.Millisecond) != nil || b.client.Err() != nil {
			return errors.Join(errors.New("the banner did not appear"), err)
		}
	}
}

// evaluate runs an expression in a page's top document, in its own world ("") or in a named isolated one, waits for
// its promise if it is one, and decodes its value.
func (b *Browser) evaluate(ctx context.Context, p *page, in, expression string, out any) error {
	params := map[string]any{"expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true}
	if in != "" {
		var made struct {
			Context int `json:"executionContextId"`
		}
		// An isolated world of that name is not made twice: this finds the banner's. A page's main frame has its target's id.
		if err := b.client.Call(ctx, p.session, "Page.createIsolatedWorld", map[string]any{"frameId": p.target, "worldName": in}, &made); err != nil {
			return err
		}
		params["contextId"] = made.Context
	}
	var got struct {
		Result struct {
			Value json.RawMessage `json:"value"`
		} `json:"result"`
		Thrown *struct {
			Text      string `json:"text"`
			Exception struct {
				Description string `json:"description"`
			} `json:"exception"`
		} `json:"exceptionDetails"`
	}
	if err := b.client.Call(ctx, p.session, "Runtime.evaluate", params, &got); err != nil {
		return err
	}
	if got.Thrown != nil {
		return fmt.Errorf("%s %s", got.Thrown.Text, got.Thrown.Exception.Description)
	}
	if out == nil || len(got.Result.Value) == 0 { // undefined has no value
		return nil
	}
	return json.Unmarshal(got.Result.Value, out)
}

func webAddress(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return errors.New("not a web address without credentials") // which is not repeated: it may hold one
	}
	return nil
}
