package memberapp

import (
	"context"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

type dashboardView struct {
	Plan       plan
	Used       int
	LastSearch string
}

func (a *App) dashboard(r *http.Request, v visitor) answer {
	last, err := a.data.searches(r.Context(), v.member.ID)
	if err != nil {
		return a.fault(err)
	}
	p, _ := planNamed(v.member.Plan) // known since readMembers
	d := dashboardView{Plan: p, Used: p.used(v.member.ID)}
	if len(last) > 0 {
		d.LastSearch = last[0]
	}
	return answer{status: http.StatusOK, page: "dashboard", data: d}
}

type planView struct {
	Plan      plan
	Used      int
	Left      int
	Zip       string
	Region    string
	Bad       bool // what was asked for is no zip code
	History   []string
	Providers []provider
	ViewText  string
}

// plan shows the plan and the providers around a zip code: the one asked for, the last one searched for, or home.
// Looking changes nothing; search does.
func (a *App) plan(r *http.Request, v visitor) answer {
	q := r.URL.Query()
	return a.planPage(r.Context(), v, q.Get("zip"), q.Has("zip"))
}

// search remembers a zip code and shows what is there.
func (a *App) search(r *http.Request, v visitor) answer {
	zip := strings.TrimSpace(r.PostFormValue("zip"))
	if !validZip(zip) {
		return a.planPage(r.Context(), v, zip, true)
	}
	return answer{status: http.StatusSeeOther, location: "/plan?zip=" + zip, commit: func(ctx context.Context) error {
		return a.data.remember(ctx, v.member.ID, zip, time.Now())
	}}
}

func (a *App) planPage(ctx context.Context, v visitor, zip string, asked bool) answer {
	history, err := a.data.searches(ctx, v.member.ID)
	if err != nil {
		return a.fault(err)
	}
	set, err := a.data.profile(ctx, v.member)
	if err != nil {
		return a.fault(err)
	}
	p, _ := planNamed(v.member.Plan) // known since readMembers
	d := planView{Plan: p, Used: p.used(v.member.ID), Zip: set.Zip, History: history, ViewText: viewOnlyText}
	d.Left = p.Deductible - d.Used
	switch {
	case asked:
		d.Zip = strings.TrimSpace(zip)
	case len(history) > 0:
		d.Zip = history[0]
	}
	if !validZip(d.Zip) {
		d.Zip, d.Bad = "", true
		return answer{status: http.StatusBadRequest, page: "plan", data: d}
	}
	d.Region, d.Providers = region(d.Zip), providersNear(d.Zip, p)
	return answer{status: http.StatusOK, page: "plan", data: d}
}

type preferencesView struct {
	Form     profile
	Saved    bool
	BadName  bool
	BadZip   bool
	ViewText string
}

func (a *App) preferences(r *http.Request, v visitor) answer {
	set, err := a.data.profile(r.Context(), v.member)
	if err != nil {
		return a.fault(err)
	}
	return answer{status: http.StatusOK, page: "preferences",
		data: preferencesView{Form: set, Saved: r.URL.Query().Has("saved"), ViewText: viewOnlyText}}
}

// maxNickname is in characters.
const maxNickname = 40

func (a *App) savePreferences(r *http.Request, v visitor) answer {
	if err := r.ParseForm(); err != nil {
		return sorry(http.StatusBadRequest, "The form could not be read", "Nothing was changed.", "Open the preferences and try again.")
	}
	f := profile{Nickname: strings.TrimSpace(r.PostForm.Get("nickname")), Zip: strings.TrimSpace(r.PostForm.Get("zip")),
		Large: r.PostForm.Get("large") == "yes", Paperless: r.PostForm.Get("paperless") == "yes"}
	d := preferencesView{Form: f, BadName: !validNickname(f.Nickname), BadZip: !validZip(f.Zip), ViewText: viewOnlyText}
	if d.BadName || d.BadZip {
		if d.BadName {
			d.Form.Nickname = ""
		}
		if d.BadZip {
			d.Form.Zip = ""
		}
		return answer{status: http.StatusBadRequest, page: "preferences", data: d}
	}
	return answer{status: http.StatusSeeOther, location: "/preferences?saved=1", commit: func(ctx context.Context) error {
		return a.data.saveProfile(ctx, v.member.ID, f)
	}}
}

func validNickname(s string) bool {
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= maxNickname &&
		!strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsGraphic(r) })
}

func (a *App) notFound(*http.Request, visitor) answer {
	return answer{status: http.StatusNotFound, page: "message", data: message{"There is no such page", "The address may be mistyped, or the page was moved.", "Start again from the dashboard."}}
}

func (a *App) notAllowed(r *http.Request, v visitor) answer {
	if allow := a.routes.methods(r.URL.Path); allow != "" {
		return sorry(http.StatusMethodNotAllowed, "This cannot be done here", "The address takes "+allow+" only.", "")
	}
	return a.notFound(r, v)
}

// fault logs an error and answers that the page could not be made.
func (a *App) fault(err error) answer {
	a.log.Error("page not made", "error", err)
	return broken()
}
