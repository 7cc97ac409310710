package memberapp

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"time"
)

//go:embed templates/*.html
var templates embed.FS

//go:embed assets/app.css assets/app.js assets/icon.svg
var assets embed.FS

// pages are the parsed templates by name, each with the frame around it.
type pages map[string]*template.Template

func parsePages() (pages, error) {
	frame, err := template.New("frame.html").Funcs(template.FuncMap{"moment": moment, "stamp": stamp, "dollars": dollars}).ParseFS(templates, "templates/frame.html")
	if err != nil {
		return nil, err
	}
	out := pages{}
	for _, name := range []string{"dashboard", "plan", "preferences", "notices", "support", "signin", "message"} {
		t, err := frame.Clone()
		if err != nil {
			return nil, err
		}
		if out[name], err = t.ParseFS(templates, path.Join("templates", name+".html")); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// frame is what stands around every page.
type frame struct {
	Page     string
	Member   *Member // nil on pages that show nothing of an account
	Profile  profile
	Unread   int
	NoBell   bool // the platform does not say whether there are notices
	ViewOnly bool
	Bar      *bar // of support in a browser without Stead's banner
	Phone    string
	Data     any
}

// message is a page of one sentence.
type message struct{ Title, Sentence, Hint string }

// render makes the page's bytes. They depend on the member and on whether changes are possible, on nothing else of
// who asks: support sees what the member sees, below a bar that says so where Stead can show none.
func (a *App) render(ctx context.Context, ans answer, v visitor) answer {
	if ans.page == "" {
		return ans
	}
	f := frame{Page: ans.page, ViewOnly: v.viewOnly(), Phone: a.cfg.SupportPhone, Data: ans.data}
	if v.support != nil && v.support.bare {
		f.Bar = &bar{v.member.Name, v.member.Email}
	}
	if v.member.ID != "" && !ans.bare {
		if err := a.frameFor(ctx, &f, v.member); err != nil {
			a.log.Error("page not shown", "page", ans.page, "error", err)
			return a.render(ctx, broken(), visitor{})
		}
	}
	if n, ok := ans.data.(noticesView); ok {
		f.Unread = n.left // counted with the list itself
	}
	var out bytes.Buffer
	if err := a.pages[ans.page].Execute(&out, f); err != nil {
		a.log.Error("page not shown", "page", ans.page, "error", err)
		return answer{status: http.StatusInternalServerError, page: ans.page, body: []byte("The page could not be made.\n")}
	}
	ans.body = out.Bytes()
	return ans
}

func (a *App) frameFor(ctx context.Context, f *frame, m Member) error {
	var err error
	if f.Profile, err = a.data.profile(ctx, m); err != nil {
		return err
	}
	f.Member = &m
	notices, err := a.platform.notices(ctx, m.ID)
	if err != nil {
		a.log.Warn("notices not known", "error", err)
		f.NoBell = true
	}
	f.Unread = notices.Unread
	return nil
}

// write sends an answer.
func write(w http.ResponseWriter, ans answer) {
	for _, c := range ans.cookies {
		http.SetCookie(w, c)
	}
	h := w.Header()
	if ans.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="Haven Health Plan"`) // RFC 9110 15.5.2 wants one; browsers do not ask for it
	}
	if ans.location != "" {
		h.Set("Location", ans.location)
		w.WriteHeader(ans.status)
		return
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(ans.status)
	_, _ = w.Write(ans.body) // the reader went away: nobody left to tell
}

// serveAsset answers the portal's own style, script and icon, which are the same for everybody.
func serveAsset(w http.ResponseWriter, r *http.Request) bool {
	var kind string
	name := r.URL.Path
	switch name {
	case "/assets/app.css":
		kind = "text/css; charset=utf-8"
	case "/assets/app.js":
		kind = "text/javascript; charset=utf-8"
	case "/assets/icon.svg", "/favicon.ico": // browsers ask for the second on their own
		kind, name = "image/svg+xml", "/assets/icon.svg"
	}
	if kind == "" || (r.Method != http.MethodGet && r.Method != http.MethodHead) {
		return false
	}
	b, err := assets.ReadFile(name[1:])
	if err != nil {
		return false
	}
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write(b) //nolint:gosec // one of three files of our own; when the reader went away, nobody is left to tell
	return true
}

func sorry(status int, title, sentence, hint string) answer {
	return answer{status: status, page: "message", data: message{title, sentence, hint}, bare: true}
}

func broken() answer {
	return sorry(http.StatusInternalServerError, "Something went wrong", "The page could not be made.", "Try again in a moment.")
}

func unrecorded() answer {
	return sorry(http.StatusServiceUnavailable, "This cannot be done right now",
		"What support does here is recorded, and the record cannot be written at the moment. Nothing was shown or changed.", "Try again in a moment.")
}

func foreignForm() answer {
	return sorry(http.StatusForbidden, "This did not come from the portal", "The request was sent by another site. Nothing was changed.", "Open the portal and try again from there.")
}

// blockedPage says that something is the member's alone.
func blockedPage(row route) answer {
	m := message{"Not possible in a support session", "Support cannot do this in a member's place. Nothing was changed.", "The member can do it after signing in."}
	switch row.path {
	case "/notices":
		m = message{"Notices are for the member", "Support cannot open a member's notices. They stay unread until the member opens them.", ""}
	case "/signin", "/signout":
		m = message{"Signing in and out is for the member", "A support session ends with End, in the bar above or in the Stead window.", ""}
	}
	return answer{status: http.StatusForbidden, page: "message", data: m}
}

// viewOnlyText is what stands beside every disabled control and on the page that refuses a change.
const viewOnlyText = "View only: support can look at this page, but cannot change anything here."

func viewOnlyPage() answer {
	return answer{status: http.StatusForbidden, page: "message", data: message{"View only", viewOnlyText + " Nothing was changed.", ""}}
}

// moment writes a time for people; the script turns it into the reader's own time zone.
func moment(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") }

// stamp writes a time for programs.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func dollars(n int) string {
	if n >= 1000 {
		return fmt.Sprintf("$%d,%03d", n/1000, n%1000)
	}
	return fmt.Sprintf("$%d", n)
}
