//go:build linux

package browser

import (
	"bytes"
	"image/color"
	"image/png"
	"strings"
	"testing"
	"time"
)

func TestS0_04_S1_04_BannerIsOnEveryPageAndPopUp(t *testing.T) {
	app := newMemberApp(t)
	b, ctx := open(t, app, "/")
	wantBanner(ctx, t, b.Hand())
	for n, link := range []string{"#opener", "#noopener"} {
		if err := b.Hand().Click(ctx, link); err != nil {
			t.Fatal(err)
		}
		popup, err := b.NextPage(ctx, n+1)
		if err != nil {
			t.Fatal(link, err)
		}
		if err := popup.WaitText(ctx, "page"); err != nil {
			t.Fatal(link, err)
		}
		wantBanner(ctx, t, popup)
	}
	// A pop-up without an address, which its opener then writes and later sends to an address.
	if err := b.Hand().Evaluate(ctx, "window.w = open(''); w.document.write('<p>Written page'); w.document.close()", nil); err != nil {
		t.Fatal(err)
	}
	written, err := b.NextPage(ctx, 3)
	if err == nil {
		err = written.WaitText(ctx, "Written page")
	}
	if err != nil {
		t.Fatal(err)
	}
	wantBanner(ctx, t, written)
	if err := b.Hand().Evaluate(ctx, "w.location = '/second'", nil); err != nil {
		t.Fatal(err)
	}
	if err := written.WaitText(ctx, "Second page"); err != nil {
		t.Fatal(err)
	}
	wantBanner(ctx, t, written)
	// One that leaves its first, empty document and keeps the window object.
	if err := b.Hand().Evaluate(ctx, "window.w = open(''); w.kept = true; w.location = '/second'", nil); err != nil {
		t.Fatal(err)
	}
	reused, err := b.NextPage(ctx, 4)
	if err == nil {
		err = reused.WaitText(ctx, "Second page")
	}
	if err != nil {
		t.Fatal(err)
	}
	wantBanner(ctx, t, reused)
	for _, path := range []string{"/strict", "/frames", "/hostile", "/dialog"} {
		if err := b.Hand().Visit(ctx, app.address+path); err != nil {
			t.Fatal(path, err)
		}
		wantBanner(ctx, t, b.Hand())
	}
}

// TestS0_04_BannerStaysInASinglePageApp: the address changes without a document, and the app draws everything anew.
func TestS0_04_BannerStaysInASinglePageApp(t *testing.T) {
	app := newMemberApp(t)
	b, ctx := open(t, app, "/")
	for n, move := range []string{
		"history.pushState({}, '', '/orders/7'); document.body.replaceChildren('Orders')",
		"history.replaceState({}, '', '/orders/8'); document.body.replaceWith(Object.assign(document.createElement('body'), {textContent: 'Order eight'}))",
		"location.hash = 'top'; document.documentElement.replaceChildren(document.createElement('head'), document.createElement('body'))",
		"history.back(); new Promise((done) => { addEventListener('popstate', done) })",
	} {
		if err := b.Hand().Evaluate(ctx, move, nil); err != nil {
			t.Fatal(n, err)
		}
		wantBanner(ctx, t, b.Hand())
	}
	for _, r := range app.seen()[1:] { // its icon may be asked for at each address
		if r.URL.Path != "/favicon.ico" {
			t.Errorf("%s was asked for: this was no single-page app", r.URL.Path)
		}
	}
}

func TestBannerIsNotInFrames(t *testing.T) {
	b, ctx := open(t, newMemberApp(t), "/frames")
	var inFrame, onTop int
	err := b.Hand().Evaluate(ctx, `new Promise((done) => setTimeout(() =>
		done(document.querySelector('iframe').contentDocument.querySelectorAll('[popover]').length), 500))`, &inFrame)
	if err != nil || inFrame != 0 {
		t.Errorf("%d banners in the frame, %v", inFrame, err)
	}
	if err := b.Hand().Evaluate(ctx, "document.querySelectorAll('[popover]').length", &onTop); err != nil || onTop != 1 {
		t.Errorf("%d banners on top, %v", onTop, err)
	}
}

