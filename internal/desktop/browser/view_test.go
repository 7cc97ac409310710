//go:build linux

package browser

import (
	"context"
	"strings"
	"testing"
	"time"
)

// seen is what a page finds around it.
type surroundings struct {
	Language, Languages, Zone, Day, Agent string
	Width, Touch                          int
	Mobile                                bool
	Hints                                 int // brands among the user agent's client hints
}

const lookAround = `({language: navigator.language, languages: navigator.languages.join(), zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
	day: new Date(Date.UTC(2026, 2, 9, 12)).toLocaleDateString(undefined, {month: 'long'}), agent: navigator.userAgent,
	width: innerWidth, touch: navigator.maxTouchPoints, mobile: navigator.userAgentData?.mobile === true, hints: navigator.userAgentData?.brands?.length ?? 0})`

func around(t *testing.T, h *Hand) (s surroundings) {
	t.Helper()
	if err := h.Evaluate(t.Context(), lookAround, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestS0_05_PagesSpeakTheMembersLanguage: pages, pop-ups with and without an opener, and requests.
func TestS0_05_PagesSpeakTheMembersLanguage(t *testing.T) {
	app := newMemberApp(t)
	b := launch(t, newRoot(t))
	v := app.visit("/")
	v.Locale, v.TimeZone = "de-CH", "Pacific/Auckland"
	if err := b.Open(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	for n, link := range []string{"", "#opener", "#noopener"} {
		shows := []string{"Home", "Popup", "Noopener"}[n]
		h := b.Hand()
		if link != "" {
			if err := b.Hand().Click(t.Context(), link); err != nil {
				t.Fatal(err)
			}
			var err error
			if h, err = b.NextPage(t.Context(), n); err != nil {
				t.Fatal(err)
			}
		}
		if err := h.WaitText(t.Context(), shows); err != nil { // an empty page is no secure context and has no hints
			t.Fatal(err)
		}
		if s := around(t, h); s.Language != "de-CH" || s.Zone != "Pacific/Auckland" || s.Day != "März" || s.Hints == 0 || strings.Contains(s.Agent, "Android") {
			t.Errorf("page %d (%s) finds %+v", n, link, s)
		}
	}
	for _, r := range app.seen() {
		if got := r.Header.Get("Accept-Language"); !strings.HasPrefix(got, "de-CH") {
			t.Errorf("%s was asked for in %q", r.URL.Path, got)
		}
	}
}

// TestS0_05_PhoneTabletDesktop: present pages change at once, new ones come up alike, and the banner fits in.
func TestS0_05_PhoneTabletDesktop(t *testing.T) {
	app := newMemberApp(t)
	b, ctx := open(t, app, "/")
	before := around(t, b.Hand())
	for _, view := range []struct {
		view   View
		width  int
		mobile bool
	}{{PhoneView, 390, true}, {TabletView, 820, false}} {
		if err := b.SetView(ctx, view.view); err != nil {
			t.Fatal(err)
		}
		pages := len(b.Pages())
		if err := b.Hand().Click(ctx, "#noopener"); err != nil {
			t.Fatal(err)
		}
		popUp, err := b.NextPage(ctx, pages)
		if err != nil {
			t.Fatal(err)
		}
		if err := popUp.WaitText(ctx, "Noopener"); err != nil {
			t.Fatal(err)
		}
		for name, h := range map[string]*Hand{"present": b.Hand(), "new": popUp} {
			s := around(t, h)
			if s.Touch != 5 || s.Hints == 0 || s.Mobile != view.mobile || !strings.Contains(s.Agent, "Android") || strings.Contains(s.Agent, "Mobile") != view.mobile {
				t.Errorf("%s, %s: %+v", view.view, name, s)
			}
			var wide int // a page without a viewport of its own is laid out wider, and shown smaller
			if err := h.Evaluate(ctx, "screen.width", &wide); err != nil || wide != view.width {
				t.Errorf("%s, %s: the screen is %d wide, %v", view.view, name, wide, err)
			}
			wantBanner(ctx, t, h)
		}
	}
	if err := b.SetView(ctx, DesktopView); err != nil {
		t.Fatal(err)
	}
	if s := around(t, b.Hand()); s.Touch != before.Touch || s.Agent != before.Agent || s.Hints == 0 || s.Mobile {
		t.Errorf("back on the desktop: %+v, before %+v", s, before)
	}
	if err := b.SetView(ctx, "watch"); err == nil {
		t.Error("there is a view for watches")
	}
}

// TestViewsChangeOften: a page that was just shown as on a phone is where the mouse finds it.
func TestViewsChangeOften(t *testing.T) {
	app := newMemberApp(t)
	b, ctx := open(t, app, "/")
	for n := range 10 {
		for _, v := range []View{PhoneView, DesktopView} {
			if err := b.SetView(ctx, v); err != nil {
				t.Fatal(n, err)
			}
			if _, err := b.Hand().Capture(ctx); err != nil {
				t.Fatal(n, err)
			}
		}
		if err := b.Hand().Click(ctx, "#plain"); err != nil {
			t.Fatal(n, err)
		}
		if err := waitText(ctx, b.Hand(), "Second"); err != nil {
			t.Fatal(n, err)
		}
		if err := b.Hand().Visit(ctx, app.address+"/"); err != nil {
			t.Fatal(n, err)
		}
		if err := waitText(ctx, b.Hand(), "Home"); err != nil {
			t.Fatal(n, err)
		}
	}
}

func waitText(ctx context.Context, h *Hand, words string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return h.WaitText(ctx, words)
}
