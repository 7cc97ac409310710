package session

import (
	"context"

	"stead/internal/audit"
	"stead/internal/stead"
)

// undo takes back what a failed start has done: the session first, then the browser, then the outcome is recorded.
// It works on although ctx may be over: half a session must not stay because somebody was impatient.
func (c *Control) undo(ctx context.Context, r *run, step Step, cause error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoLimit)
	defer cancel()
	facts := r.withMode(audit.Body{"result": "failed", "step": string(step), "code": string(stead.CodeOf(cause)), "confirmed": c.undoAtPlatform(ctx, r, cause)})
	if r.browser != nil {
		wipe, err := r.browser.Close(ctx)
		facts["wiped"] = wipe.Clean && err == nil
		c.newNotebook(r).close() // a page may have been open
	}
	if err := c.record(ctx, audit.SessionOutcome, r.ask.Subject, r.intent, r.id, facts); err != nil {
		c.Log.Error("the outcome of a failed start could not be recorded", "err", err)
		return // the journal stays: the next start of Stead records it
	}
	if err := c.journal.remove(r.intent); err != nil {
		c.Log.Error("the journal could not be written", "err", err)
	}
}

// undoAtPlatform reports whether it is certain that no session lives there. cause is why the start failed.
func (c *Control) undoAtPlatform(ctx context.Context, r *run, cause error) bool {
	if r.id == "" {
		return !r.asked || refused(cause)
	}
	seen := stead.CauseNotOpened
	if stead.CodeOf(cause) == stead.CodeBrowserContested {
		seen = stead.CauseHandoffReused
	}
	_, err := c.tellEnd(ctx, r.id, seen)
	if err != nil {
		c.confirmLater(r, seen)
	}
	return err == nil
}

// refused reports whether the error of a start is the platform's decision against it. After any other one, there may
// be a session of which only the answer was lost; the platform ends it within stead.HandoffTTL.
func refused(err error) bool {
	switch stead.CodeOf(err) {
	case stead.CodeUnreachable, stead.CodeSignInRequired, stead.CodeSignInFailed, stead.CodeDataReadOnly, // no answer, or no token to ask with
		stead.CodeVersion, stead.CodeInternal: // an answer that says nothing
		return false
	}
	return true
}