func TestPageCannotReachIntoTheBanner(t *testing.T) {
	b, ctx := open(t, newMemberApp(t), "/")
	var seen struct {
		Root             any
		Binding, Control string
		Text             string
	}
	err := b.Hand().Evaluate(ctx, `({
		root: document.querySelector('[popover]').shadowRoot,
		binding: typeof globalThis.steadEnd, control: typeof globalThis.stead,
		text: document.querySelector('[popover]').textContent,
	})`, &seen)
	if err != nil || seen.Root != nil || seen.Binding != "undefined" || seen.Control != "undefined" || seen.Text != "" {
		t.Errorf("the page sees %+v, %v", seen, err)
	}
	// A click made by a script is nobody's wish.
	if err := b.Hand().Evaluate(ctx, `(() => {
		const host = document.querySelector('[popover]')
		host.focus() // which leads to the button
		host.click()
		host.dispatchEvent(new MouseEvent('click', {detail: 1, clientX: innerWidth - 60, clientY: 20, bubbles: true}))
	})()`, nil); err != nil {
		t.Fatal(err)
	}
	select {
	case ev := <-b.Events():
		t.Errorf("a script caused %+v", ev)
	case <-time.After(500 * time.Millisecond):
	}
}

func TestBannerComesBackAtOnce(t *testing.T) {
	b, ctx := open(t, newMemberApp(t), "/")
	for name, attack := range map[string]string{
		"removed":        `document.querySelector('[popover]').remove()`,
		"hidden":         `document.querySelector('[popover]').hidePopover()`,
		"no attribute":   `document.querySelector('[popover]').removeAttribute('popover')`,
		"styled":         `document.querySelector('[popover]').style.cssText = 'display:none!important;opacity:0!important'`,
		"inert":          `document.querySelector('[popover]').inert = true`,
		"whole page new": `document.documentElement.innerHTML = '<body>new</body>'`,
		"root replaced":  `document.replaceChild(document.createElement('html'), document.documentElement)`,
		"written over":   `document.open(); document.write('<p>over'); document.close()`,
		"page invisible": `document.documentElement.style.setProperty('display', 'none', 'important')`,
	} {
		if err := b.Hand().Evaluate(ctx, attack+"; new Promise((done) => setTimeout(done, 600))", nil); err != nil {
			t.Fatal(name, err)
		}
		p, err := b.Hand().page()
		if err != nil {
			t.Fatal(err)
		}
		var shown bool
		if err := b.evaluate(ctx, p, world, "stead.shown()", &shown); err != nil || !shown {
			t.Errorf("%s: shown %v, %v", name, shown, err)
		}
	}
	// Without a tick in between: the observer alone.
	var back bool
	if err := b.Hand().Evaluate(ctx, `document.querySelector('[popover]').remove();
		Promise.resolve().then(() => Promise.resolve()).then(() => document.querySelector('[popover]')?.matches(':popover-open') ?? false)`, &back); err != nil || !back {
		t.Errorf("right after the removal: back %v, %v", back, err)
	}
}

func TestAPageThatFightsTheBannerDoesNotHang(t *testing.T) {
	b, ctx := open(t, newMemberApp(t), "/")
	if err := b.Hand().Evaluate(ctx, `new MutationObserver(() => document.querySelector('[popover]')?.remove())
		.observe(document.documentElement, {childList: true}); document.querySelector('[popover]').remove()`, nil); err != nil {
		t.Fatal(err)
	}
	var alive string
	if err := b.Hand().Evaluate(ctx, "new Promise((done) => setTimeout(() => done('alive'), 700))", &alive); err != nil || alive != "alive" {
		t.Fatalf("the page says %q, %v", alive, err)
	}
}

func TestBannerPushesThePageDown(t *testing.T) {
	app := newMemberApp(t)
	b, ctx := open(t, app, "/")
	var at struct{ Banner, Content float64 }
	measure := func(selector string) {
		t.Helper()
		if err := b.Hand().Evaluate(ctx, `new Promise((done) => setTimeout(() => done({
			banner: document.querySelector('[popover]').getBoundingClientRect().bottom,
			content: document.querySelector('`+selector+`').getBoundingClientRect().top}), 600))`, &at); err != nil {
			t.Fatal(err)
		}
		if at.Banner < 40 || at.Content < at.Banner {
			t.Errorf("%s: banner ends at %v, content begins at %v", selector, at.Banner, at.Content)
		}
	}
	measure("#top")
	if err := b.Hand().Visit(ctx, app.address+"/fixed"); err != nil {
		t.Fatal(err)
	}
	measure("#pinned")
}

func TestBannerRisesAboveAFullScreenElement(t *testing.T) {
	b, ctx := open(t, newMemberApp(t), "/fullscreen")
	if err := b.Hand().Click(ctx, "#go"); err != nil {
		t.Fatal(err)
	}
	var on struct{ Full, Top bool }
	if err := b.Hand().Evaluate(ctx, `new Promise((done) => setTimeout(() => done({full: document.fullscreenElement?.id === 'wall',
		top: document.elementFromPoint(innerWidth / 2, 5)?.matches('[popover]') ?? false}), 1000))`, &on); err != nil || !on.Full || !on.Top {
		t.Fatalf("%+v, %v", on, err)
	}
	if err := b.Hand().ClickEnd(ctx); err != nil {
		t.Fatal(err)
	}
	if ev := nextEvent(t, b, time.Second); ev.Kind != EndClicked {
		t.Fatalf("got %+v", ev)
	}
}

