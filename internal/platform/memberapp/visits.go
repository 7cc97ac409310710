package memberapp

import (
	"cmp"
	"net/http"
	"strconv"
	"time"

	"stead/internal/api"
)

type noticesView struct {
	Items []noticeView
	left  int // unread after this page was opened
	Down  bool
}

type noticeView struct {
	Title  string
	Reason string
	How    string
	Proof  string // the reference, "" for none
	Note   string // what it stands for, to be kept
	At     time.Time
	New    bool
}

// notices shows what the platform has to tell the member, and by that marks it read. Only the member comes here.
func (a *App) notices(r *http.Request, v visitor) answer {
	page, err := a.platform.notices(r.Context(), v.member.ID)
	if err != nil {
		a.log.Warn("notices not known", "error", err)
		return answer{status: http.StatusServiceUnavailable, page: "notices", data: noticesView{Down: true}}
	}
	d := noticesView{left: page.Unread}
	var newest int64
	for _, n := range page.Items {
		newest = max(newest, n.ID)
		d.Items = append(d.Items, noticeOf(n))
	}
	if page.Unread > 0 && newest > 0 && r.Method == http.MethodGet {
		if err := a.platform.markRead(r.Context(), v.member.ID, newest); err != nil {
			a.log.Warn("notices not marked read", "error", err)
		} else {
			d.left = 0
		}
	}
	return answer{status: http.StatusOK, page: "notices", data: d}
}

func noticeOf(n api.Notice) noticeView {
	v := noticeView{At: n.At, New: !n.Read, Title: someone(n.AgentName) + " of support opened your account"}
	if n.Kind == api.NoticeKindEnded {
		v.Title = someone(n.AgentName) + " of support is no longer in your account"
		if n.Cause != nil {
			v.How = howItEnded(*n.Cause)
		}
	}
	if n.Reason != nil {
		v.Reason = *n.Reason
	}
	if p := n.Proof; p != nil && len(p.Root) >= 8 {
		v.Proof, v.Note = grouped(p.Size)+" · "+p.Root[:8]+"…", p.Checkpoint
	}
	return v
}

// grouped writes a count with a comma before each three digits.
func grouped(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// someone is an agent's name, or what stands for one who was erased or whose time to be named is over.
func someone(name string) string { return cmp.Or(name, "Somebody") }

// howItEnded says a cause in words for members.
func howItEnded(cause string) string {
	switch cause {
	case "agent", "banner":
		return "Support ended the visit."
	case "browser_closed", "stead_closed":
		return "Support closed the window."
	case "expired":
		return "The twenty minutes were over."
	case "superseded":
		return "Support went on to other work."
	case "admin":
		return "A colleague at support ended the visit."
	case "signed_out":
		return "The support agent signed out."
	case "connection_lost":
		return "Support's connection was lost."
	case "browser_crashed", "browser_hung":
		return "Support's browser stopped working."
	case "logged_off":
		return "Support switched the computer off, or logged off."
	case "suspended":
		return "Support's computer went to sleep."
	case "device_revoked":
		return "The machine that support used was taken out of service."
	case "handoff_reused":
		return "A safeguard of support's own ended the visit."
	}
	return "The visit ended."
}

type supportView struct {
	Visits []visitView
	Down   bool
}

type visitView struct {
	Agent   string
	Reason  string
	Begin   time.Time
	End     time.Time // when it ended, or will end at the latest
	Ended   bool
	Looked  []string
	Changed []string
}

// supportAccess shows who of support was in the account, when, why, and what they looked at and changed.
func (a *App) supportAccess(r *http.Request, v visitor) answer {
	visits, err := a.platform.visits(r.Context(), v.member.ID)
	if err != nil {
		a.log.Warn("visits not known", "error", err)
		return answer{status: http.StatusServiceUnavailable, page: "support", data: supportView{Down: true}}
	}
	var d supportView
	for _, s := range visits {
		w := visitView{Agent: someone(s.AgentName), Reason: s.Reason, Begin: s.StartedAt, End: s.ExpiresAt, Looked: counted(s.Viewed), Changed: counted(s.Changed)}
		if s.EndedAt != nil {
			w.End, w.Ended = *s.EndedAt, true
		}
		d.Visits = append(d.Visits, w)
	}
	return answer{status: http.StatusOK, page: "support", data: d}
}

// counted puts equal lines together, in the order in which each came first.
func counted(lines []string) []string {
	times := map[string]int{}
	var order []string
	for _, l := range lines {
		if times[l] == 0 {
			order = append(order, l)
		}
		times[l]++
	}
	for i, l := range order {
		if n := times[l]; n > 1 {
			order[i] = l + " (" + strconv.Itoa(n) + " times)"
		}
	}
	return order
}
