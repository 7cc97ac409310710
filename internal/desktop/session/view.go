package session

import (
	"context"

	"stead/internal/stead"

	"stead/internal/desktop/browser"
)

// viewer is a browser that can show the pages as on another kind of screen.
type viewer interface {
	SetView(ctx context.Context, v browser.View) error
}

// firstView is what a browser shows at first, "" when it offers no choice.
func firstView(b Browser) browser.View {
	if _, ok := b.(viewer); ok {
		return browser.DesktopView
	}
	return ""
}

// SetView shows the live session's pages as on that kind of screen. CodeSessionNotFound when there is none, or when its
// browser offers no choice; CodeBadRequest for a kind that it does not know.
func (c *Control) SetView(ctx context.Context, v browser.View) (State, error) {
	r := c.current()
	if r == nil {
		return c.State(), stead.E(stead.CodeSessionNotFound, nil)
	}
	b, ok := r.browser.(viewer)
	if !ok {
		return c.State(), stead.E(stead.CodeSessionNotFound, nil)
	}
	if err := b.SetView(ctx, v); err != nil {
		return c.State(), stead.E(stead.CodeBadRequest, err)
	}
	c.changeOf(r, func(s *State) { s.View = v })
	return c.State(), nil
}
