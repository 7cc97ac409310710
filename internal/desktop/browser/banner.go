package browser

import (
	_ "embed"
	"encoding/json"
	"time"

	"stead/internal/desktop/browser/cdp"
)

// Banner is what every page of the session shows at its top.
type Banner struct {
	Name, Email string    // of the member
	Ends        time.Time // by this machine's clock
	Text        BannerText
}

// BannerText holds the banner's words, for the caller to translate. An empty one is English.
type BannerText struct {
	Acting string `json:"acting"` // before the member's name
	Left   string `json:"left"`   // the remaining time, with {time} in place of mm:ss
	Ended  string `json:"ended"`  // instead of it, when no time is left
	End    string `json:"end"`    // the button
	Aria   string `json:"aria"`   // the banner's name for a screen reader
}

// English is the text where a caller gives none.
var english = BannerText{
	Acting: "You are seeing the platform as",
	Left:   "{time} left",
	Ended:  "This session has ended",
	End:    "End session",
	Aria:   "Support session",
}

func (t BannerText) orEnglish() BannerText {
	for _, f := range []struct {
		word    *string
		english string
	}{{&t.Acting, english.Acting}, {&t.Left, english.Left}, {&t.Ended, english.Ended}, {&t.End, english.End}, {&t.Aria, english.Aria}} {
		if *f.word == "" {
			*f.word = f.english
		}
	}
	return t
}

// world is the isolated JavaScript world of the banner: it shares the page's document and none of its objects.
// binding is the function in it that reaches Stead.
const (
	world   = "stead"
	binding = "steadEnd"
)

//go:embed banner.js
var bannerJS string

// dress is what a page of the session gets before its first document.
type dress struct {
	script string
	look   look
}

func newDress(b Banner, around look) (*dress, error) {
	args, err := json.Marshal(map[string]any{
		"binding": binding, "name": b.Name, "email": b.Email, "ends": b.Ends.UnixMilli(), "text": b.Text.orEnglish(),
	})
	if err != nil {
		return nil, err
	}
	return &dress{script: bannerJS + "(" + string(args) + ")", look: around}, nil
}

// put sends everything at once and waits for nothing; see onEvent. The replies are for those who can wait.
func (d *dress) put(c *cdp.Client, p *page) []*cdp.Reply {
	d.look.put(c, p)
	return []*cdp.Reply{
		// A page rendered ahead of its visit would appear without a banner.
		c.Send(p.session, "Page.setPrerenderingAllowed", map[string]any{"isAllowed": false}),
		c.Send(p.session, "Runtime.enable", nil), // without it no world ever gets a binding
		c.Send(p.session, "Runtime.addBinding", map[string]any{"name": binding, "executionContextName": world}),
		c.Send(p.session, "Page.addScriptToEvaluateOnNewDocument", map[string]any{
			"source": d.script, "worldName": world, "runImmediately": true,
		}),
	}
}
