package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"stead/internal/desktop/browser"
	"stead/internal/desktop/session"
	"stead/internal/stead"
)

// session is the first session: started, looked around in, ended in the banner.
func (r *run) session() []step {
	return []step{
		{"the session starts in an isolated browser", func(ctx context.Context) (string, error) {
			s, err := r.start(ctx, r.target)
			if err != nil {
				return "", err
			}
			r.first = s.ID
			return fmt.Sprintf("session %s, scope %q, until %s", s.ID, s.Scope, s.EndsAt.Format(time.TimeOnly)), r.sees(ctx, r.target.Name)
		}},
		{"the red banner is on the member's dashboard", func(ctx context.Context) (string, error) {
			h, err := r.hand()
			if err != nil {
				return "", err
			}
			text, err := h.BannerText(ctx)
			if err == nil && (!strings.Contains(text, r.target.Name) || !strings.Contains(text, r.target.Email)) {
				err = fmt.Errorf("the banner says %q", text)
			}
			if err != nil {
				return "", err
			}
			return r.shoot(ctx, "1-dashboard")
		}},
		{"the member's plan and providers are seen", func(ctx context.Context) (string, error) {
			return r.look(ctx, `a[href="/plan"]`, "Deductible a year", "2-plan")
		}},
		{"the same page is seen as on their phone", func(ctx context.Context) (string, error) {
			return r.onThePhone(ctx)
		}},
		{"changing something is refused: view first", func(ctx context.Context) (string, error) {
			return r.look(ctx, `a[href="/preferences"]`, "View only: support can look at this page, but cannot change anything here.", "4-preferences")
		}},
		{"the member's notices stay closed to support", func(ctx context.Context) (string, error) {
			return r.look(ctx, "a.bell", "Notices are for the member", "5-notices")
		}},
		{"End in the banner ends it", func(ctx context.Context) (string, error) {
			h, err := r.hand()
			if err != nil {
				return "", err
			}
			if err := h.ClickEnd(ctx); err != nil {
				return "", err
			}
			s, err := r.ended(ctx, r.first, stead.CauseBanner)
			if err == nil && !s.Wiped {
				err = errors.New("something of the browser is left on this machine")
			}
			return "confirmed by the platform, browser gone, folder wiped", err
		}},
	}
}

// sees waits until the session's page shows the words.
func (r *run) sees(ctx context.Context, words string) error {
	h, err := r.hand()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return h.WaitText(ctx, words)
}

// look clicks a link inside the session, waits for the words on the page it leads to, and saves a screenshot.
func (r *run) look(ctx context.Context, link, words, name string) (string, error) {
	h, err := r.hand()
	if err != nil {
		return "", err
	}
	if err := h.Click(ctx, link); err != nil {
		return "", err
	}
	if err := r.sees(ctx, words); err != nil {
		return "", err
	}
	return r.shoot(ctx, name)
}

// onThePhone looks at the page as on a phone, saves a screenshot, and goes back to the desktop.
func (r *run) onThePhone(ctx context.Context) (string, error) {
	ctl, err := r.desk.Session()
	if err != nil {
		return "", err
	}
	h, err := r.hand()
	if err == nil {
		_, err = ctl.SetView(ctx, browser.PhoneView)
	}
	if err != nil {
		return "", err
	}
	var is struct {
		Width          int
		Language, Zone string
	}
	if err := h.Evaluate(ctx, "({width: screen.width, language: navigator.language, zone: Intl.DateTimeFormat().resolvedOptions().timeZone})", &is); err != nil {
		return "", err
	}
	if is.Width > 500 || is.Language != r.target.Language || is.Zone != r.target.TimeZone {
		return "", fmt.Errorf("the page finds %+v, but the member is at %s, %s", is, r.target.Language, r.target.TimeZone)
	}
	shot, err := r.shoot(ctx, "3-phone")
	if err == nil {
		_, err = ctl.SetView(ctx, browser.DesktopView)
	}
	return fmt.Sprintf("%s, %s; %s", is.Language, is.Zone, shot), err
}

// ended waits until this machine's session is over, with that cause, confirmed by the platform.
func (r *run) ended(ctx context.Context, id stead.SessionID, want stead.Cause) (session.State, error) {
	ctl, err := r.desk.Session()
	if err != nil {
		return session.State{}, err
	}
	for deadline := time.Now().Add(15 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		s := ctl.State()
		switch {
		case s.ID == id && s.Phase == session.PhaseEnded && s.Confirmed && s.Cause == want:
			return s, r.endedThere(ctx, id, want)
		case time.Now().After(deadline):
			return s, fmt.Errorf("the session is %s, cause %q, confirmed %v", s.Phase, s.Cause, s.Confirmed)
		}
	}
}

// endedThere checks the platform's own word.
func (r *run) endedThere(ctx context.Context, id stead.SessionID, want stead.Cause) error {
	s, err := r.desk.Client.Session(ctx, id)
	if err == nil && (s.State != "ended" || s.Cause == nil || *s.Cause != string(want)) {
		err = fmt.Errorf("the platform says %+v", s)
	}
	return err
}

// afterwards is the close-out and what the member sees.
func (r *run) afterwards() []step {
	return []step{
		{"the agent writes the close-out note", func(ctx context.Context) (string, error) {
			s, err := r.desk.Client.WriteNote(ctx, r.first, "Showed where to set the zip code; the member will do it.")
			if err == nil && s.NoteOwed {
				err = errors.New("the note is still owed")
			}
			return "in the member's notes", err
		}},
		{"the member sees who was in, the dot unread", func(ctx context.Context) (string, error) {
			return r.asMember(ctx)
		}},
	}
}

// otherEnds shows the ends that are not the agent's: another admin, a newer session, the closed window.
func (r *run) otherEnds() []step {
	return []step{
		{"a lead ends a session from the overview", func(ctx context.Context) (string, error) {
			s, err := r.start(ctx, r.target)
			if err != nil {
				return "", err
			}
			if _, err := r.lead.Client.End(ctx, s.ID, stead.CauseAgent); err != nil {
				return "", err
			}
			_, err = r.ended(ctx, s.ID, stead.CauseAdmin)
			return "cause admin, browser gone", err
		}},
		{"a newer session ends the one before it", func(ctx context.Context) (string, error) {
			first, err := r.start(ctx, r.target)
			if err != nil {
				return "", err
			}
			second, err := r.start(ctx, r.target)
			if err != nil {
				return "", err
			}
			return fmt.Sprintf("%s superseded, %s lives", first.ID, second.ID), r.endedThere(ctx, first.ID, stead.CauseSuperseded)
		}},
		{"closing the window ends the session", func(ctx context.Context) (string, error) {
			ctl, err := r.desk.Session()
			if err != nil {
				return "", err
			}
			id := ctl.State().ID
			h, err := r.hand()
			if err != nil {
				return "", err
			}
			if err := h.CloseWindow(ctx); err != nil {
				return "", err
			}
			_, err = r.ended(ctx, id, stead.CauseBrowserClosed)
			return "cause browser_closed", err
		}},
		{"every record has reached the platform", func(ctx context.Context) (string, error) {
			ob, err := r.desk.Outbox()
			if err != nil {
				return "", err
			}
			head := ob.State().Head
			return fmt.Sprintf("%d records of this device", head), ob.WaitDrained(ctx, head)
		}},
	}
}
