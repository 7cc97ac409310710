package session

import (
	"context"
	"fmt"
	"time"

	"stead/internal/api"
	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/desktop/browser"
)

// liveLook is how often the platform is asked whether the member app has exchanged the code.
const liveLook = 100 * time.Millisecond

// openByPage lets the browser's one-time page post the member app a code for the credential, which this machine never
// has. It returns when the platform says that the session is live: nothing else tells.
func (c *Control) openByPage(ctx context.Context, r *run, handoff string, signature []byte) error {
	mode := api.RedeemRequestModeFallback
	opened, err := c.Platform.Redeem(ctx, r.id, api.RedeemRequest{Code: handoff, Signature: signature, Mode: &mode})
	if err != nil {
		return err
	}
	h := opened.Handover
	if h == nil || h.Code == "" || !stead.StaysPrivate(h.PostURL) {
		return stead.Errorf(stead.CodeDescriptorMismatch, "the code would not be safe on its way")
	}
	if err := r.browser.Open(ctx, browser.Visit{Form: browser.Form{Action: h.PostURL, Code: stead.Secret(h.Code)}}); err != nil {
		return err
	}
	return c.awaitLive(ctx, r)
}

// awaitLive waits as long as the code is good, unless something happens to the browser or the session before.
func (c *Control) awaitLive(ctx context.Context, r *run) error {
	ctx, cancel := context.WithTimeout(ctx, stead.FallbackCodeTTL)
	defer cancel()
	looks := time.NewTicker(liveLook)
	defer looks.Stop()
	for {
		s, err := c.Pulse.Session(ctx, r.id)
		switch {
		case err == nil && s.State == api.SessionStateLive:
			return nil
		case err == nil && s.State == api.SessionStateEnded && s.Cause != nil && *s.Cause == string(stead.CauseHandoffReused):
			return stead.E(stead.CodeBrowserContested, nil)
		case err == nil && s.State == api.SessionStateEnded:
			return stead.E(stead.CodeSessionEnded, nil)
		}
		select {
		case <-looks.C:
		case e := <-r.browser.Events():
			if e.Kind == browser.Contested {
				return stead.E(stead.CodeBrowserContested, nil)
			}
			return stead.E(stead.CodeBrowserOpenFailed, fmt.Errorf("the browser ended: %s", e.Cause))
		case <-ctx.Done():
			return stead.E(stead.CodeBrowserOpenFailed, fmt.Errorf("the member app did not exchange the code: %w", ctx.Err()))
		}
	}
}

// mode is how the run reaches its browser; "" while it has none.
func (r *run) mode() stead.Mode {
	if r.browser == nil {
		return ""
	}
	return r.browser.Mode()
}

// withMode adds to a record's facts that nothing was observed in the browser. A record that does not say so speaks of
// one that was controlled, or of none.
func (r *run) withMode(facts audit.Body) audit.Body {
	if m := r.mode(); m == stead.ModeFallback {
		facts["mode"] = string(m)
	}
	return facts
}