// A modal dialog in a closed shadow root cannot be found; then the banner is at least seen above it.
func TestBannerIsSeenAboveAHiddenDialog(t *testing.T) {
	b, ctx := open(t, newMemberApp(t), "/shadow")
	if err := b.Hand().Evaluate(ctx, "new Promise((done) => setTimeout(done, 1200))", nil); err != nil {
		t.Fatal(err)
	}
	shot, err := b.Hand().Capture(ctx)
	if err != nil {
		t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := picture.At(4, 20), (color.RGBA{R: 0xb3, B: 0x1b, A: 0xff}); color.RGBAModel.Convert(got) != want {
		t.Errorf("the colour at the top is %v, want %v", got, want)
	}
}

func TestS2_08_EndClickIsTold(t *testing.T) {
	app := newMemberApp(t)
	for _, path := range []string{"/", "/strict", "/hostile", "/dialog"} {
		t.Run(path, func(t *testing.T) {
			b, ctx := open(t, app, path)
			if err := b.Hand().Evaluate(ctx, "new Promise((done) => setTimeout(done, 600))", nil); err != nil {
				t.Fatal(err)
			}
			if err := b.Hand().ClickEnd(ctx); err != nil {
				t.Fatal(err)
			}
			if ev := nextEvent(t, b, time.Second); ev != (Event{Kind: EndClicked}) {
				t.Fatalf("got %+v", ev)
			}
		})
	}
}

func TestEndIsReachedByKeyboard(t *testing.T) {
	b, ctx := open(t, newMemberApp(t), "/")
	for _, key := range []string{"Tab", "Enter"} {
		if err := b.Hand().Press(ctx, key); err != nil {
			t.Fatal(err)
		}
	}
	if ev := nextEvent(t, b, time.Second); ev != (Event{Kind: EndClicked}) {
		t.Fatalf("got %+v", ev)
	}
}

func TestCountdownEndsInWords(t *testing.T) {
	app := newMemberApp(t)
	b := launch(t, newRoot(t))
	v := app.visit("/")
	v.Banner.Ends = time.Now().Add(6 * time.Second)
	v.Banner.Text = BannerText{Left: "noch {time}", Ended: "Sitzung beendet"}
	if err := b.Open(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	p, err := b.Hand().page()
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	err = b.evaluate(t.Context(), p, world, `new Promise((done) => { const seen = new Set()
		setInterval(() => { seen.add(stead.text().match(/noch \d\d:\d\d|Sitzung beendet/)?.[0]); if (seen.has('Sitzung beendet')) done([...seen]) }, 100) })`, &texts)
	if err != nil || len(texts) < 3 || !strings.HasPrefix(texts[0], "noch 00:") {
		t.Errorf("the banner said %q, %v", texts, err)
	}
}

func TestBannerReadsAsARegionToAScreenReader(t *testing.T) {
	b, ctx := open(t, newMemberApp(t), "/")
	p, err := b.Hand().page()
	if err != nil {
		t.Fatal(err)
	}
	var tree struct {
		Nodes []struct {
			Role, Name struct{ Value any }
		}
	}
	if err := b.client.Call(ctx, p.session, "Accessibility.getFullAXTree", nil, &tree); err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, n := range tree.Nodes {
		role, _ := n.Role.Value.(string)
		name, _ := n.Name.Value.(string)
		found[role+" "+name] = true
	}
	for _, want := range []string{"region Support session", "button End session"} {
		if !found[want] {
			t.Errorf("no %q in the tree", want)
		}
	}
}

// However often End is pressed, nothing blocks and the end of the browser is still told.
func TestEndPressedOftenLeavesRoomForClosed(t *testing.T) {
	b, ctx := open(t, newMemberApp(t), "/")
	p, err := b.Hand().page()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.evaluate(ctx, p, world, "(() => { for (let i = 0; i < 100; i++) steadEnd('end') })()", nil); err != nil {
		t.Fatal(err)
	}
	if err := b.Hand().CloseWindow(ctx); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(time.Second)
	for {
		if ev := nextEvent(t, b, time.Until(deadline)); ev.Kind == Closed {
			return
		}
	}
}
