package browser

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"net/url"
	"slices"
	"strings"
	"time"

	"stead/internal/desktop/browser/cdp"
)

// GuardText holds what the guard says to the person, for the caller to translate. An empty one is English.
type GuardText struct {
	Title      string // of the page in place of one outside
	Outside    string // which address it was, with {address} for it
	Why        string // what a session opens, with {hosts} for it
	Next       string // what to do
	ViewOnly   string // a change was stopped
	NoDownload string // a download was stopped
	Browser    string // in place of an address that is the browser's or the disk's
}

var englishGuard = GuardText{
	Title:      "Not part of this session",
	Outside:    "{address} is outside the member’s platform. Nothing was sent there.",
	Why:        "This window opens {hosts} and nothing else, so that the session stays with the member’s account.",
	Next:       "Go back, or open the address in your own browser. If members need it here (to sign in or to pay, say), ask whoever runs Stead to add it to the list.",
	ViewOnly:   "View only: this was not sent. Nothing was changed.",
	NoDownload: "Downloads are off in this session. Nothing was saved.",
	Browser:    "That page",
}

func (t GuardText) orEnglish() GuardText {
	for _, f := range []struct {
		word    *string
		english string
	}{{&t.Title, englishGuard.Title}, {&t.Outside, englishGuard.Outside}, {&t.Why, englishGuard.Why}, {&t.Next, englishGuard.Next},
		{&t.ViewOnly, englishGuard.ViewOnly}, {&t.NoDownload, englishGuard.NoDownload}, {&t.Browser, englishGuard.Browser}} {
		if *f.word == "" {
			*f.word = f.english
		}
	}
	return t
}

func (g *guard) text() GuardText {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.words
}

//go:embed refused.html
var refusedHTML string

var refusedPage = template.Must(template.New("refused").Parse(refusedHTML))

// ourHost is an address that nobody has (RFC 6761): the guard refuses it like any other, which shows its page.
const ourHost = "session.invalid"

// insteadOf is where a window goes that must not show the address. A new tab stays empty.
func insteadOf(address string) string {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return "https://" + ourHost
	case u.Scheme == "chrome" && strings.HasPrefix(u.Host, "newtab"), u.Scheme == "chrome" && strings.HasPrefix(u.Host, "new-tab-page"):
		return "about:blank"
	}
	return "https://" + ourHost + "/" + url.PathEscape(u.Scheme)
}

// refusal fulfils a request with a page that says why it was refused. Of its address it names the host only.
func (g *guard) refusal(requestID, address string) map[string]any {
	g.mu.Lock()
	words, hosts := g.words, []string{}
	for _, o := range slices.Concat(g.fence.Origins, g.fence.Pages) {
		if _, host, _ := strings.Cut(o, "://"); !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	g.mu.Unlock()
	name := words.Browser
	if u, err := url.Parse(address); err == nil && u.Host != "" && u.Host != ourHost {
		name = u.Host
	}
	var page bytes.Buffer
	err := refusedPage.Execute(&page, map[string]string{
		"Title": words.Title, "Outside": strings.ReplaceAll(words.Outside, "{address}", name),
		"Why": strings.ReplaceAll(words.Why, "{hosts}", strings.Join(hosts, ", ")), "Next": words.Next,
	})
	if err != nil {
		page.Reset() // an empty page is as good a refusal
	}
	return map[string]any{
		"requestId": requestID, "responseCode": 403, "body": base64.StdEncoding.EncodeToString(page.Bytes()),
		"responseHeaders": []map[string]string{
			{"name": "Content-Type", "value": "text/html; charset=utf-8"},
			{"name": "Content-Security-Policy", "value": "default-src 'none'; style-src 'unsafe-inline'"},
			{"name": "Cache-Control", "value": "no-store"},
		},
	}
}

//go:embed notice.js
var noticeJS string

// noticePause is how long a page is not told anything again: a page that tries all the time would show nothing else.
const noticePause = time.Second

// say shows the person a sentence at the bottom of a page of the session: the one whose main frame it is, else its
// oldest.
func (b *Browser) say(frame, words string) {
	b.mu.Lock()
	var at *page
	for _, p := range b.ours() {
		if at == nil || p.target == frame {
			at = p
		}
	}
	b.mu.Unlock()
	if at == nil || !b.guard.mayTell(at.target, time.Now()) {
		return
	}
	quoted, err := json.Marshal(words)
	if err != nil {
		return
	}
	b.work.Go(func() { // beside the events, since it waits for an answer
		ctx, cancel := context.WithTimeout(b.life, cdp.CallTimeout)
		defer cancel()
		_ = b.evaluate(ctx, at, world, noticeJS+"("+string(quoted)+")", nil) // a page that is going is told nothing
	})
}

func (g *guard) mayTell(target string, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now.UnixMilli()-g.told[target] < noticePause.Milliseconds() {
		return false
	}
	g.told[target] = now.UnixMilli()
	return true
}

// onDownload tells the person of a download that was stopped.
func (b *Browser) onDownload(ev cdp.Event) {
	var p struct {
		State string `json:"state"`
	}
	if json.Unmarshal(ev.Params, &p) == nil && p.State == "canceled" && !b.guard.savesFiles() {
		b.say("", b.guard.text().NoDownload)
	}
}
