package memberapp

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"

	"stead/internal/stead"
)

// signInHits is how many members the sign-in page lists at once.
const signInHits = 8

type signInView struct {
	Query string
	Found []Member
	More  bool
}

// signInPage lets the reader be one of the members, found by the beginning of an e-mail address or of a name.
func (a *App) signInPage(r *http.Request, _ visitor) answer {
	d := signInView{Query: firstRunes(strings.TrimSpace(r.URL.Query().Get("q")), 80)}
	want := strings.ToLower(d.Query)
	for _, m := range a.byName {
		if !strings.HasPrefix(strings.ToLower(m.Email), want) && !strings.HasPrefix(strings.ToLower(m.Name), want) {
			continue
		}
		if len(d.Found) == signInHits {
			d.More = true
			break
		}
		d.Found = append(d.Found, m)
	}
	return answer{status: http.StatusOK, page: "signin", data: d, bare: true}
}

func firstRunes(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// signIn gives the browser a cookie of its own, unrelated to support's.
func (a *App) signIn(r *http.Request, _ visitor) answer {
	m, ok := a.members[stead.MemberID(r.PostFormValue("member"))]
	if !ok {
		return sorry(http.StatusBadRequest, "There is no such member", "Nobody was signed in.", "Choose somebody from the list.")
	}
	value := rand.Text() + rand.Text()
	return answer{status: http.StatusSeeOther, location: "/", cookies: []*http.Cookie{ownCookie(value, int(signInTTL.Seconds()))},
		commit: func(ctx context.Context) error { return a.data.signIn(ctx, value, m.ID) }}
}

func (a *App) signOut(r *http.Request, _ visitor) answer {
	values := cookieValues(r, memberCookie)
	return answer{status: http.StatusSeeOther, location: "/signin", cookies: []*http.Cookie{ownCookie("", -1)},
		commit: func(ctx context.Context) error {
			for _, v := range values {
				if err := a.data.signOut(ctx, v); err != nil {
					return err
				}
			}
			return nil
		}}
}

// ownCookie is the member's own. Browsers take Secure cookies on *.localhost over plain http too.
func ownCookie(value string, age int) *http.Cookie {
	return &http.Cookie{Name: memberCookie, Value: value, Path: "/", MaxAge: age, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}
