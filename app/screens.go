package app

import (
	"context"
	"strings"
	"time"

	"stead/internal/desktop/browser"
	"stead/internal/desktop/session"
	"stead/internal/stead"
)

// callLimit bounds a call of the window that only asks the platform something.
const callLimit = 15 * time.Second

func (c *core) call() (context.Context, context.CancelFunc) {
	return context.WithTimeout(c.lifetime(), callLimit)
}

// SignIn is the screen before work begins.
type SignIn struct{ c *core }

// State is what to show now.
func (s *SignIn) State() SignInView {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return s.c.view
}

// Begin opens the agent's browser and returns when the sign-in is done, failed or cancelled.
func (s *SignIn) Begin() SignInView {
	d, err := s.c.ready()
	if err != nil {
		return s.State()
	}
	ctx, cancel := context.WithCancel(s.c.lifetime())
	defer cancel()
	s.c.mu.Lock()
	s.c.cancel = cancel
	s.c.mu.Unlock()
	s.c.show(SignInView{Phase: "waiting"})
	stage, me, err := d.Begin(ctx)
	if ctx.Err() != nil {
		err = nil // the agent cancelled; nothing to explain
	}
	return s.c.reached(stage, me, err)
}

// Cancel gives up a sign-in under way.
func (s *SignIn) Cancel() {
	s.c.mu.Lock()
	cancel := s.c.cancel
	s.c.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

// Retry tries again to get ready.
func (s *SignIn) Retry() SignInView {
	s.c.show(SignInView{Phase: "starting"})
	return s.c.connect(s.c.lifetime())
}

// SignOut ends the live session and forgets who was signed in.
func (s *SignIn) SignOut() SignInView {
	d, err := s.c.ready()
	if err != nil {
		return s.State()
	}
	ctx, cancel := s.c.call()
	defer cancel()
	return s.c.reached("signed_out", nil, d.SignOut(ctx))
}

// Claim makes the signed-in person the first superadmin.
func (s *SignIn) Claim(code string) (SignInView, error) {
	d, err := s.c.ready()
	if err != nil {
		return s.State(), err
	}
	stage, me, err := d.Claim(s.c.lifetime(), strings.TrimSpace(code))
	return s.c.reached(stage, me, err), nil
}

// Enrol enrols this device.
func (s *SignIn) Enrol(code string) (SignInView, error) {
	d, err := s.c.ready()
	if err != nil {
		return s.State(), err
	}
	stage, me, err := d.Enrol(s.c.lifetime(), strings.TrimSpace(code))
	return s.c.reached(stage, me, err), nil
}

// Members is the members list and the profile.
type Members struct{ c *core }

// Find searches members by name, e-mail, phone, id or account.
func (m *Members) Find(query, cursor string) (MembersView, error) {
	d, err := m.c.ready()
	if err != nil {
		return MembersView{}, err
	}
	ctx, cancel := m.c.call()
	defer cancel()
	page, err := d.Client.Find(ctx, query, cursor)
	return membersView(page), err
}

// Profile opens a member's profile.
func (m *Members) Profile(id string) (ProfileView, error) {
	d, err := m.c.ready()
	if err != nil {
		return ProfileView{}, err
	}
	ctx, cancel := m.c.call()
	defer cancel()
	p, err := d.Client.Member(ctx, stead.MemberID(id))
	return profileView(p), err
}

// CheckIdentity records whether name and e-mail match what the caller gave, and returns the profile as it is then.
func (m *Members) CheckIdentity(id string, nameMatches, emailMatches bool) (ProfileView, error) {
	d, err := m.c.ready()
	if err != nil {
		return ProfileView{}, err
	}
	ctx, cancel := m.c.call()
	defer cancel()
	if _, err := d.Client.CheckIdentity(ctx, stead.MemberID(id), nameMatches, emailMatches); err != nil {
		return ProfileView{}, err
	}
	return m.Profile(id)
}

// Session is this machine's session.
type Session struct{ c *core }

func (s *Session) control() (*session.Control, error) {
	d, err := s.c.ready()
	if err != nil {
		return nil, err
	}
	return d.Session()
}

// Start starts a session and returns when the member app is open in its browser.
func (s *Session) Start(v StartView) (LiveView, error) {
	d, err := s.c.ready()
	if err != nil {
		return LiveView{}, err
	}
	ctl, err := d.Session()
	if err != nil {
		return LiveView{}, err
	}
	ctx := s.c.lifetime()
	if v.NameChecked || v.MailChecked { // ticked in the dialog itself; the profile's own check is recorded already
		if _, err := d.Client.CheckIdentity(ctx, stead.MemberID(v.MemberID), v.NameChecked, v.MailChecked); err != nil {
			return LiveView{}, err
		}
	}
	p, err := d.Client.Member(ctx, stead.MemberID(v.MemberID))
	if err != nil {
		return LiveView{}, err
	}
	ask, err := toAsk(v, p)
	if err != nil {
		return LiveView{}, err
	}
	st, err := ctl.Start(ctx, ask)
	return liveView(st), err
}

// Live is the present state.
func (s *Session) Live() LiveView {
	ctl, err := s.control()
	if err != nil {
		return LiveView{Phase: "none"}
	}
	return liveView(ctl.State())
}

// End ends the live session.
func (s *Session) End() (LiveView, error) {
	ctl, err := s.control()
	if err != nil {
		return LiveView{}, err
	}
	st, err := ctl.End(s.c.lifetime(), stead.CauseAgent)
	if noSession(err) {
		err = nil
	}
	return liveView(st), err
}

// SetView shows the session's pages as on a desktop, a tablet or a phone.
func (s *Session) SetView(view string) (LiveView, error) {
	ctl, err := s.control()
	if err != nil {
		return LiveView{}, err
	}
	ctx, cancel := s.c.call()
	defer cancel()
	st, err := ctl.SetView(ctx, browser.View(view))
	return liveView(st), err
}

// WriteNote writes the close-out note of an ended session.
func (s *Session) WriteNote(id, text string) (SessionView, error) {
	d, err := s.c.ready()
	if err != nil {
		return SessionView{}, err
	}
	ctx, cancel := s.c.call()
	defer cancel()
	out, err := d.Client.WriteNote(ctx, stead.SessionID(id), text)
	return s.c.sessionView(out, 0), err
}

// Owed lists the ended sessions whose note is missing.
func (s *Session) Owed() (SessionsView, error) {
	d, err := s.c.ready()
	if err != nil {
		return SessionsView{}, err
	}
	ctx, cancel := s.c.call()
	defer cancel()
	me, err := d.Client.Me(ctx)
	out := SessionsView{Items: []SessionView{}}
	for _, o := range me.Owed {
		out.Items = append(out.Items, s.c.sessionView(o, 0))
	}
	return out, err
}
