package stead

import (
	"strings"
	"testing"
)

func TestAPathTemplateHoldsWordsAndNoIds(t *testing.T) {
	for path, want := range map[string]string{
		"":                   "/",
		"/":                  "/",
		"/plan/search":       "/plan/search",
		"/support-access":    "/support-access",
		"/api/v2/members/17": "/api/v2/members/{id}",
		"/api/v2017":         "/api/{id}",
		"/api/vv2":           "/api/{id}",
		"/m/0190b4a2-7c11-7aaa-8bbb-0123456789ab/edit": "/m/{id}/edit",
		"/t/deadbeefdeadbeefdeadbeef":                  "/t/{id}",
		"/t/aGVsbG8gd29ybGQ":                           "/t/{id}",
		"/t/eyJhbGciOi_Jhb.Pqr":                        "/t/{id}",
		"/t/GEZDGNBVGY":                                "/t/{id}",
		"/by/ada@example.org":                          "/by/{id}",
		"/by/ada%40example.org":                        "/by/{id}",
		"/by/+49 30 123":                               "/by/{id}",
		"/supportAccessList/":                          "/supportAccessList/",
		"/r/:id/x":                                     "/r/{id}/x",
		"/r/{name}/<int:n>":                            "/r/{id}/{id}",
		"/*":                                           "/*",
		"/*/x":                                         "/{id}/x",
		"/" + strings.Repeat("a", 25):                  "/{id}",
		"/Ünlü":                                        "/{id}",
	} {
		if got := PathTemplate(path); got != want {
			t.Errorf("%q becomes %q, want %q", path, got, want)
		}
		if again := PathTemplate(PathTemplate(path)); again != PathTemplate(path) {
			t.Errorf("the template of %q is not its own template: %q", path, again)
		}
	}
	long := PathTemplate(strings.Repeat("/members", 50))
	if len(long) > 200 || !strings.HasSuffix(long, "/*") {
		t.Errorf("a long path becomes %q", long)
	}
}

func TestATemplateFitsWhatItMayBeAbout(t *testing.T) {
	for _, c := range []struct {
		template, seen string
		fits           bool
	}{
		{"/plan", "/plan", true},
		{"/plan", "/plan/search", false},
		{"/plan/search", "/plan", false},
		{"/members/:id", "/members/{id}", true},
		{"/members/{name}", "/members/ada", true},
		{"/members/{name}", "/members", false},
		{"/*", "/anything/at/{id}", true},
		{"/files/*", "/files/a/b", true},
		{"/files/*", "/other", false},
		{"/", "/", true},
		{"/", "/plan", false},
		{strings.Repeat("/members", 50), PathTemplate(strings.Repeat("/members", 50)), true},
	} {
		if TemplateFits(c.template, c.seen) != c.fits {
			t.Errorf("%q and %q: want %v", c.template, c.seen, c.fits)
		}
	}
}

func TestThePathOfAnAddressHasNoQuery(t *testing.T) {
	if got := PathOf("https://u:p@portal.example/a/b?token=secret#frag"); got != "/a/b" {
		t.Errorf("got %q", got)
	}
	if got := PathOf("https://portal.example"); got != "/" {
		t.Errorf("got %q", got)
	}
	if got := PathOf("::not one"); got != "" {
		t.Errorf("got %q", got)
	}
}
