package browser

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"stead/internal/desktop/browser/cdp"
)

// View is the kind of screen that the session's pages find themselves on.
type View string

// The views that a person can choose.
const (
	DesktopView View = "desktop" // the window as it is
	TabletView  View = "tablet"
	PhoneView   View = "phone"
)

// screen is a common device of a kind, upright, in CSS pixels. The user agent says of it what Chrome on Android says
// since its user agents were reduced (goo.gle/reduced-ua), for the pages that ask there and not in a media query.
type screen struct {
	width, height int
	mobile        string // what stands behind the version in the user agent
}

var screens = map[View]screen{
	TabletView: {width: 820, height: 1180},
	PhoneView:  {width: 390, height: 844, mobile: " Mobile"},
}

// look is what the session's pages find around them beside the document itself.
type look struct {
	locale, zone string // of the member; "" leaves the browser's own
	agent        string // the browser's own user agent
	view         View
}

// SetView shows every page of the session, present and future, as on a screen of that kind. The window keeps its size:
// Chromium stopped answering now and then when it was resized at the same time.
func (b *Browser) SetView(ctx context.Context, v View) error {
	if _, ok := screens[v]; !ok && v != DesktopView {
		return fmt.Errorf("no such view: %q", v)
	}
	b.mu.Lock()
	if b.dress == nil {
		b.mu.Unlock()
		return errors.New("the session's window is not open")
	}
	b.dress.look.view = v
	pages, next := b.ours(), b.dress.look
	b.mu.Unlock()
	var replies []*cdp.Reply
	for _, p := range pages {
		replies = append(replies, next.screen(b.client, p)...)
	}
	for _, reply := range replies {
		if err := reply.Wait(ctx, nil); err != nil && b.client.Err() != nil { // a page may just have been closed
			return err
		}
	}
	return nil
}

// put sends what the page is to find around it, and waits for nothing; see onEvent. Pages of one process share their
// language and clock: all but the first of them are told that it is set already, which is not an error.
func (l look) put(c *cdp.Client, p *page) {
	if l.locale != "" {
		c.Send(p.session, "Emulation.setLocaleOverride", map[string]any{"locale": strings.ReplaceAll(l.locale, "-", "_")})
	}
	if l.zone != "" {
		c.Send(p.session, "Emulation.setTimezoneOverride", map[string]any{"timezoneId": l.zone})
	}
	l.screen(c, p)
}

// screen sends what makes the view, the user agent included, which carries the language as well.
func (l look) screen(c *cdp.Client, p *page) []*cdp.Reply {
	agent := map[string]any{"userAgent": ""} // the browser's own: any other takes its client hints away
	if l.locale != "" {
		agent["acceptLanguage"] = l.locale
	}
	s, emulated := screens[l.view]
	if !emulated {
		return []*cdp.Reply{
			c.Send(p.session, "Emulation.clearDeviceMetricsOverride", nil),
			c.Send(p.session, "Emulation.setTouchEmulationEnabled", map[string]any{"enabled": false}),
			c.Send(p.session, "Emulation.setUserAgentOverride", agent),
		}
	}
	agent["userAgent"] = s.agent(l.agent)
	agent["userAgentMetadata"] = map[string]any{
		"platform": "Android", "platformVersion": "", "architecture": "", "model": "", "mobile": s.mobile != "",
	}
	return []*cdp.Reply{
		c.Send(p.session, "Emulation.setDeviceMetricsOverride", map[string]any{
			"width": s.width, "height": s.height, "deviceScaleFactor": 0, "mobile": true,
			"screenWidth": s.width, "screenHeight": s.height,
			"screenOrientation": map[string]any{"type": "portraitPrimary", "angle": 0},
		}),
		c.Send(p.session, "Emulation.setTouchEmulationEnabled", map[string]any{"enabled": true, "maxTouchPoints": 5}),
		c.Send(p.session, "Emulation.setUserAgentOverride", agent),
	}
}

// agent is the user agent of the browser's version on such a screen: "Mozilla/5.0 (Linux; Android 10; K)
// AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Mobile Safari/537.36".
func (s screen) agent(own string) string {
	begin, rest, ok := strings.Cut(own, "(")
	_, rest, ok2 := strings.Cut(rest, ")")
	if !ok || !ok2 {
		return own
	}
	return begin + "(Linux; Android 10; K)" + strings.Replace(rest, " Safari/", s.mobile+" Safari/", 1)
}
