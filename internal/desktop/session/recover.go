package session

import (
	"context"
	"path/filepath"

	"github.com/google/uuid"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/desktop/browser"
	"stead/internal/desktop/outbox"
)

// Recover puts right what a crash or a kill left behind: browsers are removed, sessions that this agent had running
// are ended at the platform, and each unfinished start or session gets its outcome. Another agent's session is not
// ended: it is not this agent's to end, and the platform ends it by lost connection. It must run before the first
// Start. What it could not finish (the platform was away) stays in the journal for the next time.
func (c *Control) Recover(ctx context.Context) ([]browser.Swept, error) {
	swept, err := c.Browsers.Sweep(ctx)
	if err != nil {
		return swept, err
	}
	left, err := c.journal.unfinished()
	if err != nil {
		return swept, stead.Errorf(stead.CodeOutboxDamaged, "%s", filepath.Base(c.Journal)).Because(err)
	}
	for _, e := range left {
		if err := c.recoverOne(ctx, e); err != nil {
			c.Log.Warn("a session from before could not be concluded yet", "session", e.Session, "err", err)
			continue
		}
		if err := c.journal.remove(e.Intent); err != nil {
			return swept, stead.Errorf(stead.CodeDataReadOnly, "%s", filepath.Base(c.Journal)).Because(err)
		}
	}
	return swept, nil
}

func (c *Control) recoverOne(ctx context.Context, e entry) error {
	subject, err := stead.ParsePseudonym(e.Subject)
	if err != nil {
		return err
	}
	mine := e.Agent == c.Agent.ID
	record := outbox.Entry{Kind: audit.SessionOutcome, Actor: c.Agent.Pseudonym, Subject: &subject, Ref: &e.Intent,
		Body: audit.Body{"result": "unknown", "why": "stead_closed"}}
	if e.Session != "" {
		record.Kind, record.Session = audit.SessionObservedEnd, &e.Session
		record.Body = audit.Body{"cause": string(stead.CauseSteadClosed), "confirmed": false, "wiped": true, "recovered": true}
	}
	// Without a session, Stead was killed between the intent and the platform's answer. If there is one after all, it
	// was never opened and the platform ends it within stead.HandoffTTL.
	if mine && e.Session != "" {
		s, err := c.Platform.End(ctx, e.Session, stead.CauseSteadClosed)
		if err != nil && stead.CodeOf(err) != stead.CodeSessionNotFound {
			return err
		}
		record.Body["confirmed"] = err == nil
		if s.Cause != nil {
			record.Body["platform_cause"] = *s.Cause
		}
	}
	if !mine { // whoever happens to be signed in now has nothing to do with it
		record.Actor, record.Body["cleaned_up_by"] = stead.Pseudonym{}, "nobody"
	}
	_, err = c.Outbox.Append(ctx, record)
	return err
}

// note writes into the journal how far the run has come.
func (c *Control) note(r *run) error {
	return c.journal.put(entry{Intent: r.intent, Agent: c.Agent.ID, Subject: r.ask.Subject.String(), Session: r.id})
}

// record appends a record of this session. What it says is the device's word: an observation.
func (c *Control) record(ctx context.Context, kind audit.Kind, subject stead.Pseudonym, ref uuid.UUID, id stead.SessionID, facts audit.Body) error {
	e := outbox.Entry{Kind: kind, Actor: c.Agent.Pseudonym, Subject: &subject, Ref: &ref, Body: facts}
	if id != "" {
		e.Session = &id
	}
	_, err := c.Outbox.Append(ctx, e)
	return err
}
