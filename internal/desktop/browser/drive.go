package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"stead/internal/desktop/browser/cdp"
)

// Hand does in the session's browser what an agent would do with mouse and eyes. The headless demo and tests use
// it; it can do nothing that the person at the window cannot. Each command ends after cdp.CallTimeout at the latest.
type Hand struct {
	b      *Browser
	target string // "" for the session's oldest page
}

// Hand acts on the session's oldest living page.
func (b *Browser) Hand() *Hand { return &Hand{b: b} }

// Pages returns a hand for each living page of the session, oldest first.
func (b *Browser) Pages() []*Hand {
	b.mu.Lock()
	defer b.mu.Unlock()
	var hands []*Hand
	for _, p := range b.ours() {
		hands = append(hands, &Hand{b: b, target: p.target})
	}
	return hands
}

// NextPage waits until the session has more than n pages and returns a hand for the newest.
func (b *Browser) NextPage(ctx context.Context, n int) (*Hand, error) {
	h := &Hand{b: b}
	err := b.until(ctx, func() bool {
		pages := b.ours()
		if len(pages) <= n {
			return false
		}
		h.target = pages[len(pages)-1].target
		return true
	})
	return h, err
}

func (h *Hand) page() (*page, error) {
	h.b.mu.Lock()
	defer h.b.mu.Unlock()
	for _, p := range h.b.ours() {
		if h.target == "" || p.target == h.target {
			return p, nil
		}
	}
	return nil, errors.New("this page of the session is closed")
}

// front brings the page to the front: Chromium never answers an input event or a capture for a page in the background.
func (h *Hand) front(ctx context.Context) (*page, error) {
	p, err := h.page()
	if err != nil {
		return nil, err
	}
	return p, h.b.client.Call(ctx, p.session, "Page.bringToFront", nil, nil)
}

// captureLimit is for one try of a picture, which takes a tenth of a second.
const captureLimit = 3 * time.Second

// Capture takes a picture of the page as it is seen in the window, as PNG. Chromium never answers when the page goes
// elsewhere at that moment, so it is asked again.
func (h *Hand) Capture(ctx context.Context) (png []byte, err error) {
	for range 3 {
		if png, err = h.capture(ctx); err == nil || ctx.Err() != nil || h.b.client.Err() != nil {
			return png, err
		}
	}
	return nil, err
}

func (h *Hand) capture(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, captureLimit)
	defer cancel()
	p, err := h.front(ctx)
	if err != nil {
		return nil, err
	}
	var shot struct {
		Data []byte `json:"data"`
	}
	err = h.b.client.Call(ctx, p.session, "Page.captureScreenshot", map[string]any{"format": "png"}, &shot)
	return shot.Data, err
}

// ClickEnd presses the banner's End with the mouse. That the browser is gone before it says so is not an error.
func (h *Hand) ClickEnd(ctx context.Context) error {
	p, err := h.front(ctx)
	if err != nil {
		return err
	}
	var at point
	if err := h.b.evaluate(ctx, p, world, "stead.end()", &at); err != nil {
		return err
	}
	err = h.click(ctx, p, at)
	if errors.Is(err, cdp.ErrGone) || errors.Is(err, cdp.ErrClosed) {
		return nil
	}
	return err
}

// BannerText is what the banner says now, the button included.
func (h *Hand) BannerText(ctx context.Context) (text string, err error) {
	p, err := h.page()
	if err == nil {
		err = h.b.evaluate(ctx, p, world, "stead.text()", &text)
	}
	return text, err
}

// Click presses the first element that matches a CSS selector with the mouse, in view.
func (h *Hand) Click(ctx context.Context, selector string) error {
	p, err := h.front(ctx)
	if err != nil {
		return err
	}
	quoted, err := json.Marshal(selector)
	if err != nil {
		return err
	}
	var at *point
	if err := h.b.evaluate(ctx, p, "", `(async () => {
		const el = document.querySelector(`+string(quoted)+`)
		if (!el) return null
		el.scrollIntoView({ block: 'center', behavior: 'instant' })
		for (let n = 0; n < 3; n++) await new Promise(requestAnimationFrame) // another view is laid out first
		const r = el.getBoundingClientRect()
		return { x: r.left + r.width / 2, y: r.top + r.height / 2 }
	})()`, &at); err != nil {
		return err
	}
	if at == nil {
		return fmt.Errorf("nothing on the page matches %s", selector)
	}
	return h.click(ctx, p, *at)
}

type point struct{ X, Y float64 }

func (h *Hand) click(ctx context.Context, p *page, at point) error {
	for _, kind := range []string{"mouseMoved", "mousePressed", "mouseReleased"} {
		params := map[string]any{"type": kind, "x": at.X, "y": at.Y}
		if kind != "mouseMoved" {
			params["button"], params["clickCount"] = "left", 1
		}
		if err := h.b.client.Call(ctx, p.session, "Input.dispatchMouseEvent", params, nil); err != nil {
			return err
		}
	}
	return nil
}

// Press types one key that has no text, e.g. "Tab", or Enter.
func (h *Hand) Press(ctx context.Context, key string) error {
	p, err := h.front(ctx)
	if err != nil {
		return err
	}
	codes := map[string]int{"Tab": 9, "Enter": 13, "Escape": 27}
	code, ok := codes[key]
	if !ok {
		return fmt.Errorf("no such key: %s", key)
	}
	params := map[string]any{"type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": code}
	if key == "Enter" {
		params["text"] = "\r"
	}
	if err := h.b.client.Call(ctx, p.session, "Input.dispatchKeyEvent", params, nil); err != nil {
		return err
	}
	params["type"] = "keyUp"
	delete(params, "text")
	return h.b.client.Call(ctx, p.session, "Input.dispatchKeyEvent", params, nil)
}

// Visit goes to an address, as if typed, and fails like Open when it does not answer.
func (h *Hand) Visit(ctx context.Context, address string) error {
	p, err := h.front(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, loadLimit)
	defer cancel()
	return h.b.navigate(ctx, p, address)
}

// Text is what the page shows, without the banner.
func (h *Hand) Text(ctx context.Context) (text string, err error) {
	err = h.Evaluate(ctx, "document.body?.innerText ?? ''", &text)
	return text, err
}

// WaitText waits until the page shows the words. A page that loads meanwhile is asked again.
func (h *Hand) WaitText(ctx context.Context, words string) error {
	for {
		text, err := h.Text(ctx)
		if err == nil && strings.Contains(text, words) {
			return nil
		}
		if pause(ctx, 100*time.Millisecond) != nil || h.b.client.Err() != nil {
			return errors.Join(fmt.Errorf("the page does not show %q", words), err)
		}
	}
}

// Evaluate runs an expression among the page's own scripts, waits for its promise and decodes its value into out.
func (h *Hand) Evaluate(ctx context.Context, expression string, out any) error {
	p, err := h.page()
	if err != nil {
		return err
	}
	return h.b.evaluate(ctx, p, "", expression, out)
}

// CloseWindow closes the page as its window's close button does.
func (h *Hand) CloseWindow(ctx context.Context) error {
	p, err := h.page()
	if err != nil {
		return err
	}
	return h.b.client.Call(ctx, p.session, "Page.close", nil, nil)
}
