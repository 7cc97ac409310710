package desktop

import (
	"context"
	"errors"

	"stead/internal/stead"

	"stead/internal/desktop/session"
)

// fallBack opens a session in a browser that cannot be controlled, when refused says that this machine has no other and
// the platform and this machine allow it. Otherwise it refuses as well, and says whose word is missing.
func (b browsers) fallBack(ctx context.Context, id string, refused error) (session.Browser, error) {
	switch stead.CodeOf(refused) {
	case stead.CodeBrowserMissing, stead.CodeBrowserPolicy:
	default:
		return nil, refused
	}
	switch may, err := b.mayFallBack(ctx); {
	case err != nil:
		return nil, err
	case !may:
		return nil, withAdvice(refused)
	}
	private, err := b.root.LaunchPrivate(ctx, id)
	if err != nil {
		return nil, err // not a nil *browser.Private inside an interface
	}
	return private, nil
}

// advice is what a refusal says of the fallback.
const advice = "a fallback exists that opens sessions in a browser without Stead's guard; whoever runs the platform can allow it (browser_fallback), unless this machine forbids it"

func withAdvice(refused error) error {
	var e *stead.Error
	if !errors.As(refused, &e) {
		return refused
	}
	detail := advice
	if e.Detail != "" {
		detail = e.Detail + "; " + advice
	}
	return stead.Errorf(e.Code, "%s", detail).Because(refused)
}

// mayFallBack asks the platform anew: it is asked seldom, and a permission that was withdrawn is none.
func (d *Desk) mayFallBack(ctx context.Context) (bool, error) {
	if d.cfg.NoFallback {
		return false, nil
	}
	v, err := d.Client.Version(ctx)
	return err == nil && v.BrowserFallback != nil && *v.BrowserFallback, err
}
