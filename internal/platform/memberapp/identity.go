package memberapp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"stead/internal/api"
	"stead/internal/stead"
	"stead/internal/token"
)

// Why a request has no visitor.
var (
	errNobody    = errors.New("nobody is signed in")
	errOver      = errors.New("the support session is over")
	errUnchecked = errors.New("the support session cannot be checked")
)

// visitor is in whose name a request is answered: a member, who may be looked after by support at the moment.
type visitor struct {
	member  Member
	support *support // nil when it is the member
}

// viewOnly reports whether nothing may be changed.
func (v visitor) viewOnly() bool { return v.support != nil && !v.support.mayWrite }

// support is the session in which somebody of support acts.
type support struct {
	raw      string
	session  string
	agent    string
	mayWrite bool
	bare     bool      // in a browser without Stead's banner: each page says itself what it is
	asked    time.Time // when the platform was asked whether it lives
}

// identify says who is asking. Once the session cookie is there, in whatever state, only its session counts: there
// is no way from here to the member's own sign-in.
func (a *App) identify(ctx context.Context, r *http.Request) (visitor, error) {
	if tokens := cookieValues(r, a.cfg.CookieName); len(tokens) > 0 {
		if len(tokens) > 1 {
			return visitor{}, fmt.Errorf("%w: the cookie is there %d times", errOver, len(tokens))
		}
		return a.supportVisitor(ctx, tokens[0])
	}
	own := cookieValues(r, memberCookie)
	if len(own) != 1 {
		return visitor{}, errNobody
	}
	id, err := a.data.signedIn(ctx, own[0])
	if err != nil {
		return visitor{}, err
	}
	m, ok := a.members[id]
	if !ok {
		return visitor{}, errNobody
	}
	return visitor{member: m}, nil
}

// supportVisitor verifies a session token and asks the platform whether its session lives.
func (a *App) supportVisitor(ctx context.Context, raw string) (visitor, error) {
	unverified, _, err := jwt.NewParser().ParseUnverified(raw, jwt.MapClaims{})
	if err != nil {
		return visitor{}, fmt.Errorf("%w: %w", errOver, err)
	}
	kid, _ := unverified.Header["kid"].(string)
	keys, err := a.keys.with(ctx, kid)
	if err != nil {
		return visitor{}, fmt.Errorf("%w: %w", errUnchecked, err)
	}
	c, err := token.Verify(raw, keys, a.cfg.Issuer, a.cfg.Audience, time.Now())
	if err != nil {
		return visitor{}, fmt.Errorf("%w: %w", errOver, err)
	}
	m, ok := a.members[stead.MemberID(c.Subject)]
	if !ok || string(m.Account) != c.Account {
		return visitor{}, fmt.Errorf("%w: member and account are not of this portal", errOver)
	}
	s := &support{raw: raw, session: c.SessionID, agent: c.Actor.Subject}
	if err := a.ask(ctx, s, c); err != nil {
		return visitor{}, err
	}
	return visitor{member: m, support: s}, nil
}

// ask asks the platform after the session. Its answer must speak of the same session as the token; what may be done
// is what the platform says now, not what the token said when it was made.
func (a *App) ask(ctx context.Context, s *support, c token.Claims) error {
	in, asked, err := a.platform.introspect(ctx, s.raw)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnchecked, err)
	}
	if !in.Active {
		return errOver
	}
	if !speaksOf(in, c) {
		return fmt.Errorf("%w: the platform speaks of another session than the token", errOver)
	}
	s.asked = asked
	s.bare = in.SteadMode != nil && *in.SteadMode == api.IntrospectionSteadModeFallback
	s.mayWrite = in.Scope != nil && slices.Contains(strings.Fields(*in.Scope), "write")
	return nil
}

func speaksOf(in api.Introspection, c token.Claims) bool {
	same := func(got *string, want string) bool { return got != nil && *got == want }
	return same(in.Sub, c.Subject) && same(in.Sid, c.SessionID) && same(in.Account, c.Account) && same(in.Aud, c.Audience[0]) &&
		in.Act != nil && in.Act.Sub == c.Actor.Subject && (in.Iss == nil || *in.Iss == c.Issuer)
}

// stillThere asks again when the last answer no longer holds. The same session must still live.
func (a *App) stillThere(ctx context.Context, v visitor) error {
	if v.support == nil || time.Since(v.support.asked) <= answerAge {
		return nil
	}
	again, err := a.supportVisitor(ctx, v.support.raw)
	if err != nil {
		return err
	}
	if v.support.mayWrite && !again.support.mayWrite {
		return fmt.Errorf("%w: the permission to change was withdrawn", errOver)
	}
	v.support.asked = again.support.asked
	return nil
}

// cookieValues are the values of all cookies of that name, well-formed or not: net/http drops malformed ones, and a
// dropped session cookie would look like none.
func cookieValues(r *http.Request, name string) []string {
	var found []string
	for _, line := range r.Header["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			n, v, _ := strings.Cut(pair, "=")
			if strings.TrimSpace(n) == name {
				found = append(found, strings.TrimSpace(v))
			}
		}
	}
	return found
}
